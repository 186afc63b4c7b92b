"""`ui`: the Dagster UI of a data folder, with the daemon that runs its schedules and sensors."""

import errno
import http.client
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.text import Text

from fridge_assets.cli.console import say, styled, time_of_day
from fridge_assets.cli.context import Workplace, starting
from fridge_assets.core.errors import FridgeError
from fridge_assets.replay.folder import refuse_replay
from fridge_assets.running.processes import process_tree
from fridge_assets.running.service_log import Entry, ServiceLog

_TICK = 0.5
"""Seconds between two looks at the services and their runs."""
_ANSWERS_WITHIN = 5.0
_GRACE = 4.0
"""Seconds in which services and runs end by themselves; the whole command ends within 8."""
_PORTS_TRIED = 100


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: fridge-assets ui --port 3000")(ui)


def ui(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="Port on this machine.", min=1, max=65535)] = 3000,
    daemon: Annotated[
        bool, typer.Option(help="With schedules and sensors; not where a daemon of this folder runs already.")
    ] = True,
) -> None:
    """The Dagster UI with its daemon, over this data folder; Ctrl-C ends both and the runs that are under way."""
    place = starting(context)
    refuse_replay(place.settings.root)
    _require_free(place, port)
    from fridge_assets.running.environment import process_environment  # noqa: PLC0415
    from fridge_assets.running.instance import prepare_dagster_home  # noqa: PLC0415

    prepare_dagster_home(place.settings)
    path = place.settings.dagster_home / "services" / "ui.log"
    say(f"Starting; everything that Dagster says goes to {path}.")
    command = [sys.executable, "-m", "fridge_assets.running.together", json.dumps(_services(port, daemon))]
    try:
        with (
            closing(ServiceLog(path, _tell)) as log,
            _pipe_to(log) as output,
            process_tree(command, process_environment(place.settings), grace=_GRACE, output=output) as tree,
        ):
            try:
                _watch(place, tree, port, daemon)
            finally:
                log.telling = False  # what services say of each other while all of them end
    finally:
        if daemon:
            _end_runs(place)
    raise FridgeError(
        f"the Dagster UI has ended by itself (exit code {tree.returncode})", f"The end of {path} says why."
    )


def _services(port: int, daemon: bool) -> dict[str, list[str]]:
    services = {"webserver": [sys.executable, "-m", "fridge_assets.running.webserver", str(port)]}
    if daemon:
        run = ["-m", "dagster._daemon", "run", "--log-format", "json", "-m", "fridge_assets.definitions"]
        services["daemon"] = [sys.executable, *run]
    return services


def _watch(place: Workplace, tree: "subprocess.Popen[bytes]", port: int, daemon: bool) -> None:
    """Say when the UI answers, and which runs start and end, until the services end."""
    since = datetime.now(UTC)
    host = place.settings.ui.host
    while tree.poll() is None and not _answers(host, port):
        time.sleep(_TICK)
    if tree.poll() is None:
        say(f"http://{_local(host)}:{port} shows {place.settings.root}; Ctrl-C ends it.")
    if not daemon:
        tree.wait()
        return
    from fridge_assets.running.lost_runs import free_held_slots  # noqa: PLC0415
    from fridge_assets.telling.run_news import RunNews  # noqa: PLC0415

    with place.instance() as instance:
        free_held_slots(instance)
        news = RunNews(since)
        while tree.poll() is None:
            for said in news.look(instance):
                _tell_line(said)
            time.sleep(_TICK)


def _end_runs(place: Workplace) -> None:
    from fridge_assets.running.daemon_runs import end_runs_of_ended_daemon  # noqa: PLC0415

    with place.instance() as instance:
        end_runs_of_ended_daemon(instance)


def _require_free(place: Workplace, port: int) -> None:
    host = place.settings.ui.host
    try:
        _listen_once(host, port)
    except socket.gaierror as error:
        raise FridgeError(f"FRIDGE_UI__HOST is {host!r}: {error.strerror}", "Leave it out, for 127.0.0.1.") from error
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise FridgeError(
                f"{host}:{port} cannot be listened on: {error.strerror}", "Choose another --port."
            ) from error
        other = next((free for free in range(port + 1, port + _PORTS_TRIED) if _is_free(host, free)), None)
        remedy = f"Choose another: {place.command(f'ui --port {other}')}" if other else "Choose another --port."
        raise FridgeError(f"port {port} is taken by another program, perhaps another `ui`", remedy) from error


def _is_free(host: str, port: int) -> bool:
    try:
        _listen_once(host, port)
    except (OSError, OverflowError):
        return False
    return True


def _listen_once(host: str, port: int) -> None:
    socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()


def _answers(host: str, port: int) -> bool:
    with closing(http.client.HTTPConnection(_local(host).strip("[]"), port, timeout=_ANSWERS_WITHIN)) as connection:
        try:
            connection.request("GET", "/server_info")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False


def _local(host: str) -> str:
    """``host`` as a browser of this machine writes it."""
    return "127.0.0.1" if host in ("", "0.0.0.0") else "[::1]" if host == "::" else f"[{host}]" if ":" in host else host


@contextmanager
def _pipe_to(log: ServiceLog) -> Iterator[int]:
    """The end of a pipe into ``log``, whose other writers must have ended when the block does."""
    reading, writing = os.pipe()

    def follow() -> None:
        with open(reading, "rb") as lines:
            log.follow(lines)

    reader = threading.Thread(target=follow, name="service-log", daemon=True)
    reader.start()
    try:
        yield writing
    finally:
        os.close(writing)
        reader.join(_TICK)


def _tell(entry: Entry) -> None:
    colour = "red" if entry.level >= logging.ERROR else "yellow"
    said = f"{logging.getLevelName(entry.level).lower()} of {entry.logger}: {entry.in_short}"
    _tell_line(styled(said, colour))


def _tell_line(said: str | Text) -> None:
    say(f"{time_of_day(datetime.now(UTC))} ", said)
