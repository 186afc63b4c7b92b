"""The real daemon over a data folder, by itself: rules that take over from scores that are too old, and its own end."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.run_coordinator import SubmitRunContext
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

import fridge_assets.definitions
from fridge_assets.automation.launch import clock_config
from fridge_assets.running.environment import process_environment
from fridge_assets.running.instance import prepare_dagster_home
from fridge_assets.running.pools import slots
from fridge_assets_tests.incidents.observing.stored import stored_alerts
from fridge_assets_tests.notifications.slack_server import TOKEN, SlackServer
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.processes import NOTHING_DUE
from fridge_assets_tests.scenarios.small_fleet import Place, cycle_time, graph_of
from fridge_assets_tests.scenarios.test_hourly_cycle import faulty_devices

WORKSPACE = Path(__file__).parents[2] / "workspace.yaml"
BY_RULES, DIGEST = "Alerts come from the rules", "MEDIUM incident"
PATIENCE = 150.0
"""Seconds; about 40 on a machine with nothing else to do."""
ENDS_WITHIN = 20.0
"""Seconds that it has; systemd gives it 90."""


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
            if process.poll() is None:
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
    alerts = stored_alerts(place.operations, active=True)
    return set(alerts.loc[alerts["source"] == "rules_fallback", "device_id"])


def told(slack: SlackServer, channel: str, what: str) -> bool:
    """Whether a message of a channel begins by saying so."""
    return any(what in post.text.splitlines()[0] for post in slack.posted(channel))


def stop_as_systemd_does(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM to a process and to all that it started, at once; SIGKILL to what has not ended after its patience."""
    members = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for member in members:
        member.terminate()
    _, alive = psutil.wait_procs(members, timeout=ENDS_WITHIN)
    for member in alive:
        member.kill()
    psutil.wait_procs(alive, timeout=ENDS_WITHIN)


def queue_score_run(instance: dg.DagsterInstance) -> str:
    """Queue the hourly score run, as its schedule does; its id."""
    name = fridge_assets.definitions.__name__
    location = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name=name), location_name=name)
    run = instance.create_run_for_job(
        fridge_assets.definitions.defs.resolve_job_def("score_hourly"),
        run_config=clock_config(cycle_time(FIRST_HOUR)),
        remote_job_origin=RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), "score_hourly"),
    )
    instance.run_coordinator.submit_run(SubmitRunContext(run, workspace=None))
    return run.run_id


def wait_for_features(instance: dg.DagsterInstance, run_id: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return as soon as a run has its pool for the features."""
    deadline = time.monotonic() + PATIENCE
    started = dg.DagsterEventType.STEP_START
    while all(entry.step_key != "device_features" for entry in instance.all_logs(run_id, of_type=started)):
        assert process.poll() is None, log.read_text()[-2000:]
        status = instance.get_run_by_id(run_id).status
        assert time.monotonic() < deadline, (status, slots(instance), log.read_text()[-4000:])
        time.sleep(0.05)


@pytest.mark.timeout(400)
def test_a_daemon_that_is_stopped_in_a_step_leaves_nothing_that_the_next_one_waits_for(
    trained: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in NOTHING_DUE.items():
        monkeypatch.setenv(name, value)
    trained.deliver(FIRST_HOUR)
    log = tmp_path / "daemon.log"
    with graph_of(trained.settings) as instance:
        with daemon(trained, log) as process:
            stopped = queue_score_run(instance)
            wait_for_features(instance, stopped, process, log)
            assert [slot.run_id for slot in slots(instance) if slot.pool == "features"] == [stopped]
            stop_as_systemd_does(process)
        following = queue_score_run(instance)
        with daemon(trained, log) as process:
            wait_for_features(instance, following, process, log)
        assert instance.get_run_by_id(stopped).status in (dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.FAILURE)


@pytest.mark.timeout(240)
def test_the_daemon_lets_the_rules_take_over_and_tells_people(
    cycled: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SlackServer() as slack:
        for name, value in {
            # The recorded readings are of the past; that is young enough here, and only the scores are too old.
            "FRIDGE_FEATURES__MAX_AGE": "P36500D",
            "FRIDGE_FALLBACK__MAX_VIBRATION": "10",
            "FRIDGE_ALERTS__CONFIRM_SEEN": "1",  # nothing is delivered any more that would make a second window
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
