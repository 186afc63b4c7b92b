"""What a reading would be at the usual operating point: ambient, defrost, door and state taken out of it (SPEC 2.1).

A hot afternoon raises the condenser of every healthy device, a defrost warms every coil, and a compressor that stands
draws no current. Where it starts and stops, a window is a mixture of run and rest, whose share decides every mean; and
the longer it stands, the nearer everything comes to the temperature around it. All this is learned from how devices
vary over time, frozen into the version, and taken out before devices are compared; what remains is the device's own
doing.
"""

import json
from dataclasses import dataclass, replace
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
_UNSTEADY = "unsteady"
"""Kind of the windows with a defrost in them or the coil's recovery from one, whatever state they are of."""

_EXTREMES = (0.0005, 0.9995)
_ROUNDS = 6
_MOST_ROWS = 40_000
_CLIP = 3.0
_RECOVERING = 2.0
_RIDGE = 1e-6
_LOOSE_QUANTILE = 0.80
_LOOSENESS = (0.5, 5.0)
_LOOSENESS_UNSTEADY = (1.0, 3.0)
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
        kinds: kinds of window that scatter differently once adjusted: unsteady ones, and operating states.
        looseness: how many times more than usual each feature scatters in them, shape (cohorts + 1, kinds, features).
    """

    features: tuple[str, ...]
    limits: _Limits
    cohorts: tuple[str, ...]
    effects: Array
    kinds: tuple[str, ...]
    looseness: Array

    @property
    def conditions(self) -> tuple[str, ...]:
        """The features that say what the conditions are."""
        return self.limits.conditions

    @classmethod
    def fit(
        cls,
        rows: pd.DataFrame,
        values: Array,
        features: tuple[str, ...],
        offered: tuple[str, ...],
        *,
        by_state: bool = False,
    ) -> Self:
        """Robust regression of each feature's variation within a device on the device's conditions.

        Args:
            rows: ``device_id``, ``cohort``, the conditions and, where windows have them, operating state and OPERATION.
            values: shape (n, features), on the scale that is compared.
            features: their names.
            offered: features there are; conditions that are not among them do not count.
            by_state: whether how far features scatter is told by operating state and cohort too, and not only of
                unsteady windows.
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
        shown = terms != 0
        kinds = (_UNSTEADY, "running", *_STATES) if by_state and STATE in rows.columns else (_UNSTEADY,)
        kind = _kind_of(rows, unsteady, kinds)
        if len(rows) > _MOST_ROWS:  # more would only cost time: a cohort has ten effects or so
            some = np.sort(np.random.default_rng(0).permutation(len(rows))[:_MOST_ROWS])
            own_terms, own_values, unsteady = own_terms[some], own_values[some], unsteady[some]
            cohort_of_row, lacking = cohort_of_row.iloc[some], lacking[some]
            shown, kind = shown[some], kind[some]

        def effects(chosen: NDArray[np.bool_], known: Array | None = None) -> Array:
            """Of all terms; where ``known`` are those of the fleet, what the cohort has shown differs from them."""
            told = shown[chosen].sum(axis=0) >= _FEWEST_UNSTEADY if known is not None else np.ones(terms.shape[1], bool)
            fitted = np.zeros((terms.shape[1], len(features))) if known is None else known.copy()
            left = own_values[chosen] - own_terms[chosen] @ fitted
            fitted[told] += _huber(own_terms[chosen][:, told], left, unsteady[chosen], lacking[chosen])
            # What always has the same value is not moved by anything.
            return fitted * (adjusted & ~lacking[chosen].all(axis=0))

        cohort, names = pd.factorize(cohort_of_row.astype(str), sort=True)
        large = [number for number in range(len(names)) if (cohort == number).sum() >= _FEWEST_ROWS]
        full = [number for number in large if (unsteady & (cohort == number)).sum() >= _FEWEST_UNSTEADY]
        poor = [n for n in range(len(names)) if n not in large and lacking[cohort == n].any()]
        # One thread: the order of a floating-point sum decides its last bit, and these matrices are too thin for more.
        with threadpool_limits(limits=1, user_api="blas"):
            fleet = effects(np.ones(len(cohort), dtype=np.bool_))
            fitted = [effects(cohort == number, None if number in full else fleet) for number in large]
        fitted += [fleet * ~lacking[cohort == number].all(axis=0) for number in poor]
        known = tuple(str(names[number]) for number in (*large, *poor))
        usual = np.ones((len(known) + 1, len(kinds), len(features)))
        model = cls(features, limits, known, np.stack([*fitted, fleet]), kinds, usual)
        left = np.abs(model._subtracted(own_values, own_terms, cohort_of_row))
        # Of unsteady windows alone there are too few to tell cohorts apart.
        place = pd.Index(known if len(kinds) > 1 else ()).get_indexer(pd.Index(cohort_of_row.astype(str)))
        loose = _looseness(left, kind, len(kinds), place, len(known))
        return replace(model, looseness=np.where(adjusted, loose, 1.0))

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
        kind = _kind_of(rows, self.limits.unsteady(rows), self.kinds)
        usual = np.ones_like(self.looseness[:, :1])
        place = pd.Index(self.cohorts).get_indexer(pd.Index(rows["cohort"].astype(str)))
        found: Array = np.concatenate([self.looseness, usual], axis=1)[place, kind]
        return found

    def save(self, folder: Path) -> None:
        """Write the effects as Parquet and the rest as JSON."""
        limits = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self.limits).items()}
        shape = {"features": self.features, "cohorts": self.cohorts, "terms": self.effects.shape[1]}
        shape["kinds"] = self.kinds
        (folder / _LIMITS_FILE).write_text(json.dumps({**shape, "limits": limits}, indent=1))
        table = np.vstack([part.reshape(-1, len(self.features)) for part in (self.effects, self.looseness)])
        pd.DataFrame(table, columns=list(self.features)).to_parquet(folder / _EFFECTS_FILE, index=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The effects that :meth:`save` wrote."""
        stored = json.loads((folder / _LIMITS_FILE).read_text())
        limits: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in stored["limits"].items()}
        table = pd.read_parquet(folder / _EFFECTS_FILE).to_numpy(dtype=np.float64)
        features, cohorts = tuple(stored["features"]), tuple(stored["cohorts"])
        shape, effects = (len(cohorts) + 1, -1, len(features)), (len(cohorts) + 1) * stored["terms"]
        # Earlier releases knew how unsteady windows scatter, of the whole fleet.
        kinds = tuple(stored.get("kinds", (_UNSTEADY,)))
        looseness = table[effects:] if "kinds" in stored else np.repeat(table[-1:], len(cohorts) + 1, axis=0)
        return cls(
            features, _Limits(**limits), cohorts, table[:effects].reshape(shape), kinds, looseness.reshape(shape)
        )

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


def _kind_of(rows: pd.DataFrame, unsteady: NDArray[np.bool_], kinds: tuple[str, ...]) -> NDArray[np.intp]:
    """Where in ``kinds`` the kind of each row is; -1 where it is none of them."""
    if len(kinds) == 1:
        return np.where(unsteady, 0, -1)
    state = pd.Index(kinds).get_indexer(pd.Index(rows[STATE].astype("str").fillna("")))
    return np.where(unsteady, 0, state)


def _looseness(left: Array, kind: NDArray[np.intp], kinds: int, place: NDArray[np.intp], cohorts: int) -> Array:
    """How much further than usual residuals reach in each kind of window, by cohort and feature.

    A cohort that has shown too few of a kind has what all cohorts together have, each measured by its own usual.

    Args:
        left: residuals without their sign, shape (n, features).
        kind: of each row's window, -1 for none.
        kinds: how many there are.
        place: cohort of each row, -1 for those without effects of their own.
        cohorts: how many there are.
    """
    measured = np.ones_like(left)
    for number in range(-1, cohorts):
        own = place == number
        if own.any():
            usual = np.quantile(left[own], _LOOSE_QUANTILE, axis=0)
            measured[own] = np.divide(left[own], usual, out=np.ones_like(left[own]), where=usual > 0)
    result = np.ones((cohorts + 1, kinds, left.shape[1]))
    for one in range(kinds):
        for number in (cohorts, *range(cohorts)):
            chosen = (kind == one) & ((place == number) | (number == cohorts))
            if chosen.sum() >= _FEWEST_UNSTEADY:
                result[number, one] = np.quantile(measured[chosen], _LOOSE_QUANTILE, axis=0)
            else:
                result[number, one] = result[cohorts, one]
    unsteady, states = np.split(result, [1], axis=1)
    return np.concatenate([np.clip(unsteady, *_LOOSENESS_UNSTEADY), np.clip(states, *_LOOSENESS)], axis=1)


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
