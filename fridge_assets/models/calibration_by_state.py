"""A calibration for each operating state in which raw scores differ from those of the others (SPEC 2.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

import numpy as np
import pandas as pd

from fridge_assets.models.calibration import Array, Calibration
from fridge_assets.models.cross_fitting import UnseenScores, independent_blocks
from fridge_assets.models.selection import STATE
from fridge_assets.settings import CalibrationSettings

_STATES = "states"
_CHANCE = 0.01


@dataclass(frozen=True)
class CalibrationByState:
    """The calibration of a version.

    A window of a defrost is stranger than most, and rare. Held against all windows, each defrost would be flagged, and
    what is strange in the other states would hide behind defrosts. So each state whose raw scores are distributed
    otherwise has a calibration of its own.

    Args:
        overall: of all windows: for states without one of their own, for unknown ones, and for models of days.
        states: operating state → its own; empty in versions of earlier releases.
    """

    overall: Calibration
    states: Mapping[str, Calibration]

    @classmethod
    def fit(cls, unseen: UnseenScores, length: timedelta, settings: CalibrationSettings) -> Self:
        """Calibrations on ``unseen`` scores.

        Args:
            unseen: raw scores, and their rows with an operating state where they have one.
            length: of the blocks that are independent of one another.
            settings: group ``calibration``.
        """

        def calibration(chosen: np.ndarray) -> Calibration:
            rows = unseen.rows[chosen]
            independent = 1 if unseen.seen else independent_blocks(rows, length, settings)
            return Calibration.fit(unseen.raw[chosen], settings, independent)

        everything = np.ones(len(unseen.raw), dtype=np.bool_)
        if STATE not in unseen.rows.columns:
            return cls(calibration(everything), {})
        state = unseen.rows[STATE].to_numpy(dtype=object)
        own = {name: state == name for name in sorted(set(state) - {"", "unknown"})}
        return cls(
            calibration(everything),
            {
                name: calibration(chosen)
                for name, chosen in own.items()
                if chosen.sum() >= settings.state_rows and _differ(unseen.raw[chosen], unseen.raw[~chosen])
            },
        )

    def to_score(self, raw: Array, state: pd.Series | None = None) -> Array:
        """Scores in [0, 1], shape (n,), strictly increasing in ``raw`` within a state.

        Args:
            raw: shape (n,).
            state: operating state of each row, null where nobody knows; None where it does not matter.

        Raises:
            FridgeError: ``raw`` holds NaN.
        """
        scores = self.overall.to_score(raw)
        if state is None:
            return scores
        for name, own in self.states.items():
            chosen = np.asarray(state.eq(name).fillna(False), dtype=np.bool_)
            scores[chosen] = own.to_score(raw[chosen])
        return scores

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and floats; JSON keeps every bit of them."""
        return {**self.overall.to_dict(), _STATES: {name: own.to_dict() for name, own in self.states.items()}}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The calibration that :meth:`to_dict` described; earlier releases wrote that of all windows alone."""
        overall = {name: value for name, value in values.items() if name != _STATES}
        states = {name: Calibration.from_dict(own) for name, own in values.get(_STATES, {}).items()}
        return cls(Calibration.from_dict(overall), states)


def _differ(own: Array, others: Array) -> bool:
    """Whether chance alone would hardly distribute the two samples so differently (Kolmogorov and Smirnov)."""
    from scipy.stats import ks_2samp  # noqa: PLC0415 (half of a second, which only training pays)

    return len(others) > 0 and bool(ks_2samp(own, others, method="asymp").pvalue < _CHANCE)
