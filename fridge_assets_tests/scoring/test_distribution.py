"""Whether scores are distributed as before, and what they are held against (SPEC 4)."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fridge_assets.scoring.distribution import (
    TrailingScores,
    Values,
    judge_distribution,
    kl_divergence,
    sample_scores,
    scored_windows,
    trailing_scores,
)
from fridge_assets.settings import MonitoringSettings, Settings
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.canary.given import healthy, near
from fridge_assets_tests.scoring.stored import device_names, store_scores

SETTINGS = MonitoringSettings()
BINS = (SETTINGS.bins, SETTINGS.smoothing)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FAMILY = "isolation_forest"

scores = st.integers(1, 300).flatmap(lambda n: arrays(np.float64, n, elements=st.floats(0, 1)))


@given(scores)
def test_a_distribution_has_no_divergence_from_itself(values: Values) -> None:
    assert kl_divergence(values, values, *BINS) == 0


@given(scores, st.data())
def test_divergence_is_finite_not_negative_and_blind_to_the_order_of_rows(
    reference: Values, data: st.DataObject
) -> None:
    ours = data.draw(arrays(np.float64, len(reference), elements=st.floats(0, 1)))
    divergence = kl_divergence(ours, reference, *BINS)
    assert 0 <= divergence < math.inf
    assert kl_divergence(np.sort(ours), np.sort(reference), *BINS) == divergence


@pytest.mark.parametrize("constant", [0.0, 0.3, 0.5, 1.0])
def test_a_score_that_many_share_is_told_from_those_beside_it(constant: float) -> None:
    divergence = kl_divergence(np.full(500, constant), np.full(500, 0.5), *BINS)
    assert divergence == 0 if constant == 0.5 else divergence > 3


def test_what_lies_beyond_the_reference_is_seen() -> None:
    reference = healthy()
    beyond = reference.copy()
    beyond[: len(beyond) // 10] = 1.0
    assert kl_divergence(beyond, reference, *BINS) > 0.1


def test_divergence_of_a_known_pair() -> None:
    reference, ours = np.repeat([0.0, 1.0], 500), np.repeat([0.0, 1.0], [250, 750])
    # five bins: beside 0, 0, between, 1, beyond; half a row is added to each
    p, q = (np.array([0.5, n + 0.5, 0.5, 1000.5 - n, 0.5]) / 1002.5 for n in (250, 500))
    assert kl_divergence(ours, reference, *BINS) == pytest.approx((p * np.log(p / q)).sum())


def hour_of(seed: int, number: int = 2000) -> Values:
    """Scores of a healthy fleet in one hour: drawn anew, under the hour's own mild shift."""
    rng = np.random.default_rng(seed)
    return near(healthy(10 * number, seed)[:number] * rng.uniform(0.95, 1.05), 0.01, seed)


HEALTHY_DAY = TrailingScores(np.sort(np.concatenate([hour_of(1000 + seed) for seed in range(24)])), 24)


def test_no_healthy_hour_in_two_hundred_is_anomalous() -> None:
    verdicts = [judge_distribution(hour_of(seed), HEALTHY_DAY, SETTINGS) for seed in range(200)]
    assert sum(verdict.anomalous for verdict in verdicts) == 0
    assert max(verdict.kl or 0.0 for verdict in verdicts) < 0.1


def test_a_healthy_hour_of_the_fewest_devices_is_not_anomalous_either() -> None:
    for seed in range(50):
        few = TrailingScores(np.sort(np.concatenate([hour_of(seed + n, 200) for n in range(1, 4)])), 3)
        assert not judge_distribution(hour_of(seed, 200), few, SETTINGS).anomalous


@pytest.mark.parametrize(
    "broken",
    [
        np.full(2000, 0.3),
        np.zeros(2000),
        1 - hour_of(0),
        np.clip(hour_of(0) + 0.2, 0, 1),
        np.clip(hour_of(0) * 3, 0, 1),
        np.where(np.arange(2000) % 3 == 0, 1.0, hour_of(0)),
        np.random.default_rng(0).random(2000) * 0.05,
    ],
    ids=["constant", "zero", "inverted", "shifted", "tripled", "a third at one", "collapsed"],
)
def test_scores_that_no_healthy_model_gives_are_anomalous(broken: Values) -> None:
    verdict = judge_distribution(broken, HEALTHY_DAY, SETTINGS)
    assert verdict.anomalous
    assert verdict.kl is not None
    assert verdict.said == (
        f"KL divergence {verdict.kl:.2g} of 2,000 scores from those of the 24 runs before, over 0.5"
    )


