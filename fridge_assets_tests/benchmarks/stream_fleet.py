"""A data folder with a simulated fleet for the stream: registry, a day of usual vibration, landing files."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from rich.progress import track

from fridge_assets.features.usual_vibration import FILE
from fridge_assets.settings import Settings
from fridge_assets.simulation import Fleet
from fridge_assets.simulation.arrival import Arrivals
from fridge_assets.simulation.landing_files import landing_file, write_readings, write_registry
from fridge_assets_tests.benchmarks.hourly import CONSOLE

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
_DAY = timedelta(hours=24)
_HOUR = timedelta(hours=1)
_READINGS_PER_HOUR = 60


def land_history(settings: Settings, arrivals: Arrivals, minutes: int) -> int:
    """Write the registry and the first ``minutes`` of the fleet, a file for each; how many readings arrived."""
    fleet = arrivals.fleet
    write_registry(fleet.registry, settings.root / "device_registry.csv")
    readings = 0
    # Ages a second apart: the stream takes the files in this order and none is so old that it is passed over.
    oldest = time.time() - minutes
    for minute in track(range(minutes), "simulating", console=CONSOLE):
        begin = fleet.start + minute * MINUTE
        arrived = arrivals.between(begin, begin + MINUTE)
        path = landing_file(settings.landing_dir, begin, begin + MINUTE)
        write_readings(arrived, path)
        os.utime(path, (oldest + minute, oldest + minute))
        readings += len(arrived)
    return readings


def publish_usual_day(settings: Settings, fleet: Fleet) -> Path:
    """Publish what the stream knows of a device after a day, so that this part of its state is full from the start.

    As the product publishes it: every hour of the day before the fleet begins has, for each device, the
    vibration and the bands of its first minutes.
    """
    measured = fleet.readings(fleet.start, fleet.start + 5 * MINUTE)
    wanted = [("vibration_compressor", "mean"), ("pressure_low_side", "min"), ("temperature_evaporator", "max")]
    means = measured.group_by("device_id").aggregate(wanted)
    devices, count = means["device_id"].combine_chunks(), len(means)
    hours = [fleet.start - _DAY + n * _HOUR for n in range(_DAY // _HOUR)]
    path = settings.published_dir / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = pa.schema(
        [
            ("device_id", pa.string()),
            ("window_start", pa.timestamp("us", tz="UTC")),
            ("mean", pa.float64()),
            ("readings", pa.int64()),
            ("pressure_floor", pa.float64()),
            ("evaporator_ceiling", pa.float64()),
            ("interval_seconds", pa.float64()),
        ]
    )
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for hour in hours:
            columns = [
                devices,
                pa.array([hour] * count, schema.field("window_start").type),
                means["vibration_compressor_mean"].combine_chunks(),
                pa.array([_READINGS_PER_HOUR] * count),
                means["pressure_low_side_min"].combine_chunks(),
                means["temperature_evaporator_max"].combine_chunks(),
                pa.array([60.0] * count),
            ]
            writer.write_table(pa.table(columns, schema=schema))
    return path


def by_second_of_arrival(arrivals: Arrivals, start: datetime, speed: int, seconds: int) -> Iterator[pa.Table]:
    """What arrives within each of ``seconds`` when event time runs ``speed`` times as fast, in order of arrival.

    Args:
        arrivals: of the fleet; it is at ``start``.
        start: event time of the first second, a full minute.
        speed: divides 60.
        seconds: how many pieces.
    """
    pieces = 60 // speed
    for minute in range(-(-seconds // pieces)):
        begin = start + minute * MINUTE
        arrived = arrivals.between(begin, begin + MINUTE).sort_by("timestamp_ingested")
        moments = arrived["timestamp_ingested"].cast(pa.int64()).to_numpy()
        first = int(begin.timestamp()) * 1_000_000
        edges = moments.searchsorted([first + n * speed * 1_000_000 for n in range(1, pieces)]).tolist()
        bounds = [0, *edges, len(arrived)]
        for number in range(min(pieces, seconds - minute * pieces)):
            yield arrived.slice(bounds[number], bounds[number + 1] - bounds[number])
