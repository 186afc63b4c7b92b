"""The landing folder as the source of the stream: every file once, in order, and again when the state needs it."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from fridge_assets.settings import ReadingSettings, Settings, StreamingSettings
from fridge_assets.stores.landing import Landing
from fridge_assets.stores.operations import Operations, stream_files
from fridge_assets.streaming.sources.base import Batch
from fridge_assets.streaming.sources.landing import LandingSource
from fridge_assets_tests.streaming.landing_rows import empty_parquet, land
from fridge_assets_tests.streaming.reading_rows import START, Row

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


@pytest.fixture
def source(settings: Settings, operations: Operations) -> LandingSource:
    made = source_of(settings, operations)
    made.resume(None)
    return made


def source_of(settings: Settings, operations: Operations) -> LandingSource:
    return LandingSource(Landing(settings.landing_dir, operations), operations, settings)


def one_file_a_batch(settings: Settings) -> Settings:
    return settings.model_copy(update={"streaming": StreamingSettings(batch_bytes=1)})


def landed(settings: Settings, name: str, minutes_ago: float = 0, current: float = 12.0) -> Path:
    path = land(settings, [Row(START, current_compressor=current)], name)
    moment = time.time() - 60 * minutes_ago
    os.utime(path, (moment, moment))
    return path


def answered(operations: Operations, source: LandingSource, batch: Batch | None) -> list[str]:
    """Write down that ``batch`` is answered; its files."""
    assert batch is not None
    with operations.transaction() as connection:
        source.record(connection, batch, NOW)
    return [*batch.deliveries, *batch.refused]


def test_files_come_in_the_order_in_which_they_landed(
    settings: Settings, operations: Operations, source: LandingSource, engine: duckdb.DuckDBPyConnection
) -> None:
    landed(settings, "b.parquet", minutes_ago=3)
    landed(settings, "a.parquet", minutes_ago=1)
    batch = source.poll(engine)
    assert batch is not None
    assert list(batch.deliveries) == ["b.parquet", "a.parquet"]
    assert (dict(batch.positions), batch.answered) == ({"": 2}, False)
    assert engine.execute("SELECT count(*) FROM staged WHERE reason IS NULL").fetchall() == [(2,)]
    answered(operations, source, batch)
    assert source.poll(engine) is None


def test_what_was_answered_is_only_replayed_after_the_checkpoint(
    settings: Settings, operations: Operations, engine: duckdb.DuckDBPyConnection
) -> None:
    settings = one_file_a_batch(settings)
    for number in range(4):
        landed(settings, f"{number}.parquet", minutes_ago=10 - number)
    first = source_of(settings, operations)
    first.resume(None)
    for _ in range(3):
        answered(operations, first, first.poll(engine))

    second = source_of(settings, operations)
    second.resume({"": 1})
    seen = []
    while (batch := second.poll(engine)) is not None:
        seen.append((list(batch.deliveries), batch.answered))
        if not batch.answered:
            answered(operations, second, batch)
    assert seen == [(["1.parquet"], True), (["2.parquet"], True), (["3.parquet"], False)]


def test_without_a_checkpoint_the_last_hour_is_replayed(
    settings: Settings, operations: Operations, engine: duckdb.DuckDBPyConnection
) -> None:
    first = source_of(settings, operations)
    landed(settings, "old.parquet", minutes_ago=70)
    first.resume(None)
    answered(operations, first, first.poll(engine))
    landed(settings, "young.parquet", minutes_ago=0)
    answered(operations, first, first.poll(engine))

    second = source_of(settings, operations)
    second.resume(None)
    batch = second.poll(engine)
    assert batch is not None
    assert (list(batch.deliveries), batch.answered) == (["young.parquet"], True)


def test_the_first_start_passes_over_history_and_says_so(
    settings: Settings, operations: Operations, engine: duckdb.DuckDBPyConnection
) -> None:
    landed(settings, "last month.parquet", minutes_ago=60 * 24 * 30)
    landed(settings, "now.parquet")
    source = source_of(settings, operations)
    source.resume(None)
    assert answered(operations, source, source.poll(engine)) == ["now.parquet"]
    with operations.read() as connection:
        reasons = dict(connection.execute(sa.select(stream_files.c.file_name, stream_files.c.reason)).all())
    assert "backtest" in reasons["last month.parquet"]
    assert reasons["now.parquet"] == ""


def test_a_damaged_file_is_refused_once_and_harms_no_other(
    settings: Settings, operations: Operations, source: LandingSource, engine: duckdb.DuckDBPyConnection
) -> None:
    landed(settings, "good.parquet")
    empty_parquet(settings.landing_dir / "bad.parquet")
    (settings.landing_dir / "notes.txt").write_text("hello")
    batch = source.poll(engine)
    assert batch is not None
    assert list(batch.deliveries) == ["good.parquet"]
    assert "bad.parquet" in batch.refused["bad.parquet"]
    assert "Name it" in batch.refused["notes.txt"]
    answered(operations, source, batch)
    assert source.poll(engine) is None


def test_a_file_that_is_still_being_written_is_looked_at_again(
    settings: Settings, operations: Operations, engine: duckdb.DuckDBPyConnection
) -> None:
    patient = settings.model_copy(update={"readings": ReadingSettings(settle=timedelta(seconds=0.4))})
    source = source_of(patient, operations)
    source.resume(None)
    path = landed(settings, "growing.parquet")
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    text = settings.landing_dir / "growing.csv"
    text.write_text("device_id,timestamp,current_compressor\nd1,2026-03-01T00:00:00Z,12\n")
    assert source.poll(engine) is None
    path.write_bytes(whole)
    text.write_text(text.read_text() + "d1,2026-03-01T00:01:00Z,45\n")
    taken: list[str] = []
    deadline = time.monotonic() + 10
    while len(taken) < 2 and time.monotonic() < deadline:
        batch = source.poll(engine)
        if batch is not None:
            taken += answered(operations, source, batch)
            rows = engine.execute("SELECT source_file, count(*) FROM staged GROUP BY 1").fetchall()
            assert dict(rows).get("growing.csv", 2) == 2, "both of its rows"
        time.sleep(0.05)
    assert sorted(taken) == ["growing.csv", "growing.parquet"]


def test_a_file_too_large_for_a_stream_is_left_to_the_batch_path(
    settings: Settings, operations: Operations, engine: duckdb.DuckDBPyConnection
) -> None:
    small = settings.model_copy(update={"streaming": StreamingSettings(max_file_bytes=100)})
    source = source_of(small, operations)
    source.resume(None)
    landed(settings, "history.parquet")
    batch = source.poll(engine)
    assert batch is not None
    assert "history" in batch.refused["history.parquet"]
