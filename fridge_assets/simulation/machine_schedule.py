"""When a cycling machine defrosts, how that goes, and when it is switched off (SPEC 10).

Functions of time and of the machine's constants, so that any minute can be computed alone.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from fridge_assets.simulation.conditions import MinuteArray, Strain
from fridge_assets.simulation.machine_constants import MachineConstants
from fridge_assets.simulation.records import each_array
from fridge_assets.simulation.refrigerants import FloatArray
from fridge_assets.simulation.seeding import Stream, chances

DAY = 24 * 60
FAILED_LASTS, LONG_LASTS = 1.6, 2.2
"""Multiples of a usual defrost's duration: one that fails runs into its time limit."""
ICED_LASTS = 0.6
"""What full evaporator icing adds to a defrost, as on continuous machines."""


class Outcome(IntEnum):
    """How a defrost goes."""

    USUAL = 0
    FAILED = 1
    TOO_LONG = 2


@dataclass(frozen=True)
class Schedule:
    """What each machine is to do in each minute; every field is minutes × machines.

    Args:
        defrosting: whether a defrost is on.
        progress: 0…1 of the defrost's duration that is over.
        outcome: :class:`Outcome` of the present or last defrost.
        iced: whether the last defrost failed and no later one has cleared the coil.
        standstill: whether the machine is switched off.
    """

    defrosting: npt.NDArray[np.bool_]
    progress: FloatArray
    outcome: npt.NDArray[np.int8]
    iced: npt.NDArray[np.bool_]
    standstill: npt.NDArray[np.bool_]

    def at(self, row: int) -> "Schedule":
        """One minute of it; the fields have one value a machine."""
        return each_array(self, lambda array: array[row])


def schedule(constants: MachineConstants, minutes: MinuteArray, strain: Strain, seed: int) -> Schedule:
    """The schedule of ``minutes`` with the faults' ``strain`` on it.

    A period has two slots. Every defrost begins with the first one; one that failed is followed by another with the
    second, which clears the coil.
    """
    half = constants.defrost_period // 2
    since = minutes[:, None] + constants.defrost_offset
    slot, since = since // half, since % half
    second = slot % 2 == 1
    chance = chances(seed, Stream.DEFROSTS, constants.number, slot - second)
    failed = chance < constants.failed_defrosts
    too_long = ~failed & (chance < constants.failed_defrosts + constants.long_defrosts)
    outcome = np.where(second, Outcome.USUAL, np.where(failed, Outcome.FAILED, np.where(too_long, Outcome.TOO_LONG, 0)))
    factor = np.array([1.0, FAILED_LASTS, LONG_LASTS], np.float32)[outcome]
    lasts = constants.defrost_minutes * factor * (1 + ICED_LASTS * np.asarray(strain.icing, np.float32))
    standstill = _switched_off(constants, minutes, seed)
    takes_place = (~second | failed) & (since < lasts)
    return Schedule(
        defrosting=takes_place & ~standstill,
        progress=np.clip(since / lasts, 0, 1).astype(np.float32),
        outcome=outcome.astype(np.int8),
        # The second defrost is still iced when it begins; it is the progress that clears the coil.
        iced=failed & ~second & ~takes_place,
        standstill=standstill,
    )


def _switched_off(constants: MachineConstants, minutes: MinuteArray, seed: int) -> npt.NDArray[np.bool_]:
    off = np.zeros((len(minutes), len(constants.number)), np.bool_)
    first, last = int(minutes[0]) // DAY, int(minutes[-1]) // DAY
    for day in range(first - 1, last + 1):
        begins, ends = _standstill_of(constants, day, seed)
        if (ends > minutes[0]).any() and (begins <= minutes[-1]).any():
            off |= (minutes[:, None] >= begins) & (minutes[:, None] < ends)
    return off


def _standstill_of(constants: MachineConstants, day: int, seed: int) -> tuple[MinuteArray, MinuteArray]:
    """First and last minute of the standstills that begin on ``day``, one a machine; empty where there is none."""
    happens, when, how_long = (
        chances(seed, Stream.STANDSTILLS, constants.number, np.array([day]), np.array([draw])) for draw in range(3)
    )
    earliest, latest = constants.standstill_from.T
    shortest, longest = constants.standstill_minutes.T
    begins = day * DAY + (earliest + when * (latest - earliest)).astype(np.int64)
    lasts = np.where(happens < constants.standstills_a_day, shortest + how_long * (longest - shortest), 0)
    return begins, begins + lasts.astype(np.int64)
