"""Dagster's UI behind our guard: ``python -m fridge_assets.running.webserver PORT``."""

import logging
import sys

import dagster as dg
import uvicorn
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.cli import DEFAULT_DB_STATEMENT_TIMEOUT, DEFAULT_POOL_MAX_OVERFLOW, DEFAULT_POOL_RECYCLE
from dagster_webserver.version import __version__

from fridge_assets.running.guard import Guard, allowed_hosts
from fridge_assets.running.pictures import picture_route
from fridge_assets.settings import UiSettings, read_settings
from fridge_assets.steps.dagster_internals import configure_loggers, workspace_of

DEFINITIONS = "fridge_assets.definitions"
"""Module of the graph, which the webserver and the daemon each load in a code server of their own."""

_LAST_REQUESTS = 2
"""Seconds that requests which are under way get to end; the websocket of an open page never does."""


def serve(port: int, settings: UiSettings) -> None:
    """Serve the UI of the Dagster instance in ``DAGSTER_HOME`` until SIGINT or SIGTERM.

    Args:
        port: where to listen; the guard lets through this machine's own names with it.
        settings: the address to listen on, and which further hosts the guard lets through.
    """
    with dg.DagsterInstance.get() as instance:
        instance.optimize_for_webserver(DEFAULT_DB_STATEMENT_TIMEOUT, DEFAULT_POOL_RECYCLE, DEFAULT_POOL_MAX_OVERFLOW)
        with workspace_of(instance, DEFINITIONS, __version__) as workspace:
            app = create_app_from_workspace_process_context(workspace, live_data_poll_rate=2000)
            app.router.routes.insert(0, picture_route(instance))  # Dagster's last route takes every path
            uvicorn.run(
                Guard(app, allowed_hosts(port, settings.further_hosts)),
                host=settings.host,
                port=port,
                log_config=None,
                timeout_graceful_shutdown=_LAST_REQUESTS,
            )


if __name__ == "__main__":
    configure_loggers(formatter="json")
    logging.getLogger("uvicorn").handlers = logging.getLogger("dagster").handlers
    serve(int(sys.argv[1]), read_settings().ui)
