"""Machines that start and stop are compared by what they reach while they run (SPEC 2.1)."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fridge_assets.contracts.device_features import MODEL_FEATURES
from fridge_assets.models._measure import Measure
from fridge_assets.models._operating_point import OperatingPoint
from fridge_assets.models.base import feature_matrix
from fridge_assets.models.statistical_baseline import StatisticalBaseline
from fridge_assets.settings import Settings
from fridge_assets_tests.models.synthetic import feature_rows

CONDENSER = ("temp_condenser_mean", "temp_condenser_max")


def cycling_rows(share_varies: float = 0.25) -> pd.DataFrame:
    """Half of the windows of every machine hold run and rest in shares that vary; the rest holds a whole run."""
    rows = feature_rows(devices=24, windows=96)
    rng = np.random.default_rng(6)
    cycling = rng.random(len(rows)) < 0.5
    share = np.where(cycling, rng.uniform(0.5 - share_varies, 0.5 + share_varies, len(rows)), 1.0)
    rows["temp_condenser_max"] = rows.groupby("device_id")["temp_condenser_mean"].transform("median") + rng.normal(
        0, 0.5, len(rows)
    )
    # What is left of the share's effect is more than a fault makes of the mean.
    rows["temp_condenser_mean"] += np.where(cycling, rng.normal(-12, 4, len(rows)), 0.0)
    return rows.assign(
        operating_state=np.where(cycling, "cycling", "running"), compressor_run_share=share, minutes_since_running=0.0
    )


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return cycling_rows()


@pytest.fixture(scope="module")
def model(rows: pd.DataFrame) -> StatisticalBaseline:
    return StatisticalBaseline.fit(rows, MODEL_FEATURES, Settings(), seed=0)


def fouled(rows: pd.DataFrame, state: str) -> pd.DataFrame:
    """Windows of a state in which the running level of the condenser is seven kelvin higher."""
    own = rows[rows["operating_state"] == state].groupby("device_id").head(3)
    return own.assign(temp_condenser_max=own["temp_condenser_max"] + 7)


def test_a_running_level_that_has_moved_shows_where_the_mean_varies_too_much(
    model: StatisticalBaseline, rows: pd.DataFrame
) -> None:
    windows = fouled(rows, "cycling")
    assert (model.raw_scores(windows) > np.quantile(model.raw_scores(rows), 0.99)).mean() > 0.9
    names, _ = model.explain(windows, 5)
    assert np.mean(["temp_condenser_max" in named for named in names]) > 0.9
    found = model.compare(windows)
    column = found.features.index("temp_condenser_max")
    assert np.median(found.measured[:, column] - found.expected[:, column]) == pytest.approx(7, abs=1)


def test_a_machine_that_runs_on_is_judged_by_its_means_as_ever(model: StatisticalBaseline, rows: pd.DataFrame) -> None:
    windows = fouled(rows, "running")
    means = StatisticalBaseline(model.windows, None, model.strongest, model.max_z)
    assert np.array_equal(model.raw_scores(windows), means.raw_scores(windows))


def test_levels_are_kept_with_the_version_and_a_fleet_that_never_stops_has_none(
    model: StatisticalBaseline, rows: pd.DataFrame, tmp_path: Path
) -> None:
    model.save(tmp_path)
    loaded = StatisticalBaseline.load(tmp_path)
    assert np.array_equal(loaded.raw_scores(rows), model.raw_scores(rows))
    assert loaded.features == model.features
    never = rows[rows["operating_state"] == "running"]
    assert StatisticalBaseline.fit(never, MODEL_FEATURES, Settings(), seed=0).running is None


def test_each_state_scatters_by_itself_and_that_is_kept(rows: pd.DataFrame, tmp_path: Path) -> None:
    values = feature_matrix(rows, CONDENSER)
    point = OperatingPoint.fit(rows, values, CONDENSER, MODEL_FEATURES, by_state=True)
    scatter = pd.DataFrame(point.scatter(rows), columns=CONDENSER).groupby(rows["operating_state"].to_numpy()).mean()
    assert scatter.loc["cycling", CONDENSER[0]] > 1.5 * scatter.loc["running", CONDENSER[0]]
    assert scatter.loc["cycling", CONDENSER[1]] == pytest.approx(scatter.loc["running", CONDENSER[1]], rel=0.2)
    point.save(tmp_path)
    assert np.array_equal(OperatingPoint.load(tmp_path).scatter(rows), point.scatter(rows))


@pytest.mark.parametrize(("readings", "grain"), [(1, 0.5), (3, 0.29), (15, 0.03)])
def test_a_door_that_is_open_at_one_of_few_readings_says_little(readings: int, grain: float) -> None:
    shares = np.random.default_rng(1).binomial(readings, 0.05, (4000, 1)) / readings
    measure = Measure.fit(shares, ("door_open_fraction",))
    assert measure.grain_of(shares)[0] == pytest.approx(grain, abs=0.01)
