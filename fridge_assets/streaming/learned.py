"""Thresholds of the acute rules that a released baseline has learned of each device (SPEC 5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.models.statistical_baseline import StatisticalBaseline
from fridge_assets.models.version import ModelVersion
from fridge_assets.settings import IncidentSettings, LearnedThresholdSettings, Settings
from fridge_assets.streaming.precedence import DEFAULTS
from fridge_assets.streaming.rules import OVERLOAD, PRESSURE_LOSS, VIBRATION

FAMILY = StatisticalBaseline.family
"""Family that thresholds are learned from."""

Array = NDArray[np.float64]

_SENSORS: Mapping[str, str] = {
    OVERLOAD.name: "current_compressor",
    VIBRATION.name: "vibration_compressor",
    PRESSURE_LOSS.name: "pressure_low",
}
"""Rule → sensor of the features whose boundary it takes."""

_DIGITS = 2


@dataclass(frozen=True)
class Learned:
    """What the fleet's devices have been learned to bear.

    Args:
        thresholds: see :func:`learned_thresholds`.
        versions: of the baseline, such as ``1.0.0`` or ``1.0.0 in north; 1.1.0 in south``.
        refused: why a version that should have served does not, a sentence each; empty normally.
    """

    thresholds: pd.DataFrame
    versions: str
    refused: tuple[str, ...]


def learned_thresholds(version: ModelVersion, settings: Settings) -> pd.DataFrame:
    """What a version of the baseline would have the rules use, device by device.

    The boundary of a sensor is how far its mean must be from the device's own, at the usual operating point and with
    every other feature as usual, for the version alone to call the device CRITICAL, had it seen enough to say so. A
    mean is smoother than single readings, so a threshold also keeps a distance from how far these scatter within a
    window, and is never further from the default than the settings allow. The baseline compares no rate of the
    evaporator temperature: the total loss of cooling keeps its default.

    Args:
        version: of the statistical baseline.
        settings: groups ``learned_thresholds`` and ``alerts``.

    Returns:
        ``device_id``, ``rule``, ``value`` in the rule's unit, where it is not the default; devices of the training
        rows only.
    """
    model = cast(StatisticalBaseline, version.model)
    z = _critical_z(version, settings.alerts)
    compared = {rule: sensor for rule, sensor in _SENSORS.items() if f"{sensor}_mean" in model.compared}
    if z is None or not compared:
        return pd.DataFrame({"device_id": [], "rule": [], "value": []}).astype({"device_id": "str", "rule": "str"})
    expected = model.windows.expectations[model.windows.expectations["level"] == "device"]
    found = []
    for rule, sensor in compared.items():
        value = _threshold(rule, *_habits(model, expected, sensor), z, settings.learned_thresholds)
        found.append(pd.DataFrame({"device_id": expected["name"], "rule": rule, "value": value}))
    thresholds = pd.concat(found, ignore_index=True).dropna()
    return thresholds[thresholds["value"] != thresholds["rule"].map(DEFAULTS)].reset_index(drop=True)


def learned_from(models: ModelLifecycle, registry: pd.DataFrame, settings: Settings) -> Learned:
    """What the baseline that serves each region would have the rules use for the devices of that region.

    Args:
        models: versions and where they stand.
        registry: DEVICE_REGISTRY rows; no other device has a threshold.
        settings: all of them.

    Raises:
        NothingReleased: the baseline has no release yet.
        ArtifactRefused: no release has its files as training wrote them.
    """
    serving = models.serving(FAMILY, sorted(registry["region"].unique()) or [""])
    thresholds = []
    for chosen in serving:
        own = registry.loc[registry["region"].isin(list(chosen.regions)), "device_id"]
        known = learned_thresholds(chosen.version, settings)
        thresholds.append(known[known["device_id"].isin(own)])
    numbers = {chosen.version.metadata.version: ", ".join(sorted(chosen.regions)) for chosen in serving}
    versions = "; ".join(f"{version} in {regions}" for version, regions in numbers.items())
    return Learned(
        pd.concat(thresholds, ignore_index=True),
        versions if len(numbers) > 1 else next(iter(numbers)),
        tuple(dict.fromkeys(reason for chosen in serving for reason in chosen.refused)),
    )


def spread(thresholds: pd.DataFrame) -> pd.DataFrame:
    """How learned ``thresholds`` are spread: ``rule``, ``devices``, ``min``, ``median``, ``max``."""
    values = thresholds.groupby("rule")["value"]
    return values.agg(devices="count", min="min", median="median", max="max").reset_index()


def _critical_z(version: ModelVersion, settings: IncidentSettings) -> float | None:
    """The |z| of a single feature that brings the score to CRITICAL; None when none ever does."""
    model, calibration = cast(StatisticalBaseline, version.model), version.calibration.overall.unlimited

    def excess(z: float) -> float:
        # The raw score is a root mean square of some features; all others are where they are expected.
        raw = z / np.sqrt(model.strongest)
        return float(calibration.to_score(np.array([raw]))[0]) - settings.critical_score

    from scipy.optimize import brentq  # noqa: PLC0415 (half of a second, which only learning pays)

    return float(brentq(excess, 0.0, model.max_z)) if excess(model.max_z) > 0 else None


def _habits(model: StatisticalBaseline, expected: pd.DataFrame, sensor: str) -> tuple[Array, Array, Array]:
    """Of each device: its usual mean, the scale of that, and how far single readings scatter around it."""
    mean, std = f"{sensor}_mean", f"{sensor}_std"
    location, scale = (expected[f"{what}_{mean}"].to_numpy(dtype=np.float64) for what in ("location", "scale"))
    if std not in model.compared:  # windows of one reading, whose scatter is that of the mean
        return location, scale, np.zeros_like(location)
    # Standard deviations are measured as logarithms of their ratio to the typical one, a little enlarged.
    typical = model.windows.measure.reference[model.compared.index(std)]
    return location, scale, typical * np.exp(expected[f"location_{std}"].to_numpy(dtype=np.float64))


def _threshold(
    rule: str, location: Array, scale: Array, scatter: Array, z: float, settings: LearnedThresholdSettings
) -> Array:
    """Thresholds of one rule, NaN where the device's usual mean is no positive number."""
    distance = np.maximum(z * scale, settings.single_reading_deviations * scatter)
    usual = np.where(location > 0, location, np.nan)
    if rule == OVERLOAD.name:
        value, allowed = usual + distance, settings.current
    elif rule == VIBRATION.name:
        value, allowed = (usual + distance) / usual, settings.vibration_ratio
    else:
        value, allowed = distance / usual, settings.pressure_drop
    return np.clip(_rounded(np.clip(value, *allowed)), *allowed)


def _rounded(values: Array) -> Array:
    """Positive ``values`` with two significant digits, so that a new version of the model rarely changes them."""
    unit = 10.0 ** (_DIGITS - 1 - np.floor(np.log10(values)))
    return np.round(values * unit) / unit
