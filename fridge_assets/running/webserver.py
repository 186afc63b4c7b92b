"""Dagster's UI behind a guard of ours, served by this process (SPEC 7)."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import dagster as dg
import uvicorn
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.version import __version__
from starlette.applications import Starlette

from fridge_assets.running.guard import Guard, allowed_hosts
from fridge_assets.settings import UiSettings

DEFINITIONS = "fridge_assets.definitions"
"""Module of the graph, which the webserver and the daemon each load in a code server of their own."""

_LAST_REQUESTS = 2
"""Seconds that requests which are under way get to end; a page that is open keeps a websocket for as long as it is."""


def serve(
    instance: dg.DagsterInstance, listening: socket.socket, settings: UiSettings, serving: Callable[[], None]
) -> None:
    """Serve the UI until SIGINT or SIGTERM.

    Args:
        instance: whose runs and assets are shown.
        listening: a bound socket; its port is part of the names that the guard lets through.
        settings: which further hosts it lets through.
        serving: called once requests are answered.
    """

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        serving()
        yield

    # As `dagster-daemon run -m` names it, since what is switched on in the UI is noted under the name of the location.
    target = ModuleTarget(DEFINITIONS, attribute=None, working_directory=None, location_name=None)
    instance.optimize_for_webserver(statement_timeout=15_000, pool_recycle=3600, max_overflow=20)
    with WorkspaceProcessContext(
        instance, target, version=__version__, code_server_log_level="WARNING"
    ) as workspace:
        app = create_app_from_workspace_process_context(workspace, live_data_poll_rate=2000, lifespan=lifespan)
        guarded = Guard(app, allowed_hosts(listening.getsockname()[1], settings.allowed_hosts))
        config = uvicorn.Config(guarded, log_config=None, timeout_graceful_shutdown=_LAST_REQUESTS)
        uvicorn.Server(config).run(sockets=[listening])
