"""Which windows a model learns from (SPEC 2.1)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import duckdb
import pandas as pd

from fridge_assets.contracts.device_features import MODEL_FEATURES, OWN_COMPLETENESS_SQL
from fridge_assets.features.interval import intervals_sql
from fridge_assets.models.base import View
from fridge_assets.models.day_view import day_means
from fridge_assets.settings import ScoringSettings, Settings
from fridge_assets.stores.frames import query, registered

COHORT = "cohort"
"""Equipment model and climate zone: whose like a device is."""

IDENTITY = ("device_id", COHORT, "window_end")
"""What identifies a training row and decides which history it belongs to."""

STATE = "operating_state"
"""What the machine did in a training row's window: no feature, but what a model knows how to judge."""

RUN_SHARE = "compressor_run_share"
RESTED = "minutes_since_running"
OPERATION = (RUN_SHARE, RESTED)
"""For how much of the window its compressor ran, and how long ago that was at the window's end: no features either, but
what decides most of them where machines start and stop."""


def candidates_sql(settings: Settings) -> str:
    """SELECT of the windows of active devices that nothing excludes, with their state and a column a limit.

    The columns are ``device_id``, ``cohort``, ``window_end``, ``operating_state`` and the names of :data:`LIMITS`:
    whether the window keeps the limit. Reads what :func:`training_tables` registers; the parameters are ``now`` and
    ``since``.
    """
    limits, length = settings.training, settings.features.window.total_seconds()
    flags = "f.quality_flag_count - coalesce(f.range_violation_count, 0)"
    # A device without recent readings has no interval, and nothing is expected of it.
    expected = f"coalesce({limits.min_reading_share} * {length} / i.interval, 0)"
    return f"""
    SELECT f.device_id, d.cohort, f.window_end, f.operating_state,
      {OWN_COMPLETENESS_SQL} >= {limits.min_completeness} AS min_completeness,
      f.reading_count >= {expected} AS min_reading_share,
      {flags} <= {limits.max_flagged_share} * f.reading_count AS max_flagged_share
    FROM device_features f
    JOIN training_devices d USING (device_id)
    LEFT JOIN training_intervals i USING (device_id)
    ANTI JOIN training_exclusions e ON e.device_id = f.device_id AND e.window_end = f.window_end
    WHERE d.status = 'active' AND f.window_end <= $now AND f.window_end > $since
"""


LIMITS: dict[str, str] = {
    "min_completeness": "have less than {:.0%} of the values of the sensors that their device has",
    "min_reading_share": "have less than {:.0%} of the readings that the interval of their device lets expect",
    "max_flagged_share": "have more than {:g} quality flags per reading",
}
"""Setting of group ``training`` that a window must keep → what is wrong with one that does not."""


