"""Raw sensor readings as devices deliver them into the landing folder (SPEC 1.2), and the 14 sensors (SPEC 1.3)."""

from dataclasses import dataclass

from fridge_assets.contracts._contract import Column, Contract


@dataclass(frozen=True)
class Sensor:
    """One of the 14 sensors.

    Args:
        name: column in readings.
        short_name: prefix of its features.
        label: how a technician calls it.
        unit: physical unit; empty for a yes/no sensor.
        minimum: smallest plausible value; None for a yes/no sensor.
        maximum: largest plausible value; None for a yes/no sensor.
        possible_minimum: smallest value that the sensor can read; None for a yes/no sensor.
        possible_maximum: largest value that the sensor can read; None for a yes/no sensor.
    """

    name: str
    short_name: str
    label: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    possible_minimum: float | None = None
    possible_maximum: float | None = None

    @property
    def limits(self) -> tuple[float, float] | tuple[None, None]:
        """What no table of ranges can make possible: bounds of any value that is stored."""
        return (None, None) if self.is_boolean else LIMITS[self.unit]

    @property
    def is_boolean(self) -> bool:
        """Whether the sensor reports yes or no instead of a number."""
        return self.minimum is None


LIMITS: dict[str, tuple[float, float]] = {
    "°C": (-150, 400),
    "kPa": (0, 25_000),
    "A": (-10, 2000),
    "mm/s": (0, 2000),
    "%RH": (-10, 150),
    "K": (-300, 400),
}
"""Unit → smallest and largest value that is ever stored, whatever a data folder says of its sensors."""

SENSORS: tuple[Sensor, ...] = (
    Sensor("temperature_evaporator", "temp_evaporator", "evaporator temperature", "°C", -60, 30, -100, 120),
    Sensor("temperature_condenser", "temp_condenser", "condenser temperature", "°C", 20, 80, -100, 200),
    Sensor("temperature_ambient", "temp_ambient", "ambient temperature", "°C", -40, 60, -100, 120),
    Sensor("temperature_discharge", "temp_discharge", "discharge temperature", "°C", 30, 150, -100, 250),
    Sensor("temperature_suction", "temp_suction", "suction temperature", "°C", -40, 30, -100, 150),
    Sensor("pressure_high_side", "pressure_high", "high-side pressure", "kPa", 500, 3500, 0, 20_000),
    Sensor("pressure_low_side", "pressure_low", "low-side pressure", "kPa", 50, 800, 0, 15_000),
    Sensor("current_compressor", "current_compressor", "compressor current", "A", 0, 50, -1, 200),
    Sensor("vibration_compressor", "vibration_compressor", "compressor vibration", "mm/s", 0, 100, 0, 1000),
    Sensor("humidity", "humidity", "humidity", "%RH", 0, 100, -5, 120),
    Sensor("door_open_close", "door_open", "door"),
    Sensor("defrost_cycle", "defrost_active", "defrost"),
    Sensor("superheat", "superheat", "superheat", "K", -5, 50, -100, 200),
    Sensor("subcooling", "subcooling", "subcooling", "K", -5, 30, -100, 200),
)

NUMERIC_SENSORS: tuple[Sensor, ...] = tuple(sensor for sensor in SENSORS if not sensor.is_boolean)
BOOLEAN_SENSORS: tuple[Sensor, ...] = tuple(sensor for sensor in SENSORS if sensor.is_boolean)

SENSOR_READINGS = Contract(
    name="sensor_readings",
    description="One reading of one device, as delivered; any sensor may be missing or null.",
    columns=(
        Column("event_id", "text", "identity of the event; derived from device, time and values where absent"),
        Column("device_id", "text", "device that measured", nullable=False),
        Column("timestamp_device", "timestamp", "device clock; `timestamp` is an alias", nullable=False),
        Column("timestamp_ingested", "timestamp", "when the reading arrived; device clock where absent"),
        *(Column(s.name, "boolean" if s.is_boolean else "double", s.label, s.unit) for s in SENSORS),
        Column("sequence_number", "integer", "device's own counter, decides which of two duplicates is first"),
    ),
    key=("event_id",),
)
"""Landing columns (SPEC 1.2); ranges are looked at when the readings are cleaned, not here."""
