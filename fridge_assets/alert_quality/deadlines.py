"""How well deadlines are kept (SPEC 6.1)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.contracts.device_alerts import SEVERITIES
from fridge_assets.incidents.queries import histories_of
from fridge_assets.incidents.state import IncidentEvent, states_of
from fridge_assets.incidents.terms import Action
from fridge_assets.stores.operations import incident_events

_TAKES: Final[frozenset[Action]] = frozenset(
    {"acknowledge", "take", "start", "maintain", "snooze", "resolve", "false_positive", "recover"}
)
"""Actions after which nobody is waited for: somebody has taken the incident, or there is nothing left to take."""


@dataclass(frozen=True)
class Work:
    """An incident as work for people, since it last became that.

    Args:
        severity: how urgent.
        told_at: when people were told.
        deadline: by when it was to be taken.
        taken_at: when it was; None where nobody has yet.
    """

    severity: str
    told_at: datetime
    deadline: datetime
    taken_at: datetime | None


def work_since(connection: Connection, since: datetime) -> list[Work]:
    """The incidents that people were told of from ``since`` on; those that ended before anybody could take them left
    out, as are those that were taken before they were told."""
    columns = incident_events.c
    told = sa.select(columns.incident_id).where(columns.occurred_at >= since, columns.told.is_not(None)).distinct()
    histories = histories_of(connection, connection.scalars(told))
    return [work for history in histories.values() if (work := work_of(history)) is not None]


def work_of(history: Sequence[IncidentEvent]) -> Work | None:
    """What an incident is as work; None where it was never that, or ended without anybody.

    Args:
        history: all that has happened to it, oldest first.
    """
    work: Work | None = None
    for incident, event in states_of(history):
        deadline = event.changes.get("deadline")
        if deadline is not None and incident.status == "OPEN":
            work = Work(incident.severity.name, event.occurred_at, deadline, None)
        elif work is not None and event.action == "undo" and incident.status == "OPEN":
            work = Work(work.severity, work.told_at, work.deadline, None)
        elif work is not None and work.taken_at is None and event.action in _TAKES:
            work = Work(incident.severity.name, work.told_at, work.deadline, event.occurred_at)
    if work is None or (work.taken_at is None and incident.status != "OPEN"):
        return None
    return work


def sla_table(told: Iterable[Work], now: datetime) -> pd.DataFrame:
    """How many incidents were taken in time, and how long it took, by severity.

    An incident is taken when somebody acknowledges it, starts work or closes it, or when the device recovers; at its
    deadline exactly it is still in time. One that has come back, or has become more severe before anybody took it, is
    work anew. Those that are neither taken nor late still have time.

    Args:
        told: of what people were told.
        now: the moment of the look.

    Returns:
        ``severity``, ``told``, ``in_time``, ``late``, ``breached_open`` and ``median_minutes`` (NaN where none was
        taken), a row per severity, the most severe first.
    """
    rows = pd.DataFrame(
        [
            {
                "severity": work.severity,
                "told": 1,
                "in_time": work.taken_at is not None and work.taken_at <= work.deadline,
                "late": work.taken_at is not None and work.taken_at > work.deadline,
                "breached_open": work.taken_at is None and now > work.deadline,
                "minutes": None if work.taken_at is None else (work.taken_at - work.told_at) / timedelta(minutes=1),
            }
            for work in told
        ],
        columns=["severity", "told", "in_time", "late", "breached_open", "minutes"],
    )
    numbers = ["told", "in_time", "late", "breached_open"]
    severities = pd.Index(SEVERITIES[::-1], name="severity", dtype="str")
    grouped = rows.astype(dict.fromkeys(numbers, "int64") | {"severity": "str", "minutes": "float64"}).groupby(
        "severity"
    )
    table = grouped[numbers].sum().reindex(severities, fill_value=0)
    return table.assign(median_minutes=grouped["minutes"].median().reindex(severities)).reset_index()
