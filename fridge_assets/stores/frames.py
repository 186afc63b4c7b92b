"""Query results as frames: one way from DuckDB to pandas."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import duckdb
import pandas as pd
import pyarrow as pa


def query(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, object] | None = None
) -> pd.DataFrame:
    """Rows of ``sql`` as a frame; timestamps are timezone-aware UTC, lists are numpy arrays."""
    frame: pd.DataFrame = query_arrow(connection, sql, parameters).to_pandas()
    return frame


def query_arrow(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, object] | None = None
) -> pa.Table:
    """Rows of ``sql`` as an Arrow table, for handing to another connection without a copy through Python."""
    return connection.sql(sql, params=dict(parameters or {})).to_arrow_table()


def text_literal(value: str) -> str:
    """``value`` as SQL text, for the few places where DuckDB takes no parameter."""
    return "'" + value.replace("'", "''") + "'"


@contextmanager
def registered(connection: duckdb.DuckDBPyConnection, **frames: pd.DataFrame | pa.Table) -> Iterator[None]:
    """Make frames visible to SQL under their keyword for the length of the block."""
    for name, frame in frames.items():
        connection.register(name, frame)
    try:
        yield
    finally:
        for name in frames:
            # In a transaction that an error has ended this fails too, and would hide that error.
            with suppress(duckdb.TransactionException):
                connection.unregister(name)
