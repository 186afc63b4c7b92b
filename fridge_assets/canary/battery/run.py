"""The battery of one candidate: every case that the fleet and simulated machines give (SPEC 3.1)."""

import logging
from datetime import datetime

import pandas as pd

from fridge_assets.canary.battery.fleet import fleet_cases
from fridge_assets.canary.battery.recipe import simulated_cases
from fridge_assets.canary.battery.rules import Battery, judge, untried
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.models.registry import RegisteredVersion
from fridge_assets.settings import Settings
from fridge_assets.stores.warehouse import Warehouse

_LOG = logging.getLogger(__name__)


def battery_of(
    models: ModelLifecycle,
    warehouse: Warehouse,
    versions: tuple[RegisteredVersion, RegisteredVersion],
    devices: pd.DataFrame,
    spans: pd.DataFrame,
    now: datetime,
    settings: Settings,
) -> Battery:
    """Try a candidate on healthy states and known faults, beside production.

    Where that fails itself, the battery says so and is no pass: one family's failure must not hide what others do.

    Args:
        models: the versions.
        warehouse: holds the features.
        versions: the candidate and production.
        devices: active devices with ``device_id`` and ``cohort``.
        spans: of :func:`fridge_assets.models.exclusions.known_spans`.
        now: windows that end later are not looked at.
        settings: all of them.
    """
    try:
        candidate, production = (models.registry.load(version) for version in versions)
        with warehouse.read() as connection:
            cases = fleet_cases(connection, candidate, production, devices, spans, now, settings)
        cases += simulated_cases(models.registry.models_dir, candidate.metadata, production.metadata, settings)
    except Exception as error:
        _LOG.exception("a candidate could not be tried on healthy states and known faults")
        return untried(f"{type(error).__name__}: {error}".rstrip("."))
    return judge(cases, settings.canary.battery)
