"""A network per cohort, trained with torch and scored without it (SPEC 2.1)."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fridge_assets.contracts.device_features import MODEL_FEATURES, sensors_of
from fridge_assets.core.errors import FridgeError
from fridge_assets.models._dense_network import DenseNetwork
from fridge_assets.models._network_training import Lesson, trained, untrained
from fridge_assets.models.autoencoder import CohortAutoencoder
from fridge_assets.settings import AutoencoderSettings, Settings
from fridge_assets_tests.models.synthetic import feature_rows

SETTINGS = Settings(autoencoder=AutoencoderSettings(device="cpu"))
NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no graphics processor")


def fit(rows: pd.DataFrame, settings: Settings = SETTINGS) -> CohortAutoencoder:
    return CohortAutoencoder.fit(rows, MODEL_FEATURES, settings, seed=7)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Three cohorts of 50 devices and one of 10."""
    rows = feature_rows(devices=160, windows=24, cohorts=3)
    number = rows["device_id"].str[-6:].astype(int)
    return rows.assign(cohort=rows["cohort"].where(number < 150, "small"))


@pytest.fixture(scope="module")
def model(rows: pd.DataFrame) -> CohortAutoencoder:
    return fit(rows)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=NO_GPU)])
def test_plain_arithmetic_gives_what_torch_gives(device: str) -> None:
    rng = np.random.default_rng(0)
    network = untrained(43, SETTINGS.autoencoder, rng)
    network = DenseNetwork(network.weights, tuple(rng.normal(size=bias.shape) for bias in network.biases))
    values = rng.normal(0, 3, (5000, 43))
    layer = torch.tensor(values, dtype=torch.float32, device=device)
    for number, (weights, biases) in enumerate(zip(network.weights, network.biases, strict=True)):
        weights32, biases32 = (torch.tensor(a, dtype=torch.float32, device=device) for a in (weights, biases))
        layer = torch.addmm(biases32, layer, weights32)
        if number < len(network.weights) - 1:
            layer = torch.nn.functional.softsign(layer)
    np.testing.assert_allclose(network.apply(values), layer.cpu().numpy(), atol=1e-5, rtol=1e-5)


def test_large_cohorts_have_networks_of_their_own_and_small_ones_the_fleets(
    model: CohortAutoencoder, rows: pd.DataFrame
) -> None:
    assert list(model.networks) == ["", "model-0|zone", "model-1|zone", "model-2|zone"]
    small = rows[rows["cohort"] == "small"]
    # Relative to its own medians, by the fleet's network.
    fleet_only = CohortAutoencoder(model.relative, {"": model.networks[""]}, model.typical.loc[[""]], model.limits)
    np.testing.assert_array_equal(model.raw_scores(small), fleet_only.raw_scores(small))
    large = rows[rows["cohort"] == "model-0|zone"]
    assert (model.raw_scores(large) != fleet_only.raw_scores(large)).all()


def test_a_device_is_scored_by_the_cohort_it_is_in_now(model: CohortAutoencoder, rows: pd.DataFrame) -> None:
    device = rows[rows["device_id"] == "device-000000"]
    other = rows[rows["cohort"] == "model-1|zone"].head(1)
    moved = device.assign(cohort="model-1|zone")
    together = model.raw_scores(pd.concat([device, moved, other], ignore_index=True))
    assert np.median(together[24:48]) > 1.2 * np.median(together[:24])
    renamed = moved.assign(device_id="another")
    np.testing.assert_array_equal(model.raw_scores(renamed), together[24:48])


def test_an_unknown_cohort_has_the_fleets_network_and_a_vanished_one_changes_nothing(
    model: CohortAutoencoder, rows: pd.DataFrame
) -> None:
    unknown = model.raw_scores(rows.head(24).assign(cohort="new"))
    assert np.isfinite(unknown).all()
    left = rows[rows["cohort"] != "model-2|zone"]
    np.testing.assert_array_equal(model.raw_scores(left), model.raw_scores(rows)[rows["cohort"] != "model-2|zone"])


