"""Every check of a data folder that needs no Dagster, in the order in which they are made."""

from collections.abc import Callable

from fridge_assets.deployment.store import Deployments
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.models.registry import ModelRegistry
from fridge_assets.settings import Settings
from fridge_assets.stores.looking import ReadOnlyOperations, ReadOnlyWarehouse
from fridge_assets.upkeep.doctor.check import Check
from fridge_assets.upkeep.doctor.clock import clock_checks
from fridge_assets.upkeep.doctor.folder import folder_checks
from fridge_assets.upkeep.doctor.models import model_checks
from fridge_assets.upkeep.doctor.readings import reading_checks
from fridge_assets.upkeep.doctor.sending import sending_checks
from fridge_assets.upkeep.doctor.serving import serving_checks
from fridge_assets.upkeep.doctor.stores import store_checks


def checks(settings: Settings, is_busy: Callable[[], bool] = lambda: False) -> list[Check]:
    """The checks of the data folder of ``settings``.

    Args:
        settings: name the folder and its stores.
        is_busy: whether a run is going, whose files must not be taken for what a killed program left behind.
    """
    warehouse = ReadOnlyWarehouse.from_settings(settings)
    operations = ReadOnlyOperations(settings.operations_database, settings.operations.lock_wait)
    registry = ModelRegistry(settings.mlflow_database, settings.models_dir)
    models = ModelLifecycle(registry, Deployments(operations))
    return [
        *folder_checks(settings, is_busy),
        *store_checks(settings, warehouse, operations),
        *reading_checks(settings, warehouse, operations, is_busy),
        *clock_checks(settings, warehouse, operations),
        *model_checks(models, settings),
        *serving_checks(settings, warehouse, operations, models),
        *sending_checks(settings, operations),
    ]
