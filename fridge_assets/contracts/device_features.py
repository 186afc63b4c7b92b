"""Features of one device in one 15-minute window (SPEC 1.4)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from fridge_assets.contracts._contract import Column, Contract
from fridge_assets.contracts.sensor_readings import NUMERIC_SENSORS, SENSORS, Sensor

Aggregation = Literal["mean", "std", "min", "max", "p95", "slope"]

AGGREGATIONS: dict[str, tuple[Aggregation, ...]] = {
    "temp_evaporator": ("mean", "std", "min", "max", "slope"),
    "temp_condenser": ("mean", "std", "min", "max", "slope"),
    "temp_ambient": ("mean", "std"),
    "temp_suction": ("mean", "std"),
    "humidity": ("mean", "std"),
    "superheat": ("mean", "std"),
    "subcooling": ("mean", "std"),
    "temp_discharge": ("mean", "std", "max"),
    "pressure_high": ("mean", "std", "max"),
    "current_compressor": ("mean", "std", "max"),
    "pressure_low": ("mean", "std", "min"),
    "vibration_compressor": ("mean", "std", "max", "p95"),
}
"""Which aggregations each numeric sensor has, by short name."""


@dataclass(frozen=True)
class SensorFeature:
    """A feature that aggregates one sensor over the window."""

    sensor: Sensor
    aggregation: Aggregation

    @property
    def name(self) -> str:
        """Column name, such as ``temp_evaporator_mean``."""
        return f"{self.sensor.short_name}_{self.aggregation}"


SENSOR_FEATURES: tuple[SensorFeature, ...] = tuple(
    SensorFeature(sensor, aggregation) for sensor in NUMERIC_SENSORS for aggregation in AGGREGATIONS[sensor.short_name]
)

FRACTION_FEATURES = ("door_open_fraction", "defrost_active_fraction")
DERIVED_FEATURES: dict[str, tuple[str, ...]] = {
    "pressure_ratio": ("pressure_high_side", "pressure_low_side"),
    "temp_spread_evap_cond": ("temperature_evaporator", "temperature_condenser"),
    "temp_spread_discharge_suction": ("temperature_discharge", "temperature_suction"),
    "current_per_temp_spread": ("current_compressor", "temperature_evaporator", "temperature_condenser"),
}
"""Features made of several sensors, and the sensors they are made of."""

OPERATING_STATES = ("running", "cycling", "off", "defrost", "pull-down", "standstill", "unknown")
"""What a machine did in a window. An open door is none of them: it may be open in each, and may be the fault."""

MODEL_FEATURES: tuple[str, ...] = (
    *(feature.name for feature in SENSOR_FEATURES),
    *FRACTION_FEATURES,
    *DERIVED_FEATURES,
    "sensor_completeness",
)
"""The numeric features a model may learn from, in a fixed order."""


OWN_COMPLETENESS_SQL = "coalesce(own_completeness, sensor_completeness)"
"""SQL of a window's completeness over what its device has; over all sensors in a window of an earlier release."""


def sensors_of(feature: str) -> tuple[str, ...]:
    """Reading columns that ``feature`` is computed from, empty for an unknown feature."""
    if feature in DERIVED_FEATURES:
        return DERIVED_FEATURES[feature]
    for sensor in SENSORS:
        if feature.startswith(f"{sensor.short_name}_"):
            return (sensor.name,)
    return ()


def unseen_sensors(features: Collection[str]) -> tuple[str, ...]:
    """What a technician calls the sensors that none of ``features`` is computed from."""
    seen = {sensor for feature in features for sensor in sensors_of(feature)}
    return tuple(sensor.label for sensor in SENSORS if sensor.name not in seen)


def _sensor_column(feature: SensorFeature) -> Column:
    unit = f"{feature.sensor.unit}/min" if feature.aggregation == "slope" else feature.sensor.unit
    minimum, maximum = feature.sensor.limits
    return Column(
        feature.name,
        "double",
        f"{feature.aggregation} of {feature.sensor.label}",
        unit,
        minimum=0.0 if feature.aggregation == "std" else None if feature.aggregation == "slope" else minimum,
        maximum=None if feature.aggregation in ("std", "slope") else maximum,
    )


# Null in windows of earlier releases, and where readings are too far apart to tell.
OPERATING_COLUMNS = (
    Column("operating_state", "text", "what the machine did", allowed=OPERATING_STATES),
    Column("compressor_run_share", "double", "share of the window in which the compressor ran", minimum=0, maximum=1),
    Column("compressor_starts", "integer", "starts of the compressor between two readings of the window", minimum=0),
    Column("longest_run_minutes", "double", "longest run of the compressor within the window", "min", minimum=0),
    Column(
        "pull_down_rate", "double", "how fast the coil cools where the compressor runs most of the window", "°C/min",
        minimum=0,
    ),
    Column("defrost_count", "integer", "defrosts in the window, one that goes on included", minimum=0),
    Column("defrost_minutes", "double", "time in defrost: by its sensor, else as found", "min", minimum=0),
    Column(
        "minutes_since_defrost", "double", "from the end of the last defrost to the window's, null after a day", "min",
        minimum=0, maximum=1440,
    ),
    Column(
        "minutes_since_running", "double", "since the last window in which the compressor ran, null after a day", "min",
        minimum=0, maximum=1440,
    ),
    Column("current_max_today", "double", "greatest compressor current of the UTC day so far", "A"),
    Column("current_max_yesterday", "double", "the same of the day before", "A"),
    Column("coil_min_today", "double", "lowest evaporator temperature of the UTC day so far", "°C"),
    Column("coil_min_yesterday", "double", "the same of the day before", "°C"),
)  # fmt: skip

DEVICE_FEATURES = Contract(
    name="device_features",
    description="One device in one 15-minute window aligned to :00, :15, :30 and :45.",
    columns=(
        Column("device_id", "text", "device", nullable=False),
        Column("window_start", "timestamp", "start, inclusive", nullable=False),
        Column("window_end", "timestamp", "end, exclusive", nullable=False),
        Column("window_duration_minutes", "integer", "length", "min", nullable=False, minimum=1, maximum=1440),
        Column("reading_count", "integer", "readings in the window", nullable=False, minimum=1),
        *(_sensor_column(feature) for feature in SENSOR_FEATURES),
        Column("door_open_fraction", "double", "share of readings with the door open", minimum=0, maximum=1),
        Column("defrost_active_fraction", "double", "share of readings in defrost", minimum=0, maximum=1),
        Column("pressure_ratio", "double", "high-side mean / low-side mean"),
        Column("temp_spread_evap_cond", "double", "condenser mean − evaporator mean", "K"),
        Column("temp_spread_discharge_suction", "double", "discharge mean − suction mean", "K"),
        Column("current_per_temp_spread", "double", "current mean / evaporator-condenser spread", "A/K"),
        Column(
            "sensor_completeness",
            "double",
            "non-null share of the 14 sensors over the window's readings",
            nullable=False,
            minimum=0,
            maximum=1,
        ),
        Column(
            "own_completeness",
            "double",
            "the same over the sensors that the device had ever sent by the window's end; blank before this was known",
            minimum=0,
            maximum=1,
        ),
        Column(
            "quality_flag_count",
            "integer",
            "quality flags on the window's readings but for SENSOR_GAP, which completeness stands for",
            nullable=False,
            minimum=0,
        ),
        Column("range_violation_count", "integer", "readings with a value outside of its plausible range", minimum=0),
        *OPERATING_COLUMNS,
    ),
    key=("device_id", "window_start"),
    ordered=(("window_start", "window_end"),),
)
