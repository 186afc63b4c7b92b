"""`models`: which versions there are, what they are and how they compare (SPEC 3)."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fridge_assets.cli import deploy
from fridge_assets.cli.console import moment, say, say_json, styled, told_here, working
from fridge_assets.cli.context import Workplace, changing, reading
from fridge_assets.cli.nulls import frame_records
from fridge_assets.cli.run import AsOf
from fridge_assets.cli.tables import Wide, say_table
from fridge_assets.cli.unknown import refuse_unknown_names

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer(no_args_is_help=True, help="Model versions: what they are, how they compare, which one scores.")
OneFamily = Annotated[str | None, typer.Argument(help="Only this family.", callback=deploy.known_family)]
OneVersion = Annotated[str | None, typer.Argument(help="Semantic version; the one that scores when not given.")]
Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]

_VERSION_COLUMNS = ["family", "version", "stage", "scores", "provisional", "trained_at", "rows", "training_hash"]
_VERSION_SPARE = ("training_hash", "rows", "trained_at")
_DECISION_SPARE = ("regions", "from", "who", "why")
_COMPARISON_SPARE = ("production_version", "devices", "window_end")
_SCORED_SPARE = ("released_by", "released_at", "scored_at", "flagged")
_HASH_SHOWN = 12
_LATEST_REPORTS = 10


@app.command("list", epilog="Example: fridge-assets models list")
def list_versions(
    context: typer.Context,
    family: OneFamily = None,
    wide: Wide = False,
    as_json: Json = False,
) -> None:
    """Every version, its stage, where it scores and what it was trained on."""
    import pandas as pd  # noqa: PLC0415

    place = reading(context)
    known = place.models.registry.versions(family)
    states = {name: place.models.deployments.of(name) for name in {registered.family for registered in known}}
    rows = [
        {
            "family": registered.family,
            "version": registered.version,
            "stage": states[registered.family].stage_of(registered.version),
            "scores": states[registered.family].reach_of(registered.version),
            "provisional": registered.metadata.provisional,
            "trained_at": registered.metadata.trained_at,
            "rows": registered.metadata.training.rows,
            "training_hash": registered.metadata.training.hash,
        }
        for registered in known
    ]
    versions = pd.DataFrame(rows, columns=_VERSION_COLUMNS)
    if as_json:
        say_json(frame_records(versions))
        return
    shown = versions.assign(training_hash=versions["training_hash"].astype("str").str[:_HASH_SHOWN])
    say_table("Model versions", shown, spare=_VERSION_SPARE, wide=wide)


@app.command(epilog="Example: fridge-assets models show isolation_forest 1.0.0")
def show(
    context: typer.Context,
    family: deploy.Family,
    version: OneVersion = None,
    as_json: Json = False,
) -> None:
    """All that a version says about itself."""
    from fridge_assets.contracts.device_features import unseen_sensors  # noqa: PLC0415

    place = reading(context)
    models = place.models
    registered = models.registry.version(family, version) if version else models.require_serving(family)
    metadata = models.registry.load(registered).metadata
    stage = models.deployments.of(family).stage_of(registered.version)
    if as_json:
        say_json({"stage": stage, **metadata.model_dump(mode="json")})
        return
    record = metadata.training
    say(styled(f"{metadata.model_id} {metadata.version}", "bold"), f" ({stage}), per {metadata.granularity}")
    say(f"trained {moment(metadata.trained_at)} on {record.rows:,} windows of {record.devices:,} devices")
    say(f"  from {moment(record.window_from)} to {moment(record.window_to)}, hash {record.hash}")
    say(f"  {record.self_cleaned:,} rows dropped as contaminated; calibrated on {record.calibrated_on}")
    if metadata.provisional:
        say(styled("provisional", "yellow"), f": {metadata.provisional}; its alerts are MEDIUM at most")
    say(f"threshold {metadata.threshold:g}; " + ", ".join(f"{k} {v:.4g}" for k, v in metadata.metrics.items()))
    say(f"{len(metadata.features)} features: {', '.join(metadata.features)}")
    unseen = unseen_sensors(metadata.features)
    if unseen:
        say(f"cannot see {', '.join(unseen)}")
    say("libraries: " + ", ".join(f"{name} {number}" for name, number in metadata.libraries.items()))


@app.command(epilog="Example: fridge-assets models card isolation_forest 1.0.0")
def card(
    context: typer.Context,
    family: deploy.Family,
    version: OneVersion = None,
) -> None:
    """The card of a version, as Markdown, what it was tried on in its newest canary, and where the card lies."""
    from fridge_assets.canary.store import canary_reports  # noqa: PLC0415

    place = reading(context)
    models = place.models
    registered = models.registry.version(family, version) if version else models.require_serving(family)
    file = models.registry.card(registered)
    say(told_here(file.read_text(), datetime.now(UTC)))
    reports = canary_reports(place.warehouse, family, (registered.version,))
    for _, report in reports[reports["battery"].notna()].head(1).iterrows():
        say(f"## Battery: {report['battery_verdict']}, beside {report['production_version']}\n")
        say("\n".join(f"- {line}" for line in report["battery"]) + "\n")
    say(styled(str(file), "dim"))


@app.command(epilog="Example: fridge-assets models reproduce isolation_forest 1.0.0")
def reproduce(context: typer.Context, family: deploy.Family, version: deploy.Version, as_json: Json = False) -> None:
    """Train a version again from the rows it was trained on, and compare the scores bit by bit."""
    from fridge_assets.models.reproduce import reproduces  # noqa: PLC0415

    place = reading(context)
    registered = place.models.registry.version(family, version)
    with working("training again", as_json):
        rows, differing = reproduces(place.models.registry, registered, place.settings)
    if as_json:
        say_json({"rows": rows, "differing": differing, "training_hash": registered.metadata.training.hash})
    else:
        said = "all scores are the same, bit by bit" if not differing else f"{differing:,} scores differ"
        say(
            f"Trained {family} {version} again on the {rows:,} rows of hash "
            f"{registered.metadata.training.hash}: {said}."
        )
    if differing:
        raise typer.Exit(1)


@app.command(epilog="Example: fridge-assets models history isolation_forest")
def history(
    context: typer.Context,
    family: OneFamily = None,
    wide: Wide = False,
    as_json: Json = False,
) -> None:
    """Every decision about a version: who, when, from what, to what and why."""
    import pandas as pd  # noqa: PLC0415

    place = reading(context)
    decisions = place.models.deployments.history(family)
    if as_json:
        say_json([asdict(decision) for decision in decisions])
        return
    rows = [
        {
            "when": decision.occurred_at,
            "family": decision.family,
            "action": decision.action.replace("_", " "),
            "from": decision.from_version,
            "to": decision.version,
            "regions": ", ".join(decision.regions) or "all",
            "who": decision.actor,
            "why": decision.reason + (f" (overruled: {decision.overridden})" if decision.overridden else ""),
        }
        for decision in decisions
    ]
    say_table("Decisions", pd.DataFrame(rows), spare=_DECISION_SPARE, wide=wide)


@app.command(epilog="Example: fridge-assets models canary isolation_forest --run --as-of latest")
def canary(
    context: typer.Context,
    family: OneFamily = None,
    run: Annotated[bool, typer.Option("--run", help="Compare on the latest window first.")] = False,
    as_of: AsOf = "",
    wide: Wide = False,
    as_json: Json = False,
) -> None:
    """How candidates compare with what scores now, and whether they may be promoted."""
    import pandas as pd  # noqa: PLC0415

    from fridge_assets.canary.store import canary_reports  # noqa: PLC0415

    place = changing(context) if run else reading(context)
    if run:
        from fridge_assets.automation.cycles import run_canary  # noqa: PLC0415
        from fridge_assets.cli.run import tell  # noqa: PLC0415

        with place.instance() as instance, working("comparing", as_json):
            outcome = run_canary(instance, as_of)
        if not outcome.success:
            tell(place, [outcome], as_json)
            return
        compared = outcome.metadata["canary_scores"]["compared"]
        if not as_json:
            too_old = "" if as_of else "; where the newest features are old, --as-of latest compares on them"
            say(f"Compared on the newest window: {compared}{too_old if compared == 'nothing' else ''}.")
    reports = canary_reports(place.warehouse, family, limit=_LATEST_REPORTS)
    if as_json:
        say_json(frame_records(reports))
        return
    columns = ["family", "candidate_version", "production_version", "window_end", "devices", "verdict", "reason"]
    say_table("Comparisons, newest first", reports[columns], spare=_COMPARISON_SPARE, wide=wide)
    _say_candidates(place, family, reports)
    if reports.empty:
        return
    newest = reports.iloc[0]
    say_table(
        f"{newest['family']} {newest['candidate_version']} beside {newest['production_version']}", _metrics(newest)
    )
    say_table("Alerts a day, before agreement of families and deduplication", _outlook(newest))
    if pd.notna(newest["alert_budget"]) and pd.notna(newest["candidate_medium_per_day"]):
        say(_budget(newest))
    if newest["battery"] is not None:
        say_table(f"Healthy states and known faults: {newest['battery_verdict']}", _battery(newest))
    entered, left = (", ".join(newest[column]) or "none" for column in ("entered_top", "left_top"))
    say(f"entered the highest: {entered}; left: {left}")


@app.command(epilog="Example: fridge-assets models scored device-000012 --at 2026-03-02T09:00Z")
def scored(
    context: typer.Context,
    device: Annotated[str, typer.Argument(help="Device id.")],
    at: Annotated[str, typer.Option(help="Moment, ISO 8601; now when not given.")] = "",
    wide: Wide = False,
    as_json: Json = False,
) -> None:
    """Which version of each family scored a device at a moment, with what result, and who had released it."""
    from fridge_assets.scoring.provenance import NeverScored, provenance  # noqa: PLC0415

    place = reading(context)
    try:
        found = provenance(place.warehouse, place.models.deployments, device, at)
    except NeverScored:
        refuse_unknown_names(place, device)
        raise
    if as_json:
        say_json(frame_records(found))
        return
    say_table(f"{device} was scored by", found, spare=_SCORED_SPARE, wide=wide)


def _say_candidates(place: Workplace, family: str | None, reports: "pd.DataFrame") -> None:
    """Where each candidate stands at this moment, and what its next step is."""
    from fridge_assets.canary.promotion import proof_of  # noqa: PLC0415
    from fridge_assets.models.families import FAMILIES  # noqa: PLC0415

    states = [place.models.deployments.of(name) for name in ([family] if family else FAMILIES)]
    candidates = [(state.family, state.candidate) for state in states if state.candidate]
    if not candidates:
        say(f"No version is staged: {place.command('models stage FAMILY VERSION')}")
    for name, candidate in candidates:
        compared = ((reports["family"] == name) & (reports["candidate_version"] == candidate)).any()
        if not compared:
            run = place.command(f"models canary {name} --run --as-of latest")
            say(f"{name} {candidate} is staged and was not compared yet: {run}")
            continue
        proof = proof_of(place.models, place.warehouse, name, candidate, place.settings.canary)
        verdict = "may be promoted" if proof.passed else "may not be promoted yet"
        say(f"{name} {candidate} {verdict}: {proof.said}")


def _metrics(report: "pd.Series[Any]") -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415

    from fridge_assets.contracts.canary_reports import CANARY_METRICS  # noqa: PLC0415

    return pd.DataFrame(
        {
            "metric": [name.replace("_", " ") for name in CANARY_METRICS],
            "value": [report[name] for name in CANARY_METRICS],
            "noise floor": [report[f"{name}_noise"] for name in CANARY_METRICS],
            "limit": [report[f"{name}_limit"] for name in CANARY_METRICS],
            "verdict": [report[f"{name}_verdict"] for name in CANARY_METRICS],
        }
    )


def _battery(report: "pd.Series[Any]") -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415

    lines = [line.partition(": ")[::2] for line in report["battery"]]
    return pd.DataFrame(lines, columns=["outcome", "case"])


def _outlook(report: "pd.Series[Any]") -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415

    from fridge_assets.contracts.device_alerts import SEVERITIES  # noqa: PLC0415

    names = list(reversed(SEVERITIES))
    return pd.DataFrame(
        [
            {"version": role, **{name: report[f"{role}_{name.lower()}_per_day"] for name in names}}
            for role in ("candidate", "production")
        ]
    )


def _budget(report: "pd.Series[Any]") -> str:
    from fridge_assets.canary.report import outlook_sentence  # noqa: PLC0415
    from fridge_assets.contracts.device_alerts import SEVERITIES  # noqa: PLC0415

    weighty = SEVERITIES[SEVERITIES.index("MEDIUM") :]
    candidate, production = (
        sum(report[f"{role}_{name.lower()}_per_day"] for name in weighty) for role in ("candidate", "production")
    )
    return outlook_sentence(candidate, production, int(report["alert_budget"]))


deploy.register(app)
