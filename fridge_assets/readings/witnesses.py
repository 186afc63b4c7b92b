"""The few clean readings that tell whether all of them keep their contract (SPEC 4)."""

import duckdb

from fridge_assets.contracts import CLEAN_SENSOR_READINGS, Contract
from fridge_assets.contracts.validation import enforce, validate
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
_SHOWN_REPEATS = 1000
_CHUNK_ROWS = 1_000_000


def enforce_cleaned(engine: duckdb.DuckDBPyConnection) -> None:
    """Check the engine's ``cleaned`` against its contract, whatever its size.

    Great Expectations needs pandas, minutes and gigabytes for millions of rows. But a range holds for every row when it
    holds for the row with the smallest and the row with the largest value, a column has no null when a row with null
    cannot be found, and a key is unique when it is among the suspects and no row is there twice. So Great Expectations
    judges those witnesses; only when one of them breaks a rule are all rows looked at, to say how many do.

    Args:
        engine: holds ``cleaned`` (contract columns and ``row_id``), ``suspects`` and ``repeats``.

    Raises:
        ContractViolation: a row breaks the contract.
    """
    ids = {"ids": sorted(extreme_rows(engine) | repeated_rows(engine))}
    witnesses = query(engine, f"SELECT {_COLUMNS} FROM cleaned WHERE row_id IN (SELECT unnest($ids::BIGINT[]))", ids)
    if validate(_CHECKED, witnesses).passed:
        return
    first, last = engine.execute("SELECT min(row_id), max(row_id) FROM cleaned").fetchall()[0]
    for start in range(first, last + 1, _CHUNK_ROWS):
        chunk = f"SELECT {_COLUMNS} FROM cleaned WHERE row_id >= $start AND row_id < $end"
        enforce(_CHECKED, query(engine, chunk, {"start": start, "end": start + _CHUNK_ROWS}))
    enforce(_CHECKED, witnesses)


def extreme_rows(engine: duckdb.DuckDBPyConnection) -> set[int]:
    """For each column with a rule a row with null, if there is one, and rows with its smallest and largest value."""
    bounded = [c.name for c in _CHECKED.columns if c.minimum is not None or c.maximum is not None]
    required = [c.name for c in _CHECKED.columns if not c.nullable and c.name != _DERIVED]
    numbers = {name: f"nullif({name}::DOUBLE, 'NaN'::DOUBLE)" for name in bounded}  # NaN is larger than any number
    measures = [f"{which}({numbers[name]})" for name in bounded for which in ("min", "max")]
    measures += [f"count(*) - count({name})" for name in required]
    found = engine.execute(f"SELECT {', '.join(measures)} FROM cleaned").fetchall()[0]
    extremes = zip([name for name in bounded for _ in ("min", "max")], found, strict=False)
    wanted = {(f"{name} = $value", value) for name, value in extremes if value is not None}
    nulls = zip(required, found[2 * len(bounded) :], strict=True)
    wanted |= {(f"{name} IS NULL AND $value IS NULL", None) for name, count in nulls if count}
    return {
        engine.execute(f"SELECT row_id FROM cleaned WHERE {condition} LIMIT 1", {"value": value}).fetchall()[0][0]
        for condition, value in wanted
    }


def repeated_rows(engine: duckdb.DuckDBPyConnection) -> set[int]:
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
    return {row_id for (row_id,) in (*same_event, *doubled)}
