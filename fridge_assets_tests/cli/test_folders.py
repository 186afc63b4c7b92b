"""Which folder a command works on, and what it may create there: a mistyped name is never an empty fleet."""

import shlex
from pathlib import Path

import pytest

from fridge_assets_tests.cli.test_help import COMMANDS
from fridge_assets_tests.cli.typed import typed
from fridge_assets_tests.scenarios.small_fleet import Place, copy_of

STARTS = {("demo",), ("simulate",), ("ingest",), ("sources", "add"), ("ui",), ("stream",), ("doctor",)}
"""Commands that a fleet may begin with, and the one that reports what is missing; the others need a fleet."""

ARGUMENTS: dict[tuple[str, ...], list[str]] = {
    ("export",): ["device_alerts", "--to", "{tmp}/alerts.csv"],
    ("replay",): ["--from", "2026-01-01", "--to", "2026-01-02"],
    ("run", "model"): ["isolation_forest"],
    ("stream", "backtest"): ["--from", "2026-01-01", "--to", "2026-01-02"],
    ("silences", "add"): ["--device", "device-000001", "--for", "2h", "--reason", "work"],
    ("silences", "end"): ["4f1c9a2e"],
    ("alerts", "show"): ["4f1c9a2e"],
    ("incidents", "show"): ["4f1c9a2e"],
    ("incidents", "confirm"): ["4f1c9a2e"],
    ("incidents", "undo"): ["4f1c9a2e"],
    ("incidents", "snooze"): ["4f1c9a2e", "--for", "2h"],
    ("models", "scored"): ["device-000001"],
    ("models", "list"): [],
    ("models", "history"): [],
    ("models", "canary"): [],
    ("models", "show"): ["isolation_forest"],
    ("models", "card"): ["isolation_forest"],
    ("models", "rollback"): ["isolation_forest"],
    ("models", "unpin"): ["isolation_forest"],
    ("pause",): ["isolation_forest"],
    ("resume",): ["isolation_forest"],
    ("thresholds", "show"): ["device-000001"],
    ("sources", "show"): ["store-7"],
    ("sources", "test"): ["store-7", "june.csv"],
    ("causes", "show"): ["refrigerant_undercharge"],
    ("messages", "show"): ["4f1c9a2e"],
    ("work-orders", "show"): ["4f1c9a2e"],
}


def words_of(command: tuple[str, ...], folder: Path) -> list[str]:
    """The command with arguments that would do if there were a fleet."""
    given = ARGUMENTS.get(command)
    if given is None and command[0] == "models":
        given = ["isolation_forest", "1.0.0"]
    return [*command, *(word.format(tmp=folder) for word in given or [])]


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - STARTS), ids=" ".join)
def test_a_folder_that_is_not_there_is_an_error_and_stays_away(command: tuple[str, ...], tmp_path: Path) -> None:
    nowhere, empty = tmp_path / "nowhere", tmp_path / "empty"
    empty.mkdir()
    for folder, problem in ((nowhere, "there is no data folder"), (empty, "holds no fleet")):
        code, said, error = typed(folder, *words_of(command, tmp_path))
        assert code == 1, said
        assert f"{problem}" in said + error
        assert str(folder) in said + error
        assert "--data-dir" in said + error
        assert "Traceback" not in error
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
    assert list(empty.iterdir()) == []


def test_a_slip_in_the_name_of_a_folder_names_the_one_beside_it(trained: Place) -> None:
    slip = trained.root.with_name("dat")
    _, _, error = typed(slip, "alerts", "list")
    assert f"Did you mean --data-dir {trained.root}?" in error


def test_train_without_readings_says_so_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "device_registry.csv").write_text("device_id,site_id\nd1,s1\n")
    for words in (
        ["train"],
        ["run", "hourly"],
        ["run", "daily"],
        ["run", "readings"],
        ["replay", "--from", "2026-01-01", "--to", "2026-01-02"],
    ):
        code, _, error = typed(folder, *words)
        assert (code, "there are no readings in" in error) == (1, True), error
    assert [path.name for path in folder.iterdir()] == ["device_registry.csv"]


def test_readings_that_have_landed_are_taken_in_before_anything_else_has_run(tmp_path: Path) -> None:
    folder, file = tmp_path / "data", tmp_path / "readings.csv"
    file.write_text("device_id,timestamp,temperature_evaporator\nd1,2026-03-02T00:00:00Z,-20\n")
    assert typed(folder, "ingest", str(file))[0] == 0
    code, said, error = typed(folder, "run", "readings")
    assert (code, "clean_sensor_readings" in said) == (0, True), error


def test_a_command_that_looks_creates_no_store_in_a_folder_with_readings_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "landing").mkdir(parents=True)
    for words in (["status"], ["alerts", "list"], ["models", "list"], ["messages", "list"], ["retention", "--dry-run"]):
        code, _, error = typed(folder, *words)
        assert (code, "Nothing has run there" in error) == (1, True), error
    assert [path.name for path in folder.rglob("*")] == ["landing"]


@pytest.mark.parametrize(
    "words",
    [
        ["alerts", "list"], ["incidents", "list"], ["incidents", "audit"], ["alerts", "sla"], ["alerts", "quality"],
        ["alerts", "health"], ["messages", "list"], ["silences", "list"], ["work-orders", "list"],
        ["thresholds", "list"], ["models", "canary"], ["status"],
        ["models", "history"], ["alerts", "list", "--all"], ["incidents", "list", "--all"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_empty_stores_are_no_error(trained_template: Place, words: list[str]) -> None:
    code, said, error = typed(trained_template.root, *words)
    assert (code, error) == (0, "")
    assert said
    code, said, error = typed(trained_template.root, *words, "--json")
    assert (code, error) == (0, "")


def test_what_to_type_next_can_be_typed_whatever_the_folder_is_called(cycled_template: Place, tmp_path: Path) -> None:
    place = copy_of(cycled_template, tmp_path / "Kühl möbel 1 $HOME 'x'")
    for words in (["alerts", "list"], ["status"], ["messages", "list"], ["models", "canary"]):
        _, said, _ = typed(place.root, *words)
        told = [line for line in said.splitlines() if "--data-dir" in line]
        assert told, said
        typed_again = shlex.split(told[-1])
        assert typed_again[typed_again.index("--data-dir") + 1] == str(place.root)
