"""What a model gets to see: the usable rows that speak for the devices in the latest closed window (SPEC 2)."""

from dataclasses import dataclass
from datetime import datetime

import duckdb
import pandas as pd

from fridge_assets.contracts.device_features import MODEL_FEATURES
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.moments import OWN_TIME, spoken
from fridge_assets.features.interval import intervals_sql
from fridge_assets.features.latest import latest_rows
from fridge_assets.models.base import View
from fridge_assets.models.day_view import latest_day_means
from fridge_assets.settings import FeatureSettings, ScoringSettings, Settings
from fridge_assets.stores.frames import query, registered


class FeaturesStale(FridgeError):
    """The newest features are too old to be scored."""


@dataclass(frozen=True)
class ModelInput:
    """Rows of one window, before imputation.

    Args:
        window_end: the window.
        rows: DEVICE_FEATURES columns and ``cohort``, one row per device, of an earlier window where the device sends
            that seldom; in the day view the features are means of the day up to ``window_end``.
        recent: most recent non-null feature values of the devices whose rows have nulls.
        active: active devices that should have been scored.
        left_out: reason → devices that cannot be scored.
    """

    window_end: datetime
    rows: pd.DataFrame
    recent: pd.DataFrame
    active: int
    left_out: dict[str, list[str]]


def window_to_score(newest: datetime | None, now: datetime, settings: FeatureSettings) -> datetime:
    """End of the window to score at ``now``.

    Args:
        newest: end of the newest window that has features.
        now: the clock.
        settings: greatest age of features.

    Raises:
        FeaturesStale: there are no features, or none young enough; scoring stale features misleads.
    """
    if newest is None:
        raise FeaturesStale(
            "device_features has no window that is closed",
            "Bring readings first: files in the landing folder, or `fridge-assets ingest FILE`.",
        )
    age = now - newest
    if age > settings.max_age:
        raise FeaturesStale(
            f"the newest features are of {newest:%Y-%m-%d %H:%M} UTC and it is {now:%Y-%m-%d %H:%M} UTC; "
            f"features older than {spoken(settings.max_age)} are not scored",
            "Find out why readings are late, or raise FRIDGE_FEATURES__MAX_AGE where they come that seldom; "
            f"{OWN_TIME}.",
        )
    return newest


def read_model_input(
    connection: duckdb.DuckDBPyConnection,
    window_end: datetime,
    devices: pd.DataFrame,
    settings: Settings,
    view: View,
) -> ModelInput:
    """The rows of ``window_end`` that a model may score, or of the days that end with it.

    Args:
        connection: an open warehouse connection.
        window_end: the window.
        devices: ``device_id`` and ``cohort`` of the active devices to score.
        settings: completeness, memory of imputation and length of a day.
        view: what the model looks at; a device that has no usable window now has no day to score either.
    """
    rows = latest_rows(connection, window_end, devices, settings.features)
    rows = rows.merge(devices[["device_id", "cohort"]], on="device_id")
    # Sets: to look for 100,000 texts in as many takes pandas half a second.
    silent = sorted(set(devices["device_id"].tolist()) - set(rows["device_id"].tolist()))
    with registered(connection, devices=devices[["device_id"]]):
        few = rows["device_id"].isin(_with_few_readings(connection, window_end, settings))
    limits = settings.scoring
    complete = rows["own_completeness"].fillna(rows["sensor_completeness"]) >= limits.min_completeness
    left_out = {
        "no readings in the window": silent,
        f"less than {limits.min_reading_share:.0%} of the readings that they usually send": rows.loc[
            few, "device_id"
        ].tolist(),
        f"less than {limits.min_completeness:.0%} of the values of the sensors they have": rows.loc[
            ~few & ~complete, "device_id"
        ].tolist(),
    }
    usable = rows[complete & ~few].reset_index(drop=True)
    if view == "day":
        usable, short = _days(connection, window_end, usable, settings)
        left_out[f"fewer than {settings.dbscan.min_windows} usable windows in {spoken(settings.dbscan.day)}"] = short
    with_nulls = usable.loc[usable[list(MODEL_FEATURES)].isna().any(axis=1), ["device_id"]]
    recent = _most_recent_values(connection, with_nulls, window_end, settings.scoring)
    return ModelInput(window_end, usable, recent, len(devices), {r: d for r, d in left_out.items() if d})


def _with_few_readings(connection: duckdb.DuckDBPyConnection, window_end: datetime, settings: Settings) -> list[str]:
    """The ``devices`` of which the window has less than ``scoring.min_reading_share`` of what their interval promises.

    A device that comes back, or a recording that ends, leaves a window of some minutes: what it shows of a machine that
    starts and stops is nothing that a model has learned from.
    """
    share, length = settings.scoring.min_reading_share, settings.features.window.total_seconds()
    of_devices = (
        "FROM device_features SEMI JOIN {} USING (device_id) WHERE window_end <= $window AND window_end > $since"
    )
    parameters = {"window": window_end, "since": window_end - settings.features.interval_span}
    # The interval is no shorter than that of the fullest window: it is worked out for the few that this leaves.
    fewer = query(
        connection,
        f"SELECT device_id {of_devices.format('devices')} GROUP BY device_id "
        "HAVING max(reading_count) FILTER (window_end = $window) < $share * max(reading_count)",
        parameters | {"share": share},
    )
    with registered(connection, fewer=fewer):
        intervals = intervals_sql(settings.features, f"(SELECT * {of_devices.format('fewer')})")
        short = query(
            connection,
            f"SELECT device_id FROM device_features JOIN ({intervals}) USING (device_id) "
            "WHERE window_end = $window AND reading_count < $share * $length / interval ORDER BY device_id",
            parameters | {"share": share, "length": length},
        )
    return short["device_id"].tolist()


def _days(
    connection: duckdb.DuckDBPyConnection, window_end: datetime, rows: pd.DataFrame, settings: Settings
) -> tuple[pd.DataFrame, list[str]]:
    """``rows`` with the means of their days, and the devices whose day has too few windows."""
    days = latest_day_means(connection, window_end, rows, settings).set_index("device_id").reindex(rows["device_id"])
    short = ~(days["windows"] >= settings.dbscan.min_windows).to_numpy()
    means = rows.assign(**{name: days[name].to_numpy() for name in MODEL_FEATURES})
    return means[~short].reset_index(drop=True), rows.loc[short, "device_id"].tolist()


def _most_recent_values(
    connection: duckdb.DuckDBPyConnection,
    with_nulls: pd.DataFrame,
    window_end: datetime,
    settings: ScoringSettings,
) -> pd.DataFrame:
    latest = ", ".join(f"arg_max({f}, window_end) AS {f}" for f in MODEL_FEATURES)  # arg_max skips null values
    with registered(connection, with_nulls=with_nulls):
        return query(
            connection,
            f"SELECT device_id, {latest} FROM device_features SEMI JOIN with_nulls USING (device_id) "
            "WHERE window_end < $until AND window_end >= $since GROUP BY device_id ORDER BY device_id",
            {"until": window_end, "since": window_end - settings.imputation_memory},
        )
