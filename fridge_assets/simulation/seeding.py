"""Random numbers that depend on what they are for, never on what was drawn before.

Every generator is made from the fleet's seed, a stream and counters such as the minute, so that any hour of a
fleet can be simulated on its own and comes out the same.
"""

from enum import IntEnum

import numpy as np

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


def generator(seed: int, stream: Stream, *counters: int) -> np.random.Generator:
    """A fresh generator for ``stream`` at ``counters``; FridgeError when ``seed`` is negative."""
    if seed < 0:
        raise FridgeError(f"the seed {seed} is negative", "Give a whole number from 0 up")
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, stream, *counters])))
