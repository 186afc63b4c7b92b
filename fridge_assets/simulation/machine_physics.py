"""From what a cycling machine does to what its sensors would read (SPEC 10).

A running machine is the vapour-compression cycle of ``physics``, with the air's distance from the set point, the
compressor's speed and ice on the coil changing its operating point. At rest its parts settle: the coil towards the
cabinet's air, discharge, suction line and condenser towards the surroundings, and both pressures towards the saturation
pressure of the coldest place that holds liquid. The lags of ``thermostat`` lead from one to the other.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fridge_assets.simulation.conditions import Conditions, MinuteArray
from fridge_assets.simulation.individuals import Individuals
from fridge_assets.simulation.machine_constants import MachineConstants
from fridge_assets.simulation.machine_schedule import Schedule
from fridge_assets.simulation.physics import Values, true_values
from fridge_assets.simulation.records import each_array
from fridge_assets.simulation.refrigerants import FloatArray, dew_pressure
from fridge_assets.simulation.thermostat import Operation

COIL_FOLLOWS = 0.8
"""K of coil temperature per K of air."""
MOST_ABOVE, MOST_BELOW = 15.0, 5.0
"""K of air from the set point that the expansion device lets through to the coil."""
SLOW_COIL = 3.0  # K that a coil is warmer when hardly any refrigerant flows
ICED_COIL = -2.0  # K
WARM_CURRENT = 0.025  # share per K of air above the set point: a pull-down takes more current
SUCTION_AT_REST = 0.85  # share of the way from the cabinet's air to ambient
VIBRATION_AT_REST = 0.03  # mm/s: pumps and fans nearby


@dataclass(frozen=True)
class Parts:
    """Readings of a running and of a resting machine in the same minutes, minutes × machines."""

    running: Values
    resting: Values


def parts(
    individuals: Individuals,
    constants: MachineConstants,
    conditions: Conditions,
    schedule: Schedule,
    operation: Operation,
    minutes: MinuteArray,
) -> Parts:
    """What sensors without noise would read, were the machine only running, and were it only at rest."""
    return Parts(
        _running(individuals, constants, conditions, schedule, operation, minutes),
        _resting(individuals, conditions, operation),
    )


def blended(both: Parts, operation: Operation) -> Values:
    """The readings of the machine as it is, from its parts after faults and noise."""
    lags = operation.lags
    weights: dict[str, FloatArray] = {
        "temperature_evaporator": lags.coil,
        "temperature_condenser": lags.condenser,
        "temperature_discharge": lags.discharge,
        "temperature_suction": lags.suction,
        "pressure_high_side": lags.pressure,
        "pressure_low_side": lags.pressure,
        "current_compressor": operation.on,
        "vibration_compressor": operation.on,
        "superheat": lags.suction,
        "subcooling": lags.pressure,
    }
    values = dict(both.running)
    for name, running in weights.items():
        values[name] = running * both.running[name] + (1 - running) * both.resting[name]
    return values


def between(course: Operation, share: npt.NDArray[np.float32]) -> Operation:
    """How far machines are a ``share`` of a minute into each minute.

    Args:
        course: what they do, with the minute before.
        share: 0…1, one a machine.
    """

    def part(rows: FloatArray) -> FloatArray:
        return rows[:-1] + (rows[1:] - rows[:-1]) * share

    now = each_array(course, lambda rows: rows[1:])
    return replace(
        now, air=part(course.air), resting_coil=part(course.resting_coil), lags=each_array(course.lags, part)
    )


def _running(
    individuals: Individuals,
    constants: MachineConstants,
    conditions: Conditions,
    schedule: Schedule,
    operation: Operation,
    minutes: MinuteArray,
) -> Values:
    above = np.clip(operation.air - constants.set_point, -MOST_BELOW, MOST_ABOVE)
    # float64: minutes since 1970 have too many digits for float32.
    swing = np.sin(2 * np.pi * (minutes[:, None] / constants.hunting_period.astype(np.float64))).astype(np.float32)
    hunting = constants.hunting * swing
    speed = operation.speed
    at_work = replace(
        individuals,
        evaporator=individuals.evaporator
        + (COIL_FOLLOWS * above + SLOW_COIL * (1 - speed) + hunting + ICED_COIL * schedule.iced),
        condensing_rise=individuals.condensing_rise * (0.55 + 0.45 * speed) + 0.15 * above,
        superheat=individuals.superheat + 0.25 * np.maximum(above, 0) - 1.5 * hunting,
        current=individuals.current * (0.3 + 0.7 * speed) * (1 + WARM_CURRENT * np.maximum(above, 0)),
        vibration=individuals.vibration * (0.6 + 0.4 * speed),
    )
    steady = np.zeros_like(speed)
    return true_values(
        at_work, replace(conditions, coil_warmth=steady, cycle=steady, full_capacity=np.ones_like(speed, np.bool_))
    )


def _resting(individuals: Individuals, conditions: Conditions, operation: Operation) -> Values:
    ambient, lags = conditions.ambient, operation.lags
    coil = operation.resting_coil
    # The coil's liquid decides until it is as warm as the surroundings.
    cold = np.minimum(coil, ambient)
    even = dew_pressure(cold, individuals.refrigerant)
    high = even + lags.apart * (dew_pressure(ambient, individuals.refrigerant) - even)
    suction = operation.air + SUCTION_AT_REST * (ambient - operation.air)
    return {
        "temperature_evaporator": coil.copy(),
        "temperature_condenser": ambient.copy(),
        "temperature_ambient": ambient.copy(),
        "temperature_discharge": ambient.copy(),
        "temperature_suction": suction,
        "pressure_high_side": high * individuals.high_gain,
        "pressure_low_side": even * individuals.low_gain,
        "current_compressor": np.zeros_like(ambient),
        "vibration_compressor": np.full_like(ambient, VIBRATION_AT_REST),
        "humidity": np.zeros_like(ambient),
        "superheat": suction - cold,
        "subcooling": (1 - lags.apart) * (cold - ambient),
    }
