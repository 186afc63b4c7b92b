"""The daemon's part in handing over work orders (SPEC 6)."""

import dagster as dg

from fridge_assets.settings import Settings
from fridge_assets.steps.clock import Clock
from fridge_assets.stores.operations import Operations
from fridge_assets.work_orders.deliver import deliver_orders
from fridge_assets.work_orders.receivers import receiver_of


@dg.sensor(
    name="deliver_work_orders",
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Hands changed work orders to the maintenance system; while it is down they wait.",
)
def deliver_work_orders(
    settings: dg.ResourceParam[Settings], operations: dg.ResourceParam[Operations]
) -> dg.SkipReason:
    """Hand over what is due."""
    report = deliver_orders(operations, receiver_of(settings), settings.work_orders, Clock.wall_time)
    return dg.SkipReason(f"{report.delivered} delivered, {report.failed} failed, {report.waiting} waiting")
