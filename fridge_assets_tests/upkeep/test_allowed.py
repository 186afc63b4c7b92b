"""What the readings of a source allow."""

from datetime import timedelta

import pytest

from fridge_assets.settings import Settings
from fridge_assets.upkeep.allowed import allowed

ALL = ("current_compressor", "vibration_compressor", "pressure_low_side", "temperature_evaporator")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def test_with_all_sensors_and_a_month_everything_is_allowed() -> None:
    assert allowed(ALL, 100, MINUTE, 28 * DAY, Settings()) == [
        "acute rules that can fire: compressor_overload, vibration_spike, acute_pressure_loss, total_cooling_loss",
        "isolation_forest, statistical_baseline, autoencoder, dbscan_cohort can train now",
    ]


def test_a_rule_without_its_sensor_or_with_rare_readings_never_fires() -> None:
    said = allowed(ALL[1:], 1, timedelta(minutes=10), DAY, Settings())
    assert said[0] == "acute rules that can fire: vibration_spike"
    assert said[1] == (
        "acute rules that never will: compressor_overload (no current_compressor), acute_pressure_loss "
        "(a reading every 10 min; it needs one every 6 min), total_cooling_loss (a reading every 10 min; it needs one "
        "every 6 min)"
    )


def test_models_say_how_much_more_they_need() -> None:
    said = allowed(ALL, 2, MINUTE, timedelta(hours=1), Settings())
    assert "isolation_forest, statistical_baseline, autoencoder can train after 3 h more of these readings" in said
    assert "dbscan_cohort can train after 15 h more of these readings" in said


@pytest.mark.parametrize(
    ("hours", "when"),
    [(24, "after 8 h more of these readings"), (33, "now"), (48, "after 8 h more of these readings"), (56, "now")],
)
def test_days_are_counted_as_training_counts_them(hours: int, when: str) -> None:
    said = allowed(ALL, 1, MINUTE, timedelta(hours=hours), Settings())
    assert any("dbscan_cohort" in sentence and sentence.endswith(f"can train {when}") for sentence in said)


@pytest.mark.parametrize("interval", [timedelta(minutes=20)])
def test_readings_rarer_than_a_window_train_no_model(interval: timedelta) -> None:
    assert allowed(ALL, 5, interval, 28 * DAY, Settings())[-1] == (
        "no model can train: a reading every 20 min leaves windows of 15 min empty"
    )
