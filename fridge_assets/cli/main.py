"""The commands put together, and what happens when one fails."""

import sys
from pathlib import Path
from typing import Annotated

import click
import typer

from fridge_assets.cli import alerts, data, inspect, models, run, simulate
from fridge_assets.cli.console import err
from fridge_assets.cli.context import Workplace
from fridge_assets.errors import FridgeError

app = typer.Typer(
    name="fridge-assets",
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
        typer.Option(help="Folder that holds everything; two folders never touch each other.", envvar="FRIDGE_DATA_DIR"),
    ] = None,
) -> None:
    """Serve anomaly models for a refrigeration fleet, as a Dagster asset graph."""
    context.obj = Workplace(data_dir)


for module in (simulate, data, run, inspect):
    module.register(app)
app.add_typer(models.app, name="models")
app.add_typer(alerts.app, name="alerts")


def main() -> None:
    """Run a command; an error we know is one line on standard error and exit code 1."""
    try:
        app(standalone_mode=False)
    except FridgeError as error:
        _fail(str(error))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        _fail("Interrupted; what was committed stays, run the same command again to go on.")


def _fail(message: str) -> None:
    err.print(f"[red]Error:[/red] {message}", soft_wrap=True)
    sys.exit(1)
