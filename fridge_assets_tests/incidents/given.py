"""Incidents of a few devices in a real operations store."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fridge_assets.incidents.observations import Measured, Observation, Observed, Seen
from fridge_assets.incidents.store import Outcome, observe
from fridge_assets.incidents.together import Fleet
from fridge_assets.stores.operations import Operations, incidents
from fridge_assets_tests.incidents.device import SETTINGS


def see(
    operations: Operations, now: datetime, *observations: Observation, sizes: Mapping[str, int] | None = None
) -> Outcome:
    """Store what was observed; evidence says its sensor, and is of d1 where it does not say."""
    observed = [
        Observed(one.device_id, one, measured(one)) if isinstance(one, Seen) else Observed("d1", one)
        for one in observations
    ]
    with operations.transaction() as connection:
        return observe(connection, observed, Fleet(sizes or {}), now, SETTINGS)


def measured(seen: Seen) -> Measured:
    """What people read of evidence."""
    side = "too low" if seen.sign.direction == "low" else "too high"
    return Measured(
        title=f"{seen.sign.sensor} {side}",
        description=f"The {seen.sign.sensor} is {side}.",
        model_id="isolation_forest_v2",
        anomaly_score=seen.score,
        top_contributors=(f"{seen.sign.sensor}_mean",),
        signs_for=(f"{seen.cause} seen",) if seen.cause else (),
        signs_against=(f"{seen.cause} missed",) if seen.cause else (),
        score_ids=(f"score of {seen.evidence_id}",) if seen.source == "models" else (),
    )


def incident_id(operations: Operations, device: str = "d1") -> str:
    """The id of the newest incident of a device."""
    columns = incidents.c
    query = sa.select(columns.incident_id).where(columns.device_id == device).order_by(columns.opened_at.desc())
    with operations.read() as connection:
        return str(connection.scalars(query).first())


def rows_of(operations: Operations, table: sa.Table) -> list[dict[str, Any]]:
    """All rows of a table."""
    with operations.read() as connection:
        return [dict(row) for row in connection.execute(sa.select(table)).mappings()]
