"""The cases that simulated machines give: a version of the same family and settings, trained and tested on them.

Nothing that a fleet's own version has learned holds for simulated machines. What holds is how it was made: the family
and its settings. So the same is made of simulated machines, once for each of these and each release.
"""

import json
import logging
from pathlib import Path

import pandas as pd

from fridge_assets.canary.battery.fleet import flags
from fridge_assets.canary.battery.rules import Case
from fridge_assets.canary.battery.simulated import MIXES, key_of, simulated_windows
from fridge_assets.core.errors import FridgeError
from fridge_assets.models.families import FAMILIES
from fridge_assets.models.metadata import ModelMetadata
from fridge_assets.models.reproduce import recorded_settings
from fridge_assets.models.training import train
from fridge_assets.settings import Settings
from fridge_assets.stores.files import atomic_write

_LOG = logging.getLogger(__name__)
Figures = dict[str, list[int]]
"""Kind and name of a case, joined by a colon → windows, and how many of them are flagged."""


def simulated_cases(
    models_dir: Path, candidate: ModelMetadata, production: ModelMetadata, settings: Settings
) -> list[Case]:
    """What versions like the candidate and like production flag of simulated machines.

    Args:
        models_dir: keeps what was found, so that it is found once for each family, settings and release.
        candidate: of the staged version.
        production: of the version that scores now.
        settings: groups ``canary``, ``features`` and ``scoring``; those of training are the versions' own.
    """
    missing = ""
    if FAMILIES[candidate.family].view == "day":
        missing = "this family looks at whole days, and too few are simulated"
    elif not settings.canary.battery.simulated_devices:
        missing = "FRIDGE_CANARY__BATTERY__SIMULATED_DEVICES is 0"
    if missing:
        return [_unknown("simulated machines", missing)]
    return [case for mix in MIXES for case in _of_mix(models_dir / "battery", mix, candidate, production, settings)]


def _of_mix(
    folder: Path, mix: str, candidate: ModelMetadata, production: ModelMetadata, settings: Settings
) -> list[Case]:
    where = f"simulated {mix} machines"
    try:
        ours, theirs = (_figures(folder, mix, metadata, settings) for metadata in (candidate, production))
    except (FridgeError, ValueError) as error:
        # Recorded settings of another release, or a simulated fleet too small for them: nobody is to blame.
        _LOG.warning("the battery could not be tried on %s", where, exc_info=True)
        return [_unknown(where, str(error).splitlines()[0].rstrip("."))]
    cases = []
    for case, (count, flagged) in ours.items():
        kind, _, name = case.partition(":")
        cases.append(Case("quiet" if kind == "quiet" else "fault", name, where, count, flagged, theirs[case][1]))
    return cases


def _unknown(where: str, missing: str) -> Case:
    return Case("fault", "all states and faults", where, missing=missing)


def _figures(folder: Path, mix: str, metadata: ModelMetadata, settings: Settings) -> Figures:
    file = folder / f"{metadata.family}-{mix}-{_key(metadata, settings)}.json"
    if not file.exists():
        found = _tested(metadata, mix, settings, folder)
        with atomic_write(file) as temporary:
            temporary.write_text(json.dumps(found, indent=1))
    figures: Figures = json.loads(file.read_text())
    return figures


def _key(metadata: ModelMetadata, settings: Settings) -> str:
    return key_of(
        {
            "trained with": metadata.training.settings,
            "features": settings.features.model_dump(mode="json"),
            "scoring": settings.scoring.model_dump(mode="json"),
            "battery": settings.canary.battery.model_dump(mode="json"),
        }
    )


def _tested(metadata: ModelMetadata, mix: str, settings: Settings, folder: Path) -> Figures:
    own = recorded_settings(metadata, settings)
    windows = simulated_windows(folder, mix, settings)
    version = train(FAMILIES[metadata.family], windows.training, own, metadata.trained_at).version
    flagged = pd.Series(flags(version, windows.tested, settings.scoring))
    case = windows.tested["kind"] + ":" + windows.tested["name"]
    counted = flagged.groupby(case).agg(["size", "sum"])
    return {str(name): [int(size), int(number)] for name, size, number in counted.itertuples()}
