"""What may be decided about a version, and with which effect; every refusal says the way out (SPEC 3)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from fridge_assets.core.errors import FridgeError
from fridge_assets.core.names import unknown
from fridge_assets.deployment.state import Action, Decision, Deployment


class NotAllowed(FridgeError):
    """A decision that the state of the deployment does not admit."""


@dataclass(frozen=True)
class Request:
    """Who decides, when and why.

    Args:
        actor: a person, or the run that acts for one.
        at: takes effect for every run that starts later.
        reason: why, in their words.
        run_id: the Dagster run that decides or acts for them; empty for none.
    """

    actor: str
    at: datetime
    reason: str
    run_id: str = ""


@dataclass(frozen=True)
class Proof:
    """Whether a candidate has proved itself, and the sentence that says so.

    Args:
        passed: whether it may be promoted.
        said: what was compared and found, or what is missing.
    """

    passed: bool
    said: str


def stage(state: Deployment, version: str, request: Request) -> Decision:
    """Make ``version`` the candidate that is compared with the release.

    Raises:
        NotAllowed: it is the release, or already staged.
    """
    if version == state.released:
        raise NotAllowed(f"{state.family} {version} is released already", "Stage another version.")
    if version == state.candidate:
        raise NotAllowed(f"{state.family} {version} is staged already", f"See `models canary {state.family}`.")
    return _decision(state, "stage", version, state.staged, request)


def promote(
    state: Deployment,
    version: str,
    request: Request,
    proof: Proof,
    *,
    regions: Sequence[str] = (),
    known_regions: Collection[str] = (),
    override: bool = False,
) -> Decision:
    """Release ``version``, everywhere or to ``regions`` first.

    The first release of a family needs no proof, since there is nothing to compare it with.

    Args:
        state: what holds now.
        version: the version to release.
        request: who and why.
        proof: what the canary says of it.
        regions: only there, in addition to those where it scores already; empty means everywhere.
        known_regions: regions of the fleet.
        override: promote although ``proof`` did not pass; needs a reason, and the history keeps both.

    Raises:
        NotAllowed: it is the release or has not proved itself.
        UnknownName: a region does not exist.
    """
    if version == state.released:
        raise NotAllowed(f"{state.family} {version} is released already", "Promote another version.")
    for region in sorted(set(regions) - set(known_regions)):
        raise unknown("region", region, sorted(known_regions), "in the fleet")
    if regions and state.released is None:
        raise NotAllowed(
            f"{state.family} has no release yet that the other regions could keep",
            "Promote it everywhere: leave --region out.",
        )
    if regions and state.rollout and state.rollout.version != version:
        raise NotAllowed(
            f"{state.family} {state.rollout.version} is being rolled out to {', '.join(sorted(state.rollout.regions))}",
            f"Finish it with `models promote {state.family} {state.rollout.version}`, or take it back with "
            f"`models rollback {state.family}`.",
        )
    overruled = "" if proof.passed or state.released is None else proof.said
    if overruled and not override:
        raise NotAllowed(
            f"{state.family} {version} may not be promoted: {proof.said}",
            f"Stage it and let it be compared (`models canary {state.family}`), or overrule this with --override "
            "and --reason.",
        )
    if overruled and not request.reason.strip():
        raise NotAllowed("an override needs a reason, which the history keeps", "Say it with --reason.")
    return _decision(state, "promote", version, state.released, request, tuple(sorted(set(regions))), overruled)


def roll_back(state: Deployment, request: Request) -> Decision:
    """Take back what was released last: a rollout to some regions, or the release itself.

    Raises:
        NotAllowed: there is nothing to go back to.
    """
    if state.rollout:
        version, regions = state.rollout.version, tuple(sorted(state.rollout.regions))
        return _decision(state, "roll_back", state.released or "", version, request, regions)
    if len(state.releases) < 2:
        raise NotAllowed(
            f"{state.family} has no release before {state.released or 'the first one'}",
            "Train and promote another version.",
        )
    return _decision(state, "roll_back", state.releases[-2], state.released, request)


def pin(state: Deployment, version: str, request: Request, released_once: Collection[str]) -> Decision:
    """Let ``version`` score everywhere, whatever is released, until it is unpinned.

    Raises:
        NotAllowed: it is pinned already, or was never released.
    """
    if version == state.pinned:
        raise NotAllowed(f"{state.family} {version} is pinned already", "There is nothing to do.")
    if version not in released_once:
        raise NotAllowed(
            f"{state.family} {version} was never released, and a pin must not go round the canary",
            f"Promote it first: `models promote {state.family} {version}`.",
        )
    return _decision(state, "pin", version, state.pinned, request)


def unpin(state: Deployment, request: Request) -> Decision:
    """Let the release score again.

    Raises:
        NotAllowed: nothing is pinned.
    """
    if state.pinned is None:
        raise NotAllowed(f"{state.family} has no pinned version", "There is nothing to do.")
    return _decision(state, "unpin", state.released or "", state.pinned, request)


def archive(state: Deployment, version: str, request: Request) -> Decision:
    """Take a draft or staged ``version`` out of consideration.

    Raises:
        NotAllowed: it scores, or is archived already.
    """
    if version in (state.released, state.pinned) or (state.rollout and version == state.rollout.version):
        raise NotAllowed(
            f"{state.family} {version} is scoring", f"Take it back first: `models rollback {state.family}`."
        )
    if state.stage_of(version) == "archived":
        raise NotAllowed(f"{state.family} {version} is archived already", "There is nothing to do.")
    return _decision(state, "archive", version, None, request)


def pause(state: Deployment, request: Request) -> Decision:
    """Silence the family: it neither scores nor counts for alerts until it is resumed.

    Raises:
        NotAllowed: it is paused already, has no release, or no reason is given.
    """
    if state.pause is not None:
        raise NotAllowed(
            f"{state.family} is paused already, since {state.pause.occurred_at:%Y-%m-%d %H:%M} UTC by "
            f"{state.pause.actor}",
            f"Let it score again with `resume {state.family}`.",
        )
    if state.production is None:
        raise NotAllowed(f"{state.family} has no release that could be paused", "There is nothing to do.")
    if not request.reason.strip():
        raise NotAllowed("a pause needs a reason, which the history keeps", "Say it with --reason.")
    return _decision(state, "pause", state.production, None, request)


def resume(state: Deployment, request: Request) -> Decision:
    """Let a paused family score again from the next run on, and accept how its scores are distributed from then on.

    Raises:
        NotAllowed: it is not paused.
    """
    if state.pause is None:
        raise NotAllowed(f"{state.family} is not paused", "There is nothing to do.")
    return _decision(state, "resume", state.production or "", None, request)


def _decision(
    state: Deployment,
    action: Action,
    version: str,
    from_version: str | None,
    request: Request,
    regions: tuple[str, ...] = (),
    overridden: str = "",
) -> Decision:
    return Decision(
        family=state.family,
        number=state.decisions + 1,
        action=action,
        version=version,
        from_version=from_version or "",
        regions=regions,
        occurred_at=request.at,
        actor=request.actor,
        reason=request.reason.strip(),
        overridden=overridden,
    )
