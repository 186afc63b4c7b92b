"""`models`: which versions there are (SPEC 3)."""

from typing import Annotated

import pandas as pd
import typer

from fridge_assets.cli.console import frame_records, say, say_json, say_table
from fridge_assets.cli.context import Workplace
from fridge_assets.errors import FridgeError

app = typer.Typer(no_args_is_help=True, help="Model versions.")


@app.command("list", epilog="Example: fridge-assets models list")
def list_versions(
    context: typer.Context,
    family: Annotated[str | None, typer.Argument(help="Only this family.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Every version, its stage and what it was trained on."""
    place: Workplace = context.obj
    rows = [
        {
            "family": registered.family,
            "version": registered.version,
            "stage": registered.stage,
            "trained_at": registered.metadata.trained_at,
            "rows": registered.metadata.training.rows,
            "training_hash": registered.metadata.training.hash,
        }
        for registered in place.models.versions(family)
    ]
    versions = pd.DataFrame(rows, columns=["family", "version", "stage", "trained_at", "rows", "training_hash"])
    if as_json:
        say_json(frame_records(versions))
        return
    say_table("Model versions", versions.assign(training_hash=versions["training_hash"].astype("str").str[:12]))


@app.command(epilog="Example: fridge-assets models show isolation_forest 1.0.0")
def show(
    context: typer.Context,
    family: Annotated[str, typer.Argument(help="Model family.")],
    version: Annotated[str | None, typer.Argument(help="Semantic version; the released one when not given.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """All that a version says about itself."""
    place: Workplace = context.obj
    known = {registered.version: registered for registered in place.models.versions(family)}
    if version is not None and version not in known:
        raise FridgeError(
            f"{family} has no version {version}",
            f"Choose one of {', '.join(known) or 'none yet: train it first'}.",
        )
    registered = known[version] if version else place.models.require_released(family)
    metadata = place.models.load(registered).metadata
    if as_json:
        say_json({"stage": registered.stage, **metadata.model_dump(mode="json")})
        return
    record = metadata.training
    say(f"[bold]{metadata.model_id} {metadata.version}[/bold] ({registered.stage}), per {metadata.granularity}")
    say(f"trained {metadata.trained_at:%Y-%m-%d %H:%M} UTC on {record.rows:,} windows of {record.devices:,} devices")
    say(f"  from {record.window_from:%Y-%m-%d %H:%M} to {record.window_to:%Y-%m-%d %H:%M} UTC, hash {record.hash}")
    say(f"  {record.self_cleaned:,} rows dropped as contaminated; calibrated on {record.calibrated_on}")
    say(f"threshold {metadata.threshold:g}; " + ", ".join(f"{k} {v:.4g}" for k, v in metadata.metrics.items()))
    say(f"{len(metadata.features)} features: {', '.join(metadata.features)}")
    say("libraries: " + ", ".join(f"{name} {number}" for name, number in metadata.libraries.items()))
