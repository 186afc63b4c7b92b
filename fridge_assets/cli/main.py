"""The commands put together, and what happens when one fails."""

import os
import traceback
from pathlib import Path
from typing import Annotated

import typer

from fridge_assets.cli import (
    alert_health,
    alert_story,
    alerts,
    causes,
    data,
    deploy,
    health,
    incidents,
    inspect,
    messages,
    models,
    replay,
    retention,
    run,
    silences,
    simulate,
    sources,
    stream,
    thresholds,
    ui,
    work_orders,
)
from fridge_assets.cli.console import complain, say_error
from fridge_assets.cli.context import Workplace
from fridge_assets.core.errors import FridgeError
from fridge_assets.running.stopping import Stopped, asked_to_stop

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


for module in (simulate, data, run, replay, ui, inspect, health, retention):
    module.register(app)
deploy.register_pause(app)
app.add_typer(models.app, name="models")
alert_story.register(alerts.app)
alert_health.register(alerts.app)
app.add_typer(incidents.app, name="incidents")
app.add_typer(alerts.app, name="alerts")
app.add_typer(causes.app, name="causes")
app.add_typer(silences.app, name="silences")
app.add_typer(messages.app, name="messages")
app.add_typer(sources.app, name="sources")
app.add_typer(stream.app, name="stream")
app.add_typer(thresholds.app, name="thresholds")
app.add_typer(work_orders.app, name="work-orders")


def run_typed() -> int:
    """Run the command that was typed; its exit code."""
    try:
        app(prog_name=_PROGRAM)
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 0
    except FridgeError as error:
        code = _failed(str(_full_disk(error) or error))
    except Stopped:
        code = 1
    except BaseException as error:
        full = _full_disk(error)
        if full is not None:
            code = _failed(str(full))
        else:
            if not asked_to_stop():
                traceback.print_exc()
            code = 1
    stopped = asked_to_stop()
    # A library may have made another error of it on the way, as DuckDB does of what comes up during a query.
    return code if stopped is None else _stopped(stopped)


def _full_disk(error: BaseException) -> FridgeError | None:
    """What to say of an error of any library that is a full disk, whatever the command was about."""
    from fridge_assets.stores.disk import full_disk  # noqa: PLC0415

    # Not from the settings: these may be what is wrong.
    return full_disk(error, Path(os.environ.get("FRIDGE_DATA_DIR", "data")))


def _failed(message: str) -> int:
    if not asked_to_stop():
        say_error(message)
    return 1


def _stopped(stopped: Stopped) -> int:
    complain(f"Stopped by {stopped}; what was committed stays, the same command goes on from there.")
    return stopped.exit_code
