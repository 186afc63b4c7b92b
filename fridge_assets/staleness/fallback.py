"""Fixed limits that stand in for the models: a device beyond one of them is flagged, none is scored (SPEC 4.1)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from fridge_assets.contracts import RULES_BASED_FALLBACK
from fridge_assets.contracts.validation import enforce
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.moments import OWN_TIME, spoken
from fridge_assets.features.compute import newest_window_end
from fridge_assets.features.latest import latest_rows
from fridge_assets.settings import FallbackSettings, FeatureSettings, Settings
from fridge_assets.stores.frames import registered
from fridge_assets.stores.warehouse import Warehouse

LIMITED_FEATURES = ("temp_evaporator_mean", "vibration_compressor_max", "pressure_low_mean", "current_compressor_max")
"""The features that have a limit."""


def limits_of(settings: FallbackSettings) -> dict[str, float]:
    """Feature → its limit."""
    limits = (
        settings.max_evaporator_temperature,
        settings.max_vibration,
        settings.min_low_pressure,
        settings.max_current,
    )
    return dict(zip(LIMITED_FEATURES, limits, strict=True))


class FallbackBlind(FridgeError):
    """The newest features are too old to judge anything by."""


@dataclass(frozen=True)
class FallbackReport:
    """What the rules found in one window.

    Args:
        window_end: the judged window.
        rows: RULES_BASED_FALLBACK rows, one per active device that measured something there is a limit for.
        active: active devices of the fleet.
    """

    window_end: datetime
    rows: pd.DataFrame
    active: int

    @property
    def flagged(self) -> int:
        """Devices beyond a limit."""
        return int(self.rows["anomaly_flag"].sum())


def judge_by_rules(warehouse: Warehouse, devices: pd.DataFrame, now: datetime, settings: Settings) -> FallbackReport:
    """Apply the rules to the newest window and keep what they say; the same window again replaces it.

    Args:
        warehouse: holds the features, and gets the verdicts.
        devices: ``device_id`` of the active devices.
        now: recorded as ``evaluated_at``.
        settings: the limits, and how old features may be.

    Raises:
        FallbackBlind: there are no features, or none young enough.
        ContractViolation: nothing was written.
    """
    with warehouse.read() as connection:
        window_end = _window_to_judge(newest_window_end(connection, now), now, settings.features)
        features = latest_rows(connection, window_end, devices, settings.features)
    # Where nothing was measured that has a limit nobody has judged: such a device has not recovered, nor is it healthy.
    features = features.dropna(subset=list(LIMITED_FEATURES), how="all")
    conditions = conditions_met(features, settings.fallback)
    rows = features.assign(
        window_start=pd.Timestamp(window_end - settings.features.window),
        window_end=pd.Timestamp(window_end),
        conditions=conditions,
        anomaly_flag=conditions.str.len() > 0,
        anomaly_score=0.0,
        evaluated_at=pd.Timestamp(now),
    )[list(RULES_BASED_FALLBACK.column_names)]
    enforce(RULES_BASED_FALLBACK, rows)
    verdicts = RULES_BASED_FALLBACK.to_arrow(rows)
    with warehouse.transaction() as connection, registered(connection, verdicts=verdicts):
        connection.execute("DELETE FROM rules_based_fallback WHERE window_end = ?", [window_end])
        connection.execute("INSERT INTO rules_based_fallback SELECT * FROM verdicts")
    return FallbackReport(window_end, rows, len(devices))


def newest_judged_window(
    connection: duckdb.DuckDBPyConnection, now: datetime, settings: FeatureSettings
) -> datetime | None:
    """End of the newest window that the rules have judged and that is young enough to act on; None without one."""
    newest = connection.execute(
        "SELECT max(window_end) FROM rules_based_fallback WHERE window_end <= $now AND window_end >= $oldest",
        {"now": now, "oldest": now - settings.max_age},
    ).fetchall()[0][0]
    return None if newest is None else newest.astimezone(UTC)


def devices_judged_by_rules(
    connection: duckdb.DuckDBPyConnection, now: datetime, settings: FeatureSettings
) -> list[str]:
    """The devices that the rules have judged in the newest window that is young enough to act on."""
    newest = newest_judged_window(connection, now, settings)
    rows = connection.execute("SELECT device_id FROM rules_based_fallback WHERE window_end = ?", [newest]).fetchall()
    return [device for (device,) in rows]


def conditions_met(features: pd.DataFrame, limits: FallbackSettings) -> "pd.Series[Any]":
    """The features of each row that are beyond their limit, furthest first; a null feature is beyond none.

    How far is told as a multiple of the limit; ten degrees beyond a temperature, whose zero means nothing, count as
    much as twice the limit.

    Args:
        features: DEVICE_FEATURES rows.
        limits: the limits.

    Returns:
        Lists of feature names, same index.
    """
    multiples = {
        "temp_evaporator_mean": 1 + (features["temp_evaporator_mean"] - limits.max_evaporator_temperature) / 10,
        "vibration_compressor_max": features["vibration_compressor_max"] / limits.max_vibration,
        "pressure_low_mean": limits.min_low_pressure / features["pressure_low_mean"],
        "current_compressor_max": features["current_compressor_max"] / limits.max_current,
    }
    matrix = np.column_stack([values.to_numpy(dtype=np.float64, na_value=np.nan) for values in multiples.values()])
    names = np.array(list(multiples))
    order = np.argsort(-np.nan_to_num(matrix), axis=1, kind="stable")
    lists: list[list[str]] = [[] for _ in range(len(features))]
    for row in np.flatnonzero((matrix > 1).any(axis=1)):
        lists[row] = names[order[row][matrix[row][order[row]] > 1]].tolist()
    return pd.Series(lists, index=features.index, dtype="object")


def _window_to_judge(newest: datetime | None, now: datetime, settings: FeatureSettings) -> datetime:
    if newest is not None and now - newest <= settings.max_age:
        return newest
    seen = f"the newest features are of {newest:%Y-%m-%d %H:%M} UTC" if newest else "there are no features yet"
    raise FallbackBlind(
        f"the rules cannot stand in for the models: {seen}, and features older than "
        f"{spoken(settings.max_age)} say nothing about now",
        f"Find out why readings are late; until they come only the streaming rules watch these devices. "
        f"{OWN_TIME[0].upper()}{OWN_TIME[1:]}.",
    )
