"""What people have done with incidents, shown in the graph beside the alerts that it is about (SPEC 6.1).

People act in processes that know nothing of Dagster; what they did is reported afterwards, each action once.
"""

import json
from datetime import datetime, timedelta
from typing import Final

import dagster as dg

from fridge_assets.contracts import DEVICE_ALERTS
from fridge_assets.incidents.queries import PeoplesAction, peoples_actions
from fridge_assets.stores.operations import Operations

MOST: Final = 200
"""Actions of one report; more wait for the next one."""


def actions_report(
    operations: Operations, reported_until: str | None, now: datetime, lock_wait: timedelta, most: int = MOST
) -> dg.SensorResult | dg.SkipReason:
    """Observations of ``device_alerts``, one for each action since the report before; from now on for the first one.

    Args:
        operations: where incidents are.
        reported_until: cursor of the report before; None for none.
        now: the moment of the look.
        lock_wait: how long an action may have waited to be stored: what is younger is left to the next report.
        most: actions of one report; more wait for the next one.
    """
    if reported_until is None:
        return dg.SensorResult(skip_reason=dg.SkipReason("what people do from now on"), cursor=_cursor(now, ""))
    since, last = json.loads(reported_until)
    with operations.read() as connection:
        done = peoples_actions(connection, (datetime.fromisoformat(since), last), now - lock_wait, most)
    if not done:
        return dg.SkipReason("nobody has acted since the last report")
    newest = done[-1].event
    cursor = _cursor(newest.occurred_at, done[-1].event_id)
    return dg.SensorResult(asset_events=[_observation(one) for one in done], cursor=cursor)


def _cursor(moment: datetime, event_id: str) -> str:
    return json.dumps([moment.isoformat(), event_id])


def _observation(done: PeoplesAction) -> dg.AssetObservation:
    event = done.event
    said = f"{event.action.replace('_', ' ')} by {event.actor}: {done.device_id} is {event.to_status}"
    return dg.AssetObservation(
        DEVICE_ALERTS.name,
        description=said,
        metadata={
            "incident": event.incident_id,
            "device": done.device_id,
            "site": done.site_id,
            "status": event.to_status,
            "revision": event.number,
            "at": event.occurred_at.isoformat(),
            "note": event.note,
        },
    )
