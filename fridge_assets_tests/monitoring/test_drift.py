"""Drift of features against training: found where there is some, and not where there is none (SPEC 8)."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from fridge_assets.monitoring.drift import FeatureSample, drift_metrics, ks_statistic, stability_index
from fridge_assets.monitoring.metrics import Metric
from fridge_assets.settings import MonitoringSettings

SETTINGS = MonitoringSettings()
DAY = timedelta(days=1)
FEATURES = ("temp_evaporator_mean", "door_open_fraction", "sensor_completeness")


def rows(number: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    """A feature that is spread, one that is mostly zero and one that nearly always is one."""
    rng = np.random.default_rng(seed)
    open_share = np.where(rng.random(number) < 0.8, 0.0, rng.random(number))
    return pd.DataFrame(
        {
            "temp_evaporator_mean": rng.normal(-25 + shift, 3, number),
            "door_open_fraction": open_share,
            "sensor_completeness": np.where(rng.random(number) < 0.99, 1.0, 0.9),
        }
    )


def drift(
    current: pd.DataFrame, training: pd.DataFrame, span: timedelta = DAY, trained: timedelta = DAY
) -> dict[tuple[str, str], Metric]:
    found = drift_metrics(FeatureSample(current, span), FeatureSample(training, trained), FEATURES, SETTINGS)
    return {(metric.name, metric.subject): metric for metric in found}


@pytest.mark.parametrize("number", [200, 2000])
def test_samples_of_one_distribution_are_no_drift(number: int) -> None:
    training = rows(5000, 0)
    for seed in range(1, 41):
        assert {metric.verdict for metric in drift(rows(number, seed), training).values()} == {"ok"}, seed


def test_only_the_shifted_feature_drifts() -> None:
    found = drift(rows(2000, 1, shift=3.0), rows(5000, 0))
    assert {key for key, metric in found.items() if metric.verdict == "warn"} == {("psi", "temp_evaporator_mean")}
    assert found["psi", "temp_evaporator_mean"].high == 0.2


@pytest.mark.parametrize("feature", ["door_open_fraction", "sensor_completeness"])
def test_a_value_that_most_rows_shared_and_no_longer_do_is_drift(feature: str) -> None:
    training = rows(5000, 0)
    assert drift(rows(2000, 1).assign(**{feature: 0.5}), training)["psi", feature].verdict == "warn"


def test_psi_of_a_known_pair() -> None:
    training, current = np.repeat([0.0, 1.0], 500), np.repeat([0.0, 1.0], [250, 750])
    p, q = (np.array([0.5, n + 0.5, 0.5, 1000.5 - n, 0.5]) / 1002.5 for n in (250, 500))
    assert stability_index(current, training, 10, 0.5) == pytest.approx(((p - q) * np.log(p / q)).sum())
    assert stability_index(training, training, 10, 0.5) == 0


@pytest.mark.parametrize("shift", [0.0, 0.3, 50.0])
def test_the_ks_statistic_is_that_of_scipy_ties_included(shift: float) -> None:
    rng = np.random.default_rng(3)
    ours, theirs = np.sort(rng.normal(shift, 1, 300).round(1)), np.sort(rng.normal(0, 1, 500).round(1))
    assert ks_statistic(ours, theirs) == pytest.approx(ks_2samp(ours, theirs).statistic)


@pytest.mark.parametrize(
    ("now", "then", "span", "trained"),
    [
        (199, 5000, DAY, DAY),
        (2000, 199, DAY, DAY),
        (2000, 5000, timedelta(hours=19, minutes=45), DAY),
        (2000, 5000, DAY, timedelta(hours=6)),
        (0, 5000, DAY, DAY),
        (2000, 0, DAY, DAY),
    ],
)
def test_too_few_rows_or_too_short_a_time_on_either_side_is_not_enough(
    now: int, then: int, span: timedelta, trained: timedelta
) -> None:
    found = drift(rows(now, 1, shift=10), rows(then, 0), span, trained)
    assert {metric.verdict for metric in found.values()} == {"not enough data"}


def test_nulls_do_not_count_and_a_feature_of_nulls_alone_cannot_be_judged() -> None:
    current = rows(2000, 1)
    current.loc[:1899, "temp_evaporator_mean"] = np.nan
    current["door_open_fraction"] = np.nan
    found = drift(current, rows(5000, 0))
    assert (found["psi", "temp_evaporator_mean"].rows, found["psi", "temp_evaporator_mean"].verdict) == (
        100,
        "not enough data",
    )
    assert found["psi", "door_open_fraction"].value is None
    assert found["psi", "sensor_completeness"].verdict == "ok"
