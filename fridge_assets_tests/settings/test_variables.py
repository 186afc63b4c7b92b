"""A variable that looks like a setting and is none stops every program, and the nearest name is said."""

import os
import subprocess
import sys

import pytest

from fridge_assets.core.errors import FridgeError
from fridge_assets.settings import Settings, read_settings
from fridge_assets.settings.variables import refuse_unknown, variable_names
from fridge_assets_tests.cli.typed import refused


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("FRIDGE_NOTIFICATION__TOKEN", "FRIDGE_NOTIFICATIONS__TOKEN"),
        ("FRIDGE_NOTIFICATIONS__TOKENS", "FRIDGE_NOTIFICATIONS__TOKEN"),
        ("FRIDGE_NOTIFICATIONS__CHANNELS__ONCALL", "FRIDGE_NOTIFICATIONS__CHANNELS__ON_CALL"),
        ("FRIDGE_NOTIFICATIONS_TOKEN", "FRIDGE_NOTIFICATIONS__TOKEN"),
        ("FRIDGE_DATADIR", "FRIDGE_DATA_DIR"),
        ("fridge_data_dirs", "FRIDGE_DATA_DIR"),
        ("FRIDGE_SCORING__MIN_COMPLETNESS", "FRIDGE_SCORING__MIN_COMPLETENESS"),
        ("FRIDGE_NOTIFICATIONS__DESTINATIONS__DUTY__CHANEL", "FRIDGE_NOTIFICATIONS__DESTINATIONS__DUTY__CHANNELS"),
    ],
)
def test_a_name_that_sets_nothing_is_refused_with_the_nearest_that_does(
    given: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(given, "secret-value")
    with pytest.raises(FridgeError, match=f"^{given} is no setting; the nearest one is {meant}\\.") as refusal:
        Settings()
    assert "secret-value" not in str(refusal.value)


def test_a_name_that_resembles_none_is_refused_as_well() -> None:
    with pytest.raises(FridgeError, match=r"^FRIDGE_XYZZY is no setting\. Correct its name or unset it"):
        refuse_unknown(Settings, {"FRIDGE_XYZZY": "1"})


def test_every_setting_and_what_others_name_passes() -> None:
    others = {"PATH": "/bin", "REFRIGERATOR_FRIDGE_X": "1", "FRIDGETOWN": "1"}
    made_up = {name.replace("*", "DUTY"): "" for name in variable_names(Settings)}
    refuse_unknown(Settings, others | made_up)
    assert {"FRIDGE_DATA_DIR", "FRIDGE_NOTIFICATIONS__TOKEN", "FRIDGE_KAFKA__CLIENT__*"} <= set(
        variable_names(Settings)
    )


def test_the_command_line_and_the_code_location_refuse_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRIDGE_NOTIFICATION__TOKEN", "xoxb-1")
    assert "the nearest one is FRIDGE_NOTIFICATIONS__TOKEN" in refused(settings.root, "status")
    loading = [sys.executable, "-c", "import fridge_assets.definitions"]
    ended = subprocess.run(loading, capture_output=True, text=True, check=False, env=os.environ.copy())
    assert ended.returncode != 0
    assert "FRIDGE_NOTIFICATION__TOKEN is no setting" in ended.stderr


DUTY = "FRIDGE_NOTIFICATIONS__DESTINATIONS__DUTY__"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"FRIDGE_SCORING__MIN_COMPLETENESS": "7"}, "FRIDGE_SCORING__MIN_COMPLETENESS is '7': "),
        ({"FRIDGE_MQTT__HOST": "mqtt://broker"}, "FRIDGE_MQTT__HOST is 'mqtt://broker': it is a name"),
        ({"FRIDGE_MQTT__PORT": "many", "FRIDGE_MQTT__PASSWORD": "hunter2"}, "FRIDGE_MQTT__PORT is 'many': "),
        ({f"{DUTY}KIND": "teams", f"{DUTY}URL": "hunter2"}, f"{DUTY}URL cannot be used: it is no address"),
        ({f"{DUTY}KIND": "teams", f"{DUTY}KEY": "hunter2"}, f"{DUTY}URL cannot be used: Field required"),
        ({f"{DUTY}KIND": "pagerduty", f"{DUTY}KEY": "hunter2\n"}, ""),
        ({f"{DUTY}KIND": "pagerduty", f"{DUTY}KEY": "hunter2…"}, f"{DUTY}KEY cannot be used: it is empty, or has char"),
        ({f"{DUTY}KIND": "pager", f"{DUTY}KEY": "hunter2"}, "does not match any of the expected tags: 'slack_webhook'"),
        ({"FRIDGE_NOTIFICATIONS__DESTINATIONS": "{hunter2"}, "holds no JSON where JSON is needed"),
        ({f"{DUTY}KIND": "pagerduty", f"{DUTY}KEY": "hunter2", f"{DUTY}CHANNELS": "oncall"}, "not oncall"),
        ({"FRIDGE_NOTIFICATIONS__DESTINATIONS__LOG__KIND": "teams",
          "FRIDGE_NOTIFICATIONS__DESTINATIONS__LOG__URL": "https://hunter2"}, "'log' names no destination"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_named_and_a_secret_is_not_shown(
    given: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    if not said:
        assert "hunter2" not in repr(read_settings())
        return
    with pytest.raises(FridgeError) as refusal:
        read_settings()
    assert said in str(refusal.value)
    assert "hunter2" not in str(refusal.value)
    assert "hunter2" not in str(refusal.value.__cause__)
