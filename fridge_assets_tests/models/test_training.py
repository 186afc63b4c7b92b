"""The same rows give the same calibrated model, in any order, whatever is wrong with a few of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fridge_assets.contracts.device_features import MODEL_FEATURES
from fridge_assets.core.errors import FridgeError
from fridge_assets.models.base import ScoreModel
from fridge_assets.models.calibration import Calibration
from fridge_assets.models.contamination import trustworthy
from fridge_assets.models.cross_fitting import independent_blocks, time_blocks, unseen_scores
from fridge_assets.models.dbscan_cohort import DbscanCohort
from fridge_assets.models.families import families
from fridge_assets.models.isolation_forest import FleetForest
from fridge_assets.models.snapshot import canonical, content_hash, read_snapshot, write_snapshot
from fridge_assets.models.statistical_baseline import StatisticalBaseline
from fridge_assets.models.training import (
    NotEnoughTrainingRows,
    known_states,
    self_clean,
    train,
    usable_features,
)
from fridge_assets.settings import CalibrationSettings, ForestSettings, Settings
from fridge_assets_tests.models.synthetic import NOW, feature_rows

SETTINGS = Settings(forest=ForestSettings(trees=60, samples_per_tree=256))
EVERY_FAMILY = pytest.mark.parametrize("model_class", families().values(), ids=families())


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return feature_rows(devices=60, windows=96)


@EVERY_FAMILY
def test_one_percent_of_windows_not_trained_on_is_flagged(model_class: type[ScoreModel]) -> None:
    rows = feature_rows(devices=100, windows=200)
    trained_on = rows["window_end"] <= rows["window_end"].quantile(0.6)
    version = train(model_class, rows[trained_on], SETTINGS, NOW).version
    flagged = version.score(rows[~trained_on]) > version.metadata.threshold
    assert 0.003 < flagged.mean() < 0.02
    said = version.metadata.training.calibrated_on
    if model_class.view == "window":
        assert said.startswith("unseen rows: 3 time blocks")
    else:  # days within 36 hours overlap nearly all
        assert said.startswith("unseen rows: 3 groups of devices")


@pytest.mark.parametrize("windows", [1, 2, 3, 4])
@EVERY_FAMILY
def test_a_fleet_without_history_is_not_flooded_with_flags(model_class: type[ScoreModel], windows: int) -> None:
    rows = feature_rows(devices=1500, windows=windows + 1)
    newest = rows["window_end"] == rows["window_end"].max()
    version = train(model_class, rows[~newest], SETTINGS, NOW).version
    assert 0.002 < (version.score(rows[newest]) > version.metadata.threshold).mean() < 0.025


@EVERY_FAMILY
def test_rows_in_any_order_give_the_same_model(
    model_class: type[ScoreModel], rows: pd.DataFrame, tmp_path: Path
) -> None:
    contents = []
    for name, given in (("one", rows), ("two", rows.sample(frac=1, random_state=3)[rows.columns[::-1]])):
        (tmp_path / name).mkdir()
        train(model_class, given, SETTINGS, NOW).version.save(tmp_path / name)
        files = sorted(file for file in (tmp_path / name).rglob("*") if file.is_file())
        contents.append({file.relative_to(tmp_path / name): file.read_bytes() for file in files})
    assert contents[0] == contents[1]


def test_metadata_says_what_the_version_was_made_of(rows: pd.DataFrame) -> None:
    trained = train(FleetForest, rows, SETTINGS, NOW)
    metadata = trained.version.metadata
    assert metadata.model_id == "isolation_forest_v1"
    assert metadata.trained_at == NOW
    assert metadata.threshold == 0.60
    assert metadata.training.rows == len(rows)
    assert metadata.training.devices == 60
    assert metadata.training.window_to == rows["window_end"].max()
    assert metadata.training.hash == content_hash(trained.rows)
    assert metadata.metrics["share_flagged"] == pytest.approx(0.01, abs=0.003)
    assert metadata.libraries["scikit-learn"]
    assert metadata.training.settings["forest"]["trees"] == 60


def test_too_few_windows_are_refused_with_the_number_needed(rows: pd.DataFrame) -> None:
    with pytest.raises(
        NotEnoughTrainingRows, match=r"31 usable rows, and training needs 32\. .*FRIDGE_TRAINING__MIN_ROWS"
    ):
        train(StatisticalBaseline, rows.head(31), SETTINGS, NOW)


@EVERY_FAMILY
def test_sixty_windows_of_one_device_are_enough(model_class: type[ScoreModel], rows: pd.DataFrame) -> None:
    version = train(model_class, rows.head(60), SETTINGS, NOW).version
    scores = version.score(rows.head(60))
    assert ((scores > 0) & (scores < 1)).all()


def test_a_single_moment_is_calibrated_on_devices_that_were_not_fitted_on() -> None:
    moment = feature_rows(devices=80, windows=1)
    version = train(StatisticalBaseline, moment, SETTINGS, NOW).version
    assert version.metadata.training.calibrated_on.startswith("unseen rows: 6 groups of devices, each scored by")


@EVERY_FAMILY
def test_even_the_least_history_of_one_device_is_calibrated_on_windows_that_were_not_fitted_on(
    model_class: type[ScoreModel], rows: pd.DataFrame
) -> None:
    device = rows[rows["device_id"] == rows["device_id"].iloc[0]]
    least = device.head(SETTINGS.training.min_rows)
    said = train(model_class, least, SETTINGS, NOW).version.metadata.training.calibrated_on
    if model_class.view == "window":
        assert said.startswith("unseen rows: 6 time blocks")
    else:  # one device, and all its days overlap: there is no other way
        assert said == "its own training rows: one device, too short a time"


@pytest.mark.parametrize("model_class", [FleetForest, StatisticalBaseline, families()["autoencoder"]])
def test_fourteen_hours_of_one_device_do_not_flag_its_next_ten(model_class: type[ScoreModel]) -> None:
    flagged = []
    for seed in range(5):
        device = feature_rows(devices=1, windows=96, cohorts=1, seed=seed)
        version = train(model_class, device.head(56), SETTINGS, NOW).version
        flagged += list(version.score(device.tail(40)) > version.metadata.threshold)
    assert np.mean(flagged) < 0.035


def test_of_a_large_fleet_some_devices_with_all_their_rows_are_cross_fitted(rows: pd.DataFrame) -> None:
    settings = SETTINGS.model_copy(update={"calibration": CalibrationSettings(max_rows=1000)})
    model = StatisticalBaseline.fit(rows, MODEL_FEATURES, settings, 0)
    found = unseen_scores(StatisticalBaseline, model, canonical(rows), MODEL_FEATURES, settings)
    kept = found.rows["device_id"].value_counts()
    assert len(kept) == 10
    assert (kept == 96).all()
    assert len(set(found.rows["cohort"])) > 1
    assert len(found.raw) == len(found.rows)


def test_days_are_calibrated_on_blocks_that_share_no_window_with_what_was_fitted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    days = feature_rows(devices=8, windows=4 * 24 * 6)[::8].reset_index(drop=True)  # one every two hours, six days
    fitted, judged = [], []
    fit, raw_scores = DbscanCohort.fit, DbscanCohort.raw_scores

    def remember(rows: pd.DataFrame, features: tuple[str, ...], settings: Settings, seed: int) -> DbscanCohort:
        fitted.append(rows["window_end"])
        return fit(rows, features, settings, seed)

    def remember_too(model: DbscanCohort, rows: pd.DataFrame) -> np.ndarray:
        judged.append(rows["window_end"])
        return raw_scores(model, rows)

    monkeypatch.setattr(DbscanCohort, "fit", remember)
    monkeypatch.setattr(DbscanCohort, "raw_scores", remember_too)
    settings = SETTINGS.model_copy(update={"calibration": CalibrationSettings(thin_folds=3)})
    said = train(DbscanCohort, days, settings, NOW).version.metadata.training.calibrated_on
    assert said.startswith("unseen rows: 3 time blocks, each scored by a model fitted on the others but for days that")
    for known, unseen in zip(fitted[2:], judged[1:], strict=True):  # after self-cleaning and the final model
        apart = (known.to_numpy()[:, None] - unseen.to_numpy()[None, :]) / np.timedelta64(1, "h")
        assert np.abs(apart).min() >= 24

    short = days[days["window_end"] <= days["window_end"].min() + pd.Timedelta(days=3.5)]
    said = train(DbscanCohort, short, settings, NOW).version.metadata.training.calibrated_on
    assert said.startswith("unseen rows: 2 of 3 time blocks")  # around the middle one too little is left


def test_features_that_half_of_the_windows_lack_are_not_used(rows: pd.DataFrame) -> None:
    patchy = rows.drop(columns=["humidity_std"])
    number = np.arange(len(rows))
    patchy.loc[(number % 2 == 0) | (number % 10 == 1), "humidity_mean"] = np.nan
    patchy.loc[number % 5 < 2, "superheat_mean"] = np.nan
    usable = usable_features(patchy)
    assert set(MODEL_FEATURES) - set(usable) == {"humidity_mean", "humidity_std"}
    version = train(FleetForest, patchy, SETTINGS, NOW).version
    assert version.metadata.features == version.imputer.features == usable
    with pytest.raises(NotEnoughTrainingRows, match="none of 43 features"):
        usable_features(patchy[["device_id"]])


def test_a_sensor_that_one_cohort_has_counts_for_that_cohort(rows: pd.DataFrame) -> None:
    patchy = rows.copy()
    cohorts = sorted(rows["cohort"].unique())
    patchy.loc[rows["cohort"] != cohorts[0], "vibration_compressor_mean"] = np.nan
    patchy.loc[patchy.index[20:], "humidity_mean"] = np.nan  # no cohort has it but for some windows
    assert (rows["cohort"] == cohorts[0]).mean() < 0.5
    assert set(MODEL_FEATURES) - set(usable_features(patchy)) == {"humidity_mean"}


@EVERY_FAMILY
def test_self_cleaning_drops_gross_faults_and_hardly_anything_else(
    model_class: type[ScoreModel], rows: pd.DataFrame
) -> None:
    faulty = rows["device_id"].isin(["device-000011", "device-000042", "device-000057"])
    gross = (faulty & (rows["window_end"] > rows["window_end"].quantile(0.7))).to_numpy()
    spoiled = rows.copy()
    columns = [name for name in MODEL_FEATURES if name.startswith(("pressure", "temp", "current"))]
    spoiled.loc[gross, columns] *= 4
    kept = self_clean(model_class, spoiled, MODEL_FEATURES, SETTINGS)
    # A forest that has grown on the faults itself finds them half as strange (masking).
    assert (~kept[gross]).mean() > (0.5 if model_class is FleetForest else 0.9)
    assert (~kept[~gross]).mean() < 0.002


@EVERY_FAMILY
def test_self_cleaning_leaves_a_healthy_heavy_tailed_fleet_alone(
    model_class: type[ScoreModel], rows: pd.DataFrame
) -> None:
    rng = np.random.default_rng(5)
    heavy = rows.copy()
    heavy[list(MODEL_FEATURES)] = rng.standard_t(4, (len(rows), len(MODEL_FEATURES)))
    assert (~self_clean(model_class, heavy, MODEL_FEATURES, SETTINGS)).mean() < 0.005


def test_self_cleaning_never_drops_more_than_it_may(rows: pd.DataFrame) -> None:
    broken = rows["device_id"].isin(rows["device_id"].unique()[:24])
    broken &= rows["window_end"] > rows["window_end"].quantile(0.7)  # 12 % of the rows
    spoiled = rows.copy()
    spoiled.loc[broken, [name for name in MODEL_FEATURES if name.endswith("_mean")]] *= 4
    kept = self_clean(StatisticalBaseline, spoiled, MODEL_FEATURES, SETTINGS)
    assert (~kept).sum() == int(0.10 * len(rows))


@EVERY_FAMILY
def test_self_cleaning_keeps_what_happens_to_every_device(model_class: type[ScoreModel], rows: pd.DataFrame) -> None:
    defrosting = np.random.default_rng(6).random(len(rows)) < 0.04
    rare_mode = rows.copy()
    columns = [name for name in MODEL_FEATURES if name.startswith(("temp_evaporator", "pressure_low"))]
    rare_mode.loc[defrosting, columns] += 60
    assert (~self_clean(model_class, rare_mode, MODEL_FEATURES, SETTINGS)).mean() < 0.002


def test_devices_that_have_begun_to_fail_do_not_say_what_is_usual() -> None:
    rng = np.random.default_rng(2)
    device = np.repeat(np.arange(200), 100)
    raw = rng.gamma(8.0, 0.2, device.size)
    failing = device < 10
    raw[failing] *= np.linspace(1, 10, 100)[np.arange(failing.sum()) % 100]
    trusted = trustworthy(raw, device, SETTINGS.training)
    assert not trusted[failing].any()
    assert trusted[~failing].all()
    calibration = Calibration.fit(raw[trusted], SETTINGS.calibration)
    unseen = rng.gamma(8.0, 0.2, 100_000)
    assert (calibration.to_score(unseen) > 0.6).mean() == pytest.approx(0.01, rel=0.2)


def test_at_most_a_tenth_is_left_out_of_the_calibration() -> None:
    device = np.repeat(np.arange(200), 100)
    raw = np.random.default_rng(2).gamma(8.0, 0.2, device.size)
    raw[(device < 40) & (np.arange(device.size) % 100 > 90)] *= 100
    assert 0.09 < (~trustworthy(raw, device, SETTINGS.training)).mean() <= 0.10


def test_time_blocks_are_contiguous_and_do_not_split_a_moment(rows: pd.DataFrame) -> None:
    block = pd.Series(time_blocks(rows["window_end"], 3))
    assert block.value_counts(normalize=True).to_numpy() == pytest.approx(1 / 3, abs=0.02)
    assert block.groupby(rows["window_end"].to_numpy()).nunique().eq(1).all()
    assert block.to_numpy()[np.argsort(rows["window_end"], kind="stable")].tolist() == sorted(block)


def test_windows_of_a_device_within_an_hour_and_devices_beyond_some_count_once() -> None:
    rows = feature_rows(devices=5, windows=12)  # three hours; a window that ends on the hour begins the next one
    settings = CalibrationSettings()
    hour = settings.independent_span
    assert independent_blocks(rows[rows["device_id"] == "device-000000"], hour, settings) == 4
    assert independent_blocks(rows, hour, settings) == 20
    assert independent_blocks(rows.sample(frac=1, random_state=1), hour, settings) == 20
    assert independent_blocks(rows, hour, CalibrationSettings(independent_devices=2)) == 8


def test_training_rows_are_kept_once_and_give_the_same_hash_again(rows: pd.DataFrame, tmp_path: Path) -> None:
    given = canonical(rows)
    file = write_snapshot(given, tmp_path)
    first = file.stat()
    assert write_snapshot(canonical(rows.sample(frac=1, random_state=1)), tmp_path) == file
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
    restored = read_snapshot(tmp_path, file.stem)
    pd.testing.assert_frame_equal(restored, given)
    again = train(StatisticalBaseline, restored, SETTINGS, NOW).version
    assert again.metadata == train(StatisticalBaseline, rows, SETTINGS, NOW).version.metadata
    assert content_hash(given.assign(superheat_mean=given["superheat_mean"] + 1e-12)) != file.stem


def test_changed_or_missing_training_rows_are_refused(rows: pd.DataFrame, tmp_path: Path) -> None:
    file = write_snapshot(canonical(rows), tmp_path)
    file.chmod(0o644)
    canonical(rows).iloc[1:].to_parquet(file, index=False)
    with pytest.raises(FridgeError, match="another hash"):
        read_snapshot(tmp_path, file.stem)
    with pytest.raises(FridgeError, match="no training rows"):
        read_snapshot(tmp_path, "0" * 64)


def test_a_version_names_the_operating_states_that_it_has_seen_enough_of(rows: pd.DataFrame) -> None:
    states = np.where(np.arange(len(rows)) % 10, "running", "defrost").astype(object)
    states[:3] = "standstill"
    trained = train(StatisticalBaseline, rows.assign(operating_state=states), SETTINGS, NOW)
    assert trained.version.metadata.operating_states == ("defrost", "running")
    shown = trained.version.metadata.states_of_cohorts
    assert shown is not None
    assert set(shown) == set(rows["cohort"])
    assert {"running"} <= set.union(*map(set, shown.values())) <= {"defrost", "running"}
    without = train(StatisticalBaseline, rows, SETTINGS, NOW)
    assert without.version.metadata.operating_states is None
    assert content_hash(without.rows) == content_hash(canonical(rows)) != content_hash(trained.rows)
    assert known_states(canonical(rows.assign(operating_state=None)), SETTINGS.training) is None


@pytest.mark.parametrize(
    ("devices", "windows", "said"),
    [
        (1, 56, "trained on 14 h of one device"),
        (3, 96, "trained on 1 d of 3 devices"),
        (30, 48, "trained on 12 h of 30 devices"),
        (60, 96, ""),
    ],
)
def test_a_version_of_too_little_history_is_provisional_and_says_how_little(
    devices: int, windows: int, said: str
) -> None:
    version = train(StatisticalBaseline, feature_rows(devices, windows, cohorts=1), SETTINGS, NOW).version
    assert version.metadata.provisional == said
    strange = feature_rows(devices, 1, cohorts=1).assign(temp_condenser_mean=1000.0)
    assert (version.score(strange).max() > 0.85) == (not said)


def test_a_version_names_the_cohorts_that_it_has_seen_enough_of(rows: pd.DataFrame) -> None:
    changed = rows.assign(cohort=rows["cohort"].where(np.arange(len(rows)) >= 3, "hardly|seen"))
    metadata = train(StatisticalBaseline, changed, SETTINGS, NOW).version.metadata
    assert metadata.cohorts == ("model-0|zone", "model-1|zone", "model-2|zone", "model-3|zone")
