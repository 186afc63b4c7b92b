"""Scores grow old under a real daemon: what Dagster shows, what people are told, who raises the alerts (SPEC 4).

``python -m fridge_assets_tests.scenarios.staleness``, about eight minutes. An hour of the specification lasts 80 s:
scores are stale after 80 s, very stale after 160 s, blanked after 320 s. A fleet is simulated up to now and goes on
sending readings; its models are trained and score once; then the scoring schedules are stopped in the webserver, and
nothing is done until the scores are blanked. After that one more cycle runs, and everything has to clear by itself.

Prints a transcript with times and exits with 1 when something that must happen did not. The webserver's address is
printed, for looking at the asset graph meanwhile.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import sqlalchemy as sa
from rich.console import Console

from fridge_assets.automation.freshness import WATCHED
from fridge_assets.running.environment import process_environment
from fridge_assets.running.instance import prepare_dagster_home
from fridge_assets.settings import Settings
from fridge_assets.staleness.ages import kept_ages
from fridge_assets.stores.operations import Operations, device_alerts
from fridge_assets_tests.notifications.slack_server import TOKEN, SlackServer

CONSOLE = Console(highlight=False, soft_wrap=True)
HOUR = timedelta(seconds=80)
"""What stands for an hour."""
STALE, VERY_STALE, EXPIRED = HOUR, 2 * HOUR, 4 * HOUR
PATIENCE = HOUR / 6
"""What stands for the ten minutes that a delay must last to be told."""
WINDOW = timedelta(minutes=5)
"""Length of a feature window, so that recovery need not wait a quarter of an hour for one."""
IN_TIME = timedelta(seconds=30)
"""Dagster's usual interval between two looks of a sensor: so long after a mark everything has happened."""
LOOK = 2.0
OVER = "Alerts come from the models again"
HOURLY = ("isolation_forest_scores", "statistical_baseline_scores", "model_scores", "device_alerts")
LOCATION = {"repositoryLocationName": "fridge_assets.definitions", "repositoryName": "__repository__"}
SHOWN = {"HEALTHY": "PASS", "WARNING": "WARN", "DEGRADED": "FAIL", "UNKNOWN": "UNKNOWN"}
"""What the UI's API calls Dagster's freshness states."""


@dataclass
class Transcript:
    """What happened, in seconds after the scores were made."""

    scored_at: datetime
    times: dict[str, float] = field(default_factory=dict)

    def note(self, what: str) -> None:
        """Print ``what`` with its time, the first time that it happens."""
        if what in self.times:
            return
        self.times[what] = (datetime.now(UTC) - self.scored_at).total_seconds()
        CONSOLE.print(f"{self.times[what]:7.1f} s  {what}")

    def missing(self, what: str, after: timedelta, by: timedelta | None = None) -> list[str]:
        """What is wrong with the time of ``what``, if anything."""
        at = self.times.get(what)
        if at is None:
            return [f"{what}: never happened"]
        if at < after.total_seconds():
            return [f"{what}: at {at:.1f} s, before {after.total_seconds():g} s"]
        if by is not None and at > by.total_seconds():
            return [f"{what}: at {at:.1f} s, after {by.total_seconds():g} s"]
        return []


class Webserver:
    """The API that the Dagster UI uses."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Data of a GraphQL query."""
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer["errors"]
        return dict(answer["data"])

    def freshness(self) -> dict[str, str]:
        """Asset → what the UI shows of its freshness."""
        nodes = self.ask("{ assetNodes { assetKey { path } freshnessStatusInfo { freshnessStatus } } }")["assetNodes"]
        return {
            node["assetKey"]["path"][0]: SHOWN[node["freshnessStatusInfo"]["freshnessStatus"]]
            for node in nodes
            if node["assetKey"]["path"][0] in WATCHED and node["freshnessStatusInfo"]
        }

    def stop_schedule(self, name: str) -> None:
        """Switch a schedule off, as one would in the UI."""
        found = self.ask(
            "query($selector: ScheduleSelector!) { scheduleOrError(scheduleSelector: $selector) "
            "{ ... on Schedule { scheduleState { id } } } }",
            {"selector": {**LOCATION, "scheduleName": name}},
        )["scheduleOrError"]
        stopped = self.ask(
            "mutation($id: String!) { stopRunningSchedule(id: $id) "
            "{ ... on ScheduleStateResult { scheduleState { status } } } }",
            {"id": found["scheduleState"]["id"]},
        )["stopRunningSchedule"]
        assert stopped["scheduleState"]["status"] == "STOPPED", stopped


