"""The server that the steps of a run fork from.

Python's start-up costs more than the mathematics: the server imports once what every step needs.
"""

import os
from multiprocessing import forkserver, get_context

from fridge_assets.automation.environment import process_environment
from fridge_assets.settings import Settings

PRELOADED = ("fridge_assets.running.in_fork_server", "fridge_assets.preload")
"""Modules that the server imports."""


def start_fork_server(settings: Settings) -> None:
    """Start the server now, so that it imports while this process still imports what launching a run needs.

    Steps inherit the server's environment, which is this process's when its first server starts: a process that
    forks steps works on one data folder.
    """
    os.environ.update(process_environment(settings))
    get_context("forkserver").set_forkserver_preload(list(PRELOADED))
    forkserver.ensure_running()
