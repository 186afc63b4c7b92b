"""The benchmark of probable causes holds its targets on a smaller fleet, too."""

from pathlib import Path

from fridge_assets_tests.benchmarks.diagnosis import CAUSE_OF, figures, missed, observe


def test_simulated_faults_are_told_apart(tmp_path: Path) -> None:
    observed = observe(tmp_path, 150, 41, "continuous")
    found = figures(observed)
    assert missed(found) == []
    assert set(observed["right"].dropna()) == set(CAUSE_OF.values())


def test_a_missed_target_is_said() -> None:
    found = {"first": 0.7, "among_two": 0.95, "guessed": 0.0, "in_vain": 0.03}
    assert [line.split(",")[0] for line in missed(found)] == [
        "70.0% have the right cause first",
        "3.0% of the healthy devices have a cause",
    ]
