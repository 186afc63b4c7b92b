"""The product's steps without files and jobs, for benchmarks that would spend their time on readings otherwise.

Features are computed from simulated readings as they are made, by the product's own query, and the readings are
forgotten. What ingestion would have changed is left out: readings never come twice and no clock is days off, since
neither changes a feature, and ``quality_flag_count``, which no model reads, is always 0. Null values and readings that
come too late for their window are as usual.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pandas as pd
import pyarrow as pa

from fridge_assets.contracts.device_features import SENSOR_FEATURES
from fridge_assets.contracts.sensor_readings import SENSORS
from fridge_assets.features.windows import AGGREGATED, windows_sql
from fridge_assets.models.families import FAMILIES, HOURLY_FAMILIES
from fridge_assets.models.selection import select_training_rows
from fridge_assets.models.training import train
from fridge_assets.models.version import ModelVersion
from fridge_assets.scoring.model_input import read_model_input
from fridge_assets.scoring.publish import publish_scores
from fridge_assets.scoring.score import commit_scores, score_window
from fridge_assets.settings import Settings
from fridge_assets.simulation import Delivery, Fleet
from fridge_assets.stores.frames import query_arrow
from fridge_assets.stores.warehouse import Warehouse

HOUR = timedelta(hours=1)
CYCLE_MINUTE = timedelta(minutes=3)
DAILY_FAMILIES = tuple(family for family in FAMILIES if family not in HOURLY_FAMILIES)
DELIVERY = Delivery(duplicates=0.0, wrong_clocks=0.0)
"""Of fleets whose readings are not ingested."""


def simulated_features(warehouse: Warehouse, fleet: Fleet, start: datetime, end: datetime) -> pa.Table:
    """DEVICE_FEATURES rows of the windows from ``start`` to ``end``, with the readings there are at ``end`` + 3 min."""
    nulls = " + ".join(f"({sensor.name} IS NULL)::INTEGER" for sensor in SENSORS)
    relation = (
        "(SELECT *, timestamp_device AS timestamp_utc, []::VARCHAR[] AS quality_flags, false AS repeated, "
        f"{nulls} AS sensor_null_count FROM simulated WHERE timestamp_ingested <= $now)"
    )
    window = Settings().features.window
    # A device has from the start on what it sends at all: there is no ingestion that would have noted since when.
    has = ", ".join(f"CASE WHEN count({sensor.name}) > 0 THEN $start END AS {sensor.name}" for sensor in SENSORS)
    with warehouse.engine() as engine:
        engine.register("simulated", fleet.readings(start, end))
        engine.execute(
            f"CREATE TABLE device_first_seen AS SELECT device_id, {has}, "
            "CASE WHEN bool_or(defrost_cycle) THEN $start END AS defrost_signalled FROM simulated GROUP BY device_id",
            {"start": start},
        )
        return query_arrow(engine, windows_sql(relation, int(window.total_seconds())), {"now": end + CYCLE_MINUTE})


def append_features(warehouse: Warehouse, features: pa.Table) -> None:
    """Add rows to ``device_features``."""
    with warehouse.transaction() as connection:
        connection.register("appended", features)
        connection.execute(f"INSERT INTO device_features BY NAME SELECT {', '.join(AGGREGATED)} FROM appended")


def append_hours(warehouse: Warehouse, fleet: Fleet, hours: Iterable[datetime]) -> None:
    """Add the features of the hours that begin at ``hours``, readings hour by hour."""
    for start in hours:
        append_features(warehouse, simulated_features(warehouse, fleet, start, start + HOUR))


def append_sketched_hour(warehouse: Warehouse, fleet: Fleet, start: datetime) -> None:
    """Add an hour of which one window is simulated and the others are that one again.

    All sensor features of a row are multiplied by one factor within 0.05 % of 1, so that the rows differ and the
    file does not compress better than a real one.
    """
    window = Settings().features.window
    simulated = simulated_features(warehouse, fleet, start, start + window)
    jittered = ", ".join(f"{feature.name} * jitter AS {feature.name}" for feature in SENSOR_FEATURES)
    with warehouse.transaction() as connection:
        connection.register("simulated", simulated)
        for number in range(HOUR // window):
            connection.execute(
                f"INSERT INTO device_features BY NAME SELECT {', '.join(AGGREGATED)} FROM ("
                f"SELECT * REPLACE ({jittered}, window_start + $shift AS window_start, window_end + $shift AS "
                "window_end) FROM (SELECT *, 0.9995 + (hash(device_id, $start, $number) % 1001) / 1e6 AS jitter "
                "FROM simulated))",
                {"shift": number * window, "start": start, "number": number},
            )


def train_families(
    warehouse: Warehouse, devices: pd.DataFrame, now: datetime, settings: Settings
) -> dict[str, ModelVersion]:
    """A version of every family on the features there are at ``now``.

    Args:
        warehouse: holds ``device_features``.
        devices: DEVICE_REGISTRY columns and ``cohort``.
        now: when training happens.
        settings: of the product.
    """
    versions = {}
    for family, model_class in FAMILIES.items():
        with warehouse.read() as connection:
            rows = select_training_rows(connection, devices, now, settings, model_class.view)
        version = train(model_class, rows, settings, now).version
        versions[family] = replace(version, metadata=version.metadata.model_copy(update={"version": "1.0.0"}))
    return versions


def score_families(
    warehouse: Warehouse,
    versions: Mapping[str, ModelVersion],
    window_end: datetime,
    devices: pd.DataFrame,
    settings: Settings,
) -> None:
    """Score the window with all ``versions``, three minutes after its end, and publish the scores."""
    now = window_end + CYCLE_MINUTE
    for family, version in versions.items():
        with warehouse.read() as connection:
            given = read_model_input(connection, window_end, devices, settings, FAMILIES[family].view)
        report = score_window(version, given, now, settings)
        commit_scores(warehouse, [report], "benchmark", whole_window=True)
    publish_scores(warehouse)


def families_at(versions: Mapping[str, ModelVersion], *, daily: bool) -> dict[str, ModelVersion]:
    """Those of ``versions`` that score in a daily cycle, or in an hourly one."""
    return {family: version for family, version in versions.items() if daily or family in HOURLY_FAMILIES}
