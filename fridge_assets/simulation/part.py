"""A part of a fleet: devices that are simulated in one way (SPEC 10)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fridge_assets.simulation.conditions import MinuteArray
from fridge_assets.simulation.delivery import Delivery, clock_errors
from fridge_assets.simulation.fault_plan import PlannedFaults
from fridge_assets.simulation.faults import STUCK_SENSOR
from fridge_assets.simulation.individuals import Individuals
from fridge_assets.simulation.physics import Values
from fridge_assets.simulation.reading_table import Senders


@dataclass(frozen=True, eq=False)
class Part:
    """Some of a fleet's devices.

    Args:
        registry: rows of the fleet's registry.
        number: their positions in it, ascending.
        plan: the faults planned for them, by position in this part.
        seed: of the fleet.
        first_minute: of the fleet, since 1970.
        delivery: how often delivery goes wrong.
    """

    registry: pd.DataFrame
    number: npt.NDArray[np.int64]
    plan: tuple[PlannedFaults, ...]
    seed: int
    first_minute: int
    delivery: Delivery

    @property
    def devices(self) -> int:
        """How many."""
        return len(self.registry)

    def stuck_at(self, reads: Callable[[npt.NDArray[np.intp], MinuteArray], Values]) -> npt.NDArray[np.float32]:
        """What each stuck sensor repeats: what it read when it got stuck.

        Args:
            reads: what one device reads in one minute without noise, minutes × devices.
        """
        planned = next((planned for planned in self.plan if planned.kind is STUCK_SENSOR), None)
        if planned is None:
            return np.empty(0, np.float32)
        values = (
            reads(planned.devices[[i]], planned.onset[[i]])[column][0, 0] for i, (column,) in enumerate(planned.sensors)
        )
        return np.fromiter(values, np.float32, len(planned.devices))

    def senders(self, individuals: Individuals) -> Senders:
        """How the devices report."""
        return Senders(
            device_ids=pa.array(self.registry["device_id"], pa.string()),
            report_at=individuals.report_second.astype(np.int64) * 1_000_000,
            latency=individuals.latency_ms.astype(np.int64) * 1_000,
            clock_error=clock_errors(self.delivery, self.devices, self.seed),
            first_minute=self.first_minute,
            readings_a_minute=np.ones(self.devices, np.int64),
        )


@dataclass(frozen=True)
class StateBlock:
    """What machines truly do, minutes × devices.

    Args:
        minutes: minutes since 1970.
        state: ``thermostat.State``.
        outcome: ``machine_schedule.Outcome`` of a defrost; 0 outside of defrosts.
    """

    minutes: MinuteArray
    state: npt.NDArray[np.int8]
    outcome: npt.NDArray[np.int8]
