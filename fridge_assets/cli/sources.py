"""`sources`: how the files of each source are read, proposed from examples and kept in the data folder."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fridge_assets.cli.console import say, say_json, styled, working
from fridge_assets.cli.context import Workplace, changing, reading, starting
from fridge_assets.cli.data import look_record, pairs, say_look
from fridge_assets.cli.tables import say_rows, say_table
from fridge_assets.core.errors import FridgeError

if TYPE_CHECKING:
    from fridge_assets.readings.look import Look
    from fridge_assets.sources.propose import Proposal, Question
    from fridge_assets.sources.source import Source

app = typer.Typer(no_args_is_help=True, help="How the readings of each source are read.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the source.")]
Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Examples of its files.")]
Pairs = list[str] | None
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@app.command(epilog="Example: fridge-assets sources add store-7 june.csv --timezone Europe/Berlin --device freezer-1")
def add(
    context: typer.Context,
    name: Name,
    files: Annotated[list[Path] | None, typer.Argument(metavar="[FILE...]", help="Examples of its files.")] = None,
    topic: Annotated[
        Pairs, typer.Option(help="Topic of the MQTT broker, such as stores/+/+, in place of files; repeatable.")
    ] = None,
    listen: Annotated[int, typer.Option(min=1, help="Seconds for which messages of the topics are collected.")] = 60,
    format_: Annotated[str, typer.Option("--format", help="parquet, csv, jsonl, json, excel or line_protocol.")] = "",
    encoding: Annotated[str, typer.Option(help="How text is encoded, such as cp1252.")] = "",
    delimiter: Annotated[str, typer.Option(help="What separates the columns of a CSV file.")] = "",
    skip_lines: Annotated[int, typer.Option(min=0, help="Lines above the header.")] = 0,
    decimal: Annotated[str, typer.Option(help="Decimal mark: . or ,")] = "",
    time: Annotated[list[str] | None, typer.Option(help="Column of the time; twice for date and time.")] = None,
    time_format: Annotated[
        str, typer.Option(help="iso, epoch_s, epoch_ms, seconds_since_start, or a pattern such as '%d.%m.%Y %H:%M'.")
    ] = "",
    time_start: Annotated[str, typer.Option(help="Moment from which seconds_since_start counts, ISO 8601.")] = "",
    timezone: Annotated[str, typer.Option(help="Zone of times that name none, such as Europe/Berlin.")] = "",
    shape: Annotated[str, typer.Option(help="row, wide or long.")] = "",
    device: Annotated[str, typer.Option(help="The device of all rows, {file} for the file's name, or a column.")] = "",
    mapping: Annotated[Pairs, typer.Option("--map", help="THEIR_COLUMN=OURS; repeatable.")] = None,
    sensor: Annotated[
        Pairs, typer.Option(help="WORD=SENSOR: what a word in names means, or WORD=none; repeatable.")
    ] = None,
    tag: Annotated[Pairs, typer.Option(help="TAG=SENSOR or TAG=DEVICE/SENSOR; repeatable.")] = None,
    tag_column: Annotated[str, typer.Option(help="Long files: the column of what was measured.")] = "",
    value_column: Annotated[str, typer.Option(help="Long files: the column of the value.")] = "",
    pattern: Annotated[
        str, typer.Option(help="Regular expression that takes (?P<device>…) and (?P<tag>…) out of names or topics.")
    ] = "",
    align: Annotated[int, typer.Option(min=0, help="Long files: values of so many seconds are one reading.")] = 0,
    unit: Annotated[Pairs, typer.Option(help="COLUMN=UNIT, theirs or ours, such as evap=degF; repeatable.")] = None,
    offset: Annotated[Pairs, typer.Option(help="SENSOR=NUMBER added to its values in our unit; repeatable.")] = None,
    constant: Annotated[Pairs, typer.Option(help="OURS=VALUE that every reading has; repeatable.")] = None,
    rename: Annotated[Pairs, typer.Option(help="THEIR_DEVICE=OURS; repeatable.")] = None,
    nothing: Annotated[Pairs, typer.Option(help="A value that means that nothing was measured; repeatable.")] = None,
    interval: Annotated[int, typer.Option(min=0, help="Seconds expected between two readings of a device.")] = 0,
    as_is: Annotated[bool, typer.Option("--as-is", help="Take values that fit another unit as they are.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the source of this name.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Save without asking, once nothing is unclear.")] = False,
) -> None:
    """Look at examples, propose how to read them, ask what is unclear, and save it as a source.

    On a terminal what is unclear is asked; otherwise the command stops and names the option that says it. Nothing is
    guessed silently.
    """
    from fridge_assets.sources.saved import source_names  # noqa: PLC0415

    place = starting(context)
    folder = place.settings.sources_dir
    if name in source_names(folder) and not replace:
        raise FridgeError(f"there is a source {name} already", "Give another name, or --replace.")
    given: dict[str, Any] = {
        "format": format_, "encoding": encoding, "delimiter": delimiter.replace("\\t", "\t"), "skip_lines": skip_lines,
        "decimal": decimal, "time_columns": time, "time_format": time_format, "time_start": time_start,
        "timezone": timezone, "shape": shape, "device": device, "columns": pairs(mapping, "--map"),
        "sensor": pairs(sensor, "--sensor"), "tags": _tags(tag), "tag_column": tag_column,
        "value_column": value_column, "align_seconds": align, "units": pairs(unit, "--unit"),
        "offsets": _numbers(offset), "constants": pairs(constant, "--constant"), "devices": pairs(rename, "--rename"),
        "nothing": tuple(nothing or ()), "interval_seconds": interval, "pattern": pattern,
        "topics": tuple(topic or ()), "as_is": as_is,
    }  # fmt: skip
    with TemporaryDirectory(prefix="fridge-look-") as temporary:
        examples = _examples(place, files or [], given, listen, Path(temporary))
        if not _proposed(place, name, examples, given, yes=yes):
            return
    if given["topics"]:
        say(f"Next: {place.command('stream')}, which reads the topics while FRIDGE_MQTT__HOST is set")
    else:
        folder = place.settings.landing_dir / name
        say(f"Next: {place.command(f'ingest FILE --source {name}')}, or put files into {folder}")


def _examples(place: Workplace, files: list[Path], given: dict[str, Any], seconds: int, folder: Path) -> list[Path]:
    """The files to look at: those that were given, or one of the messages of topics."""
    if bool(files) == bool(given["topics"]):
        raise FridgeError(
            "a source is made from examples", "Give files of it, or --topic for what an MQTT broker sends."
        )
    if files:
        return files
    from fridge_assets.streaming.sources.mqtt_listen import listen, write_messages  # noqa: PLC0415

    with working(f"listening for up to {seconds} s", False):
        messages = listen(place.settings.mqtt, given["topics"], seconds)
    file, given["format"] = write_messages(messages, folder, given["format"] or None)
    say(f"{len(messages):,} messages of {len({message.topic for message in messages}):,} topics came")
    return [file]


def _proposed(place: Workplace, name: str, files: list[Path], given: dict[str, Any], *, yes: bool) -> bool:
    """Propose how ``files`` are read, show what comes of it, and save it; whether it was saved."""
    from fridge_assets.sources.judgement import options_of  # noqa: PLC0415
    from fridge_assets.sources.saved import save_source, yaml_of  # noqa: PLC0415

    proposal = _answered(files, given)
    for note in proposal.notes:
        say("  ", styled("note", "yellow"), f" {note}")
    say(yaml_of(proposal.source, name).rstrip())
    looks = [_look(place, file, proposal.source) for file in files]
    for look in looks:
        say_look(place, look, "can be read")
    _say_first_rows(looks[0])
    wrong = list(dict.fromkeys(misfit for look in looks for misfit in look.misfits))
    if wrong:
        raise FridgeError(
            f"{'; '.join(map(str, wrong))}. The source was not saved",
            f"Say the unit, as with {options_of(wrong)}, or take the values as they are with --as-is.",
        )
    if not yes and _is_asked() and not typer.confirm("Save it?", default=True):
        say("Nothing was saved.")
        return False
    path = save_source(place.settings.sources_dir, name, proposal.source)
    say(f"Saved as {path}; edit it where it is wrong, and try it with {place.command(f'sources test {name} FILE')}.")
    return True


@app.command("test", epilog="Example: fridge-assets sources test store-7 july.csv")
def try_(context: typer.Context, name: Name, files: Files, as_json: AsJson = False) -> None:
    """Read files by a source and show what comes of them; nothing is delivered."""
    from fridge_assets.sources.saved import read_source  # noqa: PLC0415

    place = changing(context)
    source = read_source(place.settings.sources_dir, name)
    with working("reading", as_json):
        looks = [_look(place, file, source) for file in files]
    if as_json:
        say_json([look_record(look) for look in looks])
        return
    for look in looks:
        say_look(place, look, f"can be read as {name}")
        _say_first_rows(look)
        for misfit in look.misfits:
            say("  ", styled("note", "yellow"), f" {misfit}; see units in the source")


@app.command("list", epilog="Example: fridge-assets sources list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """All sources."""
    from fridge_assets.sources.saved import read_source, source_names  # noqa: PLC0415

    place = reading(context)
    place.require_folder()
    folder = place.settings.sources_dir
    sources = {name: read_source(folder, name) for name in source_names(folder)}
    if as_json:
        say_json({name: source.model_dump(mode="json", exclude_defaults=True) for name, source in sources.items()})
        return
    rows = [_row(name, source) for name, source in sources.items()]
    say_rows("Sources", rows, {key: key for key in ("source", "format", "shape", "zone", "sensors")})
    if not rows:
        say(f"Next: {place.command('sources add NAME FILE')}")


@app.command(epilog="Example: fridge-assets sources show store-7")
def show(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """One source as it is kept."""
    from fridge_assets.sources.saved import read_source, source_path  # noqa: PLC0415

    place = reading(context)
    place.require_folder()
    path = source_path(place.settings.sources_dir, name)
    source = read_source(place.settings.sources_dir, name)
    if as_json:
        say_json(source.model_dump(mode="json", exclude_defaults=True))
        return
    say(path.read_text(encoding="utf-8").rstrip())
    say(f"\nIt is {path}")


def _answered(files: list[Path], given: dict[str, Any]) -> "Proposal":
    """The proposal once nothing is unclear in it; asks on a terminal.

    Raises:
        FridgeError: something is unclear and there is nobody to ask; names the options.
    """
    import duckdb  # noqa: PLC0415

    from fridge_assets.sources.propose import propose  # noqa: PLC0415

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        proposal = propose(connection, files, given)
        while proposal.questions:
            if not _is_asked():
                asked = "; ".join(f"{_option(question)}: {question.text}" for question in proposal.questions)
                raise FridgeError(f"{files[0].name} does not say everything. {asked}", "Give these options.")
            question = proposal.questions[0]
            _take(given, question, typer.prompt(_shown(question)))
            proposal = propose(connection, files, given)
    return proposal


def _take(given: dict[str, Any], question: "Question", answer: str) -> None:
    keys = {"map": "columns", "unit": "units", "tag": "tags", "time": "time_columns", "align": "align_seconds"}
    key = keys.get(question.field, question.field)
    if question.field == "tag":
        given[key] = {**given[key], **_tags([answer])}
    elif question.field in ("map", "unit"):
        given[key] = {**given[key], **pairs([answer], question.option)}
    elif question.part:
        given[key] = {**given[key], question.part: answer}
    else:
        given[key] = (answer,) if question.field == "time" else answer


def _option(question: "Question") -> str:
    return f"{question.option} {question.part}=…" if question.part else question.option


def _shown(question: "Question") -> str:
    choices = f" ({', '.join(question.choices)})" if question.choices else ""
    return f"{question.text}{choices}"


def _is_asked() -> bool:
    return sys.stdin.isatty()


def _look(place: Workplace, file: Path, source: "Source") -> "Look":
    from fridge_assets.readings.look import look_at  # noqa: PLC0415
    from fridge_assets.readings.ranges import read_range_tables  # noqa: PLC0415
    from fridge_assets.registry.devices import read_registry  # noqa: PLC0415

    root = place.settings.root
    registry, tables = read_registry(root), read_range_tables(root)
    return look_at(file, source, place.warehouse, registry, place.settings.readings, tables=tables)


def _say_first_rows(look: "Look") -> None:
    rows = look.first_rows
    # To the digit, which a table otherwise rounds.
    exact = {
        str(name): rows[name].map(lambda value: f"{value:.10g}", na_action="ignore")
        for name in rows.select_dtypes("float")
    }
    say_table("  first rows as they will be stored", rows.assign(**exact), wide=True)


def _row(name: str, source: "Source") -> dict[str, Any]:
    named = {tag.sensor for tag in source.tags.values()} | set(source.columns.values())
    sensors = [sensor for sensor in named if sensor not in ("device_id", "timestamp_device")]
    return {
        "source": name,
        "format": source.format or "by name",
        "shape": source.shape,
        "zone": source.timezone,
        "sensors": len(sensors),
    }


def _tags(texts: list[str] | None) -> dict[str, dict[str, str]]:
    tags = {}
    for name, meant in pairs(texts, "--tag").items():
        device, _, sensor = meant.rpartition("/")
        tags[name] = {"sensor": sensor, "device": device}
    return tags


def _numbers(texts: list[str] | None) -> dict[str, float]:
    numbers = {}
    for name, text in pairs(texts, "--offset").items():
        try:
            numbers[name] = float(text)
        except ValueError as error:
            raise FridgeError(f"--offset {name}={text}: it is no number", "Give one such as 0.5.") from error
    return numbers
