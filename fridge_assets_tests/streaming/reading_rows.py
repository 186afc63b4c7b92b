"""Readings of a few devices as rows, and engines that take them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from fridge_assets.settings import StreamingSettings
from fridge_assets.stores.frames import registered
from fridge_assets.streaming.engine import Changes, Engine

START = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

QUICK = StreamingSettings(
    vibration_bucket=timedelta(minutes=5),
    vibration_span=timedelta(minutes=30),
    min_vibration_buckets=2,
    cold_start=timedelta(minutes=20),
    no_band_pressure_drop=0.32,
    cold_start_pressure_drop=0.34,
    pressure_band_margin=0.0,
    no_band_temperature_rise=7.0,
    cold_start_temperature_rise=3.0,
)
"""So that an hour of readings has a usual vibration, and its bands come to know the device."""


@dataclass(frozen=True)
class Row:
    """A reading of the sensors that the acute rules look at; the values are those of a healthy device."""

    at: datetime
    device_id: str = "d1"
    current_compressor: float | None = 12.0
    vibration_compressor: float | None = 3.0
    pressure_low_side: float | None = 200.0
    temperature_evaporator: float | None = -20.0
    defrost_cycle: bool | None = False
    arrived: datetime | None = None

    @property
    def ingested(self) -> datetime:
        """When it arrived; at once unless told otherwise."""
        return self.arrived or self.at


_UTC = pa.timestamp("us", tz="UTC")
_COLUMNS = ("current_compressor", "vibration_compressor", "pressure_low_side", "temperature_evaporator")


def table_of(rows: Sequence[Row], part: str = "") -> pa.Table:
    """``rows`` as :meth:`Engine.take` wants them, in their order of delivery."""
    return pa.table(
        {
            "device_id": pa.array([r.device_id for r in rows], pa.string()),
            "part": pa.array([part] * len(rows), pa.string()),
            "delivery": pa.array(range(len(rows)), pa.int64()),
            "arrival": pa.array(range(len(rows)), pa.int64()),
            "timestamp_utc": pa.array([r.at for r in rows], _UTC),
            "timestamp_ingested": pa.array([r.ingested for r in rows], _UTC),
            **{name: pa.array([getattr(r, name) for r in rows], pa.float64()) for name in _COLUMNS},
            "defrost_cycle": pa.array([r.defrost_cycle for r in rows], pa.bool_()),
        }
    )


def take(engine: Engine, rows: Sequence[Row], part: str = "") -> Changes:
    """Let ``engine`` take ``rows`` as one batch."""
    with registered(engine.connection, given=table_of(rows, part)):
        return engine.take("SELECT * FROM given")


def band_of(devices: Sequence[str] = ("d1",), floor: float = 195.0, ceiling: float = -19.0) -> pa.Table:
    """A day before ``START`` in which ``devices`` were in a band, as :meth:`Engine.know_usual` wants it."""
    hours = [START - n * timedelta(hours=1) for n in range(1, 25)]
    rows = [(device, hour) for device in devices for hour in hours]
    return pa.table(
        {
            "device_id": [device for device, _ in rows],
            "window_start": pa.array([hour for _, hour in rows], _UTC),
            "mean": pa.nulls(len(rows), pa.float64()),
            "readings": [60] * len(rows),
            "pressure_floor": [floor] * len(rows),
            "evaporator_ceiling": [ceiling] * len(rows),
            "interval_seconds": [60.0] * len(rows),
        }
    )


def onsets(
    batches: Iterable[Sequence[Row]], settings: StreamingSettings | None = None, usual: pa.Table | None = None
) -> set[tuple[str, str, datetime]]:
    """Device, rule and time of every onset that stands after ``batches``."""
    engine = Engine(settings or StreamingSettings(), threads=1)
    standing: set[tuple[str, str, datetime]] = set()
    try:
        if usual is not None:
            engine.know_usual(usual)
        for batch in batches:
            changes = take(engine, batch)
            gone = {(o.device_id, o.rule, o.at) for o in changes.withdrawn}
            assert gone <= standing, "only what was told can be withdrawn"
            new = {(o.device_id, o.rule, o.at) for o in changes.new}
            assert not new & (standing - gone), "nothing is told twice"
            standing = (standing - gone) | new
    finally:
        engine.close()
    return standing


def minutes(count: int, start: datetime = START) -> list[datetime]:
    """``count`` moments a minute apart."""
    return [start + n * MINUTE for n in range(count)]
