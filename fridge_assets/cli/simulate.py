"""`simulate`: a fleet for people without data (SPEC 10)."""

import time
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from fridge_assets.cli.console import progress, say, say_json
from fridge_assets.cli.context import starting
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.moments import parse_moment


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(
        epilog="Example: fridge-assets simulate --devices 200 --hours 72 --fault refrigerant_leak=0.03\n\n"
        "Machines that start and stop: fridge-assets simulate --devices 100 --machines cycling --states"
    )(simulate)


def simulate(
    context: typer.Context,
    devices: Annotated[int, typer.Option(min=1, help="Devices in the fleet.")] = 200,
    hours: Annotated[float, typer.Option(min=0.25, help="Hours of readings.")] = 72,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="KIND=SHARE of the devices, e.g. refrigerant_leak=0.02; repeatable."),
    ] = None,
    machines: Annotated[
        str,
        typer.Option(
            help="continuous: compressors never stop, all 14 sensors, a reading a minute. cycling: thermostats, "
            "standstill, defrosts that are not signalled, fail or take too long, sensors missing, 10 s to 1 h between "
            "readings. mixed: both."
        ),
    ] = "continuous",
    states: Annotated[
        bool, typer.Option("--states", help="Also write ground_truth_states.parquet: what each machine truly does.")
    ] = False,
    seed: Annotated[int, typer.Option(help="The same seed gives the same fleet.")] = 1,
    end: Annotated[str, typer.Option(help="When the readings end, ISO 8601; default: the last full hour.")] = "",
    live: Annotated[
        bool, typer.Option("--live", help="Then keep writing one batch a minute until interrupted.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Write a simulated fleet: registry, landing files and the ground truth of its faults."""
    from fridge_assets.simulation import (  # noqa: PLC0415
        Fleet,
        Plan,
        Unfinished,
        machines_named,
        parse_fault_share,
        simulate_registry,
        write_fleet,
        write_live,
    )

    place = starting(context)
    settings = place.settings
    until = parse_moment(end, "--end") if end else last_full_hour()
    shares = [parse_fault_share(text) for text in fault or []]
    if settings.root.joinpath("device_registry.parquet").exists():
        raise FridgeError(
            f"{settings.root} holds a device registry of a real fleet",
            "Name an empty folder with --data-dir.",
        )
    models = machines_named(machines)
    wanted = Plan(devices, hours, seed, tuple(fault or ()), until, machines, states)
    unfinished = Unfinished(settings.root, wanted, any_end=not end)
    until = unfinished.plan.end
    fleet = Fleet(simulate_registry(devices, seed, models), seed, until - timedelta(hours=hours), until, shares)
    with progress("simulating (minutes of readings)", as_json) as bar:
        summary = write_fleet(
            fleet,
            settings.landing_dir,
            settings.root / "device_registry.csv",
            settings.root / "ground_truth.parquet",
            unfinished=unfinished,
            states_path=settings.root / "ground_truth_states.parquet" if states else None,
            progress=lambda done, whole: bar.update(
                bar.task_ids[0],
                completed=int(done.total_seconds() // 60),
                total=int(whole.total_seconds() // 60),
            ),
        )
    if as_json:
        say_json({**vars(summary), "start": fleet.start, "end": fleet.end, "data_dir": settings.root})
    else:
        say(
            f"{summary.devices:,} devices in {summary.sites:,} sites, {summary.faulty_devices:,} of them faulty: "
            f"{summary.readings:,} readings "
            f"in {summary.files:,} files ({summary.bytes / 1e6:,.0f} MB) in {settings.landing_dir}"
        )
        say(f"Next: {place.command('train')}, then {place.command('run hourly --as-of latest')}")
    if live:
        say("Writing one batch a minute; Ctrl-C ends it.")
        write_live(
            fleet,
            settings.landing_dir,
            minutes=None,
            sleep=time.sleep,
            clock=lambda: datetime.now(UTC),
            on_file=lambda path, readings: say(f"{path.name}: {readings:,} readings"),
        )


def last_full_hour() -> datetime:
    """The hour that ended last."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
