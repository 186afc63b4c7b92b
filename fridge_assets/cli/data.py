"""`ingest` and `export`: readings in, datasets out."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fridge_assets.cli.console import moment, say, say_json, styled, working
from fridge_assets.cli.context import Workplace, reading, starting
from fridge_assets.cli.nulls import frame_records
from fridge_assets.cli.tables import say_table
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.moments import parse_moment, spoken

if TYPE_CHECKING:
    from fridge_assets.readings.look import Look


class Dataset(StrEnum):
    """Datasets that can be exported (SPEC 1)."""

    CLEAN_SENSOR_READINGS = "clean_sensor_readings"
    QUARANTINED_READINGS = "quarantined_readings"
    DEVICE_REGISTRY = "device_registry"
    DEVICE_FEATURES = "device_features"
    MODEL_SCORES = "model_scores"
    WITHHELD_SCORES = "withheld_scores"
    MODEL_MONITORING = "model_monitoring"
    ALERT_QUALITY = "alert_quality"
    CANARY_SCORES = "canary_scores"
    CANARY_REPORTS = "canary_reports"
    RULES_BASED_FALLBACK = "rules_based_fallback"
    DEVICE_ALERTS = "device_alerts"
    DEVICE_STATUS = "device_status"
    SITE_STATUS = "site_status"


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command(epilog="Example: fridge-assets ingest june.csv --map evap_f=temperature_evaporator --unit evap_f=degF")(
        ingest
    )
    app.command(epilog="Example: fridge-assets export device_alerts --to alerts.csv --since 2026-01-01")(export)


def ingest(
    context: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(help="Readings as .parquet, .csv, .jsonl, gzip allowed; with --source any format.")
    ],
    mapping: Annotated[list[str] | None, typer.Option("--map", help="THEIR_COLUMN=OURS; repeatable.")] = None,
    unit: Annotated[
        list[str] | None, typer.Option(help="COLUMN=UNIT, e.g. temperature_ambient=degF; repeatable.")
    ] = None,
    constant: Annotated[
        list[str] | None,
        typer.Option(help="OURS=VALUE that every reading has, e.g. device_id=freezer-1; repeatable."),
    ] = None,
    timezone: Annotated[str, typer.Option(help="Zone of timestamps that name none; UTC when not given.")] = "",
    encoding: Annotated[
        str, typer.Option(help="How text files are encoded, such as latin-1 or cp1252; UTF-8 when not given.")
    ] = "",
    source: Annotated[
        str, typer.Option(help="Read them by this source; see `sources`. It says all that the other options say.")
    ] = "",
    as_is: Annotated[
        bool, typer.Option("--as-is", help="Take values also that fit another unit than the given one.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Bring readings into landing; the next run takes them from there."""
    from fridge_assets.readings.deliver import deliver  # noqa: PLC0415
    from fridge_assets.readings.ranges import read_range_tables  # noqa: PLC0415
    from fridge_assets.registry.devices import read_registry  # noqa: PLC0415
    from fridge_assets.sources.saved import read_source, source_path  # noqa: PLC0415
    from fridge_assets.sources.source import source_of_options  # noqa: PLC0415

    place = starting(context)
    options = {
        "columns": pairs(mapping, "--map"),
        "units": pairs(unit, "--unit"),
        "constants": pairs(constant, "--constant"),
        "timezone": timezone or "UTC",
        "encoding": encoding or "utf-8",
    }
    if source:
        if mapping or unit or constant or timezone or encoding:
            raise FridgeError(
                "--source says how the files are read, and so do the other options",
                f"Leave those out, or change {source_path(place.settings.sources_dir, source)}.",
            )
        described = read_source(place.settings.sources_dir, source)
    else:
        described = source_of_options(**options)
    registry, ranges = read_registry(place.settings.root), read_range_tables(place.settings.root)
    with working("reading", as_json):
        reports = [
            deliver(
                file,
                described,
                place.landing,
                place.warehouse,
                registry,
                place.settings.readings,
                tables=ranges,
                as_is=as_is,
            )
            for file in files
        ]
    if as_json:
        say_json([look_record(report) for report in reports])
        return
    for report in reports:
        delivered = "already delivered" if report.again else "delivered"
        say_look(place, report, f"{delivered} as {report.delivered_as.name}")
    say(f"Next: {place.command('train')} (the first time), then {place.command('run hourly --as-of latest')}")


def look_record(look: "Look") -> dict[str, Any]:
    """What a file holds, for JSON."""
    tables = ("unusable_examples", "out_of_range", "first_rows")
    return {**vars(look), **{name: frame_records(getattr(look, name)) for name in tables}}


def say_look(place: Workplace, look: "Look", end: str) -> None:
    """Print what a file holds and what it allows; ``end`` ends the first sentence."""
    from fridge_assets.upkeep.allowed import allowed  # noqa: PLC0415

    say(
        f"{look.file}: {look.rows:,} rows of {look.devices:,} devices from {moment(look.first_timestamp)} "
        f"to {moment(look.last_timestamp)} {end}"
    )
    say(f"  sensors present ({len(look.sensors)} of 14): {', '.join(look.sensors)}")
    if look.interval is not None and look.history is not None:
        say(f"  a reading every {spoken(look.interval)}, {spoken(look.history)} of history per device")
    for sentence in allowed(look.sensors, look.devices, look.interval, look.history, place.settings):
        say(f"  {sentence}")
    for warning in look.warnings:
        say("  ", styled("note", "yellow"), f" {warning}")
    if not look.out_of_range.empty:
        say_table("  values outside of the plausible range", look.out_of_range)
    if not look.unusable_examples.empty:
        say_table(f"  {look.unusable:,} rows will be quarantined, for example", look.unusable_examples)


def export(
    context: typer.Context,
    dataset: Annotated[Dataset, typer.Argument(help="What to export.")],
    to: Annotated[Path, typer.Option(help="File to write: .parquet or .csv.")],
    since: Annotated[str, typer.Option(help="Only rows from this moment on, ISO 8601.")] = "",
) -> None:
    """Write a dataset to a Parquet or CSV file.

    In a CSV file, text that a spreadsheet would run as a formula (it begins with =, +, -, @, a tab or a line break) has
    an apostrophe in front; numbers are numbers. Parquet keeps every text as it is.
    """
    from fridge_assets.upkeep.export import export_dataset  # noqa: PLC0415

    place = reading(context)
    from_moment = parse_moment(since, "--since") if since else None
    rows = export_dataset(dataset.value, to, from_moment, place.warehouse, place.operations, place.settings)
    say(f"{rows:,} rows of {dataset.value} in {to}")


def pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    """What the words ``LEFT=RIGHT`` of an option say."""
    found = {}
    for text in texts or []:
        left, equals, right = text.partition("=")
        if not (left and equals and right):
            raise FridgeError(f"{option} {text} is not a pair", f"Write {option} LEFT=RIGHT without blanks.")
        found[left] = right
    return found
