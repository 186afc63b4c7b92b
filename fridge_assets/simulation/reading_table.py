"""From arrays of readings to the landing table: digitised, stamped and delivered (SPEC 1.2)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fridge_assets.contracts import SENSOR_READINGS
from fridge_assets.contracts.sensor_readings import SENSORS
from fridge_assets.simulation.conditions import MinuteArray
from fridge_assets.simulation.delivery import MICROSECONDS_PER_MINUTE, Mishaps
from fridge_assets.simulation.physics import Switches, Values

READINGS_SCHEMA = pa.schema([field for field in SENSOR_READINGS.arrow_schema if field.name != "event_id"])
"""Devices do not name their events; ids are derived when readings are ingested."""

DECIMALS = {"pressure_high_side": 0, "pressure_low_side": 1, "humidity": 1}
"""Digits after the point that a sensor transmits; two where not named."""

SCALES = {
    "humidity": (0.0, 100.0),
    "current_compressor": (0.0, np.inf),
    "vibration_compressor": (0.0, np.inf),
}
"""Sensors that cannot show less or more than this, whatever the noise."""


@dataclass(frozen=True)
class Senders:
    """How each device reports; each array holds one value a device.

    Args:
        device_ids: of the registry.
        report_at: µs into the minute; minutes × devices where it differs from minute to minute.
        latency: µs until a prompt reading has arrived.
        clock_error: µs that the device's clock is ahead.
        first_minute: minute since 1970 that has sequence number 0.
        readings_a_minute: of each device.
        nth: which of a minute's readings these are, from 0.
    """

    device_ids: pa.Array
    report_at: npt.NDArray[np.int64]
    latency: npt.NDArray[np.int64]
    clock_error: npt.NDArray[np.int64]
    first_minute: int
    readings_a_minute: npt.NDArray[np.int64]
    nth: int = 0


def reading_table(
    minutes: MinuteArray,
    values: Values,
    switches: Switches,
    *,
    lost: npt.NDArray[np.bool_] | None,
    mishaps: Mishaps,
    senders: Senders,
) -> pa.Table:
    """Deliver one block of readings.

    Args:
        minutes: minutes since 1970.
        values: numeric readings, minutes × devices, NaN for none.
        switches: boolean readings, minutes × devices.
        lost: readings that never arrive, minutes × devices.
        mishaps: what goes wrong on the way.
        senders: how each device reports.

    Returns:
        READINGS_SCHEMA, minute by minute in the registry's order, then the duplicates.
    """
    devices = len(senders.device_ids)
    sent = (minutes[:, None] * MICROSECONDS_PER_MINUTE + senders.report_at).ravel()
    arrived = sent + np.tile(senders.latency, len(minutes))
    copied = arrived[mishaps.duplicated] + mishaps.copied_after
    arrived[mishaps.late] += mishaps.late_by
    columns = {
        "device_id": senders.device_ids.take(pa.array(np.tile(np.arange(devices, dtype=np.int32), len(minutes)))),
        "timestamp_device": _timestamps(sent + np.tile(senders.clock_error, len(minutes))),
        "timestamp_ingested": _timestamps(arrived),
        "sequence_number": pa.array(_sequence(minutes, senders)),
    }
    for number, sensor in enumerate(SENSORS):
        missing = mishaps.nulls[0, mishaps.nulls[1] == number]
        if sensor.is_boolean:
            columns[sensor.name] = _switch_column(switches[sensor.name], missing)
        else:
            columns[sensor.name] = _numeric_column(sensor.name, values[sensor.name], missing)
    table = pa.table([columns[name] for name in READINGS_SCHEMA.names], schema=READINGS_SCHEMA)
    copies = mishaps.duplicated
    if lost is not None:
        arrives = ~lost.ravel()
        kept = arrives[copies]
        copies, copied = copies[kept], copied[kept]
    duplicates = _at(table.take(pa.array(copies)), copied)
    return pa.concat_tables([table if lost is None else table.filter(pa.array(arrives)), duplicates])


def _sequence(minutes: MinuteArray, senders: Senders) -> npt.NDArray[np.int64]:
    since = minutes[:, None] - senders.first_minute
    return (since * senders.readings_a_minute + senders.nth).ravel()


def _numeric_column(name: str, readings: npt.NDArray[np.float32], missing: npt.NDArray[np.int64]) -> pa.Array:
    digitised = np.round(readings.ravel().astype(np.float64), DECIMALS.get(name, 2))
    if name in SCALES:
        np.clip(digitised, *SCALES[name], out=digitised)
    digitised[missing] = np.nan
    return pa.array(digitised, from_pandas=True)


def _switch_column(readings: npt.NDArray[np.bool_], missing: npt.NDArray[np.int64]) -> pa.Array:
    mask = np.zeros(readings.size, np.bool_)
    mask[missing] = True
    return pa.array(readings.ravel(), mask=mask)


def _at(table: pa.Table, arrived: npt.NDArray[np.int64]) -> pa.Table:
    column = READINGS_SCHEMA.get_field_index("timestamp_ingested")
    return table.set_column(column, READINGS_SCHEMA.field(column), _timestamps(arrived))


def _timestamps(microseconds: npt.NDArray[np.int64]) -> pa.Array:
    return pa.array(microseconds).cast(pa.timestamp("us", tz="UTC"))
