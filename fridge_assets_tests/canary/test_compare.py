"""A comparison from frames to a report: what is unusable, what is said, what is stored (SPEC 1.6, 3.1)."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given as drawn
from hypothesis import settings as run
from hypothesis import strategies as st

from fridge_assets.canary.inputs import canary_scores_frame
from fridge_assets.canary.report import CanaryReport, compare
from fridge_assets.contracts import CANARY_REPORTS, CANARY_SCORES
from fridge_assets.contracts.canary_reports import CANARY_METRICS, CANARY_VERDICTS
from fridge_assets.contracts.validation import validate
from fridge_assets.settings import Settings
from fridge_assets_tests.canary.given import DEVICES, NOW, WINDOW, devices, frame, given, healthy, near

SETTINGS = Settings()
EMPTY = frame([])


def verdict(*arguments: object) -> tuple[str, str]:
    report = compare(given(*arguments), SETTINGS)  # type: ignore[arg-type]
    return report.verdict, report.reason


def broken(value: object, rows: int = 1) -> pd.DataFrame:
    """Healthy scores with ``value`` in place of the first ones."""
    scores: list[object] = healthy().tolist()
    return frame(np.array([value] * rows + scores[rows:], dtype=object))


def test_identical_scores_pass() -> None:
    assert verdict(healthy()) == (
        "pass",
        "All four metrics are within their limits, and so is production's own noise.",
    )


def test_the_same_model_under_another_seed_passes() -> None:
    assert verdict(near(healthy(), seed=5))[0] == "pass"


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (float("nan"), "1 scores that are not numbers"),
        (None, "1 scores that are not numbers"),
        ("high", "1 scores that are not numbers"),
        ([0.5], "1 scores that are not numbers"),
        (float("inf"), "1 scores outside 0…1"),
        (-0.001, "1 scores outside 0…1"),
        (1.001, "1 scores outside 0…1"),
    ],
)
def test_one_score_that_is_none_blocks(value: object, what: str) -> None:
    assert verdict(broken(value)) == ("block", f"The candidate gave {what} among 2,000.")


def test_leaving_out_more_than_one_device_in_a_hundred_blocks() -> None:
    scores = frame(healthy())
    assert verdict(scores.iloc[20:])[0] == "pass"
    assert verdict(scores.iloc[21:]) == (
        "block",
        "The candidate left 21 of 2,000 devices unscored that production scored.",
    )
    assert verdict(EMPTY) == (
        "block",
        "The candidate left 2,000 of 2,000 devices unscored that production scored.",
    )


@pytest.mark.parametrize("lacking", ["device_id", "score"])
def test_a_candidate_frame_without_its_columns_blocks(lacking: str) -> None:
    assert verdict(frame(healthy()).drop(columns=lacking)) == ("block", f"The candidate has no column {lacking}.")


def test_a_device_twice_or_without_a_name_blocks() -> None:
    scores = frame(healthy())
    twice = pd.concat([scores, scores.iloc[:1]])
    assert verdict(twice) == (
        "block",
        "The candidate gave 2 rows of devices that it scored more than once among 2,001.",
    )
    unnamed = scores.assign(device_id=[None, *devices(DEVICES)[1:]])
    assert verdict(unnamed) == ("block", "The candidate gave 1 rows without a device among 2,000.")


def test_devices_that_production_did_not_score_are_not_compared() -> None:
    report = compare(given(healthy(2100, seed=1), healthy(2000)), SETTINGS)
    assert report.devices == 2000


@pytest.mark.parametrize(
    ("production", "twin", "reason"),
    [
        (EMPTY, EMPTY, "There is nothing to hold against: production scored no device."),
        (broken(None), None, "Production cannot be held against: it gave 1 scores that are not numbers among 2,000."),
        (None, EMPTY, "There is no noise floor, production's twin cannot be used: it scored 0 of 2,000 devices."),
        (
            None,
            frame(healthy()).iloc[21:],
            "There is no noise floor, production's twin cannot be used: it scored 1,979 of 2,000 devices.",
        ),
        (
            None,
            broken(2.0),
            "There is no noise floor, production's twin cannot be used: it gave 1 scores outside 0…1 among 2,000.",
        ),
    ],
)  # fmt: skip
def test_without_production_or_its_twin_nothing_is_concluded(
    production: pd.DataFrame | None, twin: pd.DataFrame | None, reason: str
) -> None:
    assert verdict(healthy(), production, twin) == ("inconclusive", reason)


def test_without_a_twin_not_even_a_bad_candidate_is_judged_and_its_figures_are_shown() -> None:
    report = compare(given(1 - healthy(), None, EMPTY), SETTINGS)
    assert report.verdict == "inconclusive"
    assert all(metric.value is not None and metric.noise is None for metric in report.metrics)


def test_fewer_than_200_devices_are_too_few() -> None:
    assert verdict(healthy(200), healthy(200))[0] == "pass"
    assert verdict(healthy(199), healthy(199)) == ("inconclusive", "199 devices were compared, fewer than 200.")
    assert verdict(1 - healthy(199), healthy(199))[0] == "inconclusive"


@run(max_examples=30, deadline=None)
@drawn(st.permutations(range(300)), st.floats(0, 0.3))
def test_the_order_of_rows_changes_nothing(order: list[int], by: float) -> None:
    plain = given(near(healthy(300), by, seed=3), healthy(300))
    shuffled = replace(
        plain,
        candidate=plain.candidate.iloc[order],
        production=plain.production.iloc[order[::-1]],
        twin=plain.twin.sample(frac=1, random_state=order[0]),
    )
    assert compare(shuffled, SETTINGS) == compare(plain, SETTINGS)


@run(max_examples=50, deadline=None)
@drawn(
    st.lists(st.one_of(st.floats(), st.none(), st.text(max_size=3)), max_size=260),
    st.sampled_from(["candidate", "production", "twin"]),
)
def test_whatever_a_model_says_is_a_report_and_no_number_never_passes(values: list[object], role: str) -> None:
    scores = given(healthy(260), healthy(260))
    padded = [*values, *healthy(260).tolist()[len(values) :]]
    report = compare(replace(scores, **{role: frame(np.array(padded, dtype=object))}), SETTINGS)
    assert report.verdict in CANARY_VERDICTS
    if any(not isinstance(value, float) or not 0 <= value <= 1 for value in values):
        assert report.verdict == ("block" if role == "candidate" else "inconclusive")
    assert validate(CANARY_REPORTS, report.to_row()).violations == ()


@pytest.mark.parametrize(
    "candidate", [healthy(), 1 - healthy(), EMPTY, broken(None)], ids=["good", "inverted", "empty", "null"]
)
def test_every_report_is_a_row_that_keeps_its_contract(candidate: pd.DataFrame) -> None:
    report = compare(given(candidate), SETTINGS)
    row = report.to_row()
    assert validate(CANARY_REPORTS, row).violations == ()
    assert row.columns.tolist() == list(CANARY_REPORTS.column_names)
    assert row["verdict"].tolist() == [report.verdict]
    for name in CANARY_METRICS:
        assert row[name].isna().tolist() == [next(m.value for m in report.metrics if m.name == name) is None]


def test_the_row_names_who_entered_and_left_the_highest_and_when() -> None:
    ascending = np.linspace(0, 0.5, 1000)
    candidate = ascending.copy()
    candidate[[7, 3]] = 0.8, 0.9
    row = compare(given(candidate, ascending, ascending), SETTINGS).to_row().iloc[0]
    assert list(row["entered_top"]) == ["device-00003", "device-00007"]
    assert list(row["left_top"]) == ["device-00901", "device-00900"]
    assert (row["window_end"], row["created_at"]) == (pd.Timestamp(WINDOW), pd.Timestamp(NOW))


def test_alerts_are_predicted_by_the_marks_they_exceed() -> None:
    production = np.full(1000, 0.1)
    production[:6] = 0.60, 0.61, 0.70, 0.71, 0.86, 0.96
    outlook = compare(given(production, production), SETTINGS).production
    assert outlook is not None
    assert outlook.alerts_per_day == {"LOW": 48.0, "MEDIUM": 24.0, "HIGH": 24.0, "CRITICAL": 24.0}
    assert outlook.flagged == 0.005


def test_the_same_comparison_has_the_same_identity_and_another_window_another() -> None:
    first, again = (compare(given(near(healthy(), seed=seed)), SETTINGS).report_id for seed in (1, 2))
    other = compare(given(healthy(), window_end=NOW), SETTINGS).report_id
    assert first == again != other


def test_scores_are_stored_where_both_gave_one() -> None:
    candidate = frame([0.7, float("nan"), 0.2, 0.6, 1.5])
    stored = canary_scores_frame(given(candidate, frame([0.5, 0.5, 0.61, 0.6, 0.5])))
    assert validate(CANARY_SCORES, stored).violations == ()
    assert stored["device_id"].tolist() == ["device-00000", "device-00002", "device-00003"]
    assert stored["score_diff"].tolist() == pytest.approx([0.2, -0.41, 0.0])
    assert stored["candidate_flag"].tolist() == [True, False, False]
    assert stored["production_flag"].tolist() == [False, True, False]
    assert canary_scores_frame(given(EMPTY)).empty


def test_the_table_has_a_line_a_metric_with_value_noise_limit_and_verdict() -> None:
    report: CanaryReport = compare(given(1 - healthy()), SETTINGS)
    lines = report.markdown().splitlines()
    assert lines[0] == "| metric | value | noise floor | limit | verdict |"
    assert lines[4] == "| overlap of the highest devices | 0% | 100% | 80% | review |"
    assert lines[6:] == ["", "MEDIUM or higher a day: 43,200 by the candidate, 96 by production; the budget is 144."]
    refused = compare(given(EMPTY), SETTINGS).markdown().splitlines()
    assert refused[2] == "| mean score difference | – | – | – | inconclusive |"
