"""A stream that is killed again and again stores what an uninterrupted one stores, each once (SPEC 5).

``python -m fridge_assets_tests.scenarios.stream_kills [--seed N] [--kills N]``

A small fleet with many acute failures, late and repeated readings lies in the landing folder, a file a minute. A
process streams it and is killed with SIGKILL at a statement of SQLite, a step of the engine or a file operation that
the seed has drawn; then another one goes on, until one ends by itself. The same seed is killed at the same points.
Every round has a folder, a size of batches and points of its own. Exit code 1 when a round ends with other alerts; it
prints how to play that round again.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import sqlalchemy as sa
from rich.console import Console

from fridge_assets.contracts import DEVICE_ALERTS
from fridge_assets.contracts.device_alerts import OF_THE_INCIDENT
from fridge_assets.contracts.expectations import batch_definition
from fridge_assets.incidents.rows import incident_from
from fridge_assets.settings import ReadingSettings, Settings, StreamingSettings
from fridge_assets.simulation import Fleet, simulate_registry
from fridge_assets.simulation.arrival import Arrivals
from fridge_assets.simulation.delivery import Delivery
from fridge_assets.simulation.faults import FaultShare
from fridge_assets.simulation.landing_files import landing_file, write_readings, write_registry
from fridge_assets.stores import files
from fridge_assets.stores.landing import Landing
from fridge_assets.stores.operations import Operations, device_alerts, incident_events, incidents, outbox, stream_files
from fridge_assets.streaming import checkpoint, engine
from fridge_assets.streaming.service import StreamService
from fridge_assets.streaming.sources.landing import LandingSource

CONSOLE = Console(highlight=False, soft_wrap=True)
START = datetime(2026, 5, 4, tzinfo=UTC)
SPAN = timedelta(minutes=100)
NOW = START + timedelta(hours=3)
"""The clock stands still, so that two runs store the same moments."""
DEVICES = 40
FAULTS = [
    FaultShare(fault, 0.1)
    for fault in ("compressor_overload", "vibration_spike", "rapid_pressure_loss", "total_cooling_loss")
]
MEASURED = [
    name
    for name in DEVICE_ALERTS.column_names
    if name not in {*OF_THE_INCIDENT, "incident_id", "alert_type", "suppressed", "suppressed_because"}
]
"""Columns of alerts that no decision about an incident changes."""
_DEADLIEST = 400
"""A process dies at the latest at about this many points after its start."""
_MOST_PROCESSES = 200
"""Of one round; it never needs a tenth of it."""


@dataclass(frozen=True)
class Round:
    """One folder that was streamed to its end.

    Args:
        seed: replays it.
        kills: processes that were killed.
        wrong: what differs from the uninterrupted run; empty for nothing.
    """

    seed: int
    kills: int
    wrong: tuple[str, ...]


def fill(folder: Path) -> None:
    """Registry and landing files of the fleet, a file a minute."""
    registry = simulate_registry(DEVICES, 5)
    delivery = Delivery(duplicates=0.03, late=0.05, very_late=0.005)
    fleet = Fleet(registry, 5, START, START + SPAN, FAULTS, delivery=delivery)
    write_registry(registry, folder / "device_registry.csv")
    arrivals = Arrivals(fleet)
    for minute in range(int(SPAN / timedelta(minutes=1))):
        start = START + timedelta(minutes=minute)
        end = start + timedelta(minutes=1)
        path = landing_file(folder / "landing", start, end)
        write_readings(arrivals.between(start, end), path)
        os.utime(path, (NOW.timestamp() + minute, NOW.timestamp() + minute))


def settings_of(folder: Path, batch_bytes: int) -> Settings:
    """Settings of a stream that writes its checkpoint all the time and tells its messages to nobody."""
    return Settings(
        data_dir=folder,
        readings=ReadingSettings(settle=timedelta(0)),
        streaming=StreamingSettings(
            batch_bytes=batch_bytes,
            checkpoint_every=timedelta(milliseconds=200),
            heartbeat_every=timedelta(milliseconds=50),
            warm_up=timedelta(hours=1),
            vibration_bucket=timedelta(minutes=5),
            port=0,
            threads=1,
        ),
    )


def stream(settings: Settings) -> None:
    """Stream everything that has landed."""
    operations = Operations(settings.operations_database)
    source = LandingSource(Landing(settings.landing_dir, operations), operations, settings)
    StreamService(settings, operations, source, instance="scenario", now=lambda: NOW).run(
        threading.Event(), until_idle=True
    )


def outcome(settings: Settings) -> dict[str, Any]:
    """What the stream has stored, in a form that two runs can be held against each other by.

    Which batch an onset falls into decides which one of a device comes first, and whether its device was told alone or
    with its site; that people were told of it, once, does not.
    """
    with Operations(settings.operations_database).read() as connection:
        known = [incident_from(row) for row in connection.execute(sa.select(incidents)).mappings()]
        standing = sorted(onset for incident in known for onset in incident.onsets)
        columns = device_alerts.c
        alerts = connection.execute(
            sa.select(*(columns[name] for name in MEASURED))
            .where(columns.alert_id.in_([onset.evidence_id for onset in standing]))
            .order_by(columns.alert_id)
        ).mappings()
        events = incident_events.c
        is_told = sa.or_(events.told.is_not(None), events.held == "part_of_site")
        told = Counter(connection.scalars(sa.select(events.incident_id).where(is_told)))
        messages = connection.scalars(sa.select(outbox.c.key)).all()
        files = connection.scalars(sa.select(stream_files.c.file_name).order_by(stream_files.c.number)).all()
        return {
            "onsets that stand": standing,
            "alerts": [dict(row) for row in alerts],
            "devices that were told of": sorted(one.device_id for one in known if one.onsets and told[one.incident_id]),
            "sensors that were told twice": [one for one in known if told[one.incident_id] > len(one.named)],
            "files": list(files),
            "messages that were said twice": len(messages) - len(set(messages)),
        }


@contextmanager
def dying_after(points: int) -> Iterator[None]:
    """SIGKILL for this process at the so many-th point of its main thread."""
    left = points
    main = threading.get_ident()

    def point(*_: object, **__: object) -> None:
        nonlocal left
        if threading.get_ident() == main:
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def with_points(function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*given: Any, **named: Any) -> Any:
            point()
            result = function(*given, **named)
            point()
            return result

        return called

    for event in ("before_cursor_execute", "after_cursor_execute", "commit"):
        sa.event.listen(sa.engine.Engine, event, point)
    steps = ("_arrive", "_accept", "_merge", "_advance", "_remember", "_judge", "_tidy")
    with (
        mock.patch.multiple(engine.Engine, **{step: with_points(getattr(engine.Engine, step)) for step in steps}),
        mock.patch.object(checkpoint.Checkpoint, "save", with_points(checkpoint.Checkpoint.save)),
        mock.patch.object(Path, "replace", with_points(Path.replace)),
        mock.patch.object(files, "writable_folder", with_points(files.writable_folder)),
    ):
        yield


def in_a_process(work: Callable[[], None]) -> int:
    """Do ``work`` in a forked process; the exit code, or minus the signal that it died of."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def play(filled: Path, folder: Path, seed: int, expected: dict[str, Any]) -> Round:
    """One round: processes that are killed, until one ends by itself."""
    drawn = random.Random(seed)
    shutil.copytree(filled, folder)
    settings = settings_of(folder, drawn.choice((1, 20_000, 100_000)))

    def killed(points: int) -> None:
        with dying_after(points):
            stream(settings)

    for kills in range(_MOST_PROCESSES):
        code = in_a_process(partial(killed, drawn.randint(1, _DEADLIEST)))
        if code == 0:
            found = outcome(settings)
            wrong = tuple(what for what in expected if found[what] != expected[what])
            return Round(seed, kills, wrong)
        if code != -signal.SIGKILL:
            return Round(seed, kills, (f"a process ended with code {code}",))
    return Round(seed, _MOST_PROCESSES, ("it never came to an end",))


