"""The daemon's look at runs whose program was killed: a queued run must not wait for a pool that nobody gives back."""

import dagster as dg

from fridge_assets.running.lost_runs import free_held_slots


@dg.sensor(
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Ends runs whose process was killed and gives back the pools that no living run makes use of.",
)
def free_held_pools(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Free what is held in vain."""
    held = free_held_slots(context.instance)
    return dg.SkipReason("; ".join(map(str, held)) or "no pool is held in vain")
