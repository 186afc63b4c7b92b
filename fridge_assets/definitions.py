"""The whole graph in one place."""

import dagster as dg

from fridge_assets.alert_quality.assets import alert_quality
from fridge_assets.automation.decisions import DECISION_JOBS
from fridge_assets.automation.freshness import with_freshness
from fridge_assets.automation.jobs import JOBS
from fridge_assets.automation.retention import RETENTION
from fridge_assets.automation.schedules import SCHEDULES
from fridge_assets.automation.sensors import SENSORS
from fridge_assets.automation.silences import SILENCE_JOBS
from fridge_assets.automation.status import RECONCILE, refresh_status_job
from fridge_assets.canary.assets import canary_comparison
from fridge_assets.core.collector import keep_what_was_imported
from fridge_assets.deployment.store import Deployments
from fridge_assets.features.assets import device_features
from fridge_assets.incidents.assets import device_alerts, label_events
from fridge_assets.models.assets import MODEL_ASSETS
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.models.registry import ModelRegistry
from fridge_assets.monitoring.assets import model_monitoring
from fridge_assets.readings.assets import device_registry, ingested_readings, sensor_readings
from fridge_assets.running.executors import one_process, separate_processes
from fridge_assets.scoring.assets import SCORE_ASSETS, model_scores
from fridge_assets.settings import Settings, read_settings
from fridge_assets.staleness.assets import rules_based_fallback
from fridge_assets.status.assets import agrees_with_alerts, fleet_status
from fridge_assets.steps.clock import Clock
from fridge_assets.steps.warehouse import WarehouseResource
from fridge_assets.stores.landing import Landing
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.published import Published
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets.streaming.assets import acute_thresholds, streaming_alerts


def build_definitions(settings: Settings, registry: ModelRegistry | None = None) -> dg.Definitions:
    """The asset graph over the data folder that ``settings`` name.

    Args:
        settings: the data folder, and everything that can be set.
        registry: the model versions, where they are not those of the data folder.
    """
    warehouse = Warehouse.from_settings(settings)
    operations = Operations(settings.operations_database, settings.operations.lock_wait)
    registry = registry or ModelRegistry(settings.mlflow_database, settings.models_dir)
    assets = with_freshness(
        [
            sensor_readings,
            device_registry,
            ingested_readings,
            device_features,
            *MODEL_ASSETS,
            *SCORE_ASSETS,
            model_scores,
            canary_comparison,
            rules_based_fallback,
            acute_thresholds,
            streaming_alerts,
            device_alerts,
            label_events,
            fleet_status,
            model_monitoring,
            alert_quality,
        ],
        settings.staleness,
    )
    return dg.Definitions(
        assets=assets,
        asset_checks=[agrees_with_alerts],
        jobs=[*JOBS, *DECISION_JOBS, *SILENCE_JOBS, RETENTION, RECONCILE, refresh_status_job],
        schedules=SCHEDULES,
        sensors=SENSORS,
        executor=separate_processes,  # of what somebody materializes in the UI without a job
        resources={
            "settings": _fixed(settings),
            "warehouse": dg.ResourceDefinition(WarehouseResource(warehouse).create_resource, config_schema={}),
            "operations": _fixed(operations),
            "landing": _fixed(Landing(settings.landing_dir, operations)),
            "published": _fixed(Published(settings.published_dir)),
            "models": _fixed(ModelLifecycle(registry, Deployments(operations))),
            "clock": Clock(warehouse=warehouse, settings=settings, as_of=""),
            "io_manager": dg.IOManagerDefinition(dg.FilesystemIOManager().create_io_manager, config_schema={}),
        },
    )


def _fixed(store: object) -> dg.ResourceDefinition:
    """A resource that a run cannot change: the launchpad offers what a person may decide."""
    return dg.ResourceDefinition(lambda _context: store, config_schema={})


def load_job(name: str, in_process: bool = False) -> dg.JobDefinition:
    """The job called ``name``, for programs that run it; ``in_process`` all of it in their own process."""
    job = defs.resolve_job_def(name)
    return job.with_executor_def(one_process) if in_process else job


defs = build_definitions(read_settings())

keep_what_was_imported()
