"""How far a device's day is from the core of its cluster (SPEC 2.1)."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fridge_assets.contracts.device_features import MODEL_FEATURES, sensors_of
from fridge_assets.models._clustering import ANY, Clustering
from fridge_assets.models.dbscan_cohort import DbscanCohort
from fridge_assets.settings import DbscanSettings, Settings
from fridge_assets_tests.models.synthetic import feature_rows

SETTINGS = Settings()


def fit(rows: pd.DataFrame) -> DbscanCohort:
    return DbscanCohort.fit(rows, MODEL_FEATURES, SETTINGS, seed=7)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Three cohorts of 50 devices and one of 10."""
    rows = feature_rows(devices=160, windows=24, cohorts=3)
    number = rows["device_id"].str[-6:].astype(int)
    return rows.assign(cohort=rows["cohort"].where(number < 150, "small"))


@pytest.fixture(scope="module")
def model(rows: pd.DataFrame) -> DbscanCohort:
    return fit(rows)


def blobs(count: int, *centres: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.vstack([rng.normal(centre, 0.1, (count, 3)) for centre in centres])


def test_dense_regions_are_clusters_and_a_point_is_as_far_as_from_its_own() -> None:
    points = blobs(60, 0.0, 8.0)
    clustering = Clustering.fit(points, DbscanSettings())
    assert set(clustering.clusters) == {0, 1}
    left, right = clustering.nearest_clusters(np.array([[0.0] * 3, [8.0] * 3]))
    assert {left, right} == {0, 1}
    here = np.zeros((3, 3))
    distances = clustering.distances(here, np.array([left, right, ANY]))
    assert distances[0] == distances[2] < 1
    assert distances[1] * clustering.eps == pytest.approx(8 * np.sqrt(3), rel=0.05)


def test_points_too_few_to_be_dense_are_one_cluster() -> None:
    clustering = Clustering.fit(blobs(5, 0.0), DbscanSettings())
    assert len(clustering.cores) == 5
    assert set(clustering.clusters) == {0}
    assert np.isfinite(clustering.distances(np.zeros((1, 3)), np.array([0]))).all()


def test_where_everything_is_one_point_distances_are_finite() -> None:
    clustering = Clustering.fit(np.ones((40, 3)), DbscanSettings())
    distances = clustering.distances(np.ones((2, 3)), np.array([0, ANY]))
    assert distances.tolist() == [0.0, 0.0]


def test_core_points_are_limited_and_fewer_of_a_device_than_make_a_neighbourhood(rows: pd.DataFrame) -> None:
    settings = Settings(dbscan=DbscanSettings(max_points=100))
    model = DbscanCohort.fit(rows, MODEL_FEATURES, settings, seed=7)
    assert all(len(one.cores) <= 100 for one in model.clusterings.values())


def test_small_and_unknown_cohorts_share_the_fleets_clusters(model: DbscanCohort, rows: pd.DataFrame) -> None:
    assert list(model.clusterings) == ["", "model-0|zone", "model-1|zone", "model-2|zone"]
    assert set(model.homes["cohort"]) == {"small", "model-0|zone", "model-1|zone", "model-2|zone"}
    assert np.isfinite(model.raw_scores(rows.head(3).assign(cohort="new"))).all()
    remaining = rows["cohort"] != "model-2|zone"  # a cohort that vanished
    np.testing.assert_array_equal(model.raw_scores(rows[remaining]), model.raw_scores(rows)[remaining])


def test_a_device_that_changed_cohort_is_compared_with_the_nearest_cluster_there(
    model: DbscanCohort, rows: pd.DataFrame
) -> None:
    own = rows[rows["device_id"] == "device-000000"]
    moved = own.assign(cohort="model-1|zone")
    np.testing.assert_array_equal(model.raw_scores(moved), model.raw_scores(moved.assign(device_id="never seen")))
    assert np.median(model.raw_scores(moved)) > np.median(model.raw_scores(own))


def test_a_device_is_compared_with_the_cluster_of_its_own_days() -> None:
    rows = feature_rows(devices=120, windows=20, cohorts=1)
    other = rows["device_id"].str[-6:].astype(int) >= 90
    means = [name for name in MODEL_FEATURES if name.endswith("_mean")]
    rows.loc[other, means] += rows[means].std() * 12
    model = fit(rows)
    assert len(set(model.clusterings["model-0|zone"].clusters)) == 2
    switched = rows[rows["device_id"] == "device-000100"].assign(device_id="device-000001")
    stranger = switched.assign(device_id="never seen")
    assert model.raw_scores(switched).min() > 3 * model.raw_scores(stranger).max()


def test_a_sensor_that_moved_by_four_spreads_is_found_and_named(model: DbscanCohort, rows: pd.DataFrame) -> None:
    moved = rows[rows["cohort"] != "small"].groupby("device_id").tail(1)
    columns = [name for name in MODEL_FEATURES if name.startswith("temp_condenser_m")]
    moved = moved.assign(**{name: moved[name] + 4 * moved["temp_condenser_mean"].std() for name in columns})
    found = model.raw_scores(moved) > np.quantile(model.raw_scores(rows), 0.99)
    assert found.mean() > 0.35
    names, _ = model.explain(moved[found], 5)
    assert np.mean([any("temperature_condenser" in sensors_of(name) for name in row) for row in names]) > 0.95


def test_training_twice_gives_the_same_files(rows: pd.DataFrame, model: DbscanCohort, tmp_path: Path) -> None:
    contents = []
    for name, one in (("once", model), ("twice", fit(rows))):
        (tmp_path / name).mkdir()
        one.save(tmp_path / name)
        contents.append({file.name: file.read_bytes() for file in (tmp_path / name).iterdir()})
    assert contents[0] == contents[1]
