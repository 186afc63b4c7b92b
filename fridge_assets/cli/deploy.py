"""`models stage … rollback`: decisions about versions, each one command, in effect from the next run on (SPEC 3)."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from fridge_assets.cli.console import say, say_json
from fridge_assets.cli.context import Workplace, changing, user_name

if TYPE_CHECKING:
    from fridge_assets.deployment.decide import Request
    from fridge_assets.deployment.state import Decision


def known_family(family: str | None) -> str | None:
    """Refuse a family that does not exist before anything is opened."""
    if family is not None:
        from fridge_assets.models.families import require_family  # noqa: PLC0415

        require_family(family)
    return family


Family = Annotated[str, typer.Argument(help="Model family.", callback=known_family)]
Version = Annotated[str, typer.Argument(help="Semantic version, such as 1.1.0.")]
Reason = Annotated[str, typer.Option(help="Why; the history keeps it.")]
Json = Annotated[bool, typer.Option("--json", help="Print the decision as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    example = "Example: fridge-assets models"
    app.command(epilog=f"{example} stage isolation_forest 1.1.0")(stage)
    app.command(epilog=f"{example} promote isolation_forest 1.1.0 --region north")(promote)
    app.command(epilog=f"{example} rollback isolation_forest --reason 'too many alerts in the north'")(rollback)
    app.command(epilog=f"{example} pin isolation_forest 1.0.0 --reason 'until the sensors are replaced'")(pin)
    app.command(epilog=f"{example} unpin isolation_forest")(unpin)
    app.command(epilog=f"{example} archive isolation_forest 1.2.0 --reason 'trained on a bad week'")(archive)


def register_pause(app: typer.Typer) -> None:
    """Add the commands that silence a model to the top level of ``app``: they are for emergencies."""
    app.command(epilog="Example: fridge-assets pause autoencoder --reason 'half the fleet flagged'")(pause)
    app.command(epilog="Example: fridge-assets resume autoencoder")(resume)


def stage(context: typer.Context, family: Family, version: Version, reason: Reason = "", as_json: Json = False) -> None:
    """Make a version the candidate that the canary compares with the release."""
    place = changing(context)
    _tell(place, place.models.stage(family, version, _request(reason)), as_json)


def promote(
    context: typer.Context,
    family: Family,
    version: Version,
    region: Annotated[list[str] | None, typer.Option(help="Only this region for now; repeat for several.")] = None,
    override: Annotated[bool, typer.Option("--override", help="Although the canary has not passed.")] = False,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Release a version whose canary passed, everywhere or to some regions first."""
    from fridge_assets.canary.promotion import promote as promote_if_proven  # noqa: PLC0415

    place = changing(context)
    decision = promote_if_proven(
        place.models,
        place.warehouse,
        family,
        version,
        _request(reason),
        place.settings,
        regions=region or (),
        override=override,
    )
    _tell(place, decision, as_json)


def rollback(context: typer.Context, family: Family, reason: Reason = "", as_json: Json = False) -> None:
    """Take back what was released last: a rollout to some regions, or the release itself."""
    place = changing(context)
    _tell(place, place.models.roll_back(family, _request(reason)), as_json)


def pin(context: typer.Context, family: Family, version: Version, reason: Reason = "", as_json: Json = False) -> None:
    """Let a version that was released before score everywhere until it is unpinned."""
    place = changing(context)
    _tell(place, place.models.pin(family, version, _request(reason)), as_json)


def unpin(context: typer.Context, family: Family, reason: Reason = "", as_json: Json = False) -> None:
    """Let the release score again."""
    place = changing(context)
    _tell(place, place.models.unpin(family, _request(reason)), as_json)


def archive(
    context: typer.Context, family: Family, version: Version, reason: Reason = "", as_json: Json = False
) -> None:
    """Take a draft or staged version out of consideration."""
    place = changing(context)
    _tell(place, place.models.archive(family, version, _request(reason)), as_json)


def pause(context: typer.Context, family: Family, reason: Reason = "", as_json: Json = False) -> None:
    """Silence a model: it neither scores nor counts for alerts until it is resumed."""
    place = changing(context)
    _tell(place, place.models.pause(family, _request(reason)), as_json)


def resume(context: typer.Context, family: Family, reason: Reason = "", as_json: Json = False) -> None:
    """Let a paused model score again, and accept how its scores are distributed from then on."""
    place = changing(context)
    _tell(place, place.models.resume(family, _request(reason)), as_json)


def _request(reason: str) -> "Request":
    from fridge_assets.deployment.decide import Request  # noqa: PLC0415

    return Request(user_name(), datetime.now(UTC), reason)


def _tell(place: Workplace, decision: "Decision", as_json: bool) -> None:
    from fridge_assets.deployment.wording import sentence  # noqa: PLC0415

    if as_json:
        say_json(asdict(decision))
        return
    say(sentence(decision, place.models.deployments.of(decision.family)))
    if decision.overridden:
        say(f"Overruled: {decision.overridden}")
