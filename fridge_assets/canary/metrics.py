"""Figures for how far the scores of one model are from production's on the same rows (SPEC 3.1)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc

from fridge_assets.settings import CanarySettings

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Flags:
    """Devices flagged by a model and by production.

    Args:
        ours: flagged by the model.
        production: flagged by production.
        only_ours: flagged by the model and not by production.
        only_production: the other way round.
        rows: devices that both scored.
    """

    ours: int
    production: int
    only_ours: int
    only_production: int
    rows: int

    @property
    def shift(self) -> float:
        """How far the flagged share moved, up or down, as a share of all devices."""
        return abs(self.ours - self.production) / self.rows

    def limit(self, settings: CanarySettings) -> float:
        """How far it may move in the direction it moved: so many points, and no further than the factor takes it."""
        share = self.production / self.rows
        factor = settings.max_flagged_factor
        by_factor = share * (factor - 1) if self.ours >= self.production else share * (1 - 1 / factor)
        return min(settings.max_flagged_points, by_factor)

    def by_chance(self) -> float:
        """Probability that a model which flags as many as production in the long run moves this far or further.

        McNemar's exact test, in the direction moved. Devices that both flag, or neither, say nothing about which
        model flags more; of the others each is as likely to be the one's as the other's. So two flags in place of one
        are no evidence, though they are twice as many, and ten flags in place of none are.
        """
        more = max(self.only_ours, self.only_production)
        return float(bdtrc(more - 1, self.only_ours + self.only_production, 0.5))


def score_difference(ours: Scores, production: Scores) -> float:
    """Mean absolute difference of the scores, 0…1; both of shape (n,), n >= 1."""
    return float(np.abs(ours - production).mean())


def count_flags(ours: Scores, production: Scores, our_threshold: float, production_threshold: float) -> Flags:
    """How many devices each flags: a score above the threshold, equal is not enough."""
    flagged, expected = ours > our_threshold, production > production_threshold
    return Flags(
        ours=int(flagged.sum()),
        production=int(expected.sum()),
        only_ours=int((flagged & ~expected).sum()),
        only_production=int((expected & ~flagged).sum()),
        rows=len(ours),
    )


def highest(scores: Scores, settings: CanarySettings) -> NDArray[np.intp]:
    """Positions of the highest devices, highest first; of equal scores the one that comes first.

    As many as ``settings.top_devices``, or ``settings.top_share`` of all when these are fewer, and at least one.
    """
    wanted = min(settings.top_devices, max(int(settings.top_share * len(scores)), 1))
    return np.argsort(-scores, kind="stable")[:wanted]


def top_overlap(ours: Scores, production: Scores, settings: CanarySettings) -> float:
    """Share of the highest devices that both name, 0…1."""
    theirs = highest(production, settings)
    return len(np.intersect1d(highest(ours, settings), theirs)) / len(theirs)
