"""Publishing: whatever models succeeded goes into ``model_scores``, and nothing else (SPEC 2)."""

from datetime import timedelta

import pandas as pd

from fridge_assets.models.families import HOURLY_FAMILIES
from fridge_assets.scoring.publish import latest_scored_window, publish_scores
from fridge_assets.scoring.score import scores_table
from fridge_assets_tests.scenarios.contents import contents
from fridge_assets_tests.scenarios.small_fleet import DEVICES, Place
from fridge_assets_tests.scoring.inputs import WINDOW, change

FOREST, BASELINE = HOURLY_FAMILIES


def pending_again(place: Place, where: str = "true") -> None:
    change(place, f"UPDATE score_runs SET published = false WHERE {where}")


def test_every_pending_window_of_every_family_is_published_and_then_pending_no_more(cycled: Place) -> None:
    change(cycled, "DELETE FROM model_scores")
    pending_again(cycled)
    report = publish_scores(cycled.warehouse)
    assert report.rows == 2 * DEVICES
    assert report.published["family"].tolist() == [FOREST, BASELINE]
    for family in HOURLY_FAMILIES:
        both = f"(SELECT * FROM {scores_table(family)}) EXCEPT (SELECT * FROM model_scores)"
        assert cycled.query(f"SELECT count(*) FROM ({both})") == [(0,)]
    assert cycled.query("SELECT count(*) FROM model_scores") == [(2 * DEVICES,)]
    assert cycled.query("SELECT count(*) FROM score_runs WHERE NOT published") == [(0,)]


def test_publishing_when_nothing_is_pending_changes_nothing(cycled: Place) -> None:
    before = contents(cycled)
    assert publish_scores(cycled.warehouse).rows == 0
    assert contents(cycled) == before


def test_publishing_again_changes_no_row(cycled: Place) -> None:
    before = contents(cycled)
    pending_again(cycled)
    assert publish_scores(cycled.warehouse).rows == 2 * DEVICES
    assert contents(cycled) == before


def test_a_family_that_never_scored_does_not_keep_the_other_back(cycled: Place) -> None:
    change(cycled, "DELETE FROM model_scores")
    change(cycled, f"DELETE FROM score_runs WHERE family = '{FOREST}'")
    change(cycled, f"DROP TABLE {scores_table(FOREST)}")
    pending_again(cycled)
    assert publish_scores(cycled.warehouse).rows == DEVICES
    assert cycled.query("SELECT DISTINCT model_id LIKE 'statistical_baseline\\_v%' ESCAPE '\\' FROM model_scores") == [
        (True,)
    ]


def test_a_pending_family_leaves_the_rows_of_the_other_and_of_other_windows_alone(cycled: Place) -> None:
    pending_again(cycled, f"family = '{BASELINE}'")
    change(cycled, f"UPDATE model_scores SET anomaly_score = 0.125 WHERE model_id LIKE '{FOREST}%'")
    change(
        cycled,
        "INSERT INTO model_scores SELECT * REPLACE (window_end - INTERVAL 1 DAY AS window_end) FROM model_scores",
    )
    publish_scores(cycled.warehouse)
    assert cycled.query("SELECT count(*) FROM model_scores WHERE anomaly_score = 0.125") == [(2 * DEVICES,)]
    assert cycled.query("SELECT count(*) FROM model_scores") == [(4 * DEVICES,)]


def test_rows_that_a_family_withdrew_or_changed_are_replaced(cycled: Place) -> None:
    table = scores_table(BASELINE)
    change(cycled, f"UPDATE {table} SET anomaly_score = 0.25, model_version = '1.1.0'")
    change(cycled, f"DELETE FROM {table} WHERE device_id = (SELECT min(device_id) FROM {table})")
    pending_again(cycled, f"family = '{BASELINE}'")
    assert publish_scores(cycled.warehouse).rows == DEVICES - 1
    stored = cycled.query(
        "SELECT count(*), min(anomaly_score), max(anomaly_score), min(model_version) FROM model_scores "
        f"WHERE model_id LIKE '{BASELINE}%'"
    )
    assert stored == [(DEVICES - 1, 0.25, 0.25, "1.1.0")]


def test_a_new_major_version_replaces_the_rows_of_the_old_one(cycled: Place) -> None:
    table = scores_table(BASELINE)
    change(cycled, f"UPDATE {table} SET model_id = 'statistical_baseline_v9'")
    change(
        cycled,
        f"UPDATE score_runs SET model_id = 'statistical_baseline_v9', published = false WHERE family = '{BASELINE}'",
    )
    publish_scores(cycled.warehouse)
    rows = cycled.query("SELECT model_id, count(*) FROM model_scores GROUP BY 1 ORDER BY 1")
    assert rows == [(rows[0][0], DEVICES), ("statistical_baseline_v9", DEVICES)]


def test_the_latest_scored_window_is_the_newest_that_has_ended(cycled: Place) -> None:
    with cycled.warehouse.read() as connection:
        assert latest_scored_window(connection, WINDOW) == pd.Timestamp(WINDOW)
        assert latest_scored_window(connection, WINDOW - timedelta(seconds=1)) is None
