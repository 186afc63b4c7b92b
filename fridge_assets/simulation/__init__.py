"""The fleet simulator: a physically consistent fleet with faults whose truth is known (SPEC 10)."""

from fridge_assets.simulation.delivery import PERFECT_DELIVERY, Delivery
from fridge_assets.simulation.fault_plan import FaultTiming
from fridge_assets.simulation.faults import (
    FAULT_KINDS,
    GRADUAL_FAULTS,
    FaultShare,
    mixed_faults,
    parse_fault_share,
)
from fridge_assets.simulation.fleet import Fleet
from fridge_assets.simulation.machines import MACHINES, machines_named
from fridge_assets.simulation.registry import simulate_registry
from fridge_assets.simulation.unfinished import Plan, Unfinished
from fridge_assets.simulation.writer import WrittenFleet, write_fleet, write_live

__all__ = [
    "FAULT_KINDS",
    "GRADUAL_FAULTS",
    "MACHINES",
    "PERFECT_DELIVERY",
    "Delivery",
    "FaultShare",
    "FaultTiming",
    "Fleet",
    "Plan",
    "Unfinished",
    "WrittenFleet",
    "machines_named",
    "mixed_faults",
    "parse_fault_share",
    "simulate_registry",
    "write_fleet",
    "write_live",
]
