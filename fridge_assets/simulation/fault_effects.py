"""What faults do to the readings of the devices that have them (SPEC 10)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fridge_assets.simulation import faults
from fridge_assets.simulation.conditions import MinuteArray, Strain
from fridge_assets.simulation.fault_plan import PlannedFaults
from fridge_assets.simulation.physics import Values
from fridge_assets.simulation.refrigerants import FloatArray
from fridge_assets.simulation.seeding import Stream, generator

RATIO_LOSS = 0.22
"""Share of the pressure ratio that a leaking compressor valve costs."""

OVERLOAD_CURRENT = 46.0
"""A; above the 45 A of SPEC 10 and still within the sensor's range."""

TAIL_FROM, TAIL_SIZE = 1.0, 0.35
"""Worn bearings knock: vibration noise beyond one spread is made larger by this factor per spread."""

DRIFT_ADDITION = {
    "temperature_evaporator": 3.0,
    "temperature_condenser": 5.0,
    "temperature_ambient": 4.0,
    "temperature_discharge": 8.0,
    "temperature_suction": 3.0,
    "humidity": 10.0,
    "superheat": 2.0,
    "subcooling": 1.5,
}
"""Spread of the sensor in the healthy fleet, in its unit."""

DRIFT_SHARE = {
    "pressure_high_side": 150 / 1500,
    "pressure_low_side": 30 / 200,
    "current_compressor": 2 / 12,
    "vibration_compressor": 0.8 / 3.0,
}
"""The same as a share of the mean, for sensors whose level differs much between equipment models."""

DRIFT_SPREADS = 4
LOST_READINGS = 0.30
LOST_VALUES = 0.50


def strain_of(plan: Sequence[PlannedFaults], minutes: MinuteArray, devices: int) -> Strain:
    """How the faults change what ``devices`` do in ``minutes``, beyond their direct effect on readings."""
    return Strain(
        door_held_open=_severity_of(faults.DOOR_LEFT_OPEN, plan, minutes, devices),
        icing=_severity_of(faults.EVAPORATOR_ICING, plan, minutes, devices),
    )


def apply_faults(
    plan: Sequence[PlannedFaults],
    minutes: MinuteArray,
    *,
    values: Values,
    noise: Values,
    stuck_at: npt.NDArray[np.float32],
    seed: int,
) -> npt.NDArray[np.bool_] | None:
    """Change ``values`` in place by the faults' severity in ``minutes``.

    Args:
        plan: the planned faults.
        minutes: minutes since 1970.
        values: readings, minutes × devices.
        noise: standard-normal measurement noise, as in the readings.
        stuck_at: reading that each stuck sensor repeats, in the order of its device.
        seed: the fleet's seed.

    Returns:
        The readings that are lost altogether, minutes × devices; None when there are none.
    """
    lost = None
    for planned in plan:
        severity = planned.severity(minutes)
        if not severity.any():
            continue
        for column, effect in planned.kind.effects.items():
            values[column][:, planned.devices] *= 1 + effect.share * severity
            values[column][:, planned.devices] += effect.addition * severity
        if planned.kind is faults.BEARING_WEAR:
            _knock(planned, severity, values, noise)
        elif planned.kind is faults.VALVE_LEAK:
            _lose_pressure_ratio(planned, severity, values)
        elif planned.kind is faults.COMPRESSOR_OVERLOAD:
            _overload(planned, severity, values)
        elif planned.kind is faults.STUCK_SENSOR:
            _repeat(planned, severity, values, stuck_at)
        elif planned.kind is faults.DRIFTING_SENSOR:
            _drift(planned, severity, values)
        elif planned.kind is faults.INTERMITTENT_DROPOUT:
            lost = _drop_out(planned, severity, values, minutes, seed)
    return lost


def _severity_of(
    kind: faults.FaultKind, plan: Sequence[PlannedFaults], minutes: MinuteArray, devices: int
) -> FloatArray | float:
    planned = next((planned for planned in plan if planned.kind is kind), None)
    if planned is None:
        return 0.0
    severity = np.zeros((len(minutes), devices), np.float32)
    severity[:, planned.devices] = planned.severity(minutes)
    return severity


def _knock(planned: PlannedFaults, severity: FloatArray, values: Values, noise: Values) -> None:
    beyond = np.maximum(noise["vibration_compressor"][:, planned.devices] - TAIL_FROM, 0)
    values["vibration_compressor"][:, planned.devices] *= 1 + TAIL_SIZE * beyond * severity


def _lose_pressure_ratio(planned: PlannedFaults, severity: FloatArray, values: Values) -> None:
    # Gas flows back through the valve, so the high side falls by as large a factor as the low side rises.
    factor = np.sqrt(1 - RATIO_LOSS * severity)
    values["pressure_high_side"][:, planned.devices] *= factor
    values["pressure_low_side"][:, planned.devices] /= factor


def _overload(planned: PlannedFaults, severity: FloatArray, values: Values) -> None:
    own = values["current_compressor"][:, planned.devices]
    # A twentieth of the device's own variation stays, so that full severity is above 45 A in every reading.
    values["current_compressor"][:, planned.devices] = own + severity * (OVERLOAD_CURRENT - 0.95 * own)


def _repeat(planned: PlannedFaults, severity: FloatArray, values: Values, stuck_at: npt.NDArray[np.float32]) -> None:
    for i, (device, (column,)) in enumerate(zip(planned.devices, planned.sensors, strict=True)):
        values[column][severity[:, i] > 0, device] = stuck_at[i]


def _drift(planned: PlannedFaults, severity: FloatArray, values: Values) -> None:
    for i, (device, (column,)) in enumerate(zip(planned.devices, planned.sensors, strict=True)):
        values[column][:, device] *= 1 + DRIFT_SPREADS * DRIFT_SHARE.get(column, 0.0) * severity[:, i]
        values[column][:, device] += DRIFT_SPREADS * DRIFT_ADDITION.get(column, 0.0) * severity[:, i]


def _drop_out(
    planned: PlannedFaults, severity: FloatArray, values: Values, minutes: MinuteArray, seed: int
) -> npt.NDArray[np.bool_]:
    lost = np.zeros(values["humidity"].shape, np.bool_)
    for row, minute in enumerate(minutes):
        # One number for the whole reading, then one for each of the device's two failing sensors.
        chance = generator(seed, Stream.DROPOUT, int(minute)).random((3, len(planned.devices)))
        active = severity[row] > 0
        lost[row, planned.devices] = active & (chance[0] < LOST_READINGS)
        for i in np.flatnonzero(active):
            for column, draw in zip(planned.sensors[i], chance[1:, i], strict=True):
                if draw < LOST_VALUES:
                    values[column][row, planned.devices[i]] = np.nan
    return lost
