"""Cleaned readings that break their contract are found in the engine, and counted."""

from collections.abc import Iterator

import duckdb
import pytest

from fridge_assets.contracts import CLEAN_SENSOR_READINGS
from fridge_assets.contracts.validation import ContractViolation
from fridge_assets.readings import kept_contract
from fridge_assets.readings.kept_contract import enforce_cleaned

BOUNDED = [c for c in CLEAN_SENSOR_READINGS.columns if c.minimum is not None]
REQUIRED = [
    c.name for c in CLEAN_SENSOR_READINGS.columns if not c.nullable and c.name not in ("quality_flags", "event_id")
]
ROWS = 400


@pytest.fixture
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("rows", CLEAN_SENSOR_READINGS.to_arrow(CLEAN_SENSOR_READINGS.sample(ROWS)))
        connection.execute("CREATE TABLE cleaned AS SELECT *, row_number() OVER () - 1 AS row_id FROM rows")
        connection.execute("CREATE TABLE usable AS FROM cleaned")
        connection.execute("CREATE TABLE repeats (row_id BIGINT, kept BOOLEAN)")
        connection.execute("CREATE VIEW suspects AS SELECT row_id, event_id FROM cleaned WHERE event_id IS NOT NULL")
        yield connection


def violated(engine: duckdb.DuckDBPyConnection) -> list[tuple[str, int]]:
    """Rules that ``cleaned`` breaks and how many rows do."""
    with pytest.raises(ContractViolation) as caught:
        enforce_cleaned(engine)
    return [(violation.rule, violation.violating_rows) for violation in caught.value.report.violations]


def test_rows_that_keep_the_contract_pass(engine: duckdb.DuckDBPyConnection) -> None:
    enforce_cleaned(engine)


def test_no_rows_pass(engine: duckdb.DuckDBPyConnection) -> None:
    engine.execute("DELETE FROM cleaned")
    enforce_cleaned(engine)


def test_contract_has_no_rules_but_those_that_the_engine_is_asked_about() -> None:
    columns = [column for column in CLEAN_SENSOR_READINGS.columns if column.name != "quality_flags"]
    assert not CLEAN_SENSOR_READINGS.ordered
    assert len(CLEAN_SENSOR_READINGS.key) == 1
    assert not any(column.allowed or column.max_items for column in columns)
    assert all(column.type in ("double", "integer") for column in BOUNDED)


def test_value_out_of_any_range_is_found(engine: duckdb.DuckDBPyConnection) -> None:
    for column in BOUNDED:
        assert column.minimum is not None
        assert column.maximum is not None
        for wrong in (column.minimum - 1, column.maximum + 1, *((float("inf"),) if column.type == "double" else ())):
            engine.execute("BEGIN")
            engine.execute(f"UPDATE cleaned SET {column.name} = $wrong WHERE row_id = 311", {"wrong": wrong})
            assert [(rule.split()[0], rows) for rule, rows in violated(engine)] == [(column.name, 1)], wrong
            engine.execute("ROLLBACK")


def test_null_in_any_required_column_is_found(engine: duckdb.DuckDBPyConnection) -> None:
    for column in REQUIRED:
        engine.execute("BEGIN")
        engine.execute(f"UPDATE cleaned SET {column} = NULL WHERE row_id = 250")
        assert violated(engine) == [(f"{column} must not be null", 1)]
        engine.execute("ROLLBACK")


def test_rows_that_break_a_rule_are_counted(engine: duckdb.DuckDBPyConnection) -> None:
    engine.execute("UPDATE cleaned SET humidity = 150.5 WHERE row_id IN (17, 311)")
    engine.execute("UPDATE cleaned SET timestamp_utc = NULL WHERE row_id = 9")
    found = {rule.split()[0]: count for rule, count in violated(engine)}
    assert found == {"humidity": 2, "timestamp_utc": 1}


def test_key_given_twice_is_found(engine: duckdb.DuckDBPyConnection) -> None:
    engine.execute("UPDATE cleaned SET event_id = (SELECT event_id FROM cleaned WHERE row_id = 3) WHERE row_id = 390")
    assert violated(engine) == [("event_id must be unique", 2)]


def test_key_given_twice_in_different_chunks_is_found(
    engine: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_contract, "_CHUNK_ROWS", 100)
    engine.execute("UPDATE cleaned SET event_id = (SELECT event_id FROM cleaned WHERE row_id = 3) WHERE row_id = 390")
    assert [rule for rule, _ in violated(engine)] == ["event_id must be unique"]


def test_event_that_came_without_identity_has_one_all_the_same(engine: duckdb.DuckDBPyConnection) -> None:
    engine.execute("UPDATE cleaned SET event_id = NULL")
    enforce_cleaned(engine)
    engine.execute("UPDATE cleaned SET humidity = 151 WHERE row_id = 6")
    assert violated(engine) == [("humidity must lie in -10 … 150 %RH", 1)]


def test_row_that_a_join_doubled_is_found(engine: duckdb.DuckDBPyConnection) -> None:
    engine.execute("INSERT INTO cleaned SELECT * FROM cleaned WHERE row_id = 42")
    assert violated(engine) == [("event_id must be unique", 2)]


def test_not_a_number_does_not_hide_a_value_out_of_range(engine: duckdb.DuckDBPyConnection) -> None:
    engine.execute("UPDATE cleaned SET humidity = $nan WHERE row_id = 5", {"nan": float("nan")})
    engine.execute("UPDATE cleaned SET humidity = 151 WHERE row_id = 6")
    assert [(rule.split()[0], count) for rule, count in violated(engine)] == [("humidity", 1)]
