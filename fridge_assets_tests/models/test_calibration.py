"""A score is the rarity of the raw output, strictly increasing, and never NaN (SPEC 2.2)."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from fridge_assets.core.errors import FridgeError
from fridge_assets.models.calibration import Calibration, tail_probability
from fridge_assets.settings import CalibrationSettings

SETTINGS = CalibrationSettings()
ANCHORS = SETTINGS.anchors

finite = st.floats(-1e12, 1e12)
samples = npst.arrays(np.float64, st.integers(1, 300), elements=finite)


@pytest.fixture(scope="module")
def exponential() -> np.ndarray:
    return np.random.default_rng(0).exponential(2.0, 1_000_000)


def test_one_percent_of_a_million_healthy_windows_is_flagged(exponential: np.ndarray) -> None:
    half = len(exponential) // 2
    calibration = Calibration.fit(exponential[:half], SETTINGS)
    scores = calibration.to_score(exponential[half:])
    for probability, score in ((1e-2, 0.60), (3e-4, 0.70)):
        assert (scores > score).mean() == pytest.approx(probability, rel=0.15)


@pytest.mark.parametrize(("probability", "score"), ANCHORS[1:])
def test_scores_hit_the_anchors_of_a_known_distribution(
    exponential: np.ndarray, probability: float, score: float
) -> None:
    raw = -2.0 * np.log(probability)
    assert Calibration.fit(exponential, SETTINGS).to_score(np.array([raw]))[0] == pytest.approx(score, abs=0.005)


def test_heavy_tail_is_not_taken_for_an_exponential_one() -> None:
    sample = np.random.default_rng(1).pareto(4.0, 200_000)
    calibration = Calibration.fit(sample, SETTINGS)
    rare = 1e-6 ** (-1 / 4.0) - 1  # exceeded once in a million
    assert calibration.tail_shape == pytest.approx(0.25, abs=0.08)
    assert calibration.to_score(np.array([rare]))[0] == pytest.approx(0.95, abs=0.015)


def test_score_approaches_one_without_reaching_it() -> None:
    calibration = Calibration.fit(np.random.default_rng(2).normal(size=10_000), SETTINGS)
    scores = calibration.to_score(np.array([1e1, 1e2, 1e4, 1e8, 1e300]))
    assert (np.diff(scores[:-1]) > 0).all()
    assert scores[-2] < 1
    assert scores[-1] <= 1


def test_score_stays_above_zero_below_the_sample() -> None:
    sample = np.random.default_rng(2).uniform(5, 6, 10_000)
    scores = Calibration.fit(sample, SETTINGS).to_score(np.array([-1e9, -1e3, 0.0, 4.9, sample.min()]))
    assert (scores > 0).all()
    assert (np.diff(scores) > 0).all()


@given(sample=samples, raw=npst.arrays(np.float64, 20, elements=finite))
def test_order_is_kept_for_any_sample(sample: np.ndarray, raw: np.ndarray) -> None:
    calibration = Calibration.fit(sample, SETTINGS)
    raw = np.sort(np.concatenate([raw, sample[:20]]))
    scores = calibration.to_score(raw)
    assert np.isfinite(scores).all()
    assert ((scores >= 0) & (scores <= 1)).all()
    assert (np.diff(scores) >= 0).all()


@given(seed=st.integers(0, 1000), low=st.floats(-10, 30), step=st.floats(1e-6, 10))
def test_a_larger_raw_score_gives_a_larger_score(seed: int, low: float, step: float) -> None:
    sample = np.random.default_rng(seed).gamma(2.0, 2.0, 500)
    lower, higher = Calibration.fit(sample, SETTINGS).to_score(np.array([low, low + step]))
    assert lower < higher


@pytest.mark.parametrize(
    "sample",
    [
        np.full(60, 3.0),
        np.full(60, 0.0),
        np.arange(60.0),
        np.repeat([1.0, 2.0], 30),
        np.array([1.0]),
        np.ones(10_000),
    ],
    ids=["constant", "zero", "sixty rows", "two values", "one row", "large constant"],
)
def test_degenerate_samples_still_give_strictly_increasing_scores(sample: np.ndarray) -> None:
    raw = np.linspace(sample.min() - 1, sample.max() + 1, 40)
    scores = Calibration.fit(sample, SETTINGS).to_score(raw)
    assert all(lower < higher for lower, higher in pairwise(scores))
    assert scores[0] > 0
    assert scores[-1] < 1


def test_score_does_not_depend_on_its_neighbours() -> None:
    raw = np.random.default_rng(3).gamma(2.0, 2.0, 5000)
    calibration = Calibration.fit(raw, SETTINGS)
    together = calibration.to_score(raw)
    np.testing.assert_array_equal(
        np.concatenate([calibration.to_score(raw[i : i + 1]) for i in range(300)]), together[:300]
    )


def test_json_keeps_every_bit() -> None:
    raw = np.random.default_rng(4).gamma(2.0, 2.0, 5000)
    calibration = Calibration.fit(raw, SETTINGS)
    restored = Calibration.from_dict(json.loads(json.dumps(calibration.to_dict())))
    assert restored == calibration
    np.testing.assert_array_equal(restored.to_score(raw), calibration.to_score(raw))


def test_nan_is_refused() -> None:
    calibration = Calibration.fit(np.arange(100.0), SETTINGS)
    with pytest.raises(FridgeError, match="1 of 2 raw scores are not numbers"):
        calibration.to_score(np.array([1.0, np.nan]))
    for unusable in (np.array([]), np.array([1.0, np.inf])):
        with pytest.raises(FridgeError, match="to calibrate on are finite"):
            Calibration.fit(unusable, SETTINGS)


def limited(raw: np.ndarray, independent: int) -> np.ndarray:
    sample = np.random.default_rng(5).gamma(2.0, 2.0, max(independent, 400))
    return Calibration.fit(sample, SETTINGS, independent).to_score(raw)


@pytest.mark.parametrize(
    ("independent", "highest"),
    [(14, 0.68), (24, 0.70), (72, 0.745), (24 * 30, 0.865), (24 * 400, 0.95), (100_000, 0.97)],
    ids=["14 h of one", "a day of one", "3 days of one", "a day of 30", "a day of any fleet", "28 days of a fleet"],
)
def test_the_number_of_independent_blocks_limits_how_rare_a_score_may_say_it_is(
    independent: int, highest: float
) -> None:
    scores = limited(np.array([50.0, 1e3, 1e6, 1e12]), independent)
    assert (np.diff(scores) > 0).all()
    assert highest - 0.03 < scores[-1] < highest


def test_the_limit_leaves_what_is_far_from_it_as_it_is_and_is_approached_smoothly() -> None:
    sample = np.random.default_rng(5).gamma(2.0, 2.0, 1000)
    bounded = Calibration.fit(sample, SETTINGS)
    free = replace(bounded, least_log_p=None)
    raw = np.linspace(0, 100, 20_000)
    assert bounded.least_log_p is not None
    far = free.log_tail_probability(raw) > bounded.least_log_p + 1
    assert far.any()
    np.testing.assert_array_equal(bounded.to_score(raw[far]), free.to_score(raw[far]))
    assert (np.diff(bounded.to_score(raw)) > 0).all()
    assert np.diff(bounded.to_score(raw)).max() <= np.diff(free.to_score(raw)).max()


def test_a_calibration_of_an_earlier_release_has_no_limit() -> None:
    raw = np.random.default_rng(4).gamma(2.0, 2.0, 5000)
    earlier = Calibration.fit(raw, SETTINGS).to_dict()
    del earlier["least_log_p"]
    assert Calibration.from_dict(earlier).to_score(np.array([1e9]))[0] > 0.999


def test_few_independent_values_are_extrapolated_with_more_doubt() -> None:
    sample = np.random.default_rng(7).exponential(1.0, 56)
    raw = np.array([2.0, 4.0, 6.0])
    assert (
        Calibration.fit(sample, SETTINGS, 14).log_tail_probability(raw)
        > Calibration.fit(sample, SETTINGS, 56).log_tail_probability(raw)
    ).all()


def test_one_percent_is_kept_on_average_by_calibrations_of_little_data() -> None:
    flagged = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        calibration = Calibration.fit(rng.gamma(4.0, 1.0, 56), SETTINGS)
        flagged.append((calibration.to_score(rng.gamma(4.0, 1.0, 2000)) > 0.60).mean())
    assert 0.005 < np.mean(flagged) < 0.015


def test_the_probability_of_a_score_follows_the_anchors() -> None:
    assert tail_probability(0.70, SETTINGS) == pytest.approx(3e-4)
    assert tail_probability(0.60, SETTINGS) == pytest.approx(1e-2)
    assert tail_probability(0.65, SETTINGS) == pytest.approx((1e-2 * 3e-4) ** 0.5)
    assert tail_probability(0.99, SETTINGS) == pytest.approx(ANCHORS[-1][0]), "the last anchor's"
