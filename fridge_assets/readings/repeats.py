"""Which readings are repeats of an event, in this delivery or of what is stored (SPEC 1.3).

Nearly every reading is an event of its own, and a 64-bit hash tells so: of the identity that it brought, and of
device and time, which a derived identity contains. Only readings whose hash comes twice are suspects, and only of these
the identity itself is looked at.
"""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from fridge_assets.stores.event_identity import event_id_sql
from fridge_assets.stores.frames import text_literal

HOUR_START_SQL = "make_timestamptz(epoch_us(timestamp_utc) // 3600000000 * 3600000000)"
"""The hour of ``timestamp_utc``; date_trunc gives the same by way of a calendar, which takes thirty times as long."""

_MOMENT = "hash(device_id, epoch_us(timestamp_utc))"
_NAME = "hash(event_id)"
_NO_MARKS = "SELECT 0::UBIGINT AS mark WHERE false"


def find_repeats(connection: duckdb.DuckDBPyConnection, stored_files: Sequence[Path]) -> None:
    """Turn ``usable`` into ``suspects``, ``repeats`` and ``repeated_now``.

    Args:
        connection: an engine holding ``usable``: columns of ``staged``, ``row_id`` and ``hour_start``.
        stored_files: Parquet files of clean readings in the hours that ``usable`` touches.

    Leaves in the engine:
        ``suspects(row_id, event_id)``: the rows that may be the event of another row; all others are not.
        ``repeats(row_id, event_id, kept)``: the rows that are, and whether they are the one to keep.
        ``repeated_now(event_id, device_id, timestamp_utc)``: stored readings whose event is delivered again.
    """
    named = bool(connection.execute("SELECT count(event_id) > 0 FROM usable").fetchall()[0][0])
    _find_stored_alike(connection, stored_files, named)
    connection.execute(f"CREATE OR REPLACE TABLE marks AS {_marks_sql(named)}")
    alike = f"{_MOMENT} IN (SELECT mark FROM marks)"
    if named:
        alike += f" OR {_NAME} IN (SELECT mark FROM marks)"
    connection.execute(
        f"CREATE OR REPLACE TABLE suspects AS SELECT row_id, {event_id_sql()} AS event_id FROM usable WHERE {alike}"
    )
    connection.execute(_REPEATS_SQL)


def _find_stored_alike(connection: duckdb.DuckDBPyConnection, stored_files: Sequence[Path], named: bool) -> None:
    """Make ``stored_alike(event_id, device_id, timestamp_utc)``: stored readings that may be an event of ``usable``.

    The hashes are copied first: to join the files themselves takes four times as long. Of the few rows found, which
    their numbers in the files lead to, everything else is read.
    """
    if not stored_files:
        connection.execute(
            "CREATE OR REPLACE TABLE stored_alike AS SELECT event_id, device_id, timestamp_utc FROM usable WHERE false"
        )
        return
    files = ", ".join(text_literal(str(path)) for path in stored_files)
    stored = f"read_parquet([{files}], hive_partitioning = false, file_row_number = true)"
    hours = f"SELECT DISTINCT {HOUR_START_SQL} FROM {stored}"
    delivered = {"moment": f"SELECT {_MOMENT} FROM usable WHERE hour_start IN ({hours})"}
    marks = {"moment": _MOMENT}
    if named:
        delivered["name"] = f"SELECT {_NAME} FROM usable WHERE event_id IS NOT NULL"
        marks["name"] = _NAME
    columns = ", ".join(f"{sql} AS {name}" for name, sql in marks.items())
    alike = " OR ".join(f"{name} IN ({chosen})" for name, chosen in delivered.items())
    found = " OR ".join(f"{sql} IN (SELECT {name} FROM stored_found)" for name, sql in marks.items())
    connection.execute(
        f"CREATE OR REPLACE TABLE stored_marks AS SELECT file_row_number::UINTEGER AS number, {columns} FROM {stored}"
    )
    connection.execute(f"CREATE OR REPLACE TABLE stored_found AS SELECT * FROM stored_marks WHERE {alike}")
    connection.execute(
        f"CREATE OR REPLACE TABLE stored_alike AS SELECT {event_id_sql()} AS event_id, device_id, timestamp_utc "
        f"FROM {stored} WHERE file_row_number IN (SELECT number FROM stored_found) AND ({found})"
    )
    connection.execute("DROP TABLE stored_marks")


def _marks_sql(named: bool) -> str:
    """Hashes that come twice, or are stored already."""
    names = f"SELECT {_NAME} AS mark FROM usable WHERE event_id IS NOT NULL GROUP BY mark HAVING count(*) > 1"
    return f"""
SELECT {_MOMENT} AS mark FROM usable GROUP BY mark HAVING count(*) > 1
UNION ALL {names if named else _NO_MARKS}
UNION ALL SELECT {_MOMENT} FROM stored_alike
UNION ALL SELECT {_NAME} FROM stored_alike
"""


_REPEATS_SQL = """
CREATE OR REPLACE TABLE repeats AS
WITH delivered AS (
  SELECT row_id, suspects.event_id, sequence_number, timestamp_ingested, source_file, row_number,
    count(*) OVER (PARTITION BY suspects.event_id) AS times
  FROM suspects JOIN usable USING (row_id)
),
ranked AS (
  SELECT row_id, event_id, row_number() OVER (
    PARTITION BY event_id ORDER BY sequence_number NULLS LAST, timestamp_ingested, source_file, delivered.row_number
  ) AS place
  FROM delivered WHERE times > 1
)
SELECT row_id, event_id, place = 1 AS kept FROM ranked ANTI JOIN stored_alike USING (event_id)
UNION ALL
SELECT row_id, event_id, false FROM suspects SEMI JOIN stored_alike USING (event_id);
CREATE OR REPLACE TABLE repeated_now AS
SELECT DISTINCT event_id, device_id, timestamp_utc FROM stored_alike SEMI JOIN suspects USING (event_id)
"""
