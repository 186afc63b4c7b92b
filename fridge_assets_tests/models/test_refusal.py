"""A refusal to train names the limit that bound, what each limit cost, and the setting that changes it."""

import pandas as pd
import pytest

from fridge_assets.models.refusal import count_candidates, too_few
from fridge_assets.models.selection import select_training_rows
from fridge_assets.settings import Settings, TrainingSettings
from fridge_assets_tests.models.synthetic import NOW, feature_rows
from fridge_assets_tests.models.test_selection import devices_of, table


def refusal(rows: pd.DataFrame, settings: Settings, excluded: pd.DataFrame | None = None) -> str:
    """What is said when too few of ``rows`` can be learned from."""
    connection, devices = table(rows), devices_of(rows)
    selected = select_training_rows(connection, devices, NOW, settings, "window", excluded)
    assert len(selected) < settings.training.min_rows
    found = count_candidates(connection, devices, NOW, settings, excluded)
    return str(too_few(len(selected), found, "window", settings))


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return feature_rows(devices=1, windows=40)


def test_windows_that_each_limit_cost_are_counted_and_the_dearest_setting_is_named(rows: pd.DataFrame) -> None:
    poor = rows.copy()
    poor.loc[:19, "own_completeness"] = 0.5
    poor.loc[15:24, "reading_count"] = 5
    poor.loc[30:32, "quality_flag_count"] = 9
    said = refusal(poor, Settings())
    assert said.startswith(
        "12 usable windows, and training needs 32 (FRIDGE_TRAINING__MIN_ROWS); of 40 windows in 28 d"
    )
    assert (
        "20 have less than 70% of the values of the sensors that their device has (FRIDGE_TRAINING__MIN_COMPL" in said
    )
    assert (
        "10 have less than 60% of the readings that the interval of their device lets expect (FRIDGE_TRAINING__" in said
    )
    assert "3 have more than 0.34 quality flags per reading (FRIDGE_TRAINING__MAX_FLAGGED_SHARE)" in said
    assert said.endswith("or lower FRIDGE_TRAINING__MIN_COMPLETENESS, which cost the most.")
    assert select_training_rows(
        table(poor), devices_of(poor), NOW, Settings(training=TrainingSettings(min_completeness=0.5)), "window"
    ).shape[0] == 12 + 15  # fmt: skip


def test_too_short_a_history_names_what_is_missing_and_no_limit(rows: pd.DataFrame) -> None:
    said = refusal(rows[:12], Settings())
    assert "of 12 windows in 28 d 12 keep every limit" in said
    assert said.endswith("Bring a longer history: 20 more, which one device has in 5 h.")


def test_how_long_a_history_is_missing_depends_on_the_interval() -> None:
    hourly = feature_rows(devices=1, windows=80).iloc[::4].assign(reading_count=1).reset_index(drop=True)
    assert refusal(hourly, Settings()).endswith("12 more, which one device has in 12 h.")


def test_windows_that_people_or_scores_exclude_are_counted_apart(rows: pd.DataFrame) -> None:
    excluded = rows.loc[:29, ["device_id", "window_end"]]
    said = refusal(rows, Settings(), excluded)
    assert "of 10 windows in 28 d 10 keep every limit: 30 more were flagged before, follow maintenance" in said


def test_no_window_at_all_is_said_as_that(rows: pd.DataFrame) -> None:
    nobody = rows.assign(window_end=rows["window_end"] + pd.Timedelta(days=900))
    assert refusal(nobody, Settings()).startswith("0 usable windows, and training needs 32")