def main() -> int:
    """Run the scenario; 1 when something that must happen did not."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fridge-staleness-")))
        slack = stack.enter_context(SlackServer())
        os.environ.update(environment(slack))
        settings = Settings(data_dir=folder / "data")
        prepare(stack, settings)
        web = start_dagster(stack, settings)
        for schedule in ("score_hourly_schedule", "score_daily_schedule"):
            web.stop_schedule(schedule)
        CONSOLE.print("The scoring schedules are stopped.")
        transcript = grow_old(settings, web, slack)
        recover(settings, web, slack, transcript)
        problems = judge(transcript, slack)
    for problem in problems:
        CONSOLE.print(f"[red]Wrong:[/red] {problem}")
    if not problems:
        CONSOLE.print(f"All of it happened. {len(slack.posts)} messages, each once.")
    return 1 if problems else 0


def environment(slack: SlackServer) -> dict[str, str]:
    """Settings of the scenario, for this process and all that it starts."""
    return {
        "FRIDGE_STALENESS__STALE": f"PT{STALE.seconds}S",
        "FRIDGE_STALENESS__VERY_STALE": f"PT{VERY_STALE.seconds}S",
        "FRIDGE_STALENESS__EXPIRED": f"PT{EXPIRED.seconds}S",
        "FRIDGE_STALENESS__PATIENCE": f"PT{PATIENCE.seconds}S",
        "FRIDGE_FEATURES__WINDOW": f"PT{WINDOW.seconds}S",
        "FRIDGE_TRAINING__MIN_READING_SHARE": "0.2",
        "FRIDGE_NOTIFICATIONS__TOKEN": TOKEN,
        "FRIDGE_NOTIFICATIONS__API_URL": slack.url,
    }


def prepare(stack: ExitStack, settings: Settings) -> None:
    """A fleet that sends readings until now and goes on doing so, and trained models."""
    end = datetime.now(UTC).replace(second=0, microsecond=0)
    faults = ("--fault", "vibration_spike=0.3", "--fault", "compressor_overload=0.1")
    arguments = ("simulate", "--devices", "60", "--hours", "12", "--end", end.isoformat(), *faults, "--live")
    stack.enter_context(running(settings, "fridge-assets", *arguments))
    wait_until(lambda: len(list(settings.landing_dir.glob("*.parquet"))) >= 12, 120)
    CONSOLE.print("60 devices send readings.")
    command(settings, "train", "isolation_forest", "statistical_baseline")
    # Before the daemon starts: without any scores it would let the rules speak at once.
    command(settings, "run", "hourly")


def start_dagster(stack: ExitStack, settings: Settings) -> Webserver:
    """The daemon and the webserver, as one runs them for real."""
    prepare_dagster_home(settings)
    port = free_port()
    stack.enter_context(running(settings, "dagster-daemon", "run", "-m", "fridge_assets.definitions"))
    stack.enter_context(running(settings, "fridge-assets", "ui", "--no-daemon", "--port", str(port)))
    web = Webserver(port)
    wait_until(lambda: answers(web), 120)
    CONSOLE.print(f"Daemon and webserver run: {web.url}")
    return web


def grow_old(settings: Settings, web: Webserver, slack: SlackServer) -> Transcript:
    """Only look, until the scores are blanked everywhere."""
    operations = Operations(settings.operations_database)
    with operations.read() as connection:
        transcript = Transcript(max(age.scored_at for age in kept_ages(connection)))
    transcript.note("scores are made")
    deadline = transcript.scored_at + EXPIRED + 2 * IN_TIME
    while datetime.now(UTC) < deadline:
        observe(settings, operations, web, slack, transcript)
        time.sleep(LOOK)
    return transcript


def recover(settings: Settings, web: Webserver, slack: SlackServer, transcript: Transcript) -> None:
    """Score the next window that has closed, and look until everything has cleared."""
    wait = (transcript.scored_at + WINDOW + timedelta(seconds=15) - datetime.now(UTC)).total_seconds()
    time.sleep(max(wait, 0))
    transcript.note("scoring goes on")
    command(settings, "run", "hourly")
    operations = Operations(settings.operations_database)
    deadline = time.monotonic() + 90
    cleared = {f"again: {asset} shows PASS" for asset in HOURLY} | {
        "again: scores are shown",
        "again: status says fresh",
    }
    while time.monotonic() < deadline and not (transcript.times.keys() >= cleared and was_told(slack, OVER)):
        observe(settings, operations, web, slack, transcript, prefix="again: ")
        time.sleep(LOOK)


def observe(
    settings: Settings,
    operations: Operations,
    web: Webserver,
    slack: SlackServer,
    transcript: Transcript,
    prefix: str = "",
) -> None:
    """Note what is new since the last look."""
    for asset, state in sorted(web.freshness().items()):
        if asset in (*HOURLY, "device_status"):
            transcript.note(f"{prefix}{asset} shows {state}")
    columns = device_alerts.c
    query = sa.select(sa.func.count()).where(columns.source == "rules_fallback")
    with operations.read() as connection:
        count = connection.scalar(query)
    if count:
        transcript.note("alerts of the rules are stored")
    status = pd.read_parquet(settings.published_dir / "device_status.parquet")
    for tier in sorted(status["score_status"].unique()):
        transcript.note(f"{prefix}status says {tier}")
    if status["latest_anomaly_score"].isna().all():
        transcript.note("scores are blanked")
    elif prefix:
        transcript.note("again: scores are shown")
    for post in list(slack.posts):
        transcript.note(f"Slack {post.channel}: {post.text.splitlines()[0]}")


def judge(transcript: Transcript, slack: SlackServer) -> list[str]:
    """What did not happen, or not in time."""
    problems = []
    daemon = timedelta(seconds=60)  # looks every 30 s
    for asset in HOURLY:
        problems += transcript.missing(f"{asset} shows PASS", timedelta(0), STALE)
        problems += transcript.missing(f"{asset} shows WARN", STALE, STALE + daemon)
        if asset != "device_alerts":  # the rules keep it up to date
            problems += transcript.missing(f"{asset} shows FAIL", VERY_STALE, VERY_STALE + daemon)
        problems += transcript.missing(f"again: {asset} shows PASS", EXPIRED)
    problems += transcript.missing("alerts of the rules are stored", VERY_STALE, VERY_STALE + IN_TIME)
    problems += transcript.missing("scores are blanked", EXPIRED, EXPIRED + IN_TIME)
    problems += transcript.missing("again: scores are shown", EXPIRED)
    problems += transcript.missing("again: status says fresh", EXPIRED)
    for title in ("Scores are delayed", "Alerts come from the rules", "Scores are blanked", OVER):
        if not was_told(slack, title):
            problems.append(f"Slack was not told: {title}")
    told = Counter((post.channel, post.key) for post in slack.posts)
    return problems + [f"{channel} was told {n} times: {key}" for (channel, key), n in told.items() if n > 1]


def was_told(slack: SlackServer, title: str) -> bool:
    """Whether a message with ``title`` has arrived."""
    return any(title in post.text for post in slack.posts)


@contextmanager
def running(settings: Settings, program: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program over the data folder; it and what it started end with the block."""
    log = (settings.root.parent / f"{program}.log").open("wb")
    path = Path(sys.executable).parent / program
    process = subprocess.Popen(
        [str(path), *arguments], env=process_environment(settings), stdout=log, stderr=subprocess.STDOUT
    )
    try:
        yield process
    finally:
        end_tree(process)
        log.close()


def end_tree(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started, by their ids."""
    try:
        members = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    except psutil.NoSuchProcess:
        return
    for member in members:
        if member.is_running():
            member.terminate()
    _, alive = psutil.wait_procs(members, timeout=20)
    for member in alive:
        member.kill()
    process.wait(20)


def command(settings: Settings, *words: str) -> None:
    """Run a command of the product to its end; the scenario ends when it fails."""
    program = [str(Path(sys.executable).parent / "fridge-assets"), *words]
    done = subprocess.run(
        program, env=process_environment(settings), capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode:
        sys.exit(f"fridge-assets {' '.join(words)} failed:\n{done.stdout}\n{done.stderr}")


def wait_until(holds: Callable[[], bool], seconds: float) -> None:
    """Wait for something, but not for ever."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            sys.exit(f"Waited {seconds:g} s in vain.")
        time.sleep(0.5)


def answers(web: Webserver) -> bool:
    """Whether the webserver has loaded the graph."""
    try:
        return len(web.ask("{ assetNodes { id } }")["assetNodes"]) > 0
    except OSError:
        return False


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
