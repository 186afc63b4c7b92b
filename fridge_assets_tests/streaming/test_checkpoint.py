"""The state on disk: whole, or not used at all."""

from datetime import timedelta
from pathlib import Path

import pytest

from fridge_assets.settings import StreamingSettings
from fridge_assets.streaming.checkpoint import Checkpoint
from fridge_assets.streaming.engine import STATE, Engine
from fridge_assets_tests.streaming.reading_rows import MINUTE, START, Row, take

SETTINGS = StreamingSettings()


def filled() -> Engine:
    engine = Engine(SETTINGS, threads=1)
    take(engine, [Row(START + n * MINUTE, current_compressor=45.0 if n > 55 else 12.0) for n in range(60)])
    return engine


def contents(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    return {table: engine.connection.execute(f"FROM {table} ORDER BY ALL").fetchall() for table in STATE}


def test_what_was_saved_is_what_is_loaded(tmp_path: Path) -> None:
    saved, loaded = filled(), Engine(SETTINGS, threads=1)
    checkpoint = Checkpoint(tmp_path / "checkpoint.duckdb", SETTINGS)
    checkpoint.save(saved, "landing", {"": 7})
    assert checkpoint.load(loaded, "landing") == {"": 7}
    assert contents(loaded) == contents(saved)
    late = Row(START + 55 * MINUTE, current_compressor=45.0)
    assert take(loaded, [late]) == take(saved, [late]), "both go on alike"


def test_a_later_checkpoint_replaces_the_one_before(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "checkpoint.duckdb", SETTINGS)
    checkpoint.save(filled(), "landing", {"": 7})
    checkpoint.save(filled(), "landing", {"": 8})
    assert checkpoint.load(Engine(SETTINGS, threads=1), "landing") == {"": 8}
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.duckdb"]


@pytest.mark.parametrize("case", ["none", "damaged", "other source", "other settings"])
def test_a_checkpoint_that_does_not_fit_is_not_used(tmp_path: Path, case: str) -> None:
    path = tmp_path / "checkpoint.duckdb"
    if case != "none":
        Checkpoint(path, SETTINGS).save(filled(), "landing", {"": 7})
    if case == "damaged":
        path.write_bytes(path.read_bytes()[:5000])
    settings = StreamingSettings(allowed_lateness=timedelta(minutes=5)) if case == "other settings" else SETTINGS
    engine = Engine(settings, threads=1)
    assert Checkpoint(path, settings).load(engine, "kafka" if case == "other source" else "landing") is None
    assert sum(engine.rows().values()) == 0
    assert take(engine, [Row(START)]).readings == 1, "it can be used all the same"
