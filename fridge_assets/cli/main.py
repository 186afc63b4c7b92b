"""The commands put together, and what happens when one fails."""

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from fridge_assets.cli import (
    alert_story,
    alerts,
    data,
    deploy,
    health,
    inspect,
    messages,
    models,
    replay,
    retention,
    run,
    silences,
    simulate,
    stream,
    thresholds,
    work_orders,
)
from fridge_assets.cli.console import err
from fridge_assets.cli.context import Workplace
from fridge_assets.errors import FridgeError

_PROGRAM = "fridge-assets"

app = typer.Typer(
    name=_PROGRAM,
    help="Serve anomaly models for a refrigeration fleet, as a Dagster asset graph.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback()
def workplace(
    context: typer.Context,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder that holds everything; two folders never touch each other.", envvar="FRIDGE_DATA_DIR"
        ),
    ] = None,
) -> None:
    """Serve anomaly models for a refrigeration fleet, as a Dagster asset graph."""
    context.obj = Workplace(data_dir)


for module in (simulate, data, run, replay, inspect, health, retention):
    module.register(app)
deploy.register_pause(app)
app.add_typer(models.app, name="models")
alert_story.register(alerts.app)
app.add_typer(alerts.app, name="alerts")
app.add_typer(silences.app, name="silences")
app.add_typer(messages.app, name="messages")
app.add_typer(stream.app, name="stream")
app.add_typer(thresholds.app, name="thresholds")
app.add_typer(work_orders.app, name="work-orders")


def main() -> None:
    """Run a command; an error we know is one line on standard error and exit code 1."""
    code = _run()
    sys.stdout.flush()
    sys.stderr.flush()
    # Leave without tearing the interpreter down: DuckDB's binding then prints pages about references that Dagster
    # and torch still hold, which say nothing to a user.
    os._exit(code)


def _run() -> int:
    try:
        app(prog_name=_PROGRAM)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 0
    except FridgeError as error:
        return _failed(str(error))
    except KeyboardInterrupt:
        return _failed("Interrupted; what was committed stays, run the same command again to go on.")
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _failed(message: str) -> int:
    err.print(f"[red]Error:[/red] {message}", soft_wrap=True)
    return 1
