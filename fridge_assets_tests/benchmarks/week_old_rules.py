"""What would have been told of the same evidence before there were incidents: the old rule, for comparison only.

A problem was a device and its dominant contributor. It was told where nothing had been told of it for four hours, and
in between where it became more severe; the span began with its first telling and lasted a fixed time. What people did,
sites, storms and silences are left out, of both sides of the comparison alike.
"""

from datetime import datetime, timedelta

import pandas as pd

from fridge_assets.contracts.device_alerts import SEVERITIES

DEDUP = timedelta(hours=4)


def told_by_old_rules(alerts: pd.DataFrame) -> pd.DataFrame:
    """Those of ``alerts`` that people would have been told of, in the order of time.

    Args:
        alerts: DEVICE_ALERTS rows of everything that was seen, told or not.
    """
    spans: dict[tuple[str, str], tuple[datetime, int]] = {}
    told = []
    ordered = alerts.sort_values(["alert_created_at", "alert_id"])
    for row in ordered.itertuples():
        contributors = list(row.top_contributors)  # type: ignore[call-overload]
        problem = (str(row.device_id), contributors[0] if contributors else "")
        at, rank = row.alert_created_at, SEVERITIES.index(str(row.severity))
        ends, highest = spans.get(problem, (at, -1))
        if at >= ends:
            ends, highest = at + DEDUP, -1
        if rank > highest:
            told.append(row.Index)
            spans[problem] = (ends, rank)
    return ordered.loc[told]
