"""Random numbers that depend on what they are for, never on what was drawn before.

Every generator is made from the fleet's seed, a stream and counters such as the minute, so that any hour of a
fleet can be simulated on its own and comes out the same.
"""

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from fridge_assets.core.errors import FridgeError


class Stream(IntEnum):
    """What a generator is for; the numbers are part of what a seed means."""

    REGISTRY = 1
    INDIVIDUALS = 2
    WEATHER = 3
    SLOW_VARIATION = 4
    MEASUREMENT = 5
    FAULT_PLAN = 6
    DROPOUT = 7
    DELIVERY = 8
    CLOCKS = 9
    MACHINES = 10
    DEFROSTS = 11
    STANDSTILLS = 12
    FLAT_LINES = 13
    REPORTS = 14


def generator(seed: int, stream: Stream, *counters: int) -> np.random.Generator:
    """A fresh generator for ``stream`` at ``counters``; FridgeError when ``seed`` is negative."""
    if seed < 0:
        raise FridgeError(f"the seed {seed} is negative", "Give a whole number from 0 up")
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, stream, *counters])))


def chances(seed: int, stream: Stream, *counters: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Uniform numbers 0…1, one for each combination of ``counters`` (arrays that broadcast, at least one dimension).

    A generator would have to be made for every device and day; these are computed from the counters at once.
    """
    mixed = np.full((1,), seed * 64 + stream, np.uint64)
    for counter in counters:
        mixed = _mix(mixed ^ _mix(counter.astype(np.uint64)))
    return (mixed >> np.uint64(11)).astype(np.float64) * np.float64(2.0**-53)


def _mix(value: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """SplitMix64: neighbours come out unrelated."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
