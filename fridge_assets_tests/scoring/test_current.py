"""What counts now: this window's scores, and a daily model's latest ones while they are young enough (SPEC 6)."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from fridge_assets.contracts import MODEL_SCORES
from fridge_assets.scoring.current import current_scores
from fridge_assets.settings import Settings
from fridge_assets.stores.frames import registered
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.scoring.stored import store_scores

NOW = datetime(2026, 3, 10, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)


def current(warehouse: Warehouse, settings: Settings, *rows: tuple[str, str, datetime, float]) -> pd.DataFrame:
    """What counts for NOW when these rows (device, model, window, score) are stored."""
    scores = MODEL_SCORES.sample(len(rows))
    scores["device_id"], scores["model_id"], scores["window_end"], scores["anomaly_score"] = zip(*rows, strict=True)
    scores["window_start"] = scores["window_end"] - settings.features.window
    with warehouse.transaction() as connection, registered(connection, scores=scores):
        columns = ", ".join(MODEL_SCORES.column_names)
        connection.execute(f"INSERT INTO model_scores ({columns}) SELECT {columns} FROM scores")
    with warehouse.read() as connection:
        return current_scores(connection, NOW, settings)


def test_scores_say_how_little_a_provisional_version_has_seen(warehouse: Warehouse, settings: Settings) -> None:
    store_scores(warehouse, "isolation_forest", NOW, np.array([0.1, 0.2]))
    store_scores(warehouse, "statistical_baseline", NOW, np.array([0.1, 0.2]))
    with warehouse.transaction() as connection:
        connection.execute(
            "UPDATE score_runs SET provisional = 'trained on 3 d of 3 devices' WHERE family = 'isolation_forest'"
        )
        connection.execute("INSERT INTO model_scores BY NAME FROM isolation_forest_scores")
        connection.execute("INSERT INTO model_scores BY NAME FROM statistical_baseline_scores")
    with warehouse.read() as connection:
        found = current_scores(connection, NOW, settings)
    assert found.groupby("model_id")["provisional"].unique().map(list).to_dict() == {
        "isolation_forest_v1": ["trained on 3 d of 3 devices"],
        "statistical_baseline_v1": [""],
    }


def test_daily_scores_count_until_they_are_26_hours_old(warehouse: Warehouse, settings: Settings) -> None:
    found = current(
        warehouse,
        settings,
        ("d1", "isolation_forest_v1", NOW, 0.1),
        ("d1", "autoencoder_v1", NOW - 25 * HOUR, 0.7),
        ("d2", "isolation_forest_v1", NOW, 0.2),
        ("d2", "autoencoder_v1", NOW - 26 * HOUR, 0.8),
    )
    assert sorted(found["anomaly_score"]) == [0.1, 0.2, 0.7]
    carried = found[found["carried_from"].notna()].iloc[0]
    assert (carried["model_id"], carried["carried_from"]) == ("autoencoder_v1", NOW - 25 * HOUR)
    assert set(found["window_end"]) == {pd.Timestamp(NOW)}
    assert set(found["window_start"]) == {pd.Timestamp(NOW - settings.features.window)}


def test_only_the_newest_word_of_a_daily_model_counts(warehouse: Warehouse, settings: Settings) -> None:
    found = current(
        warehouse,
        settings,
        ("d1", "autoencoder_v1", NOW - 24 * HOUR, 0.9),
        ("d1", "autoencoder_v2", NOW - HOUR, 0.3),
        ("d2", "dbscan_cohort_v1", NOW - HOUR, 0.8),
        ("d2", "dbscan_cohort_v1", NOW, 0.2),
    )
    assert sorted(found["anomaly_score"]) == [0.2, 0.3]


def test_an_hourly_model_that_missed_the_window_is_believed_for_two_hours(
    warehouse: Warehouse, settings: Settings
) -> None:
    found = current(
        warehouse,
        settings,
        ("d1", "isolation_forest_v1", NOW - HOUR, 0.9),
        ("d1", "statistical_baseline_v1", NOW, 0.4),
        ("d2", "isolation_forest_v1", NOW - 2 * HOUR, 0.8),
    )
    assert sorted(found["anomaly_score"]) == [0.4, 0.9]
    assert found.loc[found["anomaly_score"] == 0.9, "carried_from"].tolist() == [pd.Timestamp(NOW - HOUR)]


def test_a_device_that_an_hourly_model_left_out_has_no_earlier_score_of_it(
    warehouse: Warehouse, settings: Settings
) -> None:
    found = current(
        warehouse,
        settings,
        ("silent", "isolation_forest_v1", NOW - HOUR, 0.9),
        ("d2", "isolation_forest_v1", NOW, 0.4),
    )
    assert found["device_id"].tolist() == ["d2"]


def test_a_paused_family_does_not_count(warehouse: Warehouse, settings: Settings) -> None:
    current(warehouse, settings, ("d1", "isolation_forest_v1", NOW, 0.9), ("d1", "autoencoder_v1", NOW - HOUR, 0.8))
    with warehouse.read() as connection:
        found = current_scores(connection, NOW, settings, paused={"isolation_forest"})
    assert found["model_id"].tolist() == ["autoencoder_v1"]
