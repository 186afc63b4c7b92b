"""`replay`: what people would have been told, in a folder of its own, or the past run again in the live stores."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fridge_assets.cli.console import (
    complain,
    moment,
    out,
    progress,
    say,
    say_json,
    styled,
    tell_failures,
    told_here,
    working,
)
from fridge_assets.cli.context import Workplace, changing
from fridge_assets.cli.nulls import frame_records
from fridge_assets.cli.tables import say_table
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.moments import parse_moment
from fridge_assets.running.stopping import asked_to_stop

if TYPE_CHECKING:
    import pandas as pd

    from fridge_assets.deployment.state import Deployment
    from fridge_assets.replay.change import Change
    from fridge_assets.replay.run import Failures
    from fridge_assets.replay.span import Trained

_NOW, _COMPARED = "now", "compared"
_MOST_FAILURES = 3


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: fridge-assets replay --from 2026-01-01T00:00Z --to 2026-01-02T00:00Z")(replay)


@dataclass(frozen=True)
class _Replayed:
    """What one replay gave.

    Args:
        change: what was other than now.
        judged: told alerts with what is known of each.
        failures: what failed.
        trained: versions that have learned from these hours.
    """

    change: "Change"
    judged: "pd.DataFrame"
    failures: "Failures"
    trained: "list[Trained]"


def replay(
    context: typer.Context,
    start: Annotated[str, typer.Option("--from", help="First hour, ISO 8601.")],
    end: Annotated[str, typer.Option("--to", help="Last hour, ISO 8601.")],
    compare_version: Annotated[
        list[str] | None, typer.Option(help="Replay a second time with FAMILY=VERSION, such as isolation_forest=1.1.0.")
    ] = None,
    compare_setting: Annotated[
        list[str] | None, typer.Option(help="… and with NAME=VALUE, such as alerts.medium_score=0.8; repeatable.")
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(help="Keep what the replay wrote in this folder, for a look with every command.")
    ] = None,
    into_live: Annotated[
        bool, typer.Option("--into-live", help="Write into the stores of the fleet, and tell people, as a live run.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before --into-live.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Backtest: what people would have been told between two moments, by the models and settings of today.

    The hourly and daily runs of these hours are made in a folder of their own, which is removed afterwards: nothing of
    the fleet is changed and nobody is told. It starts with no alert open; silences hold as they did.
    """
    from fridge_assets.replay.change import Change, parse_pairs  # noqa: PLC0415
    from fridge_assets.replay.span import hours_between  # noqa: PLC0415

    place = changing(context, on_readings=True)
    first, last = parse_moment(start, "--from"), parse_moment(end, "--to")
    if last < first:
        raise FridgeError(f"--to {end} lies before --from {start}", "Swap them.")
    hours = hours_between(first, last)
    change = Change(
        parse_pairs(compare_version or [], "--compare-version", "FAMILY=VERSION"),
        parse_pairs(compare_setting or [], "--compare-setting", "NAME=VALUE"),
    )
    if into_live:
        if keep or change != Change():
            raise FridgeError("--into-live can neither compare nor keep", "Leave out --into-live, or the others.")
        _replay_into_live(place, hours, yes, as_json)
        return
    _backtest(place, hours, change, keep, as_json)


def _backtest(place: Workplace, hours: Sequence[datetime], change: "Change", keep: Path | None, as_json: bool) -> None:
    from fridge_assets.replay.change import Change, require_versions  # noqa: PLC0415
    from fridge_assets.replay.scratch import released_families, require_empty, scratch_settings  # noqa: PLC0415

    _require_readings(place, hours)
    states = released_families(place.models.deployments)
    require_versions(change, states)
    scratch_settings(place.settings, place.settings.root, change)  # so that a wrong setting is refused at once
    if keep is not None:
        require_empty(keep)
    changes = {_NOW: Change()} | ({_COMPARED: change} if change != Change() else {})
    # First of all, since an unknown version is to be refused before hours of work.
    trained = {name: _trained(place, states, other, hours) for name, other in changes.items()}
    with _folder(place, keep) as folder:
        replayed = {}
        for name, other in changes.items():
            own = folder / name if len(changes) > 1 else folder
            replayed[name] = _replay_once(place, own, hours, other, trained[name], as_json)
    if as_json:
        say_json(_as_json(place, hours, replayed, keep))
    else:
        _tell(place, hours, replayed, states, keep)
    if any(one.failures for one in replayed.values()):
        raise typer.Exit(1)


