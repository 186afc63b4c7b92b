"""The server that the steps of a run fork from.

Python's start-up costs more than the mathematics: the server imports once what steps with a process of their own need.
"""

import os
import signal
from contextlib import suppress
from multiprocessing import forkserver, get_context

import psutil

from fridge_assets.running.environment import process_environment
from fridge_assets.running.processes import kill
from fridge_assets.running.stopping import SIGNALS
from fridge_assets.settings import Settings

PRELOADED = ("fridge_assets.running.in_fork_server", "fridge_assets.preload")
"""Modules that the server imports."""


def start_fork_server(settings: Settings) -> None:
    """Start the server now, so that it imports while this process still imports what launching a run needs.

    Steps inherit the server's environment, which is this process's when its first server starts: a process that
    forks steps works on one data folder.
    """
    os.environ.update(process_environment(settings))
    ensure_fork_server()


def ensure_fork_server() -> None:
    """Make sure that the server runs.

    It ends with the thread that has started it: call this in the main thread before something else would start it.
    """
    get_context("forkserver").set_forkserver_preload(list(PRELOADED))
    # While it imports, a signal that is meant for the program would end the server, and with it the run.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_steps() -> None:
    """Kill every step that this process has forked, and the server, so that it forks no other."""
    for server in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if any(forkserver.__name__ in word for word in server.cmdline()):
                kill([server, *server.children(recursive=True)])
