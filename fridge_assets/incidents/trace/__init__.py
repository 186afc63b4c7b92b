"""What was measured when an alert was made, and what each model said of it (SPEC 6).

Whatever cannot be read, because the warehouse is busy or retention has removed it, is named and the rest is told.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from fridge_assets.incidents.trace.measured import Measured
from fridge_assets.settings import Settings
from fridge_assets.stores.warehouse import Warehouse


@dataclass(frozen=True)
class Trace:
    """What is behind one alert; a frame without rows where there is nothing, or it cannot be read.

    Args:
        alert: DEVICE_ALERTS columns by name.
        readings: ``timestamp_utc`` and a column for each sensor behind the strongest contributor.
        windows: ``window_end`` and a column for each contributor.
        usual: contributor → what it usually is at this time of day.
        scores: MODEL_SCORES rows, one for each family that had scored the device, and ``behind``: whether the alert was
            made of it.
        comparisons: what the models expected of the contributors of these scores, as of
            :func:`fridge_assets.scoring.comparisons.compared`.
        conditions: what the rules that stood in for the models said: ``conditions`` and ``evaluated_at``.
        missing: sentences about the parts that could not be read.
    """

    alert: dict[str, Any]
    readings: pd.DataFrame
    windows: pd.DataFrame
    usual: dict[str, float]
    scores: pd.DataFrame
    comparisons: pd.DataFrame
    conditions: pd.DataFrame
    missing: tuple[str, ...]


def trace(warehouse: Warehouse, alert: dict[str, Any], settings: Settings, now: datetime) -> Trace:
    """Gather what is behind an alert.

    Args:
        warehouse: readings, features and scores; may be busy.
        alert: one DEVICE_ALERTS row.
        settings: the data folder, and how long what is kept.
        now: when it is asked for; tells what retention has removed from what never was.
    """
    measured = Measured(warehouse, settings, alert, now)
    parts = measured.gather()
    return Trace(alert=alert, missing=tuple(measured.missing), **parts)
