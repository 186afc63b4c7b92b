"""What to expect of a device, from its own history and its cohort's: the baseline's statistics (SPEC 2.1)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fridge_assets.models._operating_point import stand_ins
from fridge_assets.models._robust import MAD_TO_SIGMA, grouped_mean, grouped_median
from fridge_assets.settings import FeatureSettings, Settings

Array = NDArray[np.float64]

_RESOLUTION = 1e-9
"""A spread below this is rounding: the feature never moved."""


@dataclass(frozen=True)
class _Population:
    """Groups of devices, each array of shape (groups, features).

    Args:
        location: median of the devices' own locations.
        within: typical spread of one device over time.
        between: spread of the devices' own locations around the group's.
    """

    location: Array
    within: Array
    between: Array

    def take(self, group: NDArray[np.intp]) -> "_Population":
        return _Population(self.location[group], self.within[group], self.between[group])


@dataclass(frozen=True)
class _OwnHistory:
    """Each device's own statistics; ``location`` and ``scale`` of shape (devices, features)."""

    windows: Array
    span: Array
    location: Array
    scale: Array


def fit_expectations(
    rows: pd.DataFrame,
    values: Array,
    features: tuple[str, ...],
    grain: Array,
    grains: Mapping[str, Array],
    settings: Settings,
) -> pd.DataFrame:
    """Expected location and scale of every device, cohort and the fleet.

    A device's location is ``w * own + (1 - w) * cohort``. Two things limit ``w``: the share of a full day
    that its history spans, and how far its windows pin its location down, ``n * b² / (n * b² + s²)`` with
    ``b`` the spread between devices and ``s`` that within one (the posterior mean of a normal location). The
    scale holds what is left in doubt about the location, ``(1 - w) * b²``, beside the device's own spread
    over time, which is itself shrunk towards the cohort's typical one. A device never seen before is the case
    ``w = 0``.

    Args:
        rows: ``device_id``, ``cohort`` and ``window_end``.
        values: shape (n, features), the features on the scale that z-scores are made on.
        features: their names.
        grain: smallest deviation of each feature that can mean anything, shape (features,).
        grains: the same by cohort.
        settings: group ``baseline``, and the length of a window.

    Returns:
        Columns ``level`` (device, cohort, fleet), ``name``, ``location_*`` and ``scale_*`` (float32); devices
        first, the fleet's single row last.
    """
    limits = settings.baseline
    device, devices = pd.factorize(rows["device_id"], sort=True)
    cohort_of_row, cohorts = pd.factorize(rows["cohort"].astype(str), sort=True)
    # The frame may be in any order; a device that changed cohort belongs to the last one by name.
    cohort = np.zeros(len(devices), dtype=np.intp)
    np.maximum.at(cohort, device, cohort_of_row)

    own = seen = _own_history(rows["window_end"], values, device, settings.features)
    lacking = stand_ins(rows["cohort"], values, features)
    measured = values
    if lacking.any():  # a sensor that a cohort does not have says nothing about the fleet
        measured = np.where(lacking, np.nan, values)
        seen = _own_history(rows["window_end"], measured, device, settings.features)
    fleet = _population(measured, device, seen, np.zeros(len(devices), dtype=np.intp), 1)
    fleet = _Population(fleet.location, _never_zero(fleet, values), fleet.between)
    floor = np.maximum(limits.min_scale * fleet.within, grain)
    groups = _population(measured, device, seen, cohort, len(cohorts))
    if lacking.any():
        groups = _Population(
            np.where(np.isnan(groups.location), grouped_median(own.location, cohort, len(cohorts)), groups.location),
            groups.within,
            np.where(np.isnan(groups.between), fleet.between, groups.between),
        )
    small = np.bincount(cohort, minlength=len(cohorts)) < limits.min_cohort_devices
    groups = _Population(
        np.where(small[:, None], fleet.location, groups.location),
        np.where(small[:, None] | ~(groups.within > _RESOLUTION), fleet.within, groups.within),
        np.where(small[:, None], fleet.between, groups.between),
    )

    prior = groups.take(cohort)
    trust = np.minimum(own.span / limits.full_trust.total_seconds(), 1.0)[:, None]
    windows = own.windows[:, None]
    known = windows * prior.between**2
    location_weight = trust * known / (known + np.maximum(prior.within, floor) ** 2)
    scale_weight = trust * windows / (windows + limits.prior_windows)
    location = location_weight * own.location + (1 - location_weight) * prior.location
    # A device whose fault began to grow within the history would otherwise pass for one that varies much.
    own_scale = np.minimum(own.scale, limits.max_scale * prior.within)
    spread = scale_weight * own_scale**2 + (1 - scale_weight) * prior.within**2
    scale = np.sqrt(spread + (1 - location_weight) * prior.between**2)

    own_floor = np.maximum(floor, np.stack([grains[name] for name in cohorts]))
    everyone = (
        ("device", devices, location, np.maximum(scale, own_floor[cohort])),
        ("cohort", cohorts, groups.location, np.maximum(np.hypot(groups.within, groups.between), own_floor)),
        ("fleet", [""], fleet.location, np.maximum(np.hypot(fleet.within, fleet.between), floor)),
    )
    tables = [_table(level, names, loc, wide, features) for level, names, loc, wide in everyone]
    return pd.concat(tables, ignore_index=True)