def test_a_sensor_that_moved_by_four_spreads_is_found_and_named(model: CohortAutoencoder, rows: pd.DataFrame) -> None:
    usual = model.raw_scores(rows)
    moved = rows[rows["cohort"] != "small"].groupby("device_id").tail(1)
    spread = moved["humidity_mean"].std()
    moved = moved.assign(humidity_mean=moved["humidity_mean"] + 4 * spread)
    assert (model.raw_scores(moved) > np.quantile(usual, 0.99)).mean() > 0.8
    names, _ = model.explain(moved, 5)
    assert np.mean(["humidity_mean" in row for row in names]) > 0.95
    sensors = [[sensors_of(name) for name in row] for row in names]
    assert all(len(set(row)) == len(row) for row in sensors)


def test_training_twice_gives_the_same_files(rows: pd.DataFrame, model: CohortAutoencoder, tmp_path: Path) -> None:
    contents = []
    torch.manual_seed(1)  # what others have drawn does not matter
    for name, one in (("once", model), ("twice", fit(rows))):
        (tmp_path / name).mkdir()
        one.save(tmp_path / name)
        contents.append({file.name: file.read_bytes() for file in (tmp_path / name).iterdir()})
    assert contents[0] == contents[1]


def test_training_leaves_torch_as_it_was(rows: pd.DataFrame) -> None:
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    fit(rows.head(200))
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)


def test_training_stops_when_windows_held_out_are_reproduced_no_better() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2000, 6))  # nothing to be learned
    lesson = Lesson(values, np.repeat(np.arange(20), 100), np.eye(6, dtype=np.bool_))
    start = untrained(6, SETTINGS.autoencoder, np.random.default_rng(1))

    def after(passes: int) -> DenseNetwork:
        settings = AutoencoderSettings(max_epochs=passes, device="cpu", patience=1, bottleneck=1)
        return trained(start, lesson, settings, np.random.default_rng(2))

    networks = [after(passes).weights[0] for passes in (1, 60, 120)]
    assert not np.array_equal(networks[0], networks[1])
    np.testing.assert_array_equal(networks[1], networks[2])


def test_a_graphics_processor_that_is_not_there_is_said_to_be_missing(
    rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(FridgeError, match="cuda") as error:
        fit(rows.head(100), Settings(autoencoder=AutoencoderSettings(device="cuda")))
    assert "FRIDGE_AUTOENCODER__DEVICE" in str(error.value)


@NO_GPU
def test_a_network_trained_on_a_graphics_processor_finds_the_same_rows(
    rows: pd.DataFrame, model: CohortAutoencoder
) -> None:
    other = fit(rows, Settings(autoencoder=AutoencoderSettings(device="cuda")))
    assert np.corrcoef(model.raw_scores(rows), other.raw_scores(rows))[0, 1] > 0.8


def test_scoring_does_not_import_torch(model: CohortAutoencoder, rows: pd.DataFrame, tmp_path: Path) -> None:
    model.save(tmp_path)
    rows.head(50).to_parquet(tmp_path / "rows.parquet")
    program = (
        "import sys, pandas as pd; from pathlib import Path; from fridge_assets.models.families import families\n"
        "rows = pd.read_parquet(Path(sys.argv[1]) / 'rows.parquet')\n"
        "print(families()['autoencoder'].load(Path(sys.argv[1])).raw_scores(rows).tobytes().hex())\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert bytes.fromhex(done.stdout) == model.raw_scores(rows.head(50)).tobytes()


def test_a_row_has_the_same_score_in_chunks_of_any_size(
    model: CohortAutoencoder, rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = model.raw_scores(rows)
    for size in (1, 7, 100_000):
        monkeypatch.setattr("fridge_assets.models._dense_network._ROWS_PER_CHUNK", size)

        np.testing.assert_array_equal(model.raw_scores(rows.iloc[::5]), whole[::5])
