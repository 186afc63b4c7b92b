"""How far a device is from what is usual of it, in amounts that a technician would notice (SPEC 6.2)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from fridge_assets.contracts.device_features import DERIVED_FEATURES, FRACTION_FEATURES, SENSOR_FEATURES

LONE_SENSOR = "lone_sensor"
"""One sensor is far off while no other one moves: how far, beyond twice the next one."""

STEADY_SENSOR = "steady_sensor"
"""A sensor that usually varies repeats one value."""

COMPUTED = (LONE_SENSOR, STEADY_SENSOR)

_DEFROST, _DEFROSTS = "defrost_active_fraction", 0.1
"""Share of the window from which on a defrost explains what is unusual of the evaporator's side."""
_COIL_SPREAD, _SWINGS = "temp_evaporator_std", 3.0
"""So many times its usual spread, the coil is being pulled down, after a defrost nobody flagged for example."""
_EVAPORATOR_SIDE = (
    "temp_evaporator",
    "temp_suction",
    "temp_discharge",
    "pressure_low",
    "pressure_ratio",
    "superheat",
)
_ALONE = "vibration_compressor"
"""Nothing moves with vibration: that it is off alone says nothing about its sensor."""
_MEANS = {feature.name: feature.sensor.short_name for feature in SENSOR_FEATURES if feature.aggregation == "mean"}
_SPREADS = {feature.name: feature.sensor.short_name for feature in SENSOR_FEATURES if feature.aggregation == "std"}


@dataclass(frozen=True)
class Noticeable:
    """From how much on a deviation is noticed: in the feature's unit, or as a share of what is usual."""

    amount: float
    is_share: bool = False

    def noticed(self, value: float, usual: float) -> float | None:
        """``value - usual`` in this amount; None where there is no share of what is usual."""
        if not self.is_share:
            return (value - usual) / self.amount
        return None if usual <= 0 else (value / usual - 1) / self.amount


@dataclass(frozen=True)
class Findings:
    """What is known of a device in one window.

    Args:
        deviations: finding → how far it is from what is usual, in noticeable amounts; what was not measured is left
            out.
        sensors: :data:`LONE_SENSOR` and :data:`STEADY_SENSOR`, where they are seen → short name of the sensor.
    """

    deviations: Mapping[str, float]
    sensors: Mapping[str, str] = field(default_factory=dict)

    def feature_of(self, finding: str) -> str:
        """A feature that ``finding`` is about."""
        return f"{self.sensors[finding]}_mean" if finding in self.sensors else finding


def findings_of(
    measured: Mapping[str, float], usual: Mapping[str, float], noticeable: Mapping[str, Noticeable]
) -> Findings:
    """What one window shows beside what is usual of the device.

    A defrost, and the pull-down after it, move the evaporator's side: what they move tells of no cause.

    Args:
        measured: feature → its value in the window; what is null is left out.
        usual: feature → what it usually is, as of :func:`fridge_assets.features.usual_values.usual_values`.
        noticeable: feature → from how much on a deviation is noticed.
    """
    unsettled = _is_unsettled(measured, usual)
    deviations = {
        name: noticed
        for name, amount in noticeable.items()
        if name in measured and name in usual and (noticed := amount.noticed(measured[name], usual[name])) is not None
        if not (unsettled and name.startswith(_EVAPORATOR_SIDE))
    }
    steady = next((short for name, short in _SPREADS.items() if measured.get(name) == 0 and usual.get(name, 0) > 0), "")
    beyond, lone = _lone(deviations)
    if unsettled or lone == steady:
        beyond = 0.0  # what would have moved with it is not known, or it stands still
    found = {**deviations, LONE_SENSOR: beyond, STEADY_SENSOR: float(bool(steady))}
    sensors = {name: short for name, short in ((LONE_SENSOR, lone), (STEADY_SENSOR, steady)) if found[name]}
    return Findings(found, sensors)


@cache
def sensor_of(finding: str) -> str | None:
    """Short name of the sensor that a finding is of, or its own name; None of one that others are made into."""
    if finding in COMPUTED or finding in DERIVED_FEATURES:
        return None
    return next((short for short in _MEANS.values() if finding.startswith(f"{short}_")), finding)


def _is_unsettled(measured: Mapping[str, float], usual: Mapping[str, float]) -> bool:
    swings = measured.get(_COIL_SPREAD, 0.0) > _SWINGS * usual.get(_COIL_SPREAD, float("inf"))
    return swings or measured.get(_DEFROST, 0.0) - usual.get(_DEFROST, 0.0) > _DEFROSTS


def _lone(deviations: Mapping[str, float]) -> tuple[float, str]:
    """How far the sensor that is furthest off is beyond twice the next one, 0 where it is not; and which it is."""
    means = sorted(
        ((abs(deviations[name]), short) for name, short in _MEANS.items() if name in deviations), reverse=True
    )
    others = [abs(deviations[name]) for name in FRACTION_FEATURES if name in deviations]
    if len(means) < 2 or means[0][1] == _ALONE:
        return 0.0, ""
    (furthest, short), (following, _) = means[:2]
    return max(0.0, furthest - 2 * max([following, *others])), short