@contextmanager
def _folder(place: Workplace, keep: Path | None) -> Iterator[Path]:
    """The folder to work in; gone afterwards unless it is to be kept."""
    from fridge_assets.stores.files import RUNNING, lock_file, writable_folder  # noqa: PLC0415

    folder = keep or Path(tempfile.mkdtemp(dir=writable_folder(place.settings.replays_dir)))
    try:
        with lock_file(folder / RUNNING):
            yield folder
    except BaseException:
        if not asked_to_stop():  # a library may have made another error of it on the way
            raise
        left = f"what it wrote so far is in {folder}" if keep else "what it wrote is gone"
        complain(f"Stopped: {left}; nothing of the fleet was changed.")
        raise
    finally:
        (folder / RUNNING).unlink()
        if keep is None:
            shutil.rmtree(folder)


def _replay_once(
    place: Workplace,
    folder: Path,
    hours: Sequence[datetime],
    change: "Change",
    trained: "list[Trained]",
    as_json: bool,
) -> _Replayed:
    from fridge_assets.incidents.labels import labels_of  # noqa: PLC0415
    from fridge_assets.incidents.told import told_alerts  # noqa: PLC0415
    from fridge_assets.replay.report import judged_alerts  # noqa: PLC0415
    from fridge_assets.replay.run import run_cycles  # noqa: PLC0415
    from fridge_assets.replay.scratch import fill_scratch, scratch_settings, settle_messages  # noqa: PLC0415
    from fridge_assets.replay.span import cycles_of  # noqa: PLC0415
    from fridge_assets.stores.operations import Operations  # noqa: PLC0415

    scratch = scratch_settings(place.settings, folder, change)
    with working("preparing", as_json):
        fill_scratch(place.settings, scratch, hours, change)
    cycles = cycles_of(hours)
    operations = Operations(scratch.operations_database, scratch.operations.lock_wait)
    try:
        with progress(f"replaying: {change.said} (runs)", as_json) as bar:
            bar.update(bar.task_ids[0], total=len(cycles))
            failures = run_cycles(scratch, cycles, lambda _: bar.advance(bar.task_ids[0]))
    finally:
        settle_messages(operations)  # of a replay that was stopped, too: its folder may be kept
    with operations.read() as connection:
        told = told_alerts(connection, hours[0])
    with place.operations.read() as connection:
        labels = labels_of(connection)
    judged = judged_alerts(told, labels, _truth(place), place.settings.alerts.reopen_within)
    return _Replayed(change, judged, failures, trained)


def _replay_into_live(place: Workplace, hours: Sequence[datetime], yes: bool, as_json: bool) -> None:
    from fridge_assets.automation.cycles import replay_hours  # noqa: PLC0415
    from fridge_assets.readings.ingest import files_waiting  # noqa: PLC0415
    from fridge_assets.replay.span import hourly_moment  # noqa: PLC0415

    if not files_waiting(place.landing):  # those that wait may be of these hours
        _require_readings(place, hours)
    if not as_json:
        say(
            f"This runs {len(hours)} hourly cycles in {place.settings.root}: features, scores, alerts and status of "
            f"{_span(hours)} are written as if they were of now, open alerts may change, and people are told."
        )
    if not yes and not (out.is_terminal and typer.confirm("Go on?")):
        raise FridgeError("nothing was replayed", "Say --yes, or leave out --into-live: then nothing is touched.")
    with place.instance() as instance, progress("replaying (hours)", as_json) as bar:
        outcomes = []
        for cycle in replay_hours(instance, [hourly_moment(hour) for hour in hours]):
            outcomes.append(cycle)
            bar.update(bar.task_ids[0], completed=len(outcomes), total=len(hours))
    failures = [cycle.score.failures | cycle.publish.failures for cycle in outcomes if not cycle.success]
    if as_json:
        say_json({"hours": len(outcomes), "failed": failures})
    else:
        say(f"Replayed {len(outcomes)} hours, {_span(hours)}.")
        for failed in failures:
            tell_failures(failed)
    if failures:
        raise typer.Exit(1)


def _require_readings(place: Workplace, hours: Sequence[datetime]) -> None:
    from fridge_assets.replay.span import readings_there_are, require_readings  # noqa: PLC0415

    with place.warehouse.read() as connection:
        readings = readings_there_are(connection)
    require_readings(hours, readings, place.settings.features.window)


