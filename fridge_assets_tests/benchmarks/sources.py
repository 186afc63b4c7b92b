"""How fast files of each text format are read, beside DuckDB's own time for a CSV file of that size.

`make bench-sources`. Every file holds readings of a fleet, in about SIZE megabytes. Ours is what ingestion does with it
up to typed rows of which each is usable or has its reason; DuckDB's is a typed table of a CSV file.
"""

import gzip
import os
import resource
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from fridge_assets.contracts.sensor_readings import BOOLEAN_SENSORS, NUMERIC_SENSORS
from fridge_assets.readings.ranges import BUILT_IN_TABLES, know_ranges
from fridge_assets.readings.staging import create_staged, stage
from fridge_assets.settings import ReadingSettings
from fridge_assets.sources.file import probe
from fridge_assets.sources.source import Source

SIZE = int(os.environ.get("SIZE", "100"))
ROUNDS = 3
_MB = 1_000_000
_SENSORS = [sensor.name for sensor in NUMERIC_SENSORS]
_LINE = "FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x1f'"
_TAGS = {name: name for name in _SENSORS}
_SOURCES = {
    "csv": Source(),
    "long.csv": Source.model_validate(
        {"shape": "long", "format": "csv", "tag_column": "tag", "value_column": "value", "tags": _TAGS}
    ),
    "wide.csv": Source.model_validate(
        {
            "shape": "wide",
            "format": "csv",
            "tags": {f"c{case} {s}": {"sensor": s, "device": f"c{case}"} for case in range(20) for s in _SENSORS},
        }
    ),
    "jsonl": Source(),
    "json": Source(format="json"),
    "lp": Source.model_validate(
        {
            "format": "line_protocol",
            "columns": {"host": "device_id"},
            "time": {"columns": ["time"], "format": "epoch_ns"},
        }
    ),
}


def write_files(folder: Path) -> None:
    """A file of about SIZE megabytes in each format, and packed ones of the first and the last."""
    with duckdb.connect() as connection:
        values = ", ".join(f"round({10 * n} + random() * 5, 2) AS {name}" for n, name in enumerate(_SENSORS))
        flags = ", ".join(f"(i % 7 = 0) AS {sensor.name}" for sensor in BOOLEAN_SENSORS)
        rows = (
            "SELECT 'device-' || lpad((i % 1000)::VARCHAR, 5, '0') AS device_id, "
            "strftime(TIMESTAMP '2026-01-01' + INTERVAL 1 MINUTE * (i // 1000), '%Y-%m-%dT%H:%M:%SZ') AS timestamp, "
            f"{values}, {flags} FROM range($rows) AS r(i)"
        )
        fields = " || ',' || ".join(f"'{name}=' || {name}::VARCHAR" for name in _SENSORS)
        line = f"'fridge,host=' || device_id || ' ' || {fields} || ' ' || epoch_ns(timestamp::TIMESTAMP)::VARCHAR"
        cells = ", ".join(
            f'round({10 * n} + random() * 5, 2) AS "c{case} {name}"'
            for case in range(20)
            for n, name in enumerate(_SENSORS)
        )
        minute = "strftime(TIMESTAMP '2026-01-01' + INTERVAL 1 MINUTE * i, '%Y-%m-%dT%H:%M:%SZ') AS timestamp"
        queries = {
            "csv": (rows, "FORMAT csv"),
            "long.csv": (f"UNPIVOT (SELECT device_id, timestamp, {', '.join(_SENSORS)} FROM ({rows})) "
                         f"ON {', '.join(_SENSORS)} INTO NAME tag VALUE value", "FORMAT csv"),
            "wide.csv": (f"SELECT {minute}, {cells} FROM range($rows) AS r(i)", "FORMAT csv"),
            "jsonl": (rows, "FORMAT json"),
            "json": (rows, "FORMAT json, ARRAY true"),
            "lp": (f"SELECT {line} FROM ({rows})", _LINE),
        }  # fmt: skip
        for name, (query, options) in queries.items():
            path = folder / f"readings.{name}"
            tried = 5000
            connection.execute(f"COPY ({query.replace('$rows', str(tried))}) TO '{path}' ({options})")
            rows_needed = tried * SIZE * _MB // path.stat().st_size
            connection.execute(f"COPY ({query.replace('$rows', str(rows_needed))}) TO '{path}' ({options})")
    plain = folder / "readings.jsonl"
    with plain.open("rb") as file, gzip.open(folder / "readings.jsonl.gz", "wb", compresslevel=1) as packed:
        shutil.copyfileobj(file, packed)
    with zipfile.ZipFile(folder / "readings.csv.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.write(folder / "readings.csv", "readings.csv")


def duckdb_reads(path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE read AS FROM read_csv('{path}')")


def we_read(path: Path) -> None:
    source = next(source for name, source in _SOURCES.items() if path.name.removeprefix("readings.").startswith(name))
    if path.suffix == ".zip":
        source = Source(format="csv")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        know_ranges(connection, None, BUILT_IN_TABLES)
        file = probe(connection, path, source)
        create_staged(connection)
        stage(connection, [file], datetime.now(UTC), ReadingSettings())
        (unusable,) = connection.execute("SELECT count(*) FROM staged WHERE reason IS NOT NULL").fetchall()[0]
        if unusable:
            raise SystemExit(f"{path.name}: {unusable} rows cannot be used")


def timed(action: Callable[[Path], None], path: Path) -> tuple[float, float]:
    """(Best seconds of some rounds, most megabytes of memory) of ``action`` in processes of its own."""
    command = [sys.executable, "-m", __spec__.name if __spec__ else "", action.__name__, str(path)]
    results = [
        subprocess.run(command, check=True, capture_output=True, text=True).stdout.split() for _ in range(ROUNDS)
    ]
    return min(float(seconds) for seconds, _ in results), max(float(memory) for _, memory in results)


def main() -> None:
    if len(sys.argv) == 3:
        action = {"duckdb_reads": duckdb_reads, "we_read": we_read}[sys.argv[1]]
        began = time.perf_counter()
        action(Path(sys.argv[2]))
        print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
        return
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_files(folder)
        own, _ = timed(duckdb_reads, folder / "readings.csv")
        print(f"DuckDB reads a CSV file of {SIZE} MB in {own:.2f} s\n")
        print(f"{'file':<20}{'MB':>8}{'seconds':>10}{'of DuckDB':>11}{'memory, MB':>12}")
        for path in sorted(folder.iterdir()):
            seconds, memory = timed(we_read, path)
            share = seconds / own
            size = path.stat().st_size / _MB
            print(f"{path.name:<20}{size:>8.0f}{seconds:>10.2f}{share:>10.1f}×{memory:>12.0f}", flush=True)


if __name__ == "__main__":
    main()
