"""One model's scores of one window, and how they replace what it said before (SPEC 1.5, 2)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from fridge_assets.contracts import MODEL_SCORES
from fridge_assets.contracts.validation import ContractViolation
from fridge_assets.core.errors import FridgeError
from fridge_assets.models.families import FAMILIES
from fridge_assets.models.imputation import Imputer
from fridge_assets.scoring.plots import score_histogram
from fridge_assets.scoring.score import (
    NothingScored,
    ScoreReport,
    choose_devices,
    commit_scores,
    score_window,
    scores_table,
)
from fridge_assets_tests.scenarios.contents import contents
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.small_fleet import DEVICES, Place, cycle_time
from fridge_assets_tests.scoring.inputs import WINDOW, change, fleet_of, model_input

NOW = cycle_time(FIRST_HOUR)
BASELINE = "statistical_baseline"


def score(
    place: Place, family: str = BASELINE, devices: pd.DataFrame | None = None, now: datetime = NOW
) -> ScoreReport:
    version = place.models.registry.load(place.models.require_serving(family))
    return score_window(version, model_input(place, devices), now, place.settings)


@pytest.fixture(scope="module")
def template_report(cycled_template: Place) -> ScoreReport:
    return score(cycled_template)


@pytest.fixture
def report(template_report: ScoreReport) -> ScoreReport:
    """Scores that may be doctored."""
    return replace(template_report, scores=template_report.scores.copy())


def test_scores_have_exactly_the_columns_of_their_contract(template_report: ScoreReport) -> None:
    assert tuple(template_report.scores.columns) == MODEL_SCORES.column_names
    assert template_report.coverage == 1.0
    assert len(template_report.scores) == DEVICES
    assert template_report.scores["anomaly_score"].between(0, 1).all()
    assert (template_report.scores["scored_at"] == NOW).all()


def test_only_scores_above_the_threshold_are_flagged_and_explained(
    template_report: ScoreReport,
) -> None:
    scores = template_report.scores
    assert (scores["anomaly_flag"] == (scores["anomaly_score"] > scores["threshold_used"])).all()
    assert 0 < template_report.flagged < DEVICES
    named = scores["top_contributors"].map(len)
    assert named[scores["anomaly_flag"]].between(1, 5).all()
    assert (named[~scores["anomaly_flag"]] == 0).all()
    assert (scores["contributor_scores"].map(len) == named).all()


def test_the_same_input_gives_the_same_ids_and_scores_bit_by_bit(
    template_report: ScoreReport, cycled_template: Place
) -> None:
    again = score(cycled_template)
    pd.testing.assert_frame_equal(again.scores, template_report.scores, check_exact=True)
    assert again.scores["score_id"].is_unique


@pytest.mark.parametrize("family", FAMILIES)
def test_a_score_does_not_depend_on_who_else_is_in_the_batch(cycled_template: Place, family: str) -> None:
    everybody = score(cycled_template, family).scores.set_index("device_id")
    alone = [score(cycled_template, family, fleet_of(cycled_template).iloc[[n]]).scores for n in (0, 7, DEVICES - 1)]
    for row in pd.concat(alone).itertuples():
        assert row.anomaly_score == everybody.loc[row.device_id, "anomaly_score"]
        assert row.score_id == everybody.loc[row.device_id, "score_id"]


def test_a_device_with_a_null_that_nothing_can_replace_is_left_out_and_counted(cycled: Place) -> None:
    silent_sensor = fleet_of(cycled)["device_id"].iloc[0]
    change(cycled, "UPDATE device_features SET humidity_mean = NULL WHERE device_id = ?", silent_sensor)
    version = cycled.models.registry.load(cycled.models.require_serving("isolation_forest"))
    medians = version.imputer.medians
    unknown = replace(
        medians,
        cohorts=medians.cohorts.assign(humidity_mean=np.nan),
        fleet=np.where(np.array(medians.features) == "humidity_mean", np.nan, medians.fleet),
    )
    given = model_input(cycled)
    helped = score_window(version, given, NOW, cycled.settings)
    assert helped.left_out == {}
    helpless = score_window(replace(version, imputer=Imputer(unknown)), given, NOW, cycled.settings)
    assert helpless.left_out == {"a feature that nothing could stand in for": 1}
    assert silent_sensor not in helpless.scores["device_id"].tolist()
    others = helped.scores[helped.scores["device_id"] != silent_sensor]
    assert helpless.scores["anomaly_score"].tolist() == others["anomaly_score"].tolist()


def test_who_was_left_out_is_counted_by_reason_and_lowers_the_coverage(cycled: Place) -> None:
    silent = fleet_of(cycled)["device_id"].iloc[0]
    change(cycled, "DELETE FROM device_features WHERE device_id = ? AND window_end = ?", silent, WINDOW)
    report = score(cycled)
    assert report.left_out == {"no readings in the window": 1}
    assert report.coverage == (DEVICES - 1) / DEVICES


def test_wanted_devices_are_chosen_and_unknown_or_retired_ones_refused(cycled_template: Place) -> None:
    active = fleet_of(cycled_template)
    assert choose_devices(active, []) is active
    wanted = active["device_id"].iloc[[5, 2]].tolist()
    assert choose_devices(active, wanted)["device_id"].tolist() == sorted(wanted)
    with pytest.raises(FridgeError, match=r"^nobody is not among the 24 active devices\. Check the spelling"):
        choose_devices(active, [wanted[0], "nobody"])
    with pytest.raises(FridgeError, match=r"^a, b are not among"):
        choose_devices(active, ["b", "a"])


Doctoring = Callable[[pd.DataFrame], pd.DataFrame]

BROKEN: dict[str, Doctoring] = {
    "NaN": lambda rows: rows.assign(anomaly_score=rows["anomaly_score"].mask(rows.index == 3, np.nan)),
    "above 1": lambda rows: rows.assign(anomaly_score=rows["anomaly_score"].mask(rows.index == 3, 1.0001)),
    "below 0": lambda rows: rows.assign(anomaly_score=rows["anomaly_score"].mask(rows.index == 3, -0.0001)),
    "null model": lambda rows: rows.assign(model_id=rows["model_id"].mask(rows.index == 3)),
    "repeated device": lambda rows: pd.concat([rows, rows.iloc[[3]]], ignore_index=True),
    "six contributors": lambda rows: rows.assign(top_contributors=[["a"] * 6] * len(rows)),
    "unknown granularity": lambda rows: rows.assign(granularity="galaxy"),
    "missing column": lambda rows: rows.drop(columns="threshold_used"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_of_scores_that_break_their_contract_nothing_is_written(
    cycled_template: Place, report: ScoreReport, broken: str
) -> None:
    before = contents(cycled_template)
    doctored = replace(report, scores=BROKEN[broken](report.scores))
    with pytest.raises(ContractViolation, match="model_scores breaks its contract"):
        commit_scores(cycled_template.warehouse, [doctored], "run", whole_window=True)
    assert contents(cycled_template) == before


def test_nothing_scored_is_an_error_that_says_why_and_writes_nothing(
    cycled_template: Place, report: ScoreReport
) -> None:
    before = contents(cycled_template)
    nobody = replace(report, scores=report.scores.head(0), left_out={"no readings in the window": 24})
    with pytest.raises(NothingScored, match=r"none of 24 active devices.*: 24 with no readings in the window"):
        commit_scores(cycled_template.warehouse, [nobody], "run", whole_window=True)
    assert contents(cycled_template) == before


def test_the_same_scores_again_keep_their_scored_at(cycled: Place) -> None:
    before = contents(cycled)
    later = score(cycled, now=NOW + timedelta(hours=5))
    assert not commit_scores(cycled.warehouse, [later], "another run", whole_window=True)
    assert contents(cycled) == before


def test_other_scores_replace_the_whole_window_and_the_run_is_recorded(cycled: Place, report: ScoreReport) -> None:
    later = NOW + timedelta(minutes=30)
    fewer = report.scores.head(20).assign(scored_at=pd.Timestamp(later), model_version="1.7.0")
    changed = replace(report, scores=fewer, model_version="1.7.0", left_out={"no readings in the window": 4})
    assert commit_scores(cycled.warehouse, [changed], "run-2", whole_window=True)
    table = scores_table(BASELINE)
    assert cycled.query(f"SELECT count(*), min(model_version), max(model_version) FROM {table}") == [
        (20, "1.7.0", "1.7.0")
    ]
    runs = cycled.query(
        "SELECT model_version, window_end, scored_at, rows, flagged, active_devices, left_out, published "
        "FROM score_runs WHERE run_id = 'run-2'"
    )
    expected = ("1.7.0", WINDOW, later, 20, changed.flagged, 24, "4 no readings in the window", False)
    assert [tuple(v.astimezone(UTC) if isinstance(v, datetime) else v for v in run) for run in runs] == [expected]


def test_scores_of_some_devices_replace_only_their_rows(cycled: Place, report: ScoreReport) -> None:
    chosen = report.scores.iloc[[2, 4]].assign(anomaly_score=[0.5, 0.25], anomaly_flag=False)
    chosen["top_contributors"], chosen["contributor_scores"] = [[], []], [[], []]
    others = report.scores.drop(index=[2, 4])["anomaly_score"].tolist()
    assert commit_scores(cycled.warehouse, [replace(report, scores=chosen)], "run", whole_window=False)
    ids = "', '".join(chosen["device_id"])
    stored = "SELECT anomaly_score FROM statistical_baseline_scores WHERE device_id"
    assert cycled.query(f"{stored} IN ('{ids}') ORDER BY device_id") == [(0.5,), (0.25,)]
    assert [row[0] for row in cycled.query(f"{stored} NOT IN ('{ids}') ORDER BY device_id")] == others


def test_another_window_stays_when_one_is_replaced(cycled: Place, report: ScoreReport) -> None:
    earlier = report.window_end - timedelta(minutes=15)
    moved = report.scores.assign(window_start=lambda r: r["window_start"] - timedelta(minutes=15), window_end=earlier)
    commit_scores(cycled.warehouse, [replace(report, scores=moved, window_end=earlier)], "run", whole_window=True)
    assert cycled.query(f"SELECT count(*) FROM {scores_table(BASELINE)} GROUP BY window_end") == [(24,), (24,)]


def test_a_feature_that_the_data_lack_fails_loudly_and_names_it(cycled_template: Place) -> None:
    version = cycled_template.models.registry.load(cycled_template.models.require_serving(BASELINE))
    given = model_input(cycled_template)
    lacking = replace(given, rows=given.rows.drop(columns="humidity_mean"))
    with pytest.raises(FridgeError, match="humidity_mean"):
        score_window(version, lacking, NOW, cycled_template.settings)


def test_the_histogram_is_a_png() -> None:
    for scores in ([0.1, 0.2, 0.9], [0.1, 0.2], [0.9]):
        assert score_histogram(pd.Series(scores), 0.6, "title").startswith(b"\x89PNG")


def test_an_operating_state_that_training_never_saw_is_said_to_be_unknown_and_wakes_nobody(
    template_report: ScoreReport, cycled_template: Place
) -> None:
    version = cycled_template.models.registry.load(cycled_template.models.require_serving(BASELINE))
    assert version.metadata.operating_states is not None
    assert "standstill" not in version.metadata.operating_states
    assert version.metadata.states_of_cohorts is not None
    given = model_input(cycled_template)
    strange = template_report.scores["anomaly_score"].nlargest(3).index
    states = given.rows["operating_state"].astype(object).copy()
    states[strange] = ["standstill", "unknown", None]
    changed = replace(given, rows=given.rows.assign(operating_state=states))
    report = score_window(version, changed, NOW, cycled_template.settings)
    before, after = (r.scores.loc[strange] for r in (template_report, report))
    assert before["anomaly_score"].iloc[0] > 0.70
    assert after["anomaly_score"].iloc[0] == 0.70
    assert not any("operating_state" in named for named in after["top_contributors"].iloc[1:])
    assert after["anomaly_flag"].iloc[0]
    assert after["top_contributors"].iloc[0][0] == "operating_state"
    assert len(after["top_contributors"].iloc[0]) <= 5
    assert "operating_state" not in set(report.comparisons["feature"])
    nothing = {"operating_states": None, "cohorts": None, "states_of_cohorts": None}
    earlier = replace(version, metadata=version.metadata.model_copy(update=nothing))
    uncapped = score_window(earlier, changed, NOW, cycled_template.settings)
    assert uncapped.scores["anomaly_score"][strange[0]] > 0.70


def test_a_state_that_only_other_cohorts_have_shown_is_unknown_too(
    template_report: ScoreReport, cycled_template: Place
) -> None:
    version = cycled_template.models.registry.load(cycled_template.models.require_serving(BASELINE))
    strange = template_report.scores["anomaly_score"].idxmax()
    given = model_input(cycled_template)
    own, state = given.rows.loc[strange, ["cohort", "operating_state"]]
    assert version.metadata.states_of_cohorts is not None
    others = {name: states for name, states in version.metadata.states_of_cohorts.items() if name != own}
    metadata = version.metadata.model_copy(update={"states_of_cohorts": {**others, own: ()}})
    report = score_window(replace(version, metadata=metadata), given, NOW, cycled_template.settings)
    assert state in metadata.operating_states
    assert report.scores["anomaly_score"][strange] == 0.70
    assert report.scores["top_contributors"][strange][0] == "operating_state"
    of_others = (given.rows["cohort"] != own).to_numpy()
    assert report.scores["anomaly_score"][of_others].equals(template_report.scores["anomaly_score"][of_others])


def test_a_device_of_a_cohort_that_training_never_saw_is_said_to_be_unknown_and_wakes_nobody(
    template_report: ScoreReport, cycled_template: Place
) -> None:
    version = cycled_template.models.registry.load(cycled_template.models.require_serving(BASELINE))
    version = replace(
        version, calibration=replace(version.calibration, overall=version.calibration.overall.unlimited, states={})
    )
    given = model_input(cycled_template)
    strange = template_report.scores["anomaly_score"].idxmax()
    cohorts = given.rows["cohort"].astype(object).copy()
    cohorts[strange] = "a new model|zone"
    new = score_window(version, replace(given, rows=given.rows.assign(cohort=cohorts)), NOW, cycled_template.settings)
    known = score_window(version, given, NOW, cycled_template.settings)
    assert known.scores["anomaly_score"][strange] > 0.70
    assert new.scores["anomaly_score"][strange] == 0.70
    assert new.scores["top_contributors"][strange][0] == "cohort"
    others = known.scores.index != strange
    assert new.scores["anomaly_score"][others].equals(known.scores["anomaly_score"][others])
