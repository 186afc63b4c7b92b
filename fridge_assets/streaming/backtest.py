"""The acute rules over stored history: what the stream would have said, or has (SPEC 5)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from fridge_assets.core.errors import FridgeError
from fridge_assets.incidents.decide import advance
from fridge_assets.incidents.state import Incident
from fridge_assets.settings import Settings
from fridge_assets.stores.frames import text_literal
from fridge_assets.stores.reading_files import clean_files_of
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets.streaming.engine import Changes, Engine, Onset
from fridge_assets.streaming.history import looked_back
from fridge_assets.streaming.observed import observed_in
from fridge_assets.streaming.rules import RULES

_HOUR = timedelta(hours=1)
_SLICE = timedelta(minutes=5)
"""Readings of this much time of arrival are taken at once."""
_SENSORS = ", ".join(rule.sensor for rule in RULES.values())

Progress = Callable[[timedelta, timedelta], None]
"""Called after every hour with the time that is done and the whole of it."""


@dataclass(frozen=True)
class BacktestReport:
    """What the rules say of a span.

    Args:
        onsets: every onset in the span, oldest first.
        told: whether people would be told of each, were no incident closed meanwhile.
        readings: readings that were looked at, those before the span included.
        too_late: readings among them that the stream would not have taken.
    """

    onsets: Sequence[Onset]
    told: Sequence[bool]
    readings: int
    too_late: int


def backtest(
    warehouse: Warehouse,
    thresholds: pd.DataFrame,
    start: datetime,
    end: datetime,
    settings: Settings,
    progress: Progress | None = None,
) -> BacktestReport:
    """Run the clean readings through the engine in the order in which they arrived.

    A day before ``start`` is read as well, so that the usual vibration and the bands are known.

    Args:
        warehouse: holds the clean readings.
        thresholds: as :meth:`Engine.know_thresholds` takes them.
        start: first moment that is asked about.
        end: moment after the last one.
        settings: spans and limits.
        progress: told how far it is.

    Raises:
        FridgeError: the span is empty, or there are no readings in it.
    """
    span = f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
    if start >= end:
        raise FridgeError(f"the span from {span} is empty", "Name an earlier start.")
    streaming = settings.streaming
    history = streaming.vibration_span + streaming.vibration_bucket + looked_back(streaming)
    first = start - history - streaming.allowed_lateness
    files = _files_by_hour(warehouse, first, end)
    if not any(start - _HOUR < hour < end for hour in files):
        raise FridgeError(
            f"there are no clean readings from {span}",
            "Ingest them first: `fridge-assets run hourly`; `fridge-assets status` says what there is.",
        )
    engine = Engine(streaming, threads=streaming.threads, memory_limit=streaming.memory_limit)
    try:
        engine.know_thresholds(thresholds)
        return _replayed(engine, files, start, end, settings, progress)
    finally:
        engine.close()


def _replayed(
    engine: Engine,
    files: dict[datetime, list[Path]],
    start: datetime,
    end: datetime,
    settings: Settings,
    progress: Progress | None,
) -> BacktestReport:
    found: dict[tuple[str, str, datetime], Onset] = {}
    readings = too_late = 0
    hours = [min(files) + n * _HOUR for n in range((max(files) - min(files)) // _HOUR + 1)]
    for select in _arriving(engine, files, hours, progress):
        changes = engine.take(select)
        readings, too_late = readings + changes.readings, too_late + changes.too_late
        for gone in changes.withdrawn:
            del found[gone.device_id, gone.rule, gone.at]
        found |= {(o.device_id, o.rule, o.at): o for o in changes.new}
    ordered = sorted(found.values(), key=lambda o: (o.at, o.device_id, o.rule))
    verdicts = zip(ordered, _told(ordered, settings), strict=True)
    within = [(onset, told) for onset, told in verdicts if start <= onset.at < end]
    return BacktestReport([onset for onset, _ in within], [told for _, told in within], readings, too_late)


def _told(onsets: Sequence[Onset], settings: Settings) -> Iterator[bool]:
    """Whether people would be told of each of ``onsets``, oldest first, device by device."""
    incidents: dict[str, Incident | None] = {}
    for onset in onsets:
        (one,) = observed_in(Changes(new=[onset]), {}, settings)
        decision = advance(incidents.get(onset.device_id), one.observation, onset.at, settings.alerts)
        incidents[onset.device_id] = decision.incident
        yield decision.held is None


def _arriving(
    engine: Engine, files: dict[datetime, list[Path]], hours: Sequence[datetime], progress: Progress | None
) -> Iterator[str]:
    """SELECTs of the readings in slices of their arrival; what arrives after its hour waits for that."""
    engine.connection.execute(
        "CREATE OR REPLACE TABLE on_the_way (device_id VARCHAR, timestamp_utc TIMESTAMPTZ, "
        "timestamp_ingested TIMESTAMPTZ, current_compressor DOUBLE, vibration_compressor DOUBLE, "
        "pressure_low_side DOUBLE, temperature_evaporator DOUBLE, defrost_cycle BOOLEAN)"
    )
    last = hours[-1] + _HOUR
    for hour in hours:
        if hour in files:
            paths = ", ".join(text_literal(str(path)) for path in files[hour])
            engine.connection.execute(
                f"INSERT INTO on_the_way BY NAME SELECT device_id, timestamp_utc, timestamp_ingested, {_SENSORS}, "
                f"defrost_cycle FROM read_parquet([{paths}])"
            )
        ends = [hour + n * _SLICE for n in range(1, _HOUR // _SLICE + 1)]
        for slice_end in [*ends, None] if hour + _HOUR == last else ends:
            arrived = f"timestamp_ingested < TIMESTAMPTZ '{slice_end.isoformat()}'" if slice_end else "true"
            yield (
                "SELECT *, '' AS part, 0 AS delivery, row_number() OVER (ORDER BY timestamp_ingested) AS arrival "
                f"FROM on_the_way WHERE {arrived}"
            )
            engine.connection.execute(f"DELETE FROM on_the_way WHERE {arrived}")
        engine.connection.execute("CREATE OR REPLACE TABLE on_the_way AS FROM on_the_way")
        if progress:
            progress(hour + _HOUR - hours[0], last - hours[0])


def _files_by_hour(warehouse: Warehouse, first: datetime, end: datetime) -> dict[datetime, list[Path]]:
    """Hour → the files with its readings, for the hours that have any."""
    beginning = first.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    hours = [beginning + n * _HOUR for n in range(-((beginning - end) // _HOUR))]
    with warehouse.read() as connection:
        return clean_files_of(connection, warehouse.clean_readings_folder(), hours)
