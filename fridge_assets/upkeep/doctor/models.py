"""Model versions: whether each family has one that may score, and whether its files are what training wrote."""

from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from fridge_assets.models.families import FAMILIES
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.settings import Settings
from fridge_assets.upkeep.doctor.check import Check, State, broken, note, ok


def model_checks(models: ModelLifecycle, settings: Settings) -> list[Check]:
    """One check for the registry and one for each family that has a release."""

    def of(family: str) -> Callable[[], State]:
        return lambda: _family(models, family)

    needs = ("operations store", "models")
    return [
        Check("models", lambda: _registry(models, settings), needs=("operations store",)),
        *(Check(f"model {family}", of(family), needs=needs) for family in FAMILIES),
    ]


def _registry(models: ModelLifecycle, settings: Settings) -> State:
    missing = [family for family in FAMILIES if models.deployments.of(family).released is None]
    lost = _lost(settings) if len(missing) < len(FAMILIES) else ""
    if lost:
        return broken(f"{lost} is gone, with every version in it; restore it from a backup, or train new versions")
    if missing:
        return note(f"{', '.join(missing)} not trained yet; run `fridge-assets train`")
    return ok(f"{len(FAMILIES)} families released")


def _lost(settings: Settings) -> str:
    """What there must be once a version was released; nothing creates it here."""
    url = sa.make_url(settings.mlflow_database)
    local = [settings.models_dir]
    if url.get_backend_name() == "sqlite" and url.database:
        local.append(Path(url.database))
    return next((str(path) for path in local if not path.exists()), "")


def _family(models: ModelLifecycle, family: str) -> State:
    state = models.deployments.of(family)
    if state.released is None:
        return ok("none to look at yet")
    version = models.require_serving(family)
    if models.registry.keeps_files and not models.registry.folder_of(version.run_id).is_dir():
        return broken(
            f"the files of {version.version} are gone: {models.registry.folder_of(version.run_id)}; restore that "
            f"folder from a backup, or train a new version with `fridge-assets train {family}`"
        )
    models.registry.load(version)
    return ok(f"{version.version} scores, its files are as training wrote them")
