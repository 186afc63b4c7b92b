"""`thresholds`: what thresholds of the acute rules are in force, what has changed, and learning them (SPEC 5)."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from fridge_assets.cli.console import moment, say, say_json, styled
from fridge_assets.cli.context import changing, reading
from fridge_assets.cli.nulls import frame_records
from fridge_assets.cli.tables import Wide, say_table
from fridge_assets.cli.unknown import refuse_unknown_names

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer(no_args_is_help=True, help="Thresholds of the acute rules, device by device.")
Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]

_WORDS = {"since": "since", "rule": "rule", "origin": "origin", "value": "threshold", "detail": "said by"}
_SPARE = ("detail", "origin")


@app.command(epilog="Example: fridge-assets thresholds show device-000042")
def show(
    context: typer.Context,
    device: Annotated[str, typer.Argument(help="Device id.")],
    wide: Wide = False,
    as_json: Json = False,
) -> None:
    """The thresholds in force for one device, where they come from, and their history."""
    from fridge_assets.streaming.thresholds import thresholds_of, words_about  # noqa: PLC0415

    place = reading(context)
    with place.operations.read() as connection:
        words = words_about(connection, device)
        in_force = thresholds_of(connection, device, datetime.now(UTC))
    if words.empty:
        refuse_unknown_names(place, device)
    in_force = in_force.assign(meaning=in_force["rule"].map(_meanings()))
    if as_json:
        history = frame_records(words.drop(columns="device_id"))
        say_json({"device_id": device, "in_force": frame_records(in_force), "history": history})
        return
    shown = in_force.rename(columns={"value": "threshold"}).assign(since=_since(in_force))
    say_table(f"Thresholds in force for {device}", shown, spare=("meaning", "since"), wide=wide)
    say_table("History, newest first", _readable(words), _WORDS, spare=_SPARE, wide=wide)


@app.command("list", epilog="Example: fridge-assets thresholds list --limit 20")
def list_(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 50,
    wide: Wide = False,
    as_json: Json = False,
) -> None:
    """Changes of thresholds, newest first; what was said first of a device counts from the beginning and comes last."""
    from fridge_assets.streaming.thresholds import newest_words  # noqa: PLC0415

    place = reading(context)
    with place.operations.read() as connection:
        words = newest_words(connection, limit)
    if as_json:
        say_json(frame_records(words))
        return
    say_table(
        "Changes of thresholds",
        _readable(words),
        {"device_id": "device", **_WORDS},
        spare=("detail", "origin"),
        wide=wide,
    )
    if not words.empty:
        say(f"Next: {place.command('thresholds show DEVICE')}")


@app.command(epilog="Example: fridge-assets thresholds learn --dry-run")
def learn(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be learned; keep nothing.")] = False,
    wide: Wide = False,
    as_json: Json = False,
) -> None:
    """Learn thresholds from the released baseline, as the job learn_thresholds does every day.

    What somebody wrote into the registry counts before what is learned. A running stream follows within a minute.
    """
    from fridge_assets.registry.devices import effective_registry  # noqa: PLC0415
    from fridge_assets.streaming.learned import FAMILY, learned_from, spread  # noqa: PLC0415
    from fridge_assets.streaming.thresholds import note_learned  # noqa: PLC0415

    place = reading(context) if dry_run else changing(context)
    learned = learned_from(place.models, effective_registry(place.settings.root, place.warehouse), place.settings)
    version = f"{FAMILY} {learned.versions}"
    written = 0 if dry_run else note_learned(place.operations, learned.thresholds, version, datetime.now(UTC))
    devices = int(learned.thresholds["device_id"].nunique())
    by_rule = spread(learned.thresholds)
    if as_json:
        said = {"version": version, "dry_run": dry_run, "devices": devices, "changes_written": written}
        say_json({**said, "rules": frame_records(by_rule), "refused": list(learned.refused)})
        return
    for reason in learned.refused:
        say(styled("Passed over:", "yellow"), f" {reason}")
    say_table(f"Learned from {version}", by_rule, wide=wide)
    kept = "nothing was kept (--dry-run)" if dry_run else f"{written:,} changes kept"
    say(f"{devices:,} devices differ from the defaults; {kept}.")
    say(f"Next: {place.command('thresholds learn' if dry_run else 'thresholds list')}")


def _readable(words: "pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415

    values = ["taken back" if pd.isna(value) else f"{value:.3g}" for value in words["value"]]
    return words.assign(since=_since(words), value=values)


def _since(frame: "pd.DataFrame") -> list[str]:
    from fridge_assets.streaming.thresholds import BEGINNING  # noqa: PLC0415

    return [moment(since) if since > BEGINNING else "the beginning" for since in frame["since"]]


def _meanings() -> dict[str, str]:
    """Rule → what its threshold is and in which unit."""
    from fridge_assets.contracts import DEVICE_REGISTRY  # noqa: PLC0415
    from fridge_assets.streaming.rules import RULES  # noqa: PLC0415

    columns = {column.name: column for column in DEVICE_REGISTRY.columns}
    told = {name: columns[rule.threshold] for name, rule in RULES.items()}
    return {name: f"{column.description}, {column.unit}".rstrip(", ") for name, column in told.items()}