def select_training_rows(
    connection: duckdb.DuckDBPyConnection,
    devices: pd.DataFrame,
    now: datetime,
    settings: Settings,
    view: View,
    excluded: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Usable windows of active devices, spread evenly, or the days that end with them.

    There are at most ``training.max_rows`` windows, or ``training.max_day_rows`` days.

    The time from the oldest to the newest usable window is cut into as many equal spans as a device may have
    rows, and each device gives one window of each span, chosen by a hash: every device's rows are spread over
    time, times and cohorts are represented as they occur, and the same table gives the same rows. When there
    are more devices than rows, a hash chooses the devices. An operating state of a cohort of which that leaves fewer
    than ``training.min_state_rows`` windows gets more of them, chosen by the same hash; they are too few to move what
    is usual, and all together at most half as many again.

    Args:
        connection: an open connection with the table ``device_features``.
        devices: ``device_id``, ``cohort`` and ``status``, one row per device.
        now: windows that end later are not looked at.
        settings: groups ``training``, ``features``, ``scoring`` and, for days, ``dbscan``.
        view: what a row is; a day of fewer than ``dbscan.min_windows`` windows is none.
        excluded: ``device_id`` and ``window_end`` of windows to leave out, such as those that the released
            model flagged or that follow maintenance.

    Returns:
        ``device_id``, ``cohort``, ``window_end``, ``operating_state``, OPERATION and MODEL_FEATURES, ordered by
        device and time. A null feature is already filled with the device's most recent value up to
        ``scoring.imputation_memory`` before, as in scoring. A day carries the means of its windows instead, and neither
        state nor OPERATION.
    """
    with training_tables(connection, devices, now, settings, excluded):
        chosen = _choose_windows(connection, now, settings, view)
        if view == "day":
            days = day_means(connection, chosen, settings)
            days = days[days["windows"] >= settings.dbscan.min_windows]
            with registered(connection, training_days=days):
                return _rows_of(connection, "training_days", MODEL_FEATURES)
        with registered(connection, training_windows=chosen):
            source = "(FROM training_windows JOIN device_features USING (device_id, window_end))"
            rows = _rows_of(connection, source, (STATE, *OPERATION, *MODEL_FEATURES))
    return _fill_from_own_past(connection, rows, settings.scoring)


@contextmanager
def training_tables(
    connection: duckdb.DuckDBPyConnection,
    devices: pd.DataFrame,
    now: datetime,
    settings: Settings,
    excluded: pd.DataFrame | None,
) -> Iterator[None]:
    """Make ``training_devices``, ``training_exclusions`` and ``training_intervals`` visible to SQL for the block.

    The arguments are those of :func:`select_training_rows`.
    """
    exclusions = pd.DataFrame(columns=["device_id", "window_end"]) if excluded is None else excluded
    windows = "(FROM device_features WHERE window_end <= $now)"
    with registered(
        connection,
        training_devices=devices[["device_id", "cohort", "status"]],
        training_exclusions=exclusions[["device_id", "window_end"]].astype(
            {"device_id": "str", "window_end": "datetime64[us, UTC]"}
        ),
        training_intervals=query(connection, intervals_sql(settings.features, windows), {"now": now}),
    ):
        yield


def newest_candidate(connection: duckdb.DuckDBPyConnection, now: datetime, usable: str) -> datetime | None:
    """End of the newest of the ``usable`` windows, a query of :func:`candidates_sql`'s parameters; None without one."""
    sql = f"SELECT max(window_end) AS newest FROM ({usable})"
    newest = query(connection, sql, {"now": now, "since": _BEGINNING})["newest"].iloc[0]
    return None if pd.isna(newest) else newest.to_pydatetime()


def _rows_of(connection: duckdb.DuckDBPyConnection, source: str, columns: Sequence[str]) -> pd.DataFrame:
    return query(
        connection,
        f"SELECT device_id, d.cohort, window_end, {', '.join(columns)} FROM {source} "
        "JOIN training_devices d USING (device_id) ORDER BY device_id, window_end",
    )


def _choose_windows(
    connection: duckdb.DuckDBPyConnection, now: datetime, settings: Settings, view: View
) -> pd.DataFrame:
    limits = settings.training
    max_rows = limits.max_day_rows if view == "day" else limits.max_rows
    kept = " AND ".join(LIMITS)
    sql = f"SELECT device_id, cohort, window_end, operating_state FROM ({candidates_sql(settings)}) WHERE {kept}"
    newest = newest_candidate(connection, now, sql)
    if newest is None:
        return pd.DataFrame({"device_id": pd.Series(dtype="str"), "window_end": pd.Series(dtype="datetime64[us, UTC]")})
    usable = {"now": now, "since": newest - limits.history}
    span = query(
        connection,
        "SELECT min(epoch(window_end)) AS oldest, max(epoch(window_end)) AS newest, "
        f"count(DISTINCT device_id) AS devices FROM ({sql})",
        usable,
    ).iloc[0]
    length = settings.features.window.total_seconds()
    oldest, apart = float(span["oldest"]), 1
    if view == "day":
        # Days that end a window apart are nearly the same day.
        apart = max(round(settings.dbscan.spacing.total_seconds() / length), 1)
        day = settings.dbscan.day.total_seconds()
        # The means of a day cut short scatter more, and would pass for what is usual.
        oldest += day if span["newest"] - oldest + length >= 2 * day else 0.0
    windows = round((span["newest"] - oldest) / length) + 1
    return query(
        connection,
        f"""
        WITH usable AS ({sql}),
        chosen_devices AS (
            SELECT device_id FROM (SELECT DISTINCT device_id FROM usable)
            ORDER BY md5(device_id) LIMIT $max_rows
        ),
        placed AS (
            SELECT device_id, cohort, window_end, operating_state, epoch_us(window_end) AS moment,
                   round((epoch(window_end) - $oldest) / $length)::BIGINT * $per_device // $windows AS span
            FROM usable SEMI JOIN chosen_devices USING (device_id) WHERE epoch(window_end) >= $oldest
        ),
        even AS (
            SELECT device_id, arg_min(window_end, md5(device_id || '|' || moment)) AS window_end
            FROM placed GROUP BY device_id, span
        ),
        missing AS (
            SELECT cohort, operating_state, least($state_rows, $max_rows // (2 * count(*) OVER ())) - taken AS rows
            FROM (
                SELECT cohort, operating_state, count(*) AS windows, count(e.window_end) AS taken
                FROM placed LEFT JOIN even e USING (device_id, window_end) GROUP BY ALL
            )
            QUALIFY rows > 0 AND windows > taken
        ),
        rare AS (
            SELECT device_id, window_end, rows,
                   row_number() OVER (
                       PARTITION BY cohort, operating_state ORDER BY md5(device_id || '|' || moment)
                   ) AS number
            FROM placed JOIN missing USING (cohort, operating_state) ANTI JOIN even USING (device_id, window_end)
        )
        SELECT device_id, window_end FROM even
        UNION ALL
        SELECT device_id, window_end FROM rare WHERE number <= rows AND $view = 'window'
        """,
        {
            **usable,
            "max_rows": max_rows,
            "view": view,
            "state_rows": limits.min_state_rows,
            "oldest": oldest,
            "length": length,
            "windows": windows,
            "per_device": min(-(-windows // apart), max(max_rows // int(span["devices"]), 1)),
        },
    )


def _fill_from_own_past(
    connection: duckdb.DuckDBPyConnection, rows: pd.DataFrame, settings: ScoringSettings
) -> pd.DataFrame:
    nulls = rows[list(MODEL_FEATURES)].isna()
    gappy = [name for name in MODEL_FEATURES if nulls[name].any() and not nulls[name].all()]
    with_gaps = nulls[gappy].any(axis=1)
    if not with_gaps.any():
        return rows
    gaps = rows.loc[with_gaps, ["device_id", "window_end"]]
    gaps = gaps.assign(since=gaps["window_end"] - settings.imputation_memory, row=gaps.index)
    with registered(connection, training_gaps=gaps):
        # arg_max passes over nulls, so that each feature comes from its own newest window.
        past = query(
            connection,
            f"SELECT g.row, {', '.join(f'arg_max(f.{name}, f.window_end) AS {name}' for name in gappy)} "
            "FROM training_gaps g JOIN device_features f ON f.device_id = g.device_id "
            "AND f.window_end < g.window_end AND f.window_end >= g.since GROUP BY g.row",
        )
    return rows.fillna(past.set_index("row").astype(float))


_BEGINNING = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
