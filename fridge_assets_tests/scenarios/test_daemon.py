"""The real daemon over scores that are too old: it lets the rules take over and tells people, by itself (SPEC 4)."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from fridge_assets.alerting.store import AlertFilter, list_alerts
from fridge_assets.automation.environment import process_environment
from fridge_assets.automation.instance import prepare_dagster_home
from fridge_assets_tests.notifications.slack_server import TOKEN, SlackServer
from fridge_assets_tests.scenarios.small_fleet import Place
from fridge_assets_tests.scenarios.test_hourly_cycle import faulty_devices

WORKSPACE = Path(__file__).parents[2] / "workspace.yaml"
BY_RULES, DIGEST = "Alerts come from the rules", "new MEDIUM alert"
PATIENCE = 150.0
"""Seconds; about 40 on a machine with nothing else to do."""


@contextmanager
def daemon(place: Place, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Dagster's daemon over a data folder; it and all that it started end with the block."""
    prepare_dagster_home(place.settings)
    program = [str(Path(sys.executable).parent / "dagster-daemon"), "run", "-w", str(WORKSPACE)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            program, env=process_environment(place.settings), stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield process
        finally:
            end_tree(psutil.Process(process.pid))
            process.wait(20)


def end_tree(root: psutil.Process) -> None:
    """Kill a process and all that it started, until none of them starts another."""
    for _ in range(10):
        members = [root, *root.children(recursive=True)] if root.is_running() else []
        if not members:
            return
        for member in reversed(members):
            try:
                member.kill()
            except psutil.NoSuchProcess:
                continue
        _, alive = psutil.wait_procs(members, timeout=10)
        assert not alive


def rule_alerts(place: Place) -> set[str]:
    """Devices with an alert of the rules."""
    with place.operations.read() as connection:
        alerts = list_alerts(connection, AlertFilter(limit=1000))
    return set(alerts.loc[alerts["source"] == "rules_fallback", "device_id"])


def told(slack: SlackServer, channel: str, what: str) -> bool:
    """Whether a message of a channel begins by saying so."""
    return any(what in post.text.splitlines()[0] for post in slack.posted(channel))


@pytest.mark.timeout(240)
def test_the_daemon_lets_the_rules_take_over_and_tells_people(
    cycled: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SlackServer() as slack:
        for name, value in {
            # The recorded readings are of the past; that is young enough here, and only the scores are too old.
            "FRIDGE_FEATURES__MAX_AGE": "P36500D",
            "FRIDGE_FALLBACK__MAX_VIBRATION": "10",
            "FRIDGE_NOTIFICATIONS__TOKEN": TOKEN,
            "FRIDGE_NOTIFICATIONS__API_URL": slack.url,
            "FRIDGE_NOTIFICATIONS__PAUSE_BETWEEN": "PT0S",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }.items():
            monkeypatch.setenv(name, value)
        log = tmp_path / "daemon.log"
        with daemon(cycled, log) as process:
            deadline = time.monotonic() + PATIENCE
            while not (told(slack, "#fridge-everyone", BY_RULES) and told(slack, "#fridge-sites", DIGEST)):
                assert process.poll() is None, log.read_text()[-2000:]
                assert time.monotonic() < deadline, log.read_text()[-4000:]
                time.sleep(0.5)
        assert not psutil.pid_exists(process.pid)
    assert rule_alerts(cycled) >= faulty_devices(cycled)
    assert cycled.query("SELECT count(*) > 0 FROM rules_based_fallback WHERE anomaly_flag") == [(True,)]
    posts = Counter((post.channel, post.key) for post in slack.posts if not post.resend)
    assert set(posts.values()) == {1}
