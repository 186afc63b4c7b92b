"""Health is red when the automation is silent, says where to look, and each change is told once (SPEC 4)."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from fridge_assets.deployment.decide import Proof, Request, pause, promote
from fridge_assets.deployment.store import Deployments
from fridge_assets.notifications.message import Message
from fridge_assets.notifications.outbox import enqueue
from fridge_assets.notifications.watch import changed
from fridge_assets.settings import HealthSettings, Settings
from fridge_assets.stores.operations import Operations, outbox, outbox_deliveries, score_ages
from fridge_assets.streaming import status as status_module
from fridge_assets.streaming.status import StreamLook, StreamStatus
from fridge_assets.upkeep.health import AUTOMATION, Health, beat, health, silence, tell
from fridge_assets_tests.cli.typed import typed

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def alive(operations: Operations, at: datetime) -> None:
    with operations.transaction() as connection:
        beat(connection, AUTOMATION, at)


def stream_at(at: datetime, stopped_at: datetime | None = None) -> StreamStatus:
    return StreamStatus("fridge/7", "landing", NOW - 120 * MINUTE, at, stopped_at)


def told(operations: Operations) -> list[tuple[str, str, str]]:
    """Channel, kind and title of every message, oldest first."""
    with operations.read() as connection:
        rows = connection.execute(sa.select(outbox).order_by(outbox.c.number))
        return [(row.channel, row.kind, row.title) for row in rows]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, ""), (45, ""), (45.1, "silent for 45 s"), (7200, "silent for 2 h"), (-30, ""), (-60, "1 min in the future")],
)
def test_silence_has_a_limit_in_both_directions(seconds: float, said: str) -> None:
    problem = silence(NOW - timedelta(seconds=seconds), NOW, HealthSettings())
    assert said in problem
    assert bool(problem) == bool(said)


def test_red_says_where_to_look(operations: Operations, settings: Settings) -> None:
    found = health(operations, NOW, settings)
    assert not found.green
    assert "never run" in found.problems[0]
    alive(operations, NOW - MINUTE)
    found = health(operations, NOW, settings)
    for hint in ("silent for 1 min", "systemctl status fridge-daemon", "journalctl", "dagster definitions validate"):
        assert hint in found.problems[0]


def test_another_pulse_makes_it_green_again(operations: Operations, settings: Settings) -> None:
    alive(operations, NOW - MINUTE)
    alive(operations, NOW)
    assert health(operations, NOW, settings) == Health(
        green=True,
        problems=(),
        notes=("nothing has been scored yet: `fridge-assets status`",),
        last_beat=NOW,
        looked_at=NOW,
        dead=(),
        stream=StreamLook("off", "not running: `fridge-assets stream`"),
    )


@pytest.mark.parametrize(
    ("status", "green", "state"),
    [
        (stream_at(NOW - timedelta(seconds=60)), True, "alive"),
        (stream_at(NOW - timedelta(seconds=61)), False, "silent"),
        (stream_at(NOW - 90 * MINUTE, stopped_at=NOW - 90 * MINUTE), True, "off"),
    ],
)
def test_a_stream_that_vanished_is_red_and_one_that_was_stopped_is_not(
    operations: Operations, settings: Settings, status: StreamStatus, green: bool, state: str
) -> None:
    alive(operations, NOW)
    with operations.transaction() as connection:
        status_module.beat(connection, status)
    found = health(operations, NOW, settings)
    assert found.stream is not None
    assert (found.green, found.stream.state, found.dead) == (green, state, () if green else ("stream",))
    assert [problem.split(",")[0] for problem in found.problems] == ([] if green else ["The stream is dead"])


def test_automation_and_stream_are_told_each_for_itself(operations: Operations, settings: Settings) -> None:
    def look(minutes: float, *beating: str, stopped: bool = False) -> None:
        at = NOW + minutes * MINUTE
        if "automation" in beating:
            alive(operations, at)
        if "stream" in beating:
            with operations.transaction() as connection:
                status_module.beat(connection, stream_at(at, stopped_at=at if stopped else None))
        tell(operations, health(operations, at, settings))

    look(0, "automation", "stream")
    look(2, "automation")
    look(4)
    look(5, "stream", stopped=True)
    look(6, "stream")
    look(8, "automation", "stream", stopped=True)
    look(60, "automation", "stream", stopped=True)
    assert [title for _, _, title in told(operations)] == [
        "The stream is dead",
        "The automation is dead",
        "The stream is alive again after 4 min",
        "The automation is alive again after 4 min",
    ]


def test_an_operations_store_that_cannot_be_read_is_red_and_named(settings: Settings) -> None:
    (settings.root / "operations.db").parent.mkdir(parents=True)
    (settings.root / "operations.db").write_bytes(b"not a database" * 100)
    found = health(Operations(settings.operations_database), NOW, settings)
    assert not found.green
    assert "is not a SQLite database" in found.problems[0]


def test_scores_that_the_automation_never_looked_at_are_not_said_to_be_fresh(
    operations: Operations, settings: Settings
) -> None:
    alive(operations, NOW)
    with operations.transaction() as connection:
        aged = {"family": "isolation_forest", "window_end": NOW - 13 * MINUTE, "scored_at": NOW - 10 * MINUTE}
        connection.execute(score_ages.insert(), [aged])
    assert health(operations, NOW, settings).notes == (
        "the newest scores are 10 min old (the automation has not looked at them yet): `fridge-assets status`",
    )


def test_waiting_messages_old_scores_and_paused_models_are_noted_and_not_red(
    operations: Operations, settings: Settings
) -> None:
    alive(operations, NOW)
    deployments, ann = Deployments(operations), Request("ann", NOW - 20 * MINUTE, "odd")
    first = Proof(passed=True, said="the first one")
    deployments.decide("autoencoder", lambda state, _: promote(state, "1.0.0", ann, first))
    deployments.decide("autoencoder", lambda state, _: pause(state, ann))
    with operations.transaction() as connection:
        aged = {"family": "isolation_forest", "window_end": NOW - 90 * MINUTE, "scored_at": NOW - 87 * MINUTE}
        connection.execute(score_ages.insert(), [aged])
        changed(connection, "scores", "stale", NOW)
        sent = sa.update(outbox).values(status="sent")  # what was told of the pause
        connection.execute(sent)
        waiting = Message("k", "on_call", "anomaly", "title", (), NOW - 30 * MINUTE)
        enqueue(connection, [waiting], NOW - 30 * MINUTE)
    found = health(operations, NOW, settings)
    assert found.green
    said = " ".join(found.notes)
    for note in ("to on_call has waited for 30 min", "1 h 27 min old (stale", "autoencoder is paused"):
        assert note in said


def test_each_change_is_told_once_to_everyone(operations: Operations, settings: Settings) -> None:
    alive(operations, NOW)
    assert not tell(operations, health(operations, NOW, settings)), "alive at the first look is no news"
    for minutes in (2, 3, 4):
        assert tell(operations, health(operations, NOW + minutes * MINUTE, settings)) == (minutes == 2)
    alive(operations, NOW + 10 * MINUTE)
    assert tell(operations, health(operations, NOW + 10 * MINUTE, settings))
    assert told(operations) == [
        ("everyone", "automation", "The automation is dead"),
        ("everyone", "recovery", "The automation is alive again after 8 min"),
    ]


def test_the_command_tells_delivers_by_itself_and_fails_while_red(settings: Settings, operations: Operations) -> None:
    operations.migrate()
    code, said, _ = typed(settings.root, "health", "--tell")
    assert (code, said.split(",")[0]) == (1, "✗ dead")
    with operations.read() as connection:
        columns = outbox_deliveries.c
        assert connection.execute(sa.select(columns.status, columns.sent_to)).all() == [("sent", "log")]
    alive(operations, datetime.now(UTC))
    code, said, _ = typed(settings.root, "health", "--tell", "--json")
    assert (code, json.loads(said)["green"], json.loads(said)["problems"]) == (0, True, [])
    assert json.loads(said)["stream"]["state"] == "off"
    assert [title for _, _, title in told(operations)][1].startswith("The automation is alive again after ")


def test_the_command_fails_and_says_so_when_only_the_stream_is_dead(settings: Settings, operations: Operations) -> None:
    now = datetime.now(UTC)
    alive(operations, now)
    for at, sign in ((now, "✓ alive, last pulse"), (now - 2 * MINUTE, "✗ the stream is dead, the automation alive")):
        with operations.transaction() as connection:
            status_module.beat(connection, stream_at(at))
        code, said, _ = typed(settings.root, "health")
        assert code == (at != now)
        assert said.startswith(sign)
        assert said.count("stream alive since") == (at == now)


def test_waiting_ends_when_it_is_green_or_the_time_is_over(settings: Settings, operations: Operations) -> None:
    began = datetime.now(UTC)
    assert typed(settings.root, "health", "--wait", "1.5")[0] == 1
    assert datetime.now(UTC) - began > timedelta(seconds=1.5)
    alive(operations, datetime.now(UTC))
    assert typed(settings.root, "health", "--wait", "60")[0] == 0


def test_looking_imports_neither_dagster_nor_the_models(tmp_path: Path) -> None:
    code = (
        "import sys; from fridge_assets.cli.main import run_typed; "
        f"sys.argv = ['fridge-assets', '--data-dir', {str(tmp_path)!r}, 'health']; assert run_typed() == 1; "
        "print([m for m in ('dagster', 'sklearn', 'torch', 'duckdb', 'mlflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
