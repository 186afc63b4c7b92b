"""What people were told in the simulated week, and how much of it while somebody was at work."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy.engine import Connection

from fridge_assets.alert_quality.notified import told_of
from fridge_assets.incidents.queries import histories_of
from fridge_assets.incidents.state import IncidentEvent, incident_of
from fridge_assets.incidents.terms import TAKEN
from fridge_assets.stores.operations import incidents

_NONE = timedelta(0)


@dataclass(frozen=True)
class Told:
    """One incident of which people got a message.

    Args:
        device_id: device.
        severity: the highest that they were told of.
        at: when they got messages, in their order.
        reasons: why, one for each.
        while_taken: how many of them while somebody was at work on it.
        taken: for how long somebody was.
    """

    device_id: str
    severity: str
    at: tuple[datetime, ...]
    reasons: tuple[str, ...]
    while_taken: int
    taken: timedelta


def told_since(connection: Connection, since: datetime) -> list[Told]:
    """The incidents of which people got a message from ``since`` on."""
    ids = connection.scalars(incidents.select().with_only_columns(incidents.c.incident_id))
    found = (_told(history) for history in histories_of(connection, ids).values())
    return [one for one in found if one is not None and one.at[-1] >= since]


def _told(history: Sequence[IncidentEvent]) -> Told | None:
    messages = list(told_of(history))
    if not messages:
        return None
    last = incident_of(history)
    steps = pairwise(history)
    taken = sum((after.occurred_at - before.occurred_at for before, after in steps if before.to_status in TAKEN), _NONE)
    return Told(
        device_id=last.device_id,
        severity=last.severity.name,
        at=tuple(event.occurred_at for _, event in messages),
        reasons=tuple(str(event.told) for _, event in messages),
        while_taken=sum(event.from_status in TAKEN for _, event in messages),
        taken=taken,
    )
