"""The files for running it for real name programs, commands and settings that exist."""

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from fridge_assets.cli.main import app
from fridge_assets.settings import Settings

DOCS = Path(__file__).parents[1] / "docs"
UNITS = sorted([*DOCS.glob("systemd/*.service"), *DOCS.glob("systemd/*.timer")])
PROGRAMS = Path(sys.executable).parent
WHERE_INSTALLED = "/opt/fridge/bin"
NOT_SETTINGS = {"DAGSTER_HOME", "MPLCONFIGDIR"}
PROCFILE = dict(line.split(": ", 1) for line in (DOCS / "Procfile").read_text().splitlines())


class Unit(configparser.RawConfigParser):
    """A systemd unit; names keep their capitals."""

    def __init__(self, path: Path) -> None:
        super().__init__(strict=True, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
        self.optionxform = str  # type: ignore[assignment]
        self.read(path)


def commands_of(path: Path) -> list[list[str]]:
    """The command lines of a unit."""
    service = Unit(path)["Service"]
    return [shlex.split(value) for name, value in service.items() if name.startswith("Exec")]


def known_command(words: list[str]) -> bool:
    """Whether ``fridge-assets WORDS`` is a command with these options."""
    command = typer.main.get_command(app)
    found = getattr(command, "commands", {}).get(words[0])
    options = {
        option for parameter in getattr(found, "params", ()) for option in (*parameter.opts, *parameter.secondary_opts)
    }
    return found is not None and all(word in options for word in words[1:])


@pytest.mark.parametrize("path", [path for path in UNITS if path.suffix == ".service"], ids=lambda path: path.name)
def test_a_service_starts_programs_that_are_installed_with_commands_that_they_know(path: Path) -> None:
    commands = commands_of(path)
    assert commands
    for program, *words in commands:
        assert Path(program).parent == Path(WHERE_INSTALLED)
        assert (PROGRAMS / Path(program).name).is_file()
        if Path(program).name == "fridge-assets":
            assert known_command(words)


@pytest.mark.parametrize("path", [path for path in UNITS if path.suffix == ".service"], ids=lambda path: path.name)
def test_a_long_running_service_starts_again_and_keeps_its_memory_in_bounds(path: Path) -> None:
    service = Unit(path)["Service"]
    assert service["EnvironmentFile"] == "/etc/fridge/fridge.env"
    assert "MemoryMax" in service
    if service["Type"] != "oneshot":
        assert service["Restart"] == "always"
        assert "StartLimitBurst" in Unit(path)["Unit"]
        # What our programs end with at SIGTERM; systemd takes only the signal itself for an orderly end.
        assert service.get("SuccessExitStatus") == "143" or "fridge-assets" not in service["ExecStart"]


def test_the_kernel_may_end_a_step_without_the_daemon_going_with_it() -> None:
    assert Unit(DOCS / "systemd" / "fridge-daemon.service")["Service"]["OOMPolicy"] == "continue"


def test_the_health_check_is_punctual() -> None:
    timer = Unit(DOCS / "systemd" / "fridge-health.timer")["Timer"]
    assert (timer["OnUnitActiveSec"], timer["AccuracySec"]) == ("30s", "1s")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_understands_every_unit(tmp_path: Path) -> None:
    copies = []
    for path in UNITS:
        copy = tmp_path / path.name
        copy.write_text(path.read_text().replace(WHERE_INSTALLED, str(PROGRAMS)))
        copies.append(str(copy))
    command = ["systemd-analyze", "verify", "--man=no", *copies]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, [line for line in done.stderr.splitlines() if str(tmp_path) in line]) == (0, [])


def test_every_variable_of_the_environment_file_is_a_setting_with_a_value_that_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = (DOCS / "systemd" / "fridge.env").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert given["DAGSTER_HOME"] == given["FRIDGE_DATA_DIR"] + "/dagster"
    for name, value in given.items():
        monkeypatch.setenv(name, value)
        if name not in NOT_SETTINGS:
            assert is_setting(name), name
    assert str(Settings().dagster_home) == given["DAGSTER_HOME"]


def test_every_file_that_the_manual_installs_exists() -> None:
    manual = (DOCS / "run-it-for-real.md").read_text()
    for path in re.findall(r"docs/systemd/[\w.-]+", manual):
        assert "*" in path or (DOCS.parent / path).exists() or path.endswith("fridge-"), path


def test_the_manual_and_the_units_speak_of_the_same_services() -> None:
    named = set(re.findall(r"fridge-[a-z]+\.(?:service|timer)", (DOCS / "run-it-for-real.md").read_text()))
    assert named <= {path.name for path in UNITS}


@pytest.mark.parametrize("name", PROCFILE)
def test_a_process_of_the_procfile_is_a_program_that_is_installed(name: str) -> None:
    programs = re.findall(r"\b(dagster-[a-z]+|fridge-assets(?: [a-z]+)?)", PROCFILE[name])
    assert programs
    for program in programs:
        installed, *words = program.split()
        assert (PROGRAMS / installed).is_file()
        assert not words or known_command(words)


def is_setting(name: str) -> bool:
    """Whether ``name`` is the environment variable of a setting."""
    fields = Settings.model_fields
    *groups, last = name.removeprefix("FRIDGE_").lower().split("__")
    for group in groups:
        if group not in fields:
            return False
        fields = fields[group].annotation.model_fields  # type: ignore[union-attr]
    return last in fields
