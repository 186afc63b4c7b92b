"""The hourly cycle as a script of a few DuckDB statements: the floor, since it leaves out whatever can be left out.

It reads the same files, drops repeats and unknown devices, nulls what is out of range, writes the clean readings and
computes the features by the product's own query; scores, alerts and status are those of the pandas sketch. Like that it
keeps no ledger, gives no event an identity, validates nothing, knows no earlier hour and commits nothing.
"""

from pathlib import Path

import duckdb
import pandas as pd

from fridge_assets.contracts.sensor_readings import NUMERIC_SENSORS, SENSORS
from fridge_assets.features.windows import windows_sql
from fridge_assets.settings import Settings
from fridge_assets.stores.frames import query, registered, text_literal
from fridge_assets_tests.benchmarks.pandas_sketch import Stopwatch, main


def features_of(
    files: list[Path], registry: pd.DataFrame, settings: Settings, folder: Path, watch: Stopwatch
) -> pd.DataFrame:
    """Clean readings into ``folder``, and all features."""
    in_range = ", ".join(
        f"CASE WHEN {s.name} BETWEEN {s.minimum} AND {s.maximum} THEN {s.name} END AS {s.name}" for s in NUMERIC_SENSORS
    )
    nulls = " + ".join(f"({s.name} IS NULL)::BIGINT" for s in SENSORS)
    drift = settings.readings.clock_drift.total_seconds()
    landed = f"read_parquet([{', '.join(text_literal(str(file)) for file in files)}])"
    clean = text_literal(str(folder / "clean_sensor_readings.parquet"))
    config = {"threads": str(settings.warehouse.threads), "memory_limit": settings.warehouse.memory_limit}
    with duckdb.connect(config=config) as engine:
        engine.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        with watch.stage("readings"), registered(engine, registry=registry[["device_id"]]):
            engine.execute(f"""
CREATE TABLE clean AS
SELECT * REPLACE ({in_range}),
  CASE WHEN abs(epoch(timestamp_device) - epoch(timestamp_ingested)) > {drift} THEN timestamp_ingested
    ELSE timestamp_device END AS timestamp_utc
FROM {landed} SEMI JOIN registry USING (device_id);
DELETE FROM clean WHERE rowid IN (
  SELECT unnest(list(rowid)[2:]) FROM clean GROUP BY hash(device_id, timestamp_utc) HAVING count(*) > 1
);
COPY clean TO {clean} (FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, COMPRESSION_LEVEL 1);
""")
        with watch.stage("features"):
            added = f"{nulls} AS sensor_null_count, []::VARCHAR[] AS quality_flags, false AS repeated"
            window = int(settings.features.window.total_seconds())
            computed = query(engine, windows_sql(f"(SELECT *, {added} FROM clean)", window))
            computed.to_parquet(folder / "device_features.parquet", index=False)
    return computed


if __name__ == "__main__":
    main(features_of)
