"""Whether cleaned readings keep their contract, asked of the engine that holds them (SPEC 4)."""

import duckdb

from fridge_assets.contracts import CLEAN_SENSOR_READINGS, Contract
from fridge_assets.contracts.validation import enforce
from fridge_assets.stores.event_identity import event_id_sql
from fridge_assets.stores.frames import query

# The list of flags comes from a fixed CASE and is not worth its Python objects.
_CHECKED = Contract(
    CLEAN_SENSOR_READINGS.name,
    CLEAN_SENSOR_READINGS.description,
    tuple(c for c in CLEAN_SENSOR_READINGS.columns if c.name != "quality_flags"),
    CLEAN_SENSOR_READINGS.key,
)
_COLUMNS = ", ".join(event_id_sql() + " AS event_id" if n == "event_id" else n for n in _CHECKED.column_names)
_DERIVED = "event_id"
"""Where a reading brought none it is derived, so that null breaks no rule."""
_BROKEN = " OR ".join(
    [f"{c.name} IS NULL" for c in _CHECKED.columns if not c.nullable and c.name != _DERIVED]
    + [f"{c.name} < {c.minimum!r}" for c in _CHECKED.columns if c.minimum is not None]
    + [f"{c.name} > {c.maximum!r}" for c in _CHECKED.columns if c.maximum is not None]
)
_SHOWN_REPEATS = 1000
_CHUNK_ROWS = 1_000_000


def enforce_cleaned(engine: duckdb.DuckDBPyConnection) -> None:
    """Check the engine's ``cleaned`` against its contract, whatever its size.

    Millions of rows would take minutes and gigabytes as frames. So the engine says whether a row breaks a rule or comes
    twice, and only then all rows are looked at as frames, to say which rule and how many.

    Args:
        engine: holds ``cleaned`` (contract columns and ``row_id``), ``usable``, ``suspects`` and ``repeats``.

    Raises:
        ContractViolation: a row breaks the contract.
    """
    repeated = _repeated_rows(engine)
    if not repeated and not engine.execute(f"SELECT 1 FROM cleaned WHERE {_BROKEN} LIMIT 1").fetchall():
        return
    first, last = engine.execute("SELECT min(row_id), max(row_id) FROM cleaned").fetchall()[0]
    for start in range(first, last + 1, _CHUNK_ROWS):
        chunk = f"SELECT {_COLUMNS} FROM cleaned WHERE row_id >= $start AND row_id < $end"
        enforce(_CHECKED, query(engine, chunk, {"start": start, "end": start + _CHUNK_ROWS}))
    # Two rows of one key may be in two chunks.
    of_repeated = f"SELECT {_COLUMNS} FROM cleaned WHERE row_id IN (SELECT unnest($ids::BIGINT[]))"
    enforce(_CHECKED, query(engine, of_repeated, {"ids": repeated}))


def _repeated_rows(engine: duckdb.DuckDBPyConnection) -> list[int]:
    """Rows whose key is another row's too: suspects of one event, and rows that are there twice."""
    same_event = engine.execute(
        "SELECT row_id FROM cleaned JOIN suspects USING (row_id) "
        "QUALIFY count(*) OVER (PARTITION BY suspects.event_id) > 1 ORDER BY suspects.event_id "
        f"LIMIT {_SHOWN_REPEATS}"
    ).fetchall()
    rows, usable, removed = engine.execute(
        "SELECT (SELECT count(*) FROM cleaned), (SELECT count(*) FROM usable), "
        "(SELECT count(*) FROM repeats WHERE NOT kept)"
    ).fetchall()[0]
    doubled = []
    if rows != usable - removed:
        doubled = engine.execute(
            f"SELECT row_id FROM cleaned GROUP BY row_id HAVING count(*) > 1 ORDER BY row_id LIMIT {_SHOWN_REPEATS}"
        ).fetchall()
    return sorted({row_id for (row_id,) in (*same_event, *doubled)})
