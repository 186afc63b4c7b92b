"""From conditions to readings: a vapour-compression cycle, measured by imperfect sensors (SPEC 10).

Where the sensors sit, and so how temperatures and pressures hang together:

- The evaporator probe is on the coil's air side and reads the coil approach (5.5 K on the walk-in
  freezer) above the evaporating temperature. The low side is the dew pressure of that evaporating
  temperature: R404A at -30.5 °C, 198 kPa.
- The condenser probe is at the inlet header, where the gas is still desuperheating, and reads about 8 K
  above the condensing temperature. The high side is the bubble pressure of that condensing temperature:
  R404A at 32 °C, 1503 kPa.
- Superheat is the controller's value at the evaporator outlet. The suction probe is at the compressor's
  inlet, after a line that has warmed the gas 28 % of the way to ambient. The discharge probe is on the
  line, which has lost 20 % of its excess over ambient.

Two simplifications keep healthy devices within the spreads of SPEC 10. Compressors modulate between full and
part capacity instead of stopping. Coil sections defrost in turn, so that the one probe warms by 6 to 8 K; where
the whole coil defrosts at once it is twice that.
"""

import numpy as np
import numpy.typing as npt

from fridge_assets.contracts.sensor_readings import NUMERIC_SENSORS
from fridge_assets.simulation.conditions import Conditions, MinuteArray
from fridge_assets.simulation.equipment import REFERENCE_AMBIENT
from fridge_assets.simulation.individuals import LINE_GAIN, Individuals
from fridge_assets.simulation.refrigerants import ZERO_CELSIUS, FloatArray, bubble_pressure, dew_pressure
from fridge_assets.simulation.seeding import Stream, generator

Values = dict[str, npt.NDArray[np.float32]]
"""Numeric sensors' readings by column, minutes × devices; NaN where the sensor gave none."""

Switches = dict[str, npt.NDArray[np.bool_]]
"""Boolean sensors' readings by column, minutes × devices."""

HEAD_PRESSURE_FOLLOWS = 0.85
"""K of condensing temperature per K of ambient; the fans take care of the rest."""

LINE_LOSS = 0.20

ADDITIVE_NOISE = {
    "temperature_evaporator": 0.3,
    "temperature_condenser": 0.4,
    "temperature_ambient": 0.2,
    "temperature_discharge": 0.8,
    "temperature_suction": 0.4,
    "humidity": 1.0,
    "superheat": 0.5,
    "subcooling": 0.4,
}
"""Spread of one reading's noise in the sensor's unit."""

PROPORTIONAL_NOISE = {
    "pressure_high_side": 0.005,
    "pressure_low_side": 0.010,
    "current_compressor": 0.015,
    "vibration_compressor": 0.12,
}
"""Spread of one reading's noise as a share of the reading."""


def measurement_noise(minutes: MinuteArray, devices: int, seed: int, *counters: int) -> tuple[Values, FloatArray]:
    """Standard-normal noise by numeric sensor, and a uniform number for the door, each minutes × devices.

    Other ``counters`` give other noise for the same minutes.
    """
    normal = np.empty((len(minutes), len(NUMERIC_SENSORS), devices), np.float32)
    uniform = np.empty((len(minutes), devices), np.float32)
    for row, minute in enumerate(minutes):
        rng = generator(seed, Stream.MEASUREMENT, int(minute), *counters)
        rng.standard_normal(dtype=np.float32, out=normal[row])
        rng.random(dtype=np.float32, out=uniform[row])
    return {sensor.name: normal[:, i] for i, sensor in enumerate(NUMERIC_SENSORS)}, uniform


def true_values(individuals: Individuals, conditions: Conditions) -> Values:
    """Numeric readings in the given conditions if sensors had no noise, minutes × devices."""
    slow, warmth = conditions.slow, conditions.coil_warmth
    heat = conditions.ambient - REFERENCE_AMBIENT
    capacity = conditions.full_capacity.astype(np.float32)

    evaporator = individuals.evaporator + 0.5 * conditions.cycle + 0.4 * slow["load"] + 0.05 * heat
    evaporator += 0.3 * (conditions.trade - 0.5) + individuals.defrost_rise * warmth
    evaporating = evaporator - individuals.coil_approach
    low = dew_pressure(evaporating, individuals.refrigerant)

    condensing = REFERENCE_AMBIENT + individuals.condensing_rise + HEAD_PRESSURE_FOLLOWS * heat
    condensing += 0.2 * slow["load"] + 0.6 * (capacity - 0.65)
    high = bubble_pressure(condensing, individuals.refrigerant)

    superheat = individuals.superheat + 0.7 * slow["superheat"] - 0.3 * conditions.cycle
    outlet = evaporating + superheat
    suction = outlet + LINE_GAIN * (conditions.ambient - outlet)
    lift = np.exp(individuals.compression_exponent * np.log(high / low))
    hot = (suction + ZERO_CELSIUS) * lift - ZERO_CELSIUS

    current = individuals.current * (0.4 + 0.6 * low * (lift - 1) / individuals.design_work)
    current *= (0.93 + 0.11 * capacity) * (1 + 0.015 * slow["load"]) * (1 - 0.05 * warmth)
    vibration = individuals.vibration * (0.96 + 0.06 * capacity) * (1 + 0.02 * slow["vibration"])
    humidity = individuals.humidity - 1.2 * (conditions.ambient - individuals.ambient)
    humidity += 1.5 * slow["humidity"] + 2.0 * (conditions.trade - 0.5)
    return {
        "temperature_evaporator": evaporator,
        "temperature_condenser": condensing + individuals.condenser_probe,
        "temperature_ambient": conditions.ambient.copy(),
        "temperature_discharge": hot - LINE_LOSS * (hot - conditions.ambient) + individuals.discharge_offset,
        "temperature_suction": suction,
        "pressure_high_side": high * individuals.high_gain,
        "pressure_low_side": low * individuals.low_gain,
        "current_compressor": current,
        "vibration_compressor": vibration,
        "humidity": humidity,
        "superheat": superheat,
        "subcooling": individuals.subcooling + 0.5 * slow["subcooling"],
    }


def add_noise(values: Values, noise: Values) -> Values:
    """Put the sensors' noise on ``values``, in place."""
    for name, spread in ADDITIVE_NOISE.items():
        values[name] += spread * noise[name]
    for name, spread in PROPORTIONAL_NOISE.items():
        values[name] *= 1 + spread * noise[name]
    return values
