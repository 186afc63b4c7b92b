"""Devices that send a reading an hour, minutes after it, are served as any other: scored, told of, counted (SPEC 2)."""

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from fridge_assets.canary.run import Pair, compare_pairs
from fridge_assets.contracts import DEVICE_STATUS
from fridge_assets.incidents.observing.inputs import read_alert_inputs
from fridge_assets.models.exclusions import flagged_windows
from fridge_assets.models.families import HOURLY_FAMILIES
from fridge_assets.monitoring.agreement import agreements
from fridge_assets.monitoring.inputs import newest_windows
from fridge_assets.staleness.fallback import judge_by_rules
from fridge_assets_tests.cli.typed import typed
from fridge_assets_tests.incidents.observing.stored import stored_alerts
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.small_fleet import DEVICES, Place, copy_of, cycle_time, graph_of, hour
from fridge_assets_tests.scoring.inputs import change, fleet_of, model_input

WINDOW = hour(FIRST_HOUR)
OWN = WINDOW - timedelta(minutes=15)
"""End of the window that holds the hour's reading."""
NOW = cycle_time(FIRST_HOUR)


def seldom_senders(place: Place) -> list[str]:
    """A device whose bearings knock, and a healthy one."""
    faulty = pd.read_parquet(place.root / "ground_truth.parquet")["device_id"].min()
    return [faulty, next(device for device in fleet_of(place)["device_id"] if device != faulty)]


def send_seldom(place: Place, devices: list[str]) -> None:
    """Keep of what ``devices`` have sent, and will, the reading of 37 minutes past each hour."""
    change(place, "DELETE FROM device_features WHERE list_contains(?, device_id) AND minute(window_end) <> 45", devices)
    change(place, "UPDATE device_features SET reading_count = 1 WHERE list_contains(?, device_id)", devices)
    for file in (place.root / "later").iterdir():
        rows = pd.read_parquet(file)
        # So hard that one reading an hour, after half a day of history, leaves no doubt.
        rows.loc[rows["device_id"] == devices[0], "vibration_compressor"] *= 3
        rows[~rows["device_id"].isin(devices) | (rows["timestamp_device"].dt.minute == 37)].to_parquet(file)


@pytest.fixture(scope="module")
def place(trained_template: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The small fleet with two such devices, after an hourly cycle."""
    place = copy_of(trained_template, tmp_path_factory.mktemp("seldom") / "data")
    send_seldom(place, seldom_senders(place))
    place.deliver(FIRST_HOUR)
    assert place.run_hourly(FIRST_HOUR).success
    return place


def test_they_are_scored_by_the_window_of_their_last_reading(place: Place) -> None:
    devices = seldom_senders(place)
    rows = model_input(place, window=WINDOW).rows.set_index("device_id")
    assert (rows.loc[devices, "window_end"] == OWN).all()
    assert (rows.loc[devices, "reading_count"] == 1).all()
    assert (rows["window_end"].drop(devices) == WINDOW).all()


def test_their_scores_are_of_the_runs_window_and_every_device_counts_as_scored(place: Place) -> None:
    scored = place.query("SELECT window_end, count(*) FROM model_scores GROUP BY ALL")
    assert scored == [(WINDOW, len(HOURLY_FAMILIES) * DEVICES)]
    runs = place.query("SELECT rows, active_devices, left_out FROM score_runs")
    assert runs == [(DEVICES, DEVICES, "")] * len(HOURLY_FAMILIES)
    with place.warehouse.read() as connection:
        newest = newest_windows(connection, NOW, place.settings.staleness)
        compared = agreements(connection, newest, place.settings.staleness)
    assert [one.devices for one in compared] == [DEVICES]


def test_their_status_is_as_fresh_as_any_and_shows_the_score(place: Place) -> None:
    status = place.published.read(DEVICE_STATUS)
    assert status is not None
    shown = status.set_index("device_id").loc[seldom_senders(place)]
    assert (shown["score_status"] == "fresh").all()
    assert shown["latest_anomaly_score"].notna().all()
    assert shown["health_status"].iloc[0] in ("warning", "critical")


def test_an_alert_tells_what_was_measured_and_when(place: Place) -> None:
    faulty, _ = seldom_senders(place)
    alert = stored_alerts(place.operations).set_index("device_id").loc[faulty]
    assert "between 06:30 and 06:45 UTC" in alert["description"]
    assert alert["window_end"] == WINDOW
    with place.warehouse.read() as connection:
        given = read_alert_inputs(connection, WINDOW, fleet_of(place), place.settings)
    own = given.features.set_index("device_id").loc[faulty]
    usual = given.typical.set_index("device_id").loc[faulty]
    assert own["window_end"] == OWN
    assert own["vibration_compressor_mean"] > 2 * usual["vibration_compressor_mean"]


def test_a_model_does_not_learn_from_the_window_that_was_flagged(place: Place) -> None:
    faulty, _ = seldom_senders(place)
    spans = pd.DataFrame(columns=["device_id", "since", "until", "what"])
    with place.warehouse.read() as connection:
        found = flagged_windows(connection, "statistical_baseline", spans, NOW, place.settings)
    assert set(found.loc[found["device_id"] == faulty, "window_end"]) <= {OWN}


def test_both_versions_of_a_canary_score_them(place: Place) -> None:
    pair = Pair("statistical_baseline", "1.0.0", "1.0.0", "new release")
    spans = pd.DataFrame(columns=["device_id", "since", "until", "what"])
    (found,) = compare_pairs([pair], place.models, place.warehouse, fleet_of(place), spans, NOW, NOW, place.settings)
    assert set(seldom_senders(place)) <= set(found.scores["device_id"])
    assert (found.scores["window_end"] == WINDOW).all()


def test_the_rules_judge_them_when_they_stand_in_for_the_models(place: Place, tmp_path: Path) -> None:
    copy = copy_of(place, tmp_path / "data")
    report = judge_by_rules(copy.warehouse, fleet_of(copy), NOW, copy.settings)
    assert set(seldom_senders(place)) <= set(report.rows["device_id"])
    assert (report.rows["window_end"] == WINDOW).all()


def test_a_replay_of_the_hour_scores_them_alike(place: Place, tmp_path: Path) -> None:
    kept = tmp_path / "replay"
    moment = WINDOW.isoformat()
    with graph_of(place.settings):
        code, _, error = typed(place.root, "replay", "--from", moment, "--to", moment, "--keep", str(kept))
    assert (code, error) == (0, "")
    again = Place(place.settings.model_copy(update={"data_dir": kept}))
    scores = "SELECT score_id, anomaly_score FROM model_scores"
    assert set(again.query(scores)) >= set(place.query(scores))  # it begins with all four models