def rounds(first_seed: int, kills: int) -> Iterator[Round]:
    """Rounds with so many kills in sum, and what each has shown."""
    with tempfile.TemporaryDirectory(prefix="fridge-kills-") as place:
        filled, calm = Path(place) / "filled", Path(place) / "calm"
        batch_definition()  # imported once, before the processes fork
        fill(filled)
        shutil.copytree(filled, calm)
        undisturbed = settings_of(calm, 20_000)
        assert in_a_process(lambda: stream(undisturbed)) == 0
        expected = outcome(undisturbed)
        seed, done = first_seed, 0
        while done < kills:
            played = play(filled, Path(place) / f"round-{seed}", seed, expected)
            yield played
            shutil.rmtree(Path(place) / f"round-{seed}")
            seed, done = seed + 1, done + max(played.kills, 1)


def main(arguments: list[str] | None = None) -> int:
    """Play rounds; 1 when one of them ended wrongly."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="of the first round (default 1)")
    parser.add_argument("--kills", type=int, default=1000, help="in sum (default 1000)")
    given = parser.parse_args(arguments)
    done, bad = 0, []
    for played in rounds(given.seed, given.kills):
        done += played.kills
        if played.wrong:
            bad.append(played)
            CONSOLE.print(f"[red]Wrong:[/red] seed {played.seed}: {', '.join(played.wrong)}")
        elif played.seed % 10 == 0:
            CONSOLE.print(f"{done:,} kills …")
    CONSOLE.print(f"{done:,} kills, {len(bad)} rounds ended wrongly.")
    for played in bad:
        CONSOLE.print(f"Again: make scenario-stream-kills SEED={played.seed} KILLS=1")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
