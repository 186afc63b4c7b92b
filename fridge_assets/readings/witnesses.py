"""The few clean readings that tell whether all of them keep their contract (SPEC 4)."""

import duckdb

from fridge_assets.contracts import CLEAN_SENSOR_READINGS, Contract
from fridge_assets.contracts.validation import enforce, validate
from fridge_assets.stores.frames import query

# The list of flags comes from a fixed CASE and is not worth its Python objects.
_CHECKED = Contract(
    CLEAN_SENSOR_READINGS.name,
    CLEAN_SENSOR_READINGS.description,
    tuple(c for c in CLEAN_SENSOR_READINGS.columns if c.name != "quality_flags"),
    CLEAN_SENSOR_READINGS.key,
)
_KEY = CLEAN_SENSOR_READINGS.key[0]
_SHOWN_REPEATS = 1000
_CHUNK_ROWS = 1_000_000


def enforce_cleaned(engine: duckdb.DuckDBPyConnection) -> None:
    """Check the engine's ``cleaned`` against its contract, whatever its size.

    Great Expectations needs pandas, minutes and gigabytes for millions of rows. But a range holds for every row when it
    holds for the row with the smallest and the row with the largest value, a column has no null when a row with null
    cannot be found, and a key is unique when no two rows have the same hash. So Great Expectations judges those
    witnesses; only when one of them breaks a rule are all rows looked at, to say how many do.

    Args:
        engine: holds ``cleaned``: contract columns and ``row_id``.

    Raises:
        ContractViolation: a row breaks the contract.
    """
    witnesses = query(engine, _witnesses_sql())
    if validate(_CHECKED, witnesses).passed:
        return
    first, last = engine.execute("SELECT min(row_id), max(row_id) FROM cleaned").fetchall()[0]
    columns = ", ".join(_CHECKED.column_names)
    for start in range(first, last + 1, _CHUNK_ROWS):
        sql = f"SELECT {columns} FROM cleaned WHERE row_id >= $start AND row_id < $end"
        enforce(_CHECKED, query(engine, sql, {"start": start, "end": start + _CHUNK_ROWS}))
    enforce(_CHECKED, witnesses)


def _witnesses_sql() -> str:
    extremes = [
        f"arg_{which}(row_id, {c.name}) FILTER (NOT isnan({c.name}::DOUBLE))"
        for c in _CHECKED.columns
        if c.minimum is not None or c.maximum is not None
        for which in ("min", "max")
    ]
    nulls = [f"min(row_id) FILTER ({c.name} IS NULL)" for c in _CHECKED.columns if not c.nullable]
    return f"""
WITH strange AS (SELECT unnest([{", ".join(extremes + nulls)}]) AS row_id FROM cleaned),
alike AS (SELECT hash({_KEY}) AS mark FROM cleaned GROUP BY mark HAVING count(*) > 1 ORDER BY mark LIMIT {_SHOWN_REPEATS})
SELECT {", ".join(_CHECKED.column_names)} FROM cleaned WHERE row_id IN (SELECT row_id FROM strange)
UNION ALL
SELECT {", ".join(_CHECKED.column_names)} FROM cleaned WHERE hash({_KEY}) IN (SELECT mark FROM alike)
"""
