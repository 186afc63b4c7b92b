"""Assets of the models: training, one asset per family."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pandas as pd

from fridge_assets.contracts import DEVICE_FEATURES, LABEL_EVENTS
from fridge_assets.contracts.device_features import unseen_sensors
from fridge_assets.contracts.sensor_readings import SENSORS
from fridge_assets.deployment.decide import Request
from fridge_assets.deployment.state import Stage
from fridge_assets.models.exclusions import after_maintenance, confirmed_failures, flagged_windows, known_spans
from fridge_assets.models.families import FAMILIES
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.models.refusal import count_candidates, too_few
from fridge_assets.models.registry import RegisteredVersion
from fridge_assets.models.selection import select_training_rows
from fridge_assets.models.training import TrainedModel, train
from fridge_assets.registry.devices import effective_registry, with_cohort
from fridge_assets.settings import Settings
from fridge_assets.steps.clock import Clock
from fridge_assets.steps.results import AssetEvent, code_version, guarded, picture, with_pictures
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse


def model_name(family: str) -> str:
    """Asset key of the versions of ``family``."""
    return f"{family}_model"


def model_asset(family: str) -> dg.AssetsDefinition:
    """The asset that trains a new version of ``family``."""

    @dg.asset(
        name=model_name(family),
        deps=[DEVICE_FEATURES.name, "device_registry", LABEL_EVENTS.name],
        group_name="models",
        kinds={"python", "mlflow"},
        owners=["team:ml"],
        description=with_pictures(
            f"Versions of {family}. The first one is released by itself, later ones are drafts.",
            model_name(family),
            "calibration",
        ),
        code_version=code_version("models"),
        pool=model_name(family),
    )
    @guarded({})
    def model(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        warehouse: dg.ResourceParam[Warehouse],
        operations: dg.ResourceParam[Operations],
        models: dg.ResourceParam[ModelLifecycle],
        clock: Clock,
    ) -> Iterator[AssetEvent]:
        now = clock.now()
        devices = with_cohort(effective_registry(settings.root, warehouse))
        with operations.read() as store:
            spans = known_spans(store, devices, now, settings.training)
        with warehouse.read() as connection:
            excluded = {
                "flagged before": flagged_windows(connection, family, spans, now, settings),
                "after maintenance": after_maintenance(connection, spans, now),
                "confirmed failures": confirmed_failures(connection, spans, now),
            }
            left_out = pd.concat(excluded.values())
            view = FAMILIES[family].view
            rows = select_training_rows(connection, devices, now, settings, view, left_out)
            if len(rows) < settings.training.min_rows:
                raise too_few(len(rows), count_candidates(connection, devices, now, settings, left_out), view, settings)
        trained = train(FAMILIES[family], rows, settings, now)
        request = Request(f"Dagster run {context.run.run_id[:8]}", clock.wall_time(), "first version of the family")
        registered = models.introduce(trained, request)
        stage = models.deployments.of(family).stage_of(registered.version)
        card = models.registry.card(registered)
        counts = {f"left out: {reason}": len(windows) for reason, windows in excluded.items()}
        yield _result(registered, stage, trained, counts, card)

    return model


MODEL_ASSETS: tuple[dg.AssetsDefinition, ...] = tuple(model_asset(family) for family in FAMILIES)


def _result(
    registered: RegisteredVersion, stage: Stage, trained: TrainedModel, left_out: dict[str, int], card: Path
) -> dg.MaterializeResult[None]:
    metadata = trained.version.metadata
    record = metadata.training
    unseen = unseen_sensors(metadata.features)
    return dg.MaterializeResult(
        metadata={
            "version": registered.version,
            "stage": stage,
            "features": len(metadata.features),
            "sensors seen": f"{len(SENSORS) - len(unseen)} of {len(SENSORS)}",
            "cannot see": ", ".join(unseen) or "none",
            "training rows": record.rows,
            "training devices": record.devices,
            **left_out,
            "dropped as contaminated": record.self_cleaned,
            "training data": f"{record.window_from:%Y-%m-%d %H:%M} … {record.window_to:%Y-%m-%d %H:%M} UTC",
            "training data hash": record.hash,
            "calibrated on": record.calibrated_on,
            **{name.replace("_", " "): value for name, value in metadata.metrics.items()},
            "provisional": metadata.provisional or "no",
            "card": dg.MetadataValue.path(str(card)),
            "calibration": picture(card.with_name("calibration.png").read_bytes(), "what a score means"),
        }
    )
