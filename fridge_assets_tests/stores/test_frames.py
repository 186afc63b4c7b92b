"""One way from DuckDB to pandas and back."""

from datetime import UTC, datetime

import duckdb
import pandas as pd
import pytest

from fridge_assets.stores.frames import query, query_arrow, registered


def test_timestamps_come_back_as_utc_and_lists_as_lists() -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        row = query(connection, "SELECT $moment::TIMESTAMPTZ AS moment, ['a', 'b'] AS names", {
            "moment": datetime(2026, 6, 1, 12, tzinfo=UTC)
        }).iloc[0]  # fmt: skip
    assert row["moment"] == pd.Timestamp("2026-06-01T12:00Z")
    assert str(row["moment"].tz) == "UTC"
    assert list(row["names"]) == ["a", "b"]


def test_arrow_rows_go_to_another_connection() -> None:
    with duckdb.connect() as first, duckdb.connect() as second:
        rows = query_arrow(first, "SELECT 7 AS number")
        with registered(second, rows=rows):
            assert second.execute("SELECT number FROM rows").fetchall() == [(7,)]


def test_registered_frames_are_gone_after_the_block_even_after_an_error() -> None:
    def fail_with(connection: duckdb.DuckDBPyConnection) -> None:
        with registered(connection, rows=pd.DataFrame({"number": [7]})):
            assert connection.execute("SELECT number FROM rows").fetchall() == [(7,)]
            raise ZeroDivisionError

    with duckdb.connect() as connection:
        with pytest.raises(ZeroDivisionError):
            fail_with(connection)
        with pytest.raises(duckdb.CatalogException):
            connection.execute("SELECT number FROM rows")


def test_an_error_in_a_transaction_comes_out_as_itself() -> None:
    with duckdb.connect() as connection:
        connection.begin()
        with (
            pytest.raises(duckdb.BinderException, match="nothing"),
            registered(connection, rows=pd.DataFrame({"number": [7]})),
        ):
            connection.execute("SELECT nothing FROM rows")
