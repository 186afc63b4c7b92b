"""Ways to break a released model, with all hashes right or not."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from fridge_assets.models._mlflow import open_client
from fridge_assets.models.version import MANIFEST, file_hash
from fridge_assets.settings import Group
from fridge_assets_tests.scenarios.small_fleet import Place

FOREST, BASELINE = "isolation_forest", "statistical_baseline"


def recalibrate(place: Place, family: str, change: Callable[[dict[str, Any]], Mapping[str, object]]) -> None:
    """Register another calibration with the released version of ``family``, with all its hashes right.

    Args:
        place: the data folder.
        family: model family.
        change: gets the values of the calibration and returns those that are to be different.
    """
    registered = place.models.require_serving(family)
    calibration = place.artifact(family, "calibration.json")
    values = json.loads(calibration.read_text())
    calibration.write_text(json.dumps({**values, "states": {}, **change(values)}))
    manifest = place.artifact(family, MANIFEST)
    hashes = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**hashes, "calibration.json": file_hash(calibration)}))
    client = open_client(place.settings.mlflow_database, place.settings.models_dir)
    client.set_model_version_tag(family, str(registered.number), "manifest_hash", file_hash(manifest))


def flag_everything(place: Place, family: str) -> None:
    """Let ``family`` find every device as strange as the strangest."""
    recalibrate(place, family, lambda values: {"log_p": [-12.0] * len(values["log_p"]), "lower_scale": 1e9})


def answer_nan_in_the_tail(place: Place, family: str) -> None:
    """Let ``family`` answer NaN for the few strangest devices, and as before for the others."""
    recalibrate(place, family, lambda _: {"tail_scale": float("nan")})


def tamper(place: Place, family: str) -> Callable[[], None]:
    """Change a file of the released version of ``family``; the returned function puts it right again."""
    file = next(file for file in sorted(place.artifact(family, "model").rglob("*")) if file.is_file())
    before = file.read_bytes()
    file.write_bytes(before + b"x")

    def mend() -> None:
        file.write_bytes(before)

    return mend


def with_settings(place: Place, **groups: Mapping[str, object]) -> Place:
    """``place`` with other settings: group → name → value."""
    changed: dict[str, Group] = {
        name: getattr(place.settings, name).model_copy(update=dict(values)) for name, values in groups.items()
    }
    return replace(place, settings=place.settings.model_copy(update=changed))