def _trained(
    place: Workplace, states: "dict[str, Deployment]", change: "Change", hours: Sequence[datetime]
) -> "list[Trained]":
    from fridge_assets.replay.span import trained_within  # noqa: PLC0415

    serving = {family: state.production for family, state in states.items() if state.pause is None}
    serving |= change.versions
    versions = [place.models.registry.version(f, version).metadata for f, version in serving.items() if version]
    return trained_within(versions, hours, place.settings.features.window)


def _truth(place: Workplace) -> "pd.DataFrame | None":
    import pandas as pd  # noqa: PLC0415

    file = place.settings.root / "ground_truth.parquet"
    return pd.read_parquet(file) if file.exists() else None


def _tables(place: Workplace, hours: Sequence[datetime], replayed: dict[str, _Replayed]) -> "dict[str, pd.DataFrame]":
    """Title → what there is to say, the replays side by side."""
    from fridge_assets.replay.report import faults_found, most_told, side_by_side, told_by_severity  # noqa: PLC0415

    truth = _truth(place)
    by_severity = {
        name: told_by_severity(one.judged, hours, with_truth=truth is not None) for name, one in replayed.items()
    }
    tables = {
        "Told alerts": side_by_side(by_severity, "severity"),
        "What they say": side_by_side({name: most_told(one.judged) for name, one in replayed.items()}, "what it says"),
    }
    if truth is not None:
        found = {name: faults_found(one.judged, truth, hours[-1]) for name, one in replayed.items()}
        tables["Faults found"] = side_by_side(found, "fault")
    return tables


def _tell(
    place: Workplace,
    hours: Sequence[datetime],
    replayed: dict[str, _Replayed],
    states: "dict[str, Deployment]",
    keep: Path | None,
) -> None:
    say(f"Replayed {len(hours)} hours, {_span(hours)}; nothing of the fleet was changed and nobody was told.")
    for name, one in replayed.items():
        if len(replayed) > 1:
            say(styled(name, "bold"), f": {one.change.said}")
    paused = sorted(family for family, state in states.items() if state.pause is not None)
    if paused:
        say(f"Paused and therefore silent: {', '.join(paused)}.")
    for title, table in _tables(place, hours, replayed).items():
        say("")
        say_table(title, table)
    say("")
    for name, one in replayed.items():
        own = f"{name}: " if len(replayed) > 1 else ""
        began = int((one.judged["window_end"] <= hours[0]).sum())
        if began:
            say(f"{own}{began:,} of them were told in the first hour, which starts with no alert open.")
        for version in one.trained:
            say(
                styled(
                    f"{own}{version.family} {version.version} has learned from {moment(version.since)} to "
                    f"{moment(version.until)}, {version.hours} of these {len(hours)} hours: how well it does there is "
                    "flattered.",
                    "yellow",
                )
            )
        _tell_failed_runs(own, one.failures)
    if keep is not None:
        folder = keep / _NOW if len(replayed) > 1 else keep
        say(f"Kept: {Workplace(folder).command('incidents list --all')}")
        if place.settings.operations_url:
            say("Unset FRIDGE_OPERATIONS_URL before, which names the store of the fleet.")


def _tell_failed_runs(own: str, failures: "Failures") -> None:
    for at, failed in list(failures.items())[:_MOST_FAILURES]:
        complain(styled(f"{own}{moment(at)}:", "red"))
        tell_failures(failed)
    if len(failures) > _MOST_FAILURES:
        complain(styled(f"{own}{len(failures) - _MOST_FAILURES} more runs failed.", "red"))


def _as_json(
    place: Workplace, hours: Sequence[datetime], replayed: dict[str, _Replayed], keep: Path | None
) -> dict[str, Any]:
    return {
        "hours": len(hours),
        "from": hours[0],
        "to": hours[-1],
        "replays": [
            {
                "name": name,
                "with": one.change.said,
                **{
                    title.lower().replace(" ", "_"): frame_records(table)
                    for title, table in _tables(place, hours, {name: one}).items()
                },
                "trained_on_these_hours": [asdict(version) for version in one.trained],
                "failed": {moment.isoformat(): failed for moment, failed in one.failures.items()},
            }
            for name, one in replayed.items()
        ],
        "kept": keep,
    }


def _span(hours: Sequence[datetime]) -> str:
    return told_here(f"{hours[0]:%Y-%m-%d %H:%M} to {hours[-1]:%Y-%m-%d %H:%M} UTC", hours[-1])
