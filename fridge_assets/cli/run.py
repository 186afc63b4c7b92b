"""`train`, `run` and `demo`: making the graph do something."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fridge_assets.cli.console import say, say_json, styled, tell_failures, working
from fridge_assets.cli.context import Workplace, changing, starting
from fridge_assets.core.moments import LATEST, parse_moment

if TYPE_CHECKING:
    from fridge_assets.running.outcomes import RunOutcome


def _moment_or_latest(text: str) -> str:
    """Refuse what ``--as-of`` cannot be before anything is started."""
    if text not in ("", LATEST):
        parse_moment(text, "--as-of")
    return text


AsOf = Annotated[
    str,
    typer.Option(
        help="Run at this moment (ISO 8601), or 'latest': when the newest window is closed.", callback=_moment_or_latest
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")]

_LONGEST_SHOWN = 60

run_app = typer.Typer(no_args_is_help=True, help="Run one cycle: scores, then alerts and status.")


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command(epilog="Example: fridge-assets train isolation_forest")(train)
    app.add_typer(run_app, name="run")
    app.command(epilog="Example: fridge-assets --data-dir /tmp/fleet demo")(demo)


def train(
    context: typer.Context,
    families: Annotated[list[str] | None, typer.Argument(help="Model families; all when none is named.")] = None,
    as_of: AsOf = "",
    as_json: Json = False,
) -> None:
    """Fit new versions on the features there are; the first version of a family is released.

    A family that is not named and has too little history yet is said, and is no failure where others were trained.
    """
    from fridge_assets.automation.cycles import train_models, untrained_yet  # noqa: PLC0415

    place = changing(context, on_readings=True)
    with place.instance() as instance, working("training", as_json):
        outcome = train_models(instance, families, as_of)
    waiting = {} if families else untrained_yet(outcome)
    tell(place, [outcome], as_json, expected=waiting.values())
    if not as_json:
        for family in waiting:
            again = place.command(f"train {family}")
            say(f"Once {family} has more history, a schedule of the daemon trains it, or {again}")


@run_app.command(epilog="Example: fridge-assets run readings")
def readings(context: typer.Context, as_of: AsOf = "", as_json: Json = False) -> None:
    """Readings that have landed to features, without scoring; the schedule does it every five minutes."""
    from fridge_assets.automation.cycles import take_in_readings  # noqa: PLC0415

    place = changing(context, on_readings=True)
    with place.instance() as instance, working("taking readings in", as_json):
        outcome = take_in_readings(instance, as_of)
    tell(place, [outcome], as_json)


@run_app.command(epilog="Example: fridge-assets run hourly --as-of latest")
def hourly(context: typer.Context, as_of: AsOf = "", as_json: Json = False) -> None:
    """Readings to features to scores of the hourly models, then alerts and status."""
    _run_cycle(changing(context, on_readings=True), as_of, as_json, every_model=False)


@run_app.command(epilog="Example: fridge-assets run daily --as-of latest")
def daily(context: typer.Context, as_of: AsOf = "", as_json: Json = False) -> None:
    """Readings to features to scores of all models, then alerts and status."""
    _run_cycle(changing(context, on_readings=True), as_of, as_json, every_model=True)


@run_app.command(epilog="Example: fridge-assets run model isolation_forest --devices device-000007,device-000012")
def model(
    context: typer.Context,
    family: Annotated[str, typer.Argument(help="Model family.")],
    devices: Annotated[str, typer.Option(help="Only these devices, separated by commas.")] = "",
    window_end: Annotated[str, typer.Option(help="This past window, ISO 8601.")] = "",
    as_of: AsOf = "",
    as_json: Json = False,
) -> None:
    """One model on demand, for some devices or a past window if you like, then alerts and status."""
    from fridge_assets.automation.cycles import one_model_cycle  # noqa: PLC0415
    from fridge_assets.models.families import require_family  # noqa: PLC0415

    place = changing(context, on_readings=True)
    chosen = [device.strip() for device in devices.split(",") if device.strip()]
    require_family(family)
    place.models.require_serving(family)  # of a family that is named it is a failure that nothing can score
    with place.instance() as instance, working("scoring", as_json):
        cycle = one_model_cycle(instance, family, chosen, window_end, as_of)
    tell(place, [cycle.score, cycle.publish], as_json)


def demo(context: typer.Context, as_json: Json = False) -> None:
    """A small fleet with faults from raw readings to alerts: simulate, train, score its last hours, compare."""
    from fridge_assets.cli.demo import run_demo  # noqa: PLC0415

    run_demo(starting(context), as_json)


def tell(place: Workplace, outcomes: "list[RunOutcome]", as_json: bool, *, expected: Collection[str] = ()) -> None:
    """Print what runs did; exit code 1 when a step failed that is not ``expected`` to."""
    failures = {step: reason for outcome in outcomes for step, reason in outcome.failures.items()}
    failed = failures.keys() - set(expected)
    if as_json:
        say_json([vars(outcome) for outcome in outcomes])
    else:
        for outcome in outcomes:
            for asset, metadata in outcome.metadata.items():
                if metadata.get("scored") is False:
                    say(styled("!", "yellow"), f" {asset} not scored: {metadata['because']}")
                else:
                    say(styled("✓", "green"), f" {asset}: {_summary(metadata)}")
        for step in expected:
            say(styled("!", "yellow"), f" {step} not yet: {failures[step]}")
        tell_failures({step: reason for step, reason in failures.items() if step in failed})
        if not failed:
            say(f"Next: {place.command('status')}, {place.command('incidents list')}, {place.command('ui')}")
    if failed:
        raise typer.Exit(1)


def _run_cycle(place: Workplace, as_of: str, as_json: bool, *, every_model: bool) -> None:
    from fridge_assets.running.fork_server import start_fork_server  # noqa: PLC0415

    start_fork_server(place.settings)
    from fridge_assets.automation.cycles import daily_cycle, hourly_cycle  # noqa: PLC0415

    with place.instance() as instance, working("scoring", as_json):
        cycle = (daily_cycle if every_model else hourly_cycle)(instance, as_of)
    tell(place, [cycle.score, cycle.publish], as_json)


def _summary(metadata: dict[str, Any]) -> str:
    shown = {
        name.removeprefix("dagster/"): value
        for name, value in metadata.items()
        if isinstance(value, int | float | str) and _fits_a_line(str(value))
    }
    return ", ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in shown.items())


def _fits_a_line(text: str) -> bool:
    return text != "none" and "\n" not in text and len(text) <= _LONGEST_SHOWN


def _short(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
