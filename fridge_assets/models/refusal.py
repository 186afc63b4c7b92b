"""Why training is refused: which limit bound, how many windows each limit cost, and which setting changes it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb
import pandas as pd

from fridge_assets.core.moments import spoken
from fridge_assets.models.base import View
from fridge_assets.models.selection import LIMITS, candidates_sql, newest_candidate, training_tables
from fridge_assets.models.training import NotEnoughTrainingRows
from fridge_assets.settings import Settings
from fridge_assets.stores.frames import query


@dataclass(frozen=True)
class Candidates:
    """The windows that training could choose from.

    Args:
        windows: of active devices within the training history, those that something excludes left out.
        usable: those of them that keep every limit.
        broken: setting of group ``training`` → windows that do not keep its limit; a window may break several.
        excluded: windows left out because they were flagged, follow maintenance or are of a known failure.
        interval: between two readings of the typical device.
    """

    windows: int
    usable: int
    broken: dict[str, int]
    excluded: int
    interval: timedelta


def count_candidates(
    connection: duckdb.DuckDBPyConnection,
    devices: pd.DataFrame,
    now: datetime,
    settings: Settings,
    excluded: pd.DataFrame | None = None,
) -> Candidates:
    """Count the windows that there are and those that each limit costs.

    The arguments are those of :func:`fridge_assets.models.selection.select_training_rows`.
    """
    sql = candidates_sql(settings)
    left_out = 0 if excluded is None else len(excluded)
    with training_tables(connection, devices, now, settings, excluded):
        newest = newest_candidate(connection, now, sql)
        if newest is None:
            return Candidates(0, 0, dict.fromkeys(LIMITS, 0), left_out, settings.features.shortest_interval)
        counts = query(
            connection,
            f"SELECT count(*) AS windows, count(*) FILTER ({' AND '.join(LIMITS)}) AS usable, "
            f"{', '.join(f'count(*) FILTER (NOT {name}) AS {name}' for name in LIMITS)} FROM ({sql})",
            {"now": now, "since": newest - settings.training.history},
        ).iloc[0]
        seconds = connection.execute("SELECT median(interval) FROM training_intervals").fetchall()[0][0]
    broken = {name: int(counts[name]) for name in LIMITS}
    return Candidates(
        int(counts["windows"]), int(counts["usable"]), broken, left_out, timedelta(seconds=float(seconds))
    )


def too_few(rows: int, found: Candidates, view: View, settings: Settings) -> NotEnoughTrainingRows:
    """The refusal of ``rows`` usable rows where training needs ``training.min_rows``.

    Args:
        rows: windows, or days of a model that looks at days.
        found: what they were chosen from.
        view: what the model looks at.
        settings: groups ``training``, ``features`` and ``dbscan``.
    """
    limits = settings.training
    what = "days" if view == "day" else "windows"
    costs = [
        f"{count:,} {LIMITS[name].format(getattr(limits, name))} (FRIDGE_TRAINING__{name.upper()})"
        for name, count in found.broken.items()
        if count
    ]
    if found.excluded:
        costs.append(f"{found.excluded:,} more were flagged before, follow maintenance or are of a known failure")
    problem = (
        f"{rows:,} usable {what}, and training needs {limits.min_rows:,} (FRIDGE_TRAINING__MIN_ROWS); "
        f"of {found.windows:,} windows in {spoken(limits.history)} {found.usable:,} keep every limit"
    )
    if costs:
        problem += ": " + "; ".join(costs)
    return NotEnoughTrainingRows(problem, _remedy(rows, found, view, settings))


def _remedy(rows: int, found: Candidates, view: View, settings: Settings) -> str:
    limits = settings.training
    if found.windows >= limits.min_rows > found.usable:
        binding = max(found.broken, key=lambda name: found.broken[name])
        change = "raise" if binding.startswith("max") else "lower"
        return (
            f"Look at why these windows are poor, or {change} FRIDGE_TRAINING__{binding.upper()}, which cost the most."
        )
    apart = max(settings.features.window, found.interval)
    why = ""
    if view == "day":
        apart = max(apart, settings.dbscan.spacing)
        why = f"A day ends every {spoken(settings.dbscan.spacing)} (FRIDGE_DBSCAN__SPACING). "
    missing = limits.min_rows - rows
    return f"{why}Bring a longer history: {missing:,} more, which one device has in {spoken(missing * apart)}."
