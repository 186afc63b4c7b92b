"""What a reading would be at the usual operating point: ambient, defrost, door and state taken out of it (SPEC 2.1).

A hot afternoon raises the condenser of every healthy device, a defrost warms every coil, and a compressor that stands
draws no current. Where it starts and stops, a window is a mixture of run and rest, whose share decides every mean; and
the longer it stands, the nearer everything comes to the temperature around it. All this is learned from how devices
vary over time, frozen into the version, and taken out before devices are compared; what remains is the device's own
doing.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from fridge_assets.contracts.device_features import FRACTION_FEATURES
from fridge_assets.models._robust import MAD_TO_SIGMA, grouped_max, grouped_mean
from fridge_assets.models.base import feature_matrix, require_columns
from fridge_assets.models.selection import RESTED, RUN_SHARE, STATE

Array = NDArray[np.float64]

AMBIENT, DEFROST, DOOR, COIL_SLOPE = (
    "temp_ambient_mean", "defrost_active_fraction", "door_open_fraction", "temp_evaporator_slope",
)  # fmt: skip
CONDITIONS = (AMBIENT, DEFROST, DOOR, COIL_SLOPE)
"""Features that say what a device is exposed to and what it is doing; they are never adjusted themselves."""

_DEFROST_STATE = "defrost"
_STATES = ("cycling", _DEFROST_STATE, "off", "pull-down", "standstill")
"""Operating states that have an effect of their own beside a machine that runs."""

_EXTREMES = (0.0005, 0.9995)
_ROUNDS = 6
_MOST_ROWS = 40_000
_CLIP = 3.0
_RECOVERING = 2.0
_RIDGE = 1e-6
_LOOSE_QUANTILE = 0.80
_MAX_LOOSENESS = 3.0
_FEWEST_ROWS = 300
_FEWEST_UNSTEADY = 30
_FEWEST_OF_STATE = 5
"""Rows of an operating state from which its effect is learned."""
_LONGEST_REST = 1440.0
"""Minutes; of longer ones nobody keeps the beginning."""
_FEWEST_TO_TELL = 8
"""Rows of a cohort from which a value that is always the same tells that there is no such sensor."""
_LIMITS_FILE = "operating_limits.json"
_EFFECTS_FILE = "operating_effects.parquet"


@dataclass(frozen=True)
class _Limits:
    """The range of conditions that training saw; nothing is extrapolated beyond it.

    So a drifting ambient sensor, or a door that stays open, moves its own feature but cannot be taken for the
    reason why all others are where they are.
    """

    conditions: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    centre: tuple[float, ...]
    recovering_below: float
    states: tuple[str, ...] = ()
    run_share: float | None = None
    """Usual share of a window in which a compressor runs; None where too few start and stop to learn its effect."""
    rests: bool = False
    """Whether enough windows at rest were seen to learn what its length does."""

    @classmethod
    def fit(cls, rows: pd.DataFrame, conditions: tuple[str, ...]) -> Self:
        values = feature_matrix(rows, conditions)
        low, high = np.quantile(values, _EXTREMES, axis=0) if conditions else (np.empty(0), np.empty(0))
        centre = np.median(values, axis=0) if conditions else np.empty(0)
        known = STATE in rows.columns
        states = tuple(name for name in _STATES if known and _in_state(rows, name).sum() >= _FEWEST_OF_STATE)
        return cls(
            conditions,
            tuple(low.tolist()),
            tuple(high.tolist()),
            tuple(centre.tolist()),
            _steepest_usual(rows, conditions),
            states,
            _usual_run_share(rows),
            RESTED in rows.columns and int(_at_rest(rows).sum()) >= _FEWEST_UNSTEADY,
        )

    def within(self, rows: pd.DataFrame) -> dict[str, Array]:
        """The conditions of ``rows``, none outside of what training saw."""
        values = np.clip(feature_matrix(rows, self.conditions), self.low, self.high) - np.asarray(self.centre)
        return dict(zip(self.conditions, values.T, strict=True))

    def unsteady(self, rows: pd.DataFrame) -> NDArray[np.bool_]:
        """Whether a row's window has a defrost in it or the coil's recovery from one, shape (n,)."""
        result = np.zeros(len(rows), dtype=np.bool_)
        if DEFROST in self.conditions:
            result |= rows[DEFROST].to_numpy(dtype=np.float64) > 0
            if COIL_SLOPE in self.conditions:
                result |= rows[COIL_SLOPE].to_numpy(dtype=np.float64) < self.recovering_below
        if _DEFROST_STATE in self.states:
            result |= _in_state(rows, _DEFROST_STATE)
        return result

    def terms(self, rows: pd.DataFrame) -> Array:
        """Terms of the regression, shape (n, terms): one a state, and curved in ambient, in the defrost's progress, in
        the share of the window in which the compressor ran and in how long it has stood.
        """
        conditions, unsteady = self.within(rows), self.unsteady(rows)
        columns = []
        if AMBIENT in conditions:
            columns += [conditions[AMBIENT], conditions[AMBIENT] ** 2]
        if DOOR in conditions:
            columns += [conditions[DOOR]]
        told_by_state = [name for name in self.states if name != _DEFROST_STATE or DEFROST not in conditions]
        if DEFROST in conditions:
            defrost = conditions[DEFROST]
            progress = [np.ones_like(defrost), defrost, defrost**2]
            if COIL_SLOPE in conditions:
                slope = conditions[COIL_SLOPE]
                progress += [slope, slope**2, slope * defrost]
            columns += [unsteady * term for term in progress]
        columns += [_in_state(rows, name).astype(np.float64) for name in told_by_state]
        if self.run_share is not None:
            # Where nobody knows it, the state alone tells what the machine did.
            more = np.nan_to_num(rows[RUN_SHARE].to_numpy(dtype=np.float64) - self.run_share)
            columns += [more, more**2]
        if self.rests:
            minutes = rows[RESTED].to_numpy(dtype=np.float64)  # null after a day
            rested = np.log1p(np.where(np.isnan(minutes), _LONGEST_REST, minutes)) * _at_rest(rows)
            columns += [rested, rested**2]
        return np.column_stack(columns) if columns else np.empty((len(unsteady), 0))


@dataclass(frozen=True)
class OperatingPoint:
    """Effects of the operating conditions on features, by cohort.

    Args:
        features: what is adjusted, in the order of the columns.
        limits: conditions that count, and how far.
        cohorts: cohorts with effects of their own; every other has the fleet's, which are the last.
        effects: shape (cohorts + 1, terms, features).
        looseness: how many times more than usual each feature scatters in unsteady windows once adjusted, ≥ 1,
            shape (features,).
    """

    features: tuple[str, ...]
    limits: _Limits
    cohorts: tuple[str, ...]
    effects: Array
    looseness: Array

    @property
    def conditions(self) -> tuple[str, ...]:
        """The features that say what the conditions are."""
        return self.limits.conditions

    @classmethod
    def fit(cls, rows: pd.DataFrame, values: Array, features: tuple[str, ...], offered: tuple[str, ...]) -> Self:
        """Robust regression of each feature's variation within a device on the device's conditions.

        Args:
            rows: ``device_id``, ``cohort``, the conditions and, where windows have them, operating state and OPERATION.
            values: shape (n, features), on the scale that is compared.
            features: their names.
            offered: features there are; conditions that are not among them do not count.
        """
        limits = _Limits.fit(rows, tuple(name for name in CONDITIONS if name in offered))
        unsteady = limits.unsteady(rows)
        terms = limits.terms(rows)
        device, devices = pd.factorize(rows["device_id"])
        # Only how a device varies over time counts: that sites in the south differ is no effect of the hour.
        own_terms = terms - grouped_mean(terms, device, len(devices))[device]
        own_values = values - grouped_mean(values, device, len(devices))[device]
        adjusted = np.array([name not in CONDITIONS for name in features])
        cohort_of_row = rows["cohort"]
        lacking = stand_ins(rows["cohort"], values, features)
        if len(rows) > _MOST_ROWS:  # more would only cost time: a cohort has ten effects or so
            some = np.sort(np.random.default_rng(0).permutation(len(rows))[:_MOST_ROWS])
            own_terms, own_values, unsteady = own_terms[some], own_values[some], unsteady[some]
            cohort_of_row, lacking = cohort_of_row.iloc[some], lacking[some]

        def effects(chosen: NDArray[np.bool_]) -> Array:
            fitted: Array = _huber(own_terms[chosen], own_values[chosen], unsteady[chosen], lacking[chosen])
            # What always has the same value is not moved by anything.
            return fitted * (adjusted & ~lacking[chosen].all(axis=0))

        cohort, names = pd.factorize(cohort_of_row.astype(str), sort=True)
        large = [
            number
            for number in range(len(names))
            if (cohort == number).sum() >= _FEWEST_ROWS and (unsteady & (cohort == number)).sum() >= _FEWEST_UNSTEADY
        ]
        poor = [n for n in range(len(names)) if n not in large and lacking[cohort == n].any()]
        # One thread: the order of a floating-point sum decides its last bit, and these matrices are too thin for more.
        with threadpool_limits(limits=1, user_api="blas"):
            fitted = [effects(cohort == number) for number in large]
            fleet = effects(np.ones(len(cohort), dtype=np.bool_))
        fitted += [fleet * ~lacking[cohort == number].all(axis=0) for number in poor]
        known = tuple(str(names[number]) for number in (*large, *poor))
        model = cls(features, limits, known, np.stack([*fitted, fleet]), np.ones(len(features)))
        left = np.abs(model._subtracted(own_values, own_terms, cohort_of_row))
        return cls(features, limits, model.cohorts, model.effects, _looseness(left, unsteady))

    def adjust(self, rows: pd.DataFrame, values: Array) -> Array:
        """``values`` of ``rows`` as they would be at the fleet's usual operating point, shape (n, features)."""
        told = {
            STATE: bool(self.limits.states) or self.limits.rests,
            RUN_SHARE: self.limits.run_share is not None,
            RESTED: self.limits.rests,
        }
        require_columns(rows, ("cohort", *self.conditions, *(name for name, needed in told.items() if needed)))
        return self._subtracted(values, self.limits.terms(rows), rows["cohort"])

    def scatter(self, rows: pd.DataFrame) -> Array:
        """How many times more than usual each feature scatters in each row's window, shape (n, features)."""
        return np.where(self.limits.unsteady(rows)[:, None], self.looseness, 1.0)

    def save(self, folder: Path) -> None:
        """Write the effects as Parquet and the rest as JSON."""
        limits = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self.limits).items()}
        shape = {"features": self.features, "cohorts": self.cohorts, "terms": self.effects.shape[1]}
        (folder / _LIMITS_FILE).write_text(json.dumps({**shape, "limits": limits}, indent=1))
        table = np.vstack([self.effects.reshape(-1, len(self.features)), self.looseness])
        pd.DataFrame(table, columns=list(self.features)).to_parquet(folder / _EFFECTS_FILE, index=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The effects that :meth:`save` wrote."""
        stored = json.loads((folder / _LIMITS_FILE).read_text())
        limits: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in stored["limits"].items()}
        table = pd.read_parquet(folder / _EFFECTS_FILE).to_numpy(dtype=np.float64)
        features, cohorts = tuple(stored["features"]), tuple(stored["cohorts"])
        effects = table[:-1].reshape(len(cohorts) + 1, stored["terms"], len(features))
        return cls(features, _Limits(**limits), cohorts, effects, table[-1])

    def _subtracted(self, values: Array, terms: Array, cohort: pd.Series) -> Array:
        position = pd.Index(self.cohorts).get_indexer(pd.Index(cohort.astype(str)))  # -1, unknown, is the fleet
        adjusted = values.copy()
        # Term by term: the order of additions, and so the last bit, must not depend on the batch.
        for number in range(terms.shape[1]):
            touched = np.flatnonzero(terms[:, number])
            adjusted[touched] -= terms[touched, number, None] * self.effects[position[touched], number]
        return adjusted


def stand_ins(cohort: pd.Series, values: Array, features: tuple[str, ...]) -> NDArray[np.bool_]:
    """Which values only stand in for a sensor that the row's cohort does not have, shape (n, features).

    Such a value is the same in all rows of the cohort and differs in others; shares, which may well never change, are
    none.

    Args:
        cohort: of each row.
        values: complete, shape (n, features).
        features: their names.
    """
    number, names = pd.factorize(cohort.astype(str))
    same = grouped_max(values, number) == -grouped_max(-values, number)
    same[np.bincount(number, minlength=len(names)) < _FEWEST_TO_TELL] = False
    shares = np.array([name in (*FRACTION_FEATURES, "sensor_completeness") for name in features])
    same &= ~same.all(axis=0) & ~shares
    lacking: NDArray[np.bool_] = same[number]
    return lacking


def _huber(terms: Array, values: Array, unsteady: NDArray[np.bool_], lacking: NDArray[np.bool_]) -> Array:
    """Huber's regression of each column of ``values`` on ``terms`` by pseudo-values (Huber, 1981, section 7.8).

    Where there is no value (``lacking``) the pseudo-value is the fitted one, as in the EM algorithm.
    """
    some_lack = lacking.any()
    if terms.shape[1] == 0 or len(terms) == 0:
        return np.zeros((terms.shape[1], values.shape[1]))
    size = np.sqrt((terms**2).mean(axis=0))
    scaled = terms / np.where(size > 0, size, 1.0)
    inverse = np.linalg.inv(scaled.T @ scaled + _RIDGE * len(terms) * np.eye(terms.shape[1]))
    effects = inverse @ (scaled.T @ values)
    bounds = np.empty_like(values)
    for number in range(_ROUNDS):
        fitted = scaled @ effects
        left = values - fitted
        if some_lack:
            left[lacking] = 0.0
        if number == 0:
            for state in (False, True):
                chosen = unsteady == state
                if chosen.any():
                    bounds[chosen] = _CLIP * MAD_TO_SIGMA * np.median(np.abs(left[chosen]), axis=0)
        effects = inverse @ (scaled.T @ (fitted + np.clip(left, -bounds, bounds)))
    return effects / np.where(size > 0, size, 1.0)[:, None]


def _looseness(left: Array, unsteady: NDArray[np.bool_]) -> Array:
    """How much further residuals reach in unsteady windows, by feature."""
    if min(unsteady.sum(), (~unsteady).sum()) < _FEWEST_UNSTEADY:
        return np.ones(left.shape[1])
    steady = np.quantile(left[~unsteady], _LOOSE_QUANTILE, axis=0)
    loose = np.quantile(left[unsteady], _LOOSE_QUANTILE, axis=0)
    ratio = np.divide(loose, steady, out=np.ones_like(loose), where=steady > 0)
    return np.clip(ratio, 1.0, _MAX_LOOSENESS)


def _in_state(rows: pd.DataFrame, state: str) -> NDArray[np.bool_]:
    return np.asarray(rows[STATE].eq(state).fillna(False), dtype=np.bool_)


def _at_rest(rows: pd.DataFrame) -> NDArray[np.bool_]:
    if STATE not in rows.columns:
        return np.zeros(len(rows), dtype=np.bool_)
    return _in_state(rows, "off") | _in_state(rows, "standstill")


def _usual_run_share(rows: pd.DataFrame) -> float | None:
    if RUN_SHARE not in rows.columns:
        return None
    share = rows[RUN_SHARE].to_numpy(dtype=np.float64)
    parted = share[(share > 0) & (share < 1)]
    return float(np.median(parted)) if len(parted) >= _FEWEST_UNSTEADY else None


def _steepest_usual(rows: pd.DataFrame, conditions: tuple[str, ...]) -> float:
    """°C/min; a coil that cools faster than this without a defrost is recovering from one."""
    if DEFROST not in conditions or COIL_SLOPE not in conditions:
        return -np.inf
    slope = rows.loc[rows[DEFROST].to_numpy(dtype=np.float64) == 0, COIL_SLOPE].to_numpy(dtype=np.float64)
    if len(slope) == 0:
        return -np.inf
    middle = np.median(slope)
    return float(middle - _RECOVERING * MAD_TO_SIGMA * np.median(np.abs(slope - middle)))