def _own_history(
    window_end: pd.Series, values: Array, device: NDArray[np.intp], settings: FeatureSettings
) -> _OwnHistory:
    count = int(device.max()) + 1
    location = grouped_median(values, device, count)
    scale = MAD_TO_SIGMA * grouped_median(np.abs(values - location[device]), device, count)
    ends = (window_end - window_end.min()).dt.total_seconds().groupby(device)
    span = (ends.max() - ends.min()).to_numpy(dtype=np.float64) + settings.window.total_seconds()
    return _OwnHistory(np.bincount(device).astype(np.float64), span, location, scale)


def _population(
    values: Array, device: NDArray[np.intp], own: _OwnHistory, group: NDArray[np.intp], count: int
) -> _Population:
    location = grouped_median(own.location, group, count)
    # Residuals around the device's mean, widened for the freedom that the mean takes: unlike a single
    # device's MAD this is right on average from two windows per device on.
    windows = own.windows[device]
    repeated = windows > 1
    mean = grouped_mean(values, device, len(own.windows))
    widening = np.sqrt(windows / np.maximum(windows - 1, 1))[:, None]
    residuals = np.abs(values - mean[device]) * widening
    within = MAD_TO_SIGMA * grouped_median(residuals[repeated], group[device][repeated], count)
    total = MAD_TO_SIGMA * grouped_median(np.abs(own.location - location[group]), group, count)
    noise = within**2 * grouped_mean((1 / own.windows)[:, None], group, count)
    between = np.sqrt(np.maximum(total**2 - np.nan_to_num(noise), 0.0))
    return _Population(location, within, between)


def _never_zero(fleet: _Population, values: Array) -> Array:
    """The fleet's typical within-device spread, with stand-ins for features that never move."""
    spread = values.std(axis=0)
    resolution = 1e-3 * np.maximum(np.abs(fleet.location), 1.0)
    return np.where(fleet.within > _RESOLUTION, fleet.within, np.where(spread > resolution, spread, resolution))


def _table(level: str, names: object, location: Array, scale: Array, features: tuple[str, ...]) -> pd.DataFrame:
    columns = [f"{what}_{name}" for what in ("location", "scale") for name in features]
    numbers = pd.DataFrame(np.hstack([location, scale]).astype(np.float32), columns=columns)
    identity = pd.DataFrame({"level": level, "name": pd.Series(names, dtype="str")}, index=numbers.index)
    return pd.concat([identity, numbers], axis=1)
