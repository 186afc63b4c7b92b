"""A command that is interrupted at any moment blocks nobody, leaves no process, and the next one does its work.

``python -m fridge_assets_tests.scenarios.interrupts [--seed N] [--kills N] [--short]``

Each round draws a command, a signal, whether it comes to the command alone or to its whole process group, and a moment
of the time that the command usually takes. Then the command is typed again. The same seed draws the same; the machine
decides what the command was doing at that moment. Exit code 1 when a round went wrong; it prints how to play that round
again.
"""

import argparse
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pandas as pd
import psutil
from rich.console import Console

from fridge_assets.running.instance import open_instance
from fridge_assets.running.lost_runs import held_slots
from fridge_assets.running.pools import slots
from fridge_assets_tests.scenarios.small_fleet import TRAINED_HOUR, Place, copy_of, cycle_time, hour, make_trained
from fridge_assets_tests.scenarios.tables import differences, tables

CONSOLE = Console(highlight=False, soft_wrap=True)

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
HEARD_FROM = 0.3
"""Seconds after its start from which a command hears signals: before that it is only an interpreter that starts."""
END_WITHIN = 10.0
"""Seconds after the signal in which the command and everything it has started is gone."""
SLOWER = 1.5
"""How much longer the next command may take than it usually does."""
ALLOWANCE = 30.0
"""Seconds that it may take on top: a machine with other work to do starts programs slowly."""
_PATIENCE = 300.0
_MARK = "SCENARIO_COMMAND"
"""Variable by which a process that a command has started is known, whoever its parent is by now."""

_FIRST_HOUR = TRAINED_HOUR + 1
_AS_OF = ("--as-of", cycle_time(_FIRST_HOUR).isoformat())
_FIRST_ALONE = ("--from", hour(_FIRST_HOUR).isoformat(), "--to", hour(_FIRST_HOUR).isoformat())
_ENVIRONMENT = {"FRIDGE_FOREST__TREES": "60", "FRIDGE_READINGS__SETTLE": "PT0S"}


@dataclass(frozen=True)
class Command:
    """A command that is interrupted.

    Args:
        words: what is typed; FILE stands for readings that are not in the landing folder, PORT for a free port.
        after: what is typed after it, so that what it did shows in the tables.
        answers: whether it goes on until it is ended, and answers HTTP meanwhile; it is not typed again then.
        delivered: whether the readings of the hour are in the landing folder beforehand.
    """

    words: tuple[str, ...]
    after: tuple[tuple[str, ...], ...] = ()
    answers: bool = False
    delivered: bool = True


COMMANDS = {
    "ingest": Command(("ingest", "FILE"), after=(("run", "hourly", *_AS_OF),), delivered=False),
    "train": Command(("train", "statistical_baseline", *_AS_OF)),
    "run hourly": Command(("run", "hourly", *_AS_OF)),
    "run daily": Command(("run", "daily", *_AS_OF)),
    "replay": Command(("replay", "--from", hour(TRAINED_HOUR - 1).isoformat(), "--to", hour(TRAINED_HOUR).isoformat())),
    "replay --into-live": Command(("replay", *_FIRST_ALONE, "--into-live", "--yes")),
    "stream": Command(("stream", "--until-idle")),
    "ui": Command(("ui", "--port", "PORT"), after=(("run", "hourly", *_AS_OF),), answers=True),
}
SHORT = tuple(name for name in COMMANDS if name not in ("run daily", "ui"))
"""The commands that take seconds."""


@dataclass(frozen=True)
class Undisturbed:
    """What a command does when nobody interrupts it.

    Args:
        seconds: how long it takes.
        after: how long each of what is typed after it takes.
        tables: what the folder holds then.
    """

    seconds: float
    after: tuple[float, ...]
    tables: dict[str, pd.DataFrame] = field(repr=False)


@dataclass(frozen=True)
class Round:
    """A command that was interrupted.

    Args:
        seed: draws the same again.
        said: what was interrupted, how and when.
        wrong: what went wrong; empty for nothing.
    """

    seed: int
    said: str
    wrong: tuple[str, ...]