@pytest.mark.parametrize(
    ("number", "runs", "said"),
    [
        (199, 24, "not enough data: 199 scores now, fewer than 200"),
        (2000, 2, "not enough data: 2 runs before, fewer than 3"),
        (0, 0, "not enough data: 0 scores now, fewer than 200 and 0 runs before, fewer than 3"),
    ],
)
def test_too_little_is_never_anomalous(number: int, runs: int, said: str) -> None:
    verdict = judge_distribution(np.ones(number), TrailingScores(HEALTHY_DAY.scores if runs else [], runs), SETTINGS)
    assert (verdict.kl, verdict.anomalous, verdict.said) == (None, False, said)
    enough = TrailingScores(HEALTHY_DAY.scores, 3)
    assert judge_distribution(np.ones(200), enough, SETTINGS).anomalous


def test_scores_are_held_against_the_newest_windows_before(warehouse: Warehouse, settings: Settings) -> None:
    for back in range(27):
        store_scores(warehouse, FAMILY, NOON - back * HOUR, np.full(200, back / 100))
    store_scores(warehouse, "autoencoder", NOON - HOUR, np.full(200, 0.9))
    with warehouse.read() as connection:
        trailing = trailing_scores(connection, FAMILY, NOON, None, settings.monitoring)
        assert trailing.runs == 24
        assert np.unique(trailing.scores).tolist() == [back / 100 for back in range(1, 25)]
        # windows are scored three minutes after their end
        resumed = trailing_scores(connection, FAMILY, NOON, NOON - 3 * HOUR + timedelta(minutes=3), settings.monitoring)
        assert (resumed.runs, np.unique(resumed.scores).tolist()) == (2, [0.01, 0.02])


def test_after_a_resumption_only_what_was_committed_since_by_the_actual_time_counts(
    warehouse: Warehouse, settings: Settings
) -> None:
    resumed_at = NOON + 100 * HOUR
    store_scores(warehouse, FAMILY, NOON - 2 * HOUR, np.full(200, 0.2), committed_at=resumed_at + HOUR)  # a replay
    store_scores(warehouse, FAMILY, NOON - HOUR, np.full(200, 0.1), committed_at=resumed_at - HOUR)
    with warehouse.read() as connection:
        trailing = trailing_scores(connection, FAMILY, NOON, resumed_at, settings.monitoring)
    assert (trailing.runs, np.unique(trailing.scores).tolist()) == (1, [0.2])


def test_before_the_first_scores_there_is_nothing_to_hold_against(warehouse: Warehouse, settings: Settings) -> None:
    with warehouse.read() as connection:
        assert trailing_scores(connection, FAMILY, NOON, None, settings.monitoring).runs == 0


def test_a_run_over_some_devices_does_not_count_as_a_run(warehouse: Warehouse, settings: Settings) -> None:
    store_scores(warehouse, FAMILY, NOON - HOUR, np.full(199, 0.5))
    store_scores(warehouse, FAMILY, NOON - 2 * HOUR, np.full(200, 0.1))
    with warehouse.read() as connection:
        assert scored_windows(connection, FAMILY, NOON, None, settings.monitoring) == [NOON - 2 * HOUR]


def test_more_scores_than_can_be_read_are_sampled_by_device_the_same_every_time(
    warehouse: Warehouse, settings: Settings
) -> None:
    windows = [NOON - back * HOUR for back in range(3)]
    number = 3000
    for window in windows:
        store_scores(warehouse, FAMILY, window, np.arange(number) / number)
    few = settings.model_copy(update={"monitoring": MonitoringSettings(max_rows=1000)})
    with warehouse.read() as connection:
        everything = sample_scores(connection, FAMILY, windows, settings.monitoring)
        sampled, again = (sample_scores(connection, FAMILY, windows, few.monitoring) for _ in range(2))
    assert len(everything.scores) == 3 * len(device_names(number))
    assert 700 < len(sampled.scores) < 1300
    assert np.array_equal(sampled.scores, again.scores)
    assert set(np.unique(sampled.scores, return_counts=True)[1]) == {3}  # a device in all windows or in none
    assert kl_divergence(sampled.scores, everything.scores, *BINS) < 0.1
