"""The state of a family's deployment, as the sum of the decisions in its history (SPEC 3)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, assert_never

Action = Literal["stage", "promote", "roll_back", "pin", "unpin", "archive", "pause", "resume"]
Stage = Literal["draft", "staging", "release", "archived"]


@dataclass(frozen=True)
class Decision:
    """One entry of a family's history.

    Args:
        family: model family.
        number: 1, 2, … within the family.
        action: what was decided.
        version: the version it is about.
        from_version: what scored, was pinned or was staged before in its place; empty for nothing.
        regions: only there; empty means everywhere.
        occurred_at: when it takes effect: every run that starts later follows it.
        actor: who decided.
        reason: why.
        overridden: what stood against it and was overruled; empty for nothing.
    """

    family: str
    number: int
    action: Action
    version: str
    from_version: str
    regions: tuple[str, ...]
    occurred_at: datetime
    actor: str
    reason: str
    overridden: str = ""


@dataclass(frozen=True)
class Rollout:
    """A version that is released to some regions so far."""

    version: str
    regions: frozenset[str]


@dataclass(frozen=True)
class Deployment:
    """Where a family's versions stand; a version that no decision names is a draft.

    Args:
        family: model family.
        releases: versions released everywhere and not rolled back, oldest first; the last one scores.
        staged: the candidate that is compared with the release.
        rollout: a candidate that already scores in some regions.
        pinned: scores everywhere instead, whatever is released.
        archived: versions that were taken out of use.
        decisions: number of the newest decision, 0 before the first.
        watched_since: when the release took over from the one before; None after a rollback, which returns to one
            that is known.
        pause: the decision that silenced the family, None while it speaks.
        resumed_at: when it was last given its voice back; its scores are judged by what it said since.
    """

    family: str
    releases: tuple[str, ...] = ()
    staged: str | None = None
    rollout: Rollout | None = None
    pinned: str | None = None
    archived: frozenset[str] = frozenset()
    decisions: int = 0
    watched_since: datetime | None = None
    pause: Decision | None = None
    resumed_at: datetime | None = None

    @property
    def released(self) -> str | None:
        """The version that is released everywhere."""
        return self.releases[-1] if self.releases else None

    @property
    def production(self) -> str | None:
        """The version that scores where no rollout has reached, and that candidates are held against."""
        return self.pinned or self.released

    @property
    def candidate(self) -> str | None:
        """The version that is on its way to release: staged, or in some regions already."""
        return self.rollout.version if self.rollout else self.staged

    def serving(self, region: str) -> str | None:
        """The version that scores the devices of ``region``; None before the first release."""
        return next(iter(self.serving_order(region)), None)

    def serving_order(self, region: str) -> tuple[str, ...]:
        """What scores ``region``, and what stands in for it when its files are refused, best first."""
        chosen = [self.pinned] if self.pinned else []
        if self.rollout and region in self.rollout.regions:
            chosen.append(self.rollout.version)
        return tuple(dict.fromkeys((*chosen, *reversed(self.releases))))

    def stage_of(self, version: str) -> Stage:
        """Where ``version`` stands."""
        if version == self.released:
            return "release"
        if version in (self.staged, self.candidate):
            return "staging"
        return "archived" if version in self.archived or version in self.releases else "draft"

    def reach_of(self, version: str) -> str:
        """Where ``version`` scores, in words; empty for nowhere."""
        if self.pinned:
            return "everywhere, pinned" if version == self.pinned else ""
        if self.rollout and version == self.rollout.version:
            return ", ".join(sorted(self.rollout.regions))
        if version == self.released:
            return "elsewhere" if self.rollout else "everywhere"
        return ""

    def after(self, decision: Decision) -> "Deployment":  # noqa: PLR0911 (one for each action)
        """The state once ``decision`` has taken effect."""
        new = replace(self, decisions=decision.number)
        match decision.action:
            case "stage":
                return replace(new, staged=decision.version, archived=self.archived - {decision.version})
            case "promote":
                return new._promoted(decision)
            case "roll_back":
                return new._rolled_back()
            case "pin" | "unpin":
                return replace(new, pinned=decision.version if decision.action == "pin" else None)
            case "archive":
                staged = None if self.staged == decision.version else self.staged
                return replace(new, staged=staged, archived=self.archived | {decision.version})
            case "pause":
                return replace(new, pause=decision)
            case "resume":
                return replace(new, pause=None, resumed_at=decision.occurred_at)
        assert_never(decision.action)

    def _rolled_back(self) -> "Deployment":
        if self.rollout:
            return replace(self, rollout=None, archived=self.archived | {self.rollout.version})
        gone = set(self.releases[-1:])
        return replace(self, releases=self.releases[:-1], archived=self.archived | gone, watched_since=None)

    def _promoted(self, decision: Decision) -> "Deployment":
        version = decision.version
        new = replace(self, staged=None if self.staged == version else self.staged, archived=self.archived - {version})
        if decision.regions:
            before = self.rollout.regions if self.rollout and self.rollout.version == version else frozenset()
            return replace(new, rollout=Rollout(version, before | set(decision.regions)))
        # A version that is released again moves to the end: the one to fall back on is what scored before it.
        releases = (*(release for release in self.releases if release != version), version)
        abandoned = {self.rollout.version} - {version} if self.rollout else set()
        return replace(
            new,
            releases=releases,
            rollout=None,
            archived=new.archived | abandoned,
            watched_since=decision.occurred_at,
        )


def deployment_of(family: str, history: Iterable[Decision], at: datetime | None = None) -> Deployment:
    """The state of ``family`` after its ``history``, or as it was at the moment ``at``.

    Args:
        family: model family.
        history: decisions, oldest first; those of other families do not count.
        at: only what was decided by then; None for everything.
    """
    state = Deployment(family)
    for decision in history:
        if decision.family == family and (at is None or decision.occurred_at <= at):
            state = state.after(decision)
    return state
