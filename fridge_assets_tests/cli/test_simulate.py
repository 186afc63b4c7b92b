"""`simulate` writes the mix of machines that was asked for, and what they truly do."""

from pathlib import Path

import pandas as pd

from fridge_assets_tests.cli.typed import refused, typed

END = "2026-03-02T12:00:00Z"
FEW = ("simulate", "--devices", "16", "--hours", "1", "--end", END)


def test_cycling_machines_come_with_their_true_states_where_these_are_asked_for(tmp_path: Path) -> None:
    code, _, error = typed(tmp_path, *FEW, "--machines", "cycling", "--states")
    assert code == 0, error
    registry = pd.read_csv(tmp_path / "device_registry.csv")
    assert {"bottle_cooler", "co2_condensing_unit"} < set(registry["model"])
    states = pd.read_parquet(tmp_path / "ground_truth_states.parquet")
    total = (states["end"] - states["start"]).groupby(states["device_id"]).sum()
    assert (total == pd.Timedelta(hours=1)).all()
    assert len(total) == 16


def test_without_a_word_about_machines_compressors_never_stop_and_no_states_are_written(tmp_path: Path) -> None:
    code, _, error = typed(tmp_path, *FEW)
    assert code == 0, error
    assert "walk_in_freezer" in set(pd.read_csv(tmp_path / "device_registry.csv")["model"])
    assert not (tmp_path / "ground_truth_states.parquet").exists()


def test_a_mix_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    line = refused(tmp_path, *FEW, "--machines", "cycling_ones")
    assert "Did you mean cycling? Choose one of continuous, cycling, mixed." in line
    assert not (tmp_path / "device_registry.csv").exists()