class Typed:
    """A command that was typed, in a process group of its own.

    Args:
        place: the data folder.
        words: the command.
    """

    def __init__(self, place: Place, words: tuple[str, ...]) -> None:
        self.mark = uuid.uuid4().hex
        self.port = _free_port()
        files = {"FILE": str(_not_delivered(place)), "PORT": str(self.port)}
        self._log = place.root.parent / f"{self.mark}.log"
        program = [sys.executable, "-c", "from fridge_assets.cli import main; main()", "--data-dir", str(place.root)]
        self.began = time.monotonic()
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*program, *(files.get(word, word) for word in words)],
                env={**os.environ, **_ENVIRONMENT, "FRIDGE_STREAMING__PORT": "0", _MARK: self.mark},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self, seconds: float) -> float | None:
        """Seconds from the start to the end; None when it has not ended within ``seconds`` from now."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        return time.monotonic() - self.began

    def answers(self) -> bool:
        """Whether it answers HTTP."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/server_info", timeout=2) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def left(self) -> list[psutil.Process]:
        """The processes that it has started and that have not ended."""
        return [process for process in psutil.process_iter() if self._is_mine(process)]

    def survivors(self, until: float) -> list[str]:
        """What is left of it at a moment of the monotonic clock, in words; empty as soon as nothing is."""
        while (left := self.left()) and time.monotonic() < until:
            time.sleep(0.1)
        return [f"a process is left: {_command_line(process)}" for process in left]

    def end(self) -> None:
        """Kill whatever is left."""
        for process in self.left():
            process.kill()
        self.process.wait(_PATIENCE)

    def said(self) -> str:
        """What it printed."""
        return self._log.read_text(errors="replace")

    def _is_mine(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(_MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, OSError):
            return False


def undisturbed(filled: Place, folder: Path, name: str) -> Undisturbed:
    """Type a command, and what follows it, without interrupting anything."""
    command = COMMANDS[name]
    place = _prepared(filled, folder, command)
    if command.answers:
        typed = Typed(place, command.words)
        _wait_until(lambda: typed.answers() or typed.process.poll() is not None)
        assert typed.answers(), typed.said()
        seconds = time.monotonic() - typed.began
        os.kill(typed.process.pid, signal.SIGTERM)
        assert typed.wait(_PATIENCE), typed.said()
        typed.end()
    else:
        seconds = _succeed(place, command.words)
    return Undisturbed(seconds, tuple(_succeed(place, words) for words in command.after), tables(place))


def play(filled: Place, folder: Path, seed: int, usual: Callable[[str], Undisturbed], names: tuple[str, ...]) -> Round:
    """One round."""
    drawn = random.Random(seed)
    name = drawn.choice(names)
    number, group = drawn.choice(SIGNALS), drawn.choice((True, False))
    command, calm = COMMANDS[name], usual(name)
    moment = max(HEARD_FROM, drawn.uniform(0, 1.05) * calm.seconds)
    said = f"{name}, {number.name} to {'its process group' if group else 'it alone'} after {moment:.1f} s"
    place = _prepared(filled, folder, command)
    wrong = [*_interrupt(place, command, number, moment, group=group)]
    again = [] if command.answers else [(command.words, calm.seconds)]
    for words, seconds in [*again, *zip(command.after, calm.after, strict=True)]:
        wrong.extend(_next(place, words, seconds))
    wrong.extend(differences(tables(place), calm.tables))
    return Round(seed, said, tuple(wrong))


def rounds(
    filled: Place, folder: Path, first_seed: int, kills: int, names: tuple[str, ...] = tuple(COMMANDS)
) -> Iterator[Round]:
    """So many rounds, and what each has shown."""
    known: dict[str, Undisturbed] = {}

    def usual(name: str) -> Undisturbed:
        if name not in known:
            known[name] = undisturbed(filled, folder / "undisturbed" / name.replace(" ", "-"), name)
        return known[name]

    for seed in range(first_seed, first_seed + kills):
        place = folder / f"round-{seed}"
        yield play(filled, place / "data", seed, usual, names)
        shutil.rmtree(place)


def _interrupt(place: Place, command: Command, number: signal.Signals, moment: float, *, group: bool) -> Iterator[str]:
    """Type a command and interrupt it; what went wrong."""
    typed = Typed(place, command.words)
    if typed.wait(moment) is not None:
        return  # it was sooner this time
    try:
        (os.killpg if group else os.kill)(typed.process.pid, number)
        asked = time.monotonic()
        if typed.wait(END_WITHIN) is None:
            yield f"it still runs {END_WITHIN:g} s after the signal"
        # What it has started may need a moment more than itself, but not longer than that.
        yield from typed.survivors(asked + END_WITHIN)
        code = typed.process.returncode
        if code is not None and code not in (0, 1) and (128 - code if code < 0 else code) != 128 + number:
            yield f"exit code {code}"
        if "Traceback" in typed.said():
            yield f"a traceback: {typed.said()[-300:]}"
        if number != signal.SIGKILL and (place.settings.dagster_home / "history").exists():
            with open_instance(place.settings) as instance:
                yield from (f"held: {one}" for one in held_slots(instance))
    finally:
        typed.end()


def _next(place: Place, words: tuple[str, ...], usually: float) -> Iterator[str]:
    """Type the next command; what went wrong."""
    name = " ".join(words[:2])
    typed = Typed(place, words)
    took = typed.wait(_PATIENCE)
    if took is None:
        yield f"the next {name} has not ended after {_PATIENCE:g} s"
    elif typed.process.returncode:
        yield f"the next {name} ended with code {typed.process.returncode}: {typed.said()[-300:]}"
    elif took > usually * SLOWER + ALLOWANCE:
        yield f"the next {name} took {took:.0f} s instead of {usually:.0f} s"
    yield from typed.survivors(time.monotonic() + END_WITHIN)
    typed.end()
    with open_instance(place.settings) as instance:
        yield from (f"in a pool: {slot}" for slot in slots(instance))
    launches = place.settings.dagster_home / "launches"
    yield from (f"left behind: {file.name}" for file in (launches.iterdir() if launches.exists() else ()))


def _succeed(place: Place, words: tuple[str, ...]) -> float:
    typed = Typed(place, words)
    seconds = typed.wait(_PATIENCE)
    assert seconds is not None, f"{' '.join(words)} did not end"
    assert typed.process.returncode == 0, typed.said()
    return seconds


def _prepared(filled: Place, folder: Path, command: Command) -> Place:
    folder.parent.mkdir(parents=True, exist_ok=True)
    place = copy_of(filled, folder)
    if command.delivered:
        place.deliver(_FIRST_HOUR)
    return place


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())[:80]
    except psutil.Error:
        return f"{process.pid}, which is ending"


