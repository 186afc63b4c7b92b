"""What happens to readings on their way: late, twice, with holes, wrongly dated (SPEC 1.3, 10)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fridge_assets.core.errors import FridgeError
from fridge_assets.simulation.conditions import MinuteArray
from fridge_assets.simulation.seeding import Stream, generator

MICROSECONDS_PER_MINUTE = 60_000_000
DUPLICATE_DELAY = (1, 120)  # s
LATE_DELAY = (60, 30 * 60)
VERY_LATE_DELAY = (30 * 60, 6 * 3600)
CLOCK_ERROR_HOURS = (25, 96)


@dataclass(frozen=True)
class Delivery:
    """How often delivery goes wrong, as shares 0…1.

    Args:
        duplicates: readings that arrive a second time, within two minutes.
        late: readings that arrive 1 to 30 minutes late.
        very_late: readings that arrive half an hour to six hours late.
        nulls: values that are missing from a reading.
        wrong_clocks: devices whose clock is off by 25 to 96 hours.
    """

    duplicates: float = 0.002
    late: float = 0.005
    very_late: float = 0.0002
    nulls: float = 0.001
    wrong_clocks: float = 0.0005

    def __post_init__(self) -> None:
        for name, share in vars(self).items():
            if not 0 <= share <= 1:
                raise FridgeError(
                    f"the delivery share {name}={share} is not between 0 and 1", "Give a share such as 0.002"
                )


USUAL_DELIVERY = Delivery()
PERFECT_DELIVERY = Delivery(duplicates=0.0, late=0.0, very_late=0.0, nulls=0.0, wrong_clocks=0.0)


@dataclass(frozen=True)
class Mishaps:
    """What went wrong in a block of readings, by position in it (minute by minute, device by device).

    Args:
        late: positions of late readings, with ``late_by`` in µs.
        duplicated: positions of readings that come twice.
        copied_after: µs from when the first would promptly have arrived to the copy.
        nulls: positions and sensor numbers of missing values, two rows.
    """

    late: npt.NDArray[np.int64]
    late_by: npt.NDArray[np.int64]
    duplicated: npt.NDArray[np.int64]
    copied_after: npt.NDArray[np.int64]
    nulls: npt.NDArray[np.int64]


def draw_mishaps(
    delivery: Delivery, minutes: MinuteArray, devices: int, sensors: int, seed: int, *counters: int
) -> Mishaps:
    """Draw the mishaps of ``minutes``, each minute on its own, so that cutting a span changes nothing.

    Other ``counters`` give other mishaps for the same minutes.
    """
    late, late_by, duplicated, copied_after, nulls = [], [], [], [], []
    for row, minute in enumerate(minutes):
        rng = generator(seed, Stream.DELIVERY, int(minute), *counters)
        first = row * devices
        for share, (shortest, longest) in (
            (delivery.late, LATE_DELAY),
            (delivery.very_late, VERY_LATE_DELAY),
        ):
            count = rng.binomial(devices, share)
            late.append(first + rng.integers(0, devices, count))
            late_by.append(rng.integers(shortest, longest, count) * 1_000_000)
        count = rng.binomial(devices, delivery.duplicates)
        duplicated.append(first + rng.integers(0, devices, count))
        copied_after.append(rng.integers(*DUPLICATE_DELAY, count) * 1_000_000)
        cells = rng.integers(0, devices * sensors, rng.binomial(devices * sensors, delivery.nulls))
        nulls.append(np.stack([first + cells % devices, cells // devices]))
    return Mishaps(
        np.concatenate(late),
        np.concatenate(late_by),
        np.concatenate(duplicated),
        np.concatenate(copied_after),
        np.concatenate(nulls, axis=1),
    )


def clock_errors(delivery: Delivery, devices: int, seed: int) -> npt.NDArray[np.int64]:
    """How far each device's clock is off, in µs; 0 for nearly all."""
    rng = generator(seed, Stream.CLOCKS)
    errors = np.zeros(devices, np.int64)
    wrong = rng.permutation(devices)[: round(delivery.wrong_clocks * devices)]
    hours = rng.integers(*CLOCK_ERROR_HOURS, len(wrong)) * rng.choice([-1, 1], len(wrong))
    errors[wrong] = hours * 60 * MICROSECONDS_PER_MINUTE
    return errors
