"""Calibrations for the operating states, and the cohorts in them, whose raw scores differ from those of the others.

SPEC 2.2.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Self

import numpy as np
import pandas as pd

from fridge_assets.models.calibration import Array, Calibration, tail_probability
from fridge_assets.models.cross_fitting import UnseenScores, independent_blocks
from fridge_assets.models.selection import COHORT, STATE
from fridge_assets.settings import CalibrationSettings

_STATES = "states"
_COHORTS = "cohorts"
_TOO_FEW, _TOO_MANY = 0.5, 1.5
"""A cohort is calibrated by itself where the others would flag less or more than so many times what is promised."""
_CHANCE = 0.01


@dataclass(frozen=True)
class CalibrationByState:
    """The calibration of a version.

    A window of a defrost is stranger than most, and rare. Held against all windows, each defrost would be flagged, and
    what is strange in the other states would hide behind defrosts. So each state whose raw scores are distributed
    otherwise has a calibration of its own.

    Machines of one kind differ more from window to window than those of another: a thermostat with a coarse logger more
    than a compressor that never stops. Held against all of them, the restless would be flagged day after day, and the
    faults of the quiet hide behind them. So has each cohort of which a state's calibration flags too few or too many.

    Args:
        overall: of all windows: for states without one of their own, for unknown ones, and for models of days.
        states: operating state → its own; empty in versions of earlier releases.
        cohorts: cohort and operating state → its own; the same.
    """

    overall: Calibration
    states: Mapping[str, Calibration]
    cohorts: Mapping[tuple[str, str], Calibration] = field(default_factory=dict)

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
        by_state = cls(
            calibration(everything),
            {
                name: calibration(chosen)
                for name, chosen in own.items()
                if chosen.sum() >= settings.state_rows and _differ(unseen.raw[chosen], unseen.raw[~chosen])
            },
        )
        if unseen.seen or COHORT not in unseen.rows.columns:
            return by_state
        cohort = unseen.rows[COHORT].astype(str).to_numpy()
        flagged = by_state.to_score(unseen.raw, unseen.rows[STATE]) > settings.threshold
        promised = tail_probability(settings.threshold, settings)
        cohorts = {}
        for name, in_state in own.items():
            limit = by_state.states.get(name, by_state.overall).least_log_p
            for kind in sorted(set(cohort[in_state])):
                chosen = in_state & (cohort == kind)
                usual = _TOO_FEW * promised <= flagged[chosen].mean() <= _TOO_MANY * promised
                if chosen.sum() >= settings.cohort_rows and not usual:
                    # How rare a score may say that a window is, is bounded by what all have seen of the state.
                    cohorts[kind, name] = replace(calibration(chosen), least_log_p=limit)
        return replace(by_state, cohorts=cohorts)

    def to_score(self, raw: Array, state: pd.Series | None = None, cohort: pd.Series | None = None) -> Array:
        """Scores in [0, 1], shape (n,), strictly increasing in ``raw`` within a state of a cohort.

        Args:
            raw: shape (n,).
            state: operating state of each row, null where nobody knows; None where it does not matter.
            cohort: of each row; None where it does not matter.

        Raises:
            FridgeError: ``raw`` holds NaN.
        """
        scores = self.overall.to_score(raw)
        if state is None:
            return scores
        for name, own in self.states.items():
            chosen = np.asarray(state.eq(name).fillna(False), dtype=np.bool_)
            scores[chosen] = own.to_score(raw[chosen])
        if cohort is not None and self.cohorts:
            given = pd.MultiIndex.from_arrays([cohort.astype("str"), state.astype("str")])
            place = pd.MultiIndex.from_tuples(list(self.cohorts)).get_indexer(given)
            for number, own in enumerate(self.cohorts.values()):
                scores[place == number] = own.to_score(raw[place == number])
        return scores

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and floats; JSON keeps every bit of them."""
        cohorts: dict[str, dict[str, Any]] = {}
        for (cohort, state), own in self.cohorts.items():
            cohorts.setdefault(cohort, {})[state] = own.to_dict()
        states = {name: own.to_dict() for name, own in self.states.items()}
        return {**self.overall.to_dict(), _STATES: states, _COHORTS: cohorts}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The calibration that :meth:`to_dict` described; earlier releases wrote that of all windows alone."""
        overall = {name: value for name, value in values.items() if name not in (_STATES, _COHORTS)}
        states = {name: Calibration.from_dict(own) for name, own in values.get(_STATES, {}).items()}
        cohorts = {
            (cohort, state): Calibration.from_dict(own)
            for cohort, of_states in values.get(_COHORTS, {}).items()
            for state, own in of_states.items()
        }
        return cls(Calibration.from_dict(overall), states, cohorts)


def _differ(own: Array, others: Array) -> bool:
    """Whether chance alone would hardly distribute the two samples so differently (Kolmogorov and Smirnov)."""
    from scipy.stats import ks_2samp  # noqa: PLC0415 (half of a second, which only training pays)

    return len(others) > 0 and bool(ks_2samp(own, others, method="asymp").pvalue < _CHANCE)
