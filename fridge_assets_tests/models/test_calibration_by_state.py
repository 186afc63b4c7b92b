"""Each operating state is held against its own like, where it differs from the others (SPEC 2.2)."""

import json
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from fridge_assets.models.calibration import Calibration
from fridge_assets.models.calibration_by_state import CalibrationByState
from fridge_assets.models.cross_fitting import UnseenScores
from fridge_assets.settings import CalibrationSettings

SETTINGS = CalibrationSettings()
HOUR = timedelta(hours=1)
STRANGE = {"running": 1.0, "off": 1.0, "defrost": 4.0}
"""State → how many times stranger than most its windows are."""


def unseen(devices: int = 50, windows: int = 400, seed: int = 0) -> UnseenScores:
    """Raw scores of devices of which each tenth window is a defrost, each fifth one at rest."""
    rng = np.random.default_rng(seed)
    state = np.tile(np.resize(["running", "off", "running", "running", "defrost"], 10), devices * windows // 10)
    state[::10] = "running"
    raw = rng.gamma(4.0, 1.0, len(state)) * pd.Series(state).map(STRANGE).to_numpy()
    start = pd.Timestamp("2026-03-01T00:00:00Z")
    rows = pd.DataFrame(
        {
            "device_id": np.repeat([f"d{n}" for n in range(devices)], windows),
            "window_end": np.tile([start + n * timedelta(minutes=15) for n in range(windows)], devices),
            "operating_state": state,
        }
    )
    return UnseenScores(raw, rows.astype({"window_end": "datetime64[us, UTC]"}), "")


@pytest.fixture(scope="module")
def fitted() -> CalibrationByState:
    return CalibrationByState.fit(unseen(), HOUR, SETTINGS)


def test_one_percent_is_flagged_in_each_state(fitted: CalibrationByState) -> None:
    later = unseen(seed=1)
    flagged = fitted.to_score(later.raw, later.rows["operating_state"]) > SETTINGS.threshold
    shares = pd.Series(flagged).groupby(later.rows["operating_state"].to_numpy()).mean()
    assert shares.between(0.006, 0.015).all()
    together = pd.Series(fitted.overall.to_score(later.raw) > SETTINGS.threshold)
    of_all = together.groupby(later.rows["operating_state"].to_numpy()).mean()
    assert of_all["defrost"] > 0.03
    assert of_all["running"] < 0.001


def test_only_states_that_differ_and_have_windows_enough_have_their_own(fitted: CalibrationByState) -> None:
    assert "defrost" in fitted.states
    one = unseen()
    alike = UnseenScores(np.random.default_rng(3).gamma(4.0, 1.0, len(one.raw)), one.rows, "")
    assert CalibrationByState.fit(alike, HOUR, SETTINGS).states == {}
    rare = one.rows.assign(operating_state=np.where(np.arange(len(one.raw)) < 49, "pull-down", "running"))
    strange = np.where(rare["operating_state"] == "pull-down", 50.0, one.raw)
    assert "pull-down" not in CalibrationByState.fit(UnseenScores(strange, rare, ""), HOUR, SETTINGS).states


def of_two_cohorts(seed: int) -> UnseenScores:
    """Half of the devices are restless machines, whose windows at rest are four times as strange."""
    given = unseen(seed=seed)
    cohort = pd.Series(np.where(given.rows["device_id"].str[1:].astype(int) < 25, "restless", "quiet"))
    rows = given.rows.assign(cohort=cohort)
    restless = (rows["cohort"].eq("restless") & rows["operating_state"].eq("off")).to_numpy()
    return UnseenScores(np.where(restless, 4 * given.raw, given.raw), rows, "")


def test_one_percent_is_flagged_in_each_cohort_and_a_fault_of_quiet_machines_is_not_hidden_by_restless_ones() -> None:
    found, later = CalibrationByState.fit(of_two_cohorts(0), HOUR, SETTINGS), of_two_cohorts(1)
    assert set(found.cohorts) == {("restless", "off"), ("quiet", "off")}
    state, cohort = later.rows["operating_state"], later.rows["cohort"]
    resting = (state == "off").to_numpy()
    own = pd.Series(found.to_score(later.raw, state, cohort) > SETTINGS.threshold)
    by_state = pd.Series(found.to_score(later.raw, state) > SETTINGS.threshold)
    assert own[resting].groupby(cohort[resting]).mean().between(0.005, 0.015).all()
    assert by_state[resting].groupby(cohort[resting]).mean()["quiet"] < 0.001
    fault = np.array([20.0])
    told = [found.to_score(fault, pd.Series(["off"]), pd.Series([kind]))[0] for kind in ("quiet", "restless", "new")]
    assert told[0] > 0.7 > told[1]
    assert told[2] == found.to_score(fault, pd.Series(["off"]))[0], "another cohort is held against all"
    assert CalibrationByState.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_a_cohort_of_a_few_windows_is_held_against_all() -> None:
    given = of_two_cohorts(0)
    few = (given.rows["device_id"].isin(["d0", "d1"]) | given.rows["cohort"].eq("quiet")).to_numpy()
    rows = given.rows[few].reset_index(drop=True)
    found = CalibrationByState.fit(UnseenScores(given.raw[few], rows, ""), HOUR, SETTINGS)
    assert "restless" not in {cohort for cohort, _ in found.cohorts}


def test_what_has_no_state_or_an_unknown_one_is_held_against_all(fitted: CalibrationByState) -> None:
    raw = np.array([3.0, 9.0, 20.0])
    states = pd.Series(["unknown", None, "standstill"])
    np.testing.assert_array_equal(fitted.to_score(raw, states), fitted.overall.to_score(raw))
    np.testing.assert_array_equal(fitted.to_score(raw), fitted.overall.to_score(raw))


def test_days_have_no_state(fitted: CalibrationByState) -> None:
    given = unseen()
    days = UnseenScores(given.raw, given.rows.drop(columns="operating_state"), "")
    found = CalibrationByState.fit(days, HOUR, SETTINGS)
    assert found == CalibrationByState(fitted.overall, {})


def test_json_keeps_every_bit_and_that_of_an_earlier_release_is_read(fitted: CalibrationByState) -> None:
    given = unseen(seed=2)
    restored = CalibrationByState.from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert restored == fitted
    state = given.rows["operating_state"]
    np.testing.assert_array_equal(restored.to_score(given.raw, state), fitted.to_score(given.raw, state))
    earlier = Calibration.fit(given.raw, SETTINGS)
    assert CalibrationByState.from_dict(earlier.to_dict()) == CalibrationByState(earlier, {})


def test_a_score_does_not_depend_on_its_neighbours(fitted: CalibrationByState) -> None:
    given = unseen(seed=2)
    state = given.rows["operating_state"]
    together = fitted.to_score(given.raw, state)
    order = np.random.default_rng(1).permutation(len(given.raw))[:500]
    np.testing.assert_array_equal(fitted.to_score(given.raw[order], state.iloc[order]), together[order])


def test_scores_that_the_model_was_fitted_on_can_say_hardly_anything() -> None:
    given = unseen(devices=1, windows=40)
    seen = CalibrationByState.fit(UnseenScores(given.raw, given.rows, "", seen=True), HOUR, SETTINGS)
    assert seen.overall.highest_score == pytest.approx(0.60)
