"""What is behind an alert, also when parts of it cannot be read any more (SPEC 6)."""

import subprocess
import sys
from datetime import datetime, timedelta

import pandas as pd
import pytest
import sqlalchemy as sa

from fridge_assets.contracts import CLEAN_SENSOR_READINGS, MODEL_SCORES
from fridge_assets.incidents.evidence_lists import find_alert
from fridge_assets.incidents.trace import Trace, trace
from fridge_assets.settings import Settings
from fridge_assets.stores.frames import registered
from fridge_assets.stores.operations import Operations, device_alerts
from fridge_assets.stores.reading_files import commit_clean_files, write_clean_files
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.staleness.given import MINUTE, NOON, WINDOW, store_features
from fridge_assets_tests.staleness.test_fallback import HOUR, LEAKING, Shop

DAY = timedelta(days=1)


@pytest.fixture
def shop(warehouse: Warehouse, operations: Operations, settings: Settings) -> Shop:
    return Shop(warehouse, operations, settings)


def told(shop: Shop, now: datetime = NOON + HOUR) -> Trace:
    """What is behind the one alert that there is."""
    with shop.operations.read() as connection:
        alert = find_alert(connection, connection.scalars(sa.select(device_alerts.c.alert_id)).one())
    return trace(shop.warehouse, alert, shop.settings, now)


def store_readings(shop: Shop, device: str, *moments: datetime) -> None:
    rows = CLEAN_SENSOR_READINGS.sample(len(moments)).assign(
        device_id=device,
        timestamp_utc=[pd.Timestamp(m) for m in moments],
        event_id=[f"{device} {m}" for m in moments],
        pressure_low_side=[100.0 + n for n in range(len(moments))],
    )
    table = CLEAN_SENSOR_READINGS.to_arrow(rows)
    with shop.warehouse.engine() as engine:
        with registered(engine, rows=table):
            engine.execute(
                "CREATE TABLE cleaned AS SELECT *, date_trunc('hour', timestamp_utc) AS hour_start FROM rows"
            )
        files = write_clean_files(engine, shop.warehouse.clean_readings_folder(), f"batch-{device}")
    with shop.warehouse.transaction() as connection:
        commit_clean_files(connection, files)


def store_score(shop: Shop, window_end: datetime, model: str, score: float) -> None:
    rows = MODEL_SCORES.sample(1).assign(
        score_id=f"{model} {window_end}",
        device_id="d1",
        window_start=pd.Timestamp(window_end - WINDOW),
        window_end=pd.Timestamp(window_end),
        model_id=model,
        anomaly_score=score,
        anomaly_flag=score > 0.6,
    )
    with shop.warehouse.transaction() as connection, registered(connection, rows=MODEL_SCORES.to_arrow(rows)):
        connection.execute("INSERT INTO model_scores BY NAME SELECT * FROM rows")


# --- what was measured


def test_the_readings_of_the_sensor_behind_it_are_those_of_two_hours_up_to_the_end_of_its_window(shop: Shop) -> None:
    shop.by_models(NOON, {"d1": 0.97})
    store_readings(shop, "d1", NOON - 121 * MINUTE, NOON - 119 * MINUTE, NOON, NOON + MINUTE)
    store_readings(shop, "d2", NOON - MINUTE)
    readings = told(shop).readings
    assert list(readings.columns) == ["timestamp_utc", "pressure_low_side"]
    assert list(readings["pressure_low_side"]) == [101.0, 102.0]


def test_windows_of_a_day_stand_beside_what_is_usual_at_this_time(shop: Shop) -> None:
    for days in (1, 2, 3):
        store_features(shop.warehouse, {"d1": {"pressure_low_mean": 180.0}}, NOON - days * DAY)
    store_features(shop.warehouse, {"d1": {"pressure_low_mean": 150.0}}, NOON - HOUR)
    store_features(shop.warehouse, {"d1": {}})
    (shop.settings.root / "device_registry.csv").write_text("device_id,site_id\nd1,s1\n")
    shop.by_models(NOON, {"d1": 0.97})
    known = told(shop)
    assert list(known.windows["window_end"]) == [NOON - HOUR, NOON]
    assert list(known.windows["pressure_low_mean"]) == [150.0, 200.0]
    assert known.usual == {"pressure_low_mean": 180.0}


def test_every_family_speaks_with_the_score_that_counted_then(shop: Shop) -> None:
    shop.by_models(NOON, {"d1": 0.97})
    store_score(shop, NOON, "statistical_baseline_v1", 0.2)
    store_score(shop, NOON - 9 * HOUR, "autoencoder_v1", 0.7)
    store_score(shop, NOON - 33 * HOUR, "autoencoder_v1", 0.9)
    store_score(shop, NOON - 3 * DAY, "dbscan_cohort_v1", 0.9)
    store_score(shop, NOON + HOUR, "isolation_forest_v1", 0.1)
    scores = told(shop).scores
    assert list(zip(scores["model_id"], scores["window_end"], scores["behind"], strict=True)) == [
        ("isolation_forest_v1", NOON, True),
        ("autoencoder_v1", NOON - 9 * HOUR, False),
        ("statistical_baseline_v1", NOON, False),
    ]


def test_an_alert_of_the_rules_tells_their_conditions(shop: Shop) -> None:
    shop.by_rules(NOON, {"d1": LEAKING})
    conditions = told(shop).conditions
    assert [list(names) for names in conditions["conditions"]] == [["pressure_low_mean"]]


# --- what is missing


def test_while_the_warehouse_is_held_the_rest_is_told(shop: Shop) -> None:
    shop.by_models(NOON, {"d1": 0.97})
    hold = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    holder = [sys.executable, "-c", hold, shop.warehouse.database]
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        known = told(shop)
        process.communicate()
    (sentence,) = known.missing
    assert sentence.startswith("Readings, features and scores cannot be read now: ")
    assert f"(process {process.pid})" in sentence
    assert known.scores.empty


def test_what_retention_has_removed_is_named_with_how_long_it_is_kept(shop: Shop) -> None:
    shop.by_models(NOON, {"d1": 0.97})
    with shop.warehouse.transaction() as connection:
        connection.execute("DELETE FROM model_scores")
        connection.execute("DELETE FROM device_features")
    kept = "; retention keeps them for 90 d."
    known = told(shop, now=NOON + 100 * DAY)
    assert [sentence.split(" of d1")[0] for sentence in known.missing] == [
        "There are no windows",
        "There are no scores",
        "There are no readings",
    ]
    assert all(sentence.endswith(kept) for sentence in known.missing)
    assert not any(kept in sentence for sentence in told(shop).missing), "they are not that old"


def test_readings_whose_files_are_gone_are_missed_and_nothing_else(shop: Shop) -> None:
    store_features(shop.warehouse, {"d1": {}})
    shop.by_models(NOON, {"d1": 0.97})
    store_readings(shop, "d1", NOON - MINUTE)
    for path in shop.warehouse.clean_readings_folder().rglob("*.parquet"):
        path.unlink()
    known = told(shop)
    assert [sentence[:28] for sentence in known.missing] == ["The readings cannot be read:"]
    assert len(known.scores) == 1
