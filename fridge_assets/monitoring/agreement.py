"""How many devices two families, or all of them, judge alike (SPEC 8)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations

import duckdb

from fridge_assets.monitoring.metrics import ALL_FAMILIES, Metric, judged
from fridge_assets.scoring.score import scores_table
from fridge_assets.settings import MonitoringSettings, StalenessSettings


@dataclass(frozen=True)
class Agreement:
    """Flags of the same devices in the same window.

    Args:
        families: two or more.
        window_end: the newest window that all of them scored.
        devices: scored by all of them.
        alike: of these, flagged by all or by none.
    """

    families: tuple[str, ...]
    window_end: datetime
    devices: int
    alike: int


def agreements(
    connection: duckdb.DuckDBPyConnection, newest: Mapping[str, datetime], settings: StalenessSettings
) -> list[Agreement]:
    """Agreement of each pair of families, and of all when there are more than two.

    Each is of the newest window that its families have in common, since a daily model flags a few hours late what an
    hourly one flags now.

    Args:
        connection: an open warehouse connection.
        newest: family → end of the newest window that it scored.
        settings: how old a daily model's scores may be.
    """
    families = tuple(newest)
    groups = [*combinations(families, 2), *([families] if len(families) > 2 else [])]
    found = []
    for group in groups:
        until = min(newest[family] for family in group)
        window_end = _common_window(connection, group, until, settings.daily_expired)
        if window_end is not None:
            found.append(_count(connection, group, window_end))
    return found


def agreement_metrics(found: Sequence[Agreement], settings: MonitoringSettings) -> list[tuple[str, datetime, Metric]]:
    """Family, window and metric of each agreement; that of all families is :data:`ALL_FAMILIES`'.

    Two families that are all there are have an agreement of all as well.

    Args:
        found: the counts.
        settings: limits.
    """
    metrics = []
    for each in found:
        share = each.alike / each.devices if each.devices else None
        if len(each.families) == 2:
            first, second = each.families
            metric = judged("agreement", share, each.devices, settings, subject=second, low=settings.min_agreement)
            metrics.append((first, each.window_end, metric))
        if len(each.families) > 2 or len(found) == 1:
            metric = judged("unanimous_agreement", share, each.devices, settings, low=settings.min_unanimous)
            metrics.append((ALL_FAMILIES, each.window_end, metric))
    return metrics


def _common_window(
    connection: duckdb.DuckDBPyConnection, families: Sequence[str], until: datetime, memory: timedelta
) -> datetime | None:
    found = connection.execute(
        "SELECT window_end FROM score_runs WHERE family IN (SELECT unnest($families::VARCHAR[])) "
        "AND window_end <= $until AND window_end > $since GROUP BY window_end "
        "HAVING count(DISTINCT family) = $number ORDER BY window_end DESC LIMIT 1",
        {"families": list(families), "until": until, "since": until - memory, "number": len(families)},
    ).fetchall()
    return found[0][0].astimezone(UTC) if found else None


def _count(connection: duckdb.DuckDBPyConnection, families: tuple[str, ...], window_end: datetime) -> Agreement:
    flags = [
        f"(SELECT device_id, anomaly_flag AS flag_{number} FROM {scores_table(family)} WHERE window_end = $window)"
        for number, family in enumerate(families)
    ]
    joined = flags[0] + "".join(f" JOIN {other} USING (device_id)" for other in flags[1:])
    alike = " AND ".join(f"flag_0 = flag_{number}" for number in range(1, len(families)))
    counted = connection.execute(
        f"SELECT count(*), count_if({alike}) FROM {joined}", {"window": window_end}
    ).fetchall()[0]
    return Agreement(families, window_end, int(counted[0]), int(counted[1]))
