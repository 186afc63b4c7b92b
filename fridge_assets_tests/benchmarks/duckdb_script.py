"""The hourly cycle as a bare DuckDB script: about the least that the hour can cost with these engines and models.

It reads the same files, checks ranges, removes repeats, computes the same features and scores with the same model
versions. It keeps no ledger, gives no event an identity, flags no reading, keeps no contract, knows no earlier hour and
commits nothing.
"""

from pathlib import Path

import duckdb
import pandas as pd

from fridge_assets.contracts.device_features import SENSOR_FEATURES
from fridge_assets.contracts.sensor_readings import BOOLEAN_SENSORS, NUMERIC_SENSORS, SENSORS
from fridge_assets.settings import Settings
from fridge_assets.stores.frames import query
from fridge_assets_tests.benchmarks.plain_hour import Stopwatch, main

_AGGREGATES = {
    "mean": "avg({0})",
    "std": "stddev_samp({0})",
    "min": "min({0})",
    "max": "max({0})",
    "p95": "quantile_cont({0}, 0.95)",
    "slope": "nullif(regr_slope({0}, minutes), 'nan'::DOUBLE)",
}


def features_of(
    files: list[Path], registry: pd.DataFrame, settings: Settings, folder: Path, watch: Stopwatch
) -> pd.DataFrame:
    """Clean readings, which go to ``folder``, and their features."""
    clean = folder / "clean_sensor_readings.parquet"
    with duckdb.connect(config={"threads": settings.warehouse.threads}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("registry", registry[["device_id"]])
        with watch.stage("readings"):
            connection.execute(f"COPY ({_clean_sql(settings)}) TO '{clean}' (FORMAT parquet)", [list(map(str, files))])
        with watch.stage("features"):
            computed: pd.DataFrame = query(connection, _features_sql(settings), {"clean": str(clean)})
            computed.to_parquet(folder / "device_features.parquet", index=False)
    return computed


def _clean_sql(settings: Settings) -> str:
    drift = f"INTERVAL {settings.readings.clock_drift.total_seconds():.0f} SECOND"
    values = [
        f"CASE WHEN {s.name} BETWEEN {s.minimum} AND {s.maximum} THEN {s.name} END AS {s.name}" for s in NUMERIC_SENSORS
    ] + [sensor.name for sensor in BOOLEAN_SENSORS]
    names = [sensor.name for sensor in SENSORS]
    missing = " + ".join(f"({name} IS NULL)::INTEGER" for name in names)
    return f"""
        WITH known AS (SELECT * FROM read_parquet(?) SEMI JOIN registry USING (device_id)),
        once AS (
            SELECT device_id, {", ".join(names)}, timestamp_device, min(timestamp_ingested) AS timestamp_ingested
            FROM known GROUP BY ALL
        ),
        ranged AS (
            SELECT device_id, {", ".join(values)},
                CASE WHEN abs(epoch(timestamp_device) - epoch(timestamp_ingested)) > epoch({drift})
                    THEN timestamp_ingested ELSE timestamp_device END AS timestamp_utc
            FROM once
        )
        SELECT *, {missing} AS sensor_null_count FROM ranged WHERE {missing} < {len(names)}
    """


def _features_sql(settings: Settings) -> str:
    seconds = int(settings.features.window.total_seconds())
    aggregates = [f"{_AGGREGATES[f.aggregation].format(f.sensor.name)} AS {f.name}" for f in SENSOR_FEATURES]
    return f"""
        WITH timed AS (
            SELECT *, to_timestamp(epoch_us(timestamp_utc) // {seconds * 1_000_000} * {seconds}) AS window_start,
                epoch_us(timestamp_utc) % {seconds * 1_000_000} / 6e7 AS minutes
            FROM read_parquet($clean)
        )
        SELECT device_id, window_start, window_start + to_seconds({seconds}) AS window_end,
            count(*) AS reading_count, {", ".join(aggregates)},
            avg(door_open_close::INTEGER) AS door_open_fraction,
            avg(defrost_cycle::INTEGER) AS defrost_active_fraction,
            1 - sum(sensor_null_count) / ({len(SENSORS)} * count(*)) AS sensor_completeness,
            count(*) FILTER (sensor_null_count > 0) AS quality_flag_count,
            pressure_high_mean / nullif(pressure_low_mean, 0) AS pressure_ratio,
            temp_condenser_mean - temp_evaporator_mean AS temp_spread_evap_cond,
            temp_discharge_mean - temp_suction_mean AS temp_spread_discharge_suction,
            current_compressor_mean / nullif(temp_condenser_mean - temp_evaporator_mean, 0) AS current_per_temp_spread
        FROM timed GROUP BY device_id, timed.window_start
    """


if __name__ == "__main__":
    main(features_of, __doc__)
