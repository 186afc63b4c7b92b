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
        minimum: smallest physically possible value; None for a yes/no sensor.
        maximum: largest physically possible value; None for a yes/no sensor.
    """

    name: str
    short_name: str
    label: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None

    @property
    def is_boolean(self) -> bool:
        """Whether the sensor reports yes or no instead of a number."""
        return self.minimum is None


SENSORS: tuple[Sensor, ...] = (
    Sensor("temperature_evaporator", "temp_evaporator", "evaporator temperature", "°C", -60, 30),
    Sensor("temperature_condenser", "temp_condenser", "condenser temperature", "°C", 20, 80),
    Sensor("temperature_ambient", "temp_ambient", "ambient temperature", "°C", -40, 60),
    Sensor("temperature_discharge", "temp_discharge", "discharge temperature", "°C", 30, 150),
    Sensor("temperature_suction", "temp_suction", "suction temperature", "°C", -40, 30),
    Sensor("pressure_high_side", "pressure_high", "high-side pressure", "kPa", 500, 3500),
    Sensor("pressure_low_side", "pressure_low", "low-side pressure", "kPa", 50, 800),
    Sensor("current_compressor", "current_compressor", "compressor current", "A", 0, 50),
    Sensor("vibration_compressor", "vibration_compressor", "compressor vibration", "mm/s", 0, 100),
    Sensor("humidity", "humidity", "humidity", "%RH", 0, 100),
    Sensor("door_open_close", "door_open", "door"),
    Sensor("defrost_cycle", "defrost_active", "defrost"),
    Sensor("superheat", "superheat", "superheat", "K", -5, 50),
    Sensor("subcooling", "subcooling", "subcooling", "K", -5, 30),
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
"""Landing columns (SPEC 1.2); ranges are enforced when the readings are cleaned, not here."""
