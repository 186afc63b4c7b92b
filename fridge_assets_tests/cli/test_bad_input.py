"""Bad input: exit code 1 and one line that names the value and the way out (SPEC 9)."""

from pathlib import Path

import pandas as pd
import pytest

from fridge_assets_tests.cli.readings import write_csv
from fridge_assets_tests.cli.typed import refused, typed
from fridge_assets_tests.scenarios.small_fleet import Place


@pytest.fixture(scope="module")
def csv(trained_template: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(trained_template, tmp_path_factory.mktemp("readings") / "june.csv")


REPLAY = ["replay", "--from", "2026-03-02T04:00Z", "--to", "2026-03-02T05:00Z"]
REFUSED = [
    (["ingest", "missing.csv"], "missing.csv is not a file. Give the path of a readings file."),
    (["ingest", "{csv}", "--map", "a"], "--map a is not a pair. Write --map LEFT=RIGHT without blanks."),
    (["ingest", "{csv}", "--map", "a=b"], "--map a=b: there is no column b. Choose one of event_id, device_id"),
    (["ingest", "{csv}", "--unit", "humidity=degF"], "--unit humidity=degF: humidity cannot be in degF. Choose one of"),
    (["ingest", "{csv}", "--unit", "colour=degF"], "--unit colour=degF: colour is not a sensor with a unit."),
    (["ingest", "{csv}", "--timezone", "Mars/Base"], "--timezone Mars/Base: there is no such time zone."),
    (["train", "crystal_ball"], "there is no model family 'crystal_ball'. Choose one of isolation_forest, "),
    (["train", "--as-of", "noon"], "--as-of is 'noon', not a moment. Give ISO 8601"),
    (["run", "model", "crystal_ball"], "there is no model family 'crystal_ball'."),
    (["run", "hourly", "--as-of", "noon"], "--as-of is 'noon', not a moment. Give ISO 8601"),
    (["run", "model", "isolation_forest", "--window-end", "noon"], "--window-end is 'noon', not a moment."),
    (["replay", "--from", "noon", "--to", "2026-01-01"], "--from is 'noon', not a moment."),
    (["replay", "--from", "2026-01-02", "--to", "2026-01-01"], "--to 2026-01-01 lies before --from 2026-01-02. Swap"),
    (
        ["replay", "--from", "2020-01-01T00:00Z", "--to", "2020-01-01T02:00Z"],
        "2020-01-01 00:00 UTC lies before the first readings: there are readings from 2026-03-02 00:00 to",
    ),
    ([*REPLAY[:3], "--to", "2031-01-01", "--into-live", "--yes"], "2031-01-01 00:00 UTC lies after the last reading"),
    ([*REPLAY, "--compare-setting", "training.seed=1"], "training.seed is no setting that a replay depends on. Choose"),
    ([*REPLAY, "--compare-version", "isolation_forest=9.9.9"], "isolation_forest has no version 9.9.9. Choose one of"),
    ([*REPLAY, "--compare-version", "isolation_forest=1.0.0"], "isolation_forest 1.0.0 is what scores now. Compare"),
    ([*REPLAY, "--into-live", "--keep", "x"], "--into-live can neither compare nor keep. Leave out --into-live"),
    (["status", "--as-of", "noon"], "--as-of is 'noon', not a moment."),
    (["alerts", "show", "zzzz"], "no alert begins with 'zzzz'. See `fridge-assets alerts list --all`."),
    (["alerts", "list", "--min-severity", "AWFUL"], "there is no severity 'AWFUL'. Choose one of LOW, MEDIUM"),
    (["export", "model_scores", "--to", "scores.xlsx"], "scores.xlsx ends in .xlsx. Name a file that ends in"),
    (["export", "device_status", "--to", "s.csv", "--since", "2026-01-01"], "device_status shows the present"),
    (["models", "show", "isolation_forest", "9.9.9"], "isolation_forest has no version 9.9.9. Choose one of 1.0.0."),
    (["models", "show", "crystal_ball"], "there is no model family 'crystal_ball'."),
    (["simulate", "--fault", "rust=0.1"], "there is no fault 'rust'."),
    (["simulate", "--fault", "rust"], "the fault 'rust' has no share."),
    (["demo"], "holds readings already. Name an empty folder: fridge-assets --data-dir FOLDER demo."),
]


@pytest.mark.parametrize(("words", "expected"), REFUSED, ids=[" ".join(words) for words, _ in REFUSED])
def test_one_line_says_what_is_wrong_and_what_to_do(
    trained_template: Place, csv: Path, words: list[str], expected: str
) -> None:
    line = refused(trained_template.root, *(word.format(csv=csv) for word in words))
    assert expected in line


def test_a_file_without_device_id_is_refused_and_landing_stays_as_it_was(trained: Place, csv: Path) -> None:
    anonymous = csv.with_name("anonymous.csv")
    pd.read_csv(csv).drop(columns="device_id").to_csv(anonymous, index=False)
    before = sorted(trained.settings.landing_dir.iterdir())
    line = refused(trained.root, "ingest", str(anonymous))
    assert "anonymous.csv" in line
    assert "device_id" in line
    assert "--map" in line
    assert sorted(trained.settings.landing_dir.iterdir()) == before


def test_a_registry_with_repeated_devices_is_refused_with_their_names(trained: Place, csv: Path) -> None:
    file = trained.root / "device_registry.csv"
    registry = pd.read_csv(file, dtype="str")
    pd.concat([registry, registry.iloc[[7]]]).to_csv(file, index=False)
    line = refused(trained.root, "ingest", str(csv))
    assert f"device_registry.csv names 1 devices more than once: {registry.loc[7, 'device_id']}" in line


@pytest.mark.parametrize(
    "words", [["status"], ["alerts", "list"], ["models", "list"], ["simulate", "--devices", "1", "--hours", "1"]]
)
def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path, words: list[str]) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    line = refused(file / "data", *words)
    assert str(file) in line
    assert "--data-dir" in line


def test_a_setting_that_does_not_fit_is_called_by_the_name_of_its_variable(
    trained_template: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRIDGE_SCORING__MIN_COMPLETENESS", "1.5")
    line = refused(trained_template.root, "status")
    assert "FRIDGE_SCORING__MIN_COMPLETENESS is '1.5'" in line
    assert "less than or equal to 1" in line


def test_a_word_that_is_no_command_exits_with_2_as_programs_do(tmp_path: Path) -> None:
    code, _, error = typed(tmp_path, "defrost")
    assert code == 2
    assert "defrost" in error


def test_doctor_says_what_is_broken_and_exits_with_1(trained: Place) -> None:
    tampered = next(trained.artifact("isolation_forest", "model").iterdir())
    tampered.write_bytes(b"x")
    code, said, _ = typed(trained.root, "doctor")
    assert code == 1
    assert "✗" in said
    assert tampered.name in said