def _not_delivered(place: Place) -> Path:
    """The readings of the first hour, outside of the landing folder."""
    return sorted((place.root / "later").iterdir())[0]


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def main(arguments: list[str] | None = None) -> int:
    """Play rounds; 1 when one of them went wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="of the first round (default 1)")
    parser.add_argument("--kills", type=int, default=60, help="rounds (default 60)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--command", action="append", choices=list(COMMANDS), help="only this one; repeatable")
    which.add_argument("--short", action="store_true", help="only the commands that take seconds")
    given = parser.parse_args(arguments)
    names = SHORT if given.short else tuple(given.command or COMMANDS)
    bad = []
    with tempfile.TemporaryDirectory(prefix="fridge-interrupts-") as folder:
        filled = make_trained(Path(folder) / "filled")
        for played in rounds(filled, Path(folder), given.seed, given.kills, names):
            CONSOLE.print(f"{played.seed}: {played.said}: {'[red]wrong[/red]' if played.wrong else 'well'}")
            for wrong in played.wrong:
                CONSOLE.print(f"   [red]{wrong}[/red]", markup=True)
            bad.extend([played] if played.wrong else [])
    CONSOLE.print(f"{given.kills} commands were interrupted, {len(bad)} rounds went wrong.")
    for played in bad:
        CONSOLE.print(f"Again: make scenario-interrupts SEED={played.seed} KILLS=1{' SHORT=1' if given.short else ''}")
    return 1 if bad else 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # DuckDB's binding would print pages about what Dagster still holds
