"""The whole story of one alert: what was measured, who said what about it, and what people did (SPEC 6).

Whatever cannot be read, because the warehouse is busy or retention has removed it, is named and the rest is told.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from fridge_assets.alerting.trace.measured import Measured
from fridge_assets.alerting.trace.people import of_people
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse


@dataclass(frozen=True)
class Story:
    """All that is known of one alert; a frame without rows where there is nothing, or it cannot be read.

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
        previous: told alerts of the device in the month before: ``alert_id``, ``first_detected_at``, ``severity``,
            ``title``, ``status``, and of their newest event ``action``, ``actor`` and ``event_note``.
        events: ALERT_EVENTS rows in their order.
        labels: LABEL_EVENTS rows in their order.
        silences: SILENCES rows that held it.
        messages: what became of the messages that stand for it, in their order: ``message_id``, ``channel``, ``kind``,
            ``title`` and ``created_at``, and for each destination the columns of its delivery.
        work_order: WORK_ORDERS row of its work.
        missing: sentences about the parts that could not be read.
    """

    alert: dict[str, Any]
    readings: pd.DataFrame
    windows: pd.DataFrame
    usual: dict[str, float]
    scores: pd.DataFrame
    comparisons: pd.DataFrame
    conditions: pd.DataFrame
    previous: pd.DataFrame
    events: pd.DataFrame
    labels: pd.DataFrame
    silences: pd.DataFrame
    messages: pd.DataFrame
    work_order: pd.DataFrame
    missing: tuple[str, ...]


def story(
    warehouse: Warehouse, operations: Operations, alert: pd.DataFrame, settings: Settings, now: datetime
) -> Story:
    """Gather the story of an alert.

    Args:
        warehouse: readings, features and scores; may be busy.
        operations: everything that people and the pipeline did.
        alert: one DEVICE_ALERTS row.
        settings: the data folder, and how long what is kept.
        now: when it is asked for; tells what retention has removed from what never was.

    Raises:
        FridgeError: the operations store cannot be read.
    """
    row = {str(name): value for name, value in alert.to_dict(orient="records")[0].items()}
    with operations.read() as connection:
        people = of_people(connection, row, settings.features.window)
    measured = Measured(warehouse, settings, row, now)
    parts: dict[str, Any] = {**measured.gather(), **people}
    return Story(alert=row, **parts, missing=tuple(measured.missing))
