"""What is said of healthy machines, by what they truly do (SPEC 1.4, 2.2, 5)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from duckdb import DuckDBPyConnection
from rich.console import Console
from rich.table import Table

from fridge_assets.models.families import FAMILY_SQL
from fridge_assets.settings import Settings
from fridge_assets.stores.frames import query
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.benchmarks.week import DAY, live_through, week_fleet
from fridge_assets_tests.benchmarks.week_report import Week, told_now

FLAGGED, TOLERANCE = 0.010, 0.005
MOST_BOTHERED = 0.005
LEAST_SCORED = 0.99
FEWEST_WINDOWS = 200
"""Of fewer windows a share says nothing."""
CYCLING_MINUTES = 3
"""A window with as much of running and of rest is one of a cycling machine."""


@dataclass(frozen=True)
class Quiet:
    """What was said of a healthy fleet.

    Args:
        by_state: ``family``, ``state``, ``windows``, ``flagged`` (share).
        bothered: share of the devices that people were told of, by day.
        acute: alerts of the stream.
        scored: share of the device-days with at least one score.
        device_days: that were lived through.
    """

    by_state: pd.DataFrame
    bothered: "pd.Series[float]"
    acute: int
    scored: float
    device_days: float


def observe(folder: Path, devices: int, days: int, learned: int, seed: int) -> Quiet:
    """Live through the days in ``folder``."""
    fleet = week_fleet(devices, days, seed, faulty=0.0, learned=learned, machines="cycling")
    week = live_through(folder, fleet, learned)
    episodes = fleet.states(week.begins, week.ends)
    with Warehouse.from_settings(Settings(data_dir=folder)).read() as connection:
        by_state = flagged_by_state(connection, episodes)
        days_scored = query(
            connection,
            "SELECT DISTINCT device_id, date_diff('hour', $begins, window_start) // 24 AS day FROM model_scores",
            {"begins": week.begins},
        )
    acute = int((week.alerts["source"] == "streaming").sum())
    device_days = devices * (week.ends - week.begins) / DAY
    return Quiet(by_state, bothered(week), acute, len(days_scored) / device_days, device_days)


def bothered(week: Week) -> "pd.Series[float]":
    """Share of the devices that people were told of, by day from 1."""
    told = told_now(week)
    day = (told["alert_created_at"] - pd.Timestamp(week.begins)) // DAY + 1
    days = range(1, (week.ends - week.begins) // DAY + 1)
    return told["device_id"].groupby(day).nunique().reindex(days, fill_value=0) / week.devices


def flagged_by_state(connection: DuckDBPyConnection, episodes: pd.DataFrame) -> pd.DataFrame:
    """How many scored windows of each true state there are, and which share of them is flagged.

    A window is that of the state which takes up most of it, save that running and resting in turn are ``cycling``.

    Args:
        connection: of the warehouse.
        episodes: as from ``Fleet.states``.

    Returns:
        ``family``, ``state``, ``windows``, ``flagged``, by family and state.
    """
    connection.register("episodes", episodes)
    found = query(
        connection,
        f"""
WITH scored AS (
  SELECT device_id, window_start, window_end, {FAMILY_SQL} AS family, anomaly_flag FROM model_scores
), shares AS (
  SELECT device_id, window_end, state,
    sum(epoch(least("end", window_end) - greatest("start", window_start))) / 60 AS minutes
  FROM (SELECT DISTINCT device_id, window_start, window_end FROM scored) JOIN episodes USING (device_id)
  WHERE "start" < window_end AND "end" > window_start GROUP BY ALL
), named AS (
  SELECT device_id, window_end, arg_max(state, minutes) AS longest,
    coalesce(max(minutes) FILTER (state = 'running'), 0) >= {CYCLING_MINUTES}
      AND coalesce(max(minutes) FILTER (state = 'off'), 0) >= {CYCLING_MINUTES} AS alternates
  FROM shares GROUP BY ALL
)
SELECT family, CASE WHEN alternates AND longest IN ('running', 'off') THEN 'cycling' ELSE longest END AS state,
  count(*) AS windows, avg(anomaly_flag::INTEGER) AS flagged
FROM scored JOIN named USING (device_id, window_end) GROUP BY ALL ORDER BY ALL
""",
    )
    connection.unregister("episodes")
    return found


def misses(observed: Quiet) -> list[str]:
    """The targets that were missed, in words."""
    missed = [
        f"{row.family} flags {row.flagged:.2%} of the {row.windows:,} windows in the state {row.state}, "
        f"the target is {FLAGGED:.0%} ± {TOLERANCE:.1%}"
        for row in observed.by_state.itertuples()
        if row.windows >= FEWEST_WINDOWS and abs(row.flagged - FLAGGED) > TOLERANCE
    ]
    if (share := observed.bothered.mean()) > MOST_BOTHERED:
        missed.append(f"{share:.2%} of the healthy devices are told of a day, the target is {MOST_BOTHERED:.1%}")
    if observed.scored < LEAST_SCORED:
        missed.append(f"{observed.scored:.1%} of the device-days have a score, the target is {LEAST_SCORED:.0%}")
    if observed.acute:
        missed.append(f"{observed.acute} acute alerts in {observed.device_days:,.0f} device-days, the target is none")
    return missed


def report(observed: Quiet, console: Console) -> tuple[dict[str, Any], list[str]]:
    """Print the table; the results, and the targets that were missed."""
    table = Table(title=f"Healthy machines: windows flagged by true state, target {FLAGGED:.0%} ± {TOLERANCE:.1%}")
    states = sorted(observed.by_state["state"].unique())
    for heading in ("family", *states):
        table.add_column(heading.replace("_", " "), justify="left" if heading == "family" else "right")
    for family, rows in observed.by_state.groupby("family"):
        own = rows.set_index("state")
        cells = (f"{own.loc[s, 'flagged']:.2%} of {own.loc[s, 'windows']:,}" if s in own.index else "–" for s in states)
        table.add_row(str(family), *cells)
    console.print(table)
    console.print(
        f"Healthy devices told of a day: {observed.bothered.mean():.2%} (target: at most {MOST_BOTHERED:.1%}). "
        f"Acute alerts: {observed.acute} in {observed.device_days:,.0f} device-days (target: none). "
        f"Device-days with a score: {observed.scored:.1%} (target: at least {LEAST_SCORED:.0%})."
    )
    results = {
        "by_state": observed.by_state.to_dict(orient="records"),
        "bothered_by_day": observed.bothered.round(5).to_dict(),
        "acute": observed.acute,
        "scored": observed.scored,
        "device_days": observed.device_days,
    }
    return results, misses(observed)
