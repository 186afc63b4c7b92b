"""From draft to release and back: the registry's versions and the decisions about them (SPEC 3)."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fridge_assets.core.errors import FridgeError
from fridge_assets.deployment import decide
from fridge_assets.deployment.decide import Proof, Request
from fridge_assets.deployment.state import Decision, Deployment
from fridge_assets.deployment.store import Deployments
from fridge_assets.models.families import FAMILIES
from fridge_assets.models.registry import ModelRegistry, RegisteredVersion
from fridge_assets.models.training import TrainedModel
from fridge_assets.models.version import ArtifactRefused, ModelVersion

_Decided = TypeVar("_Decided", Decision, Decision | None)
_LOG = logging.getLogger(__name__)
_FIRST = Proof(passed=True, said="the first version of the family has nothing to be compared with")


class NothingReleased(FridgeError):
    """A family has no version that may score."""


@dataclass(frozen=True)
class Serving:
    """The version that scores some regions in one run.

    Args:
        version: loaded, its files checked.
        regions: where it scores.
        refused: why a version that should have scored does not, a sentence each; empty normally.
    """

    version: ModelVersion
    regions: frozenset[str]
    refused: tuple[str, ...]


class ModelLifecycle:
    """Versions of all families, with where they stand.

    Args:
        registry: numbers and keeps the versions.
        deployments: keeps the decisions; the only thing that says which version scores.
    """

    def __init__(self, registry: ModelRegistry, deployments: Deployments) -> None:
        self.registry = registry
        self.deployments = deployments

    def introduce(self, trained: TrainedModel, request: Request) -> RegisteredVersion:
        """Register ``trained``: the family's first version is released, every later one is a draft."""
        registered = self.registry.register(trained)

        def first(state: Deployment, _: list[Decision]) -> Decision | None:
            return None if state.released else decide.promote(state, registered.version, request, _FIRST)

        self._decide(registered.family, request, first)
        return registered

    def stage(self, family: str, version: str, request: Request) -> Decision:
        """Make ``version`` the candidate that the canary compares with the release."""
        self.registry.version(family, version)
        return self._decide(family, request, lambda state, _: decide.stage(state, version, request))

    def promote(
        self,
        family: str,
        version: str,
        request: Request,
        proof: Proof,
        *,
        regions: Sequence[str] = (),
        known_regions: Collection[str] = (),
        override: bool = False,
    ) -> Decision:
        """Release ``version``, everywhere or to ``regions`` first; its files are checked before.

        Raises:
            NotAllowed: it has not proved itself.
        UnknownName: a region does not exist.
            ArtifactRefused: its files are not what training wrote.
            UnknownVersion: there is no such version.
        """
        self.registry.load(self.registry.version(family, version))
        return self._decide(
            family,
            request,
            lambda state, _: decide.promote(
                state, version, request, proof, regions=regions, known_regions=known_regions, override=override
            ),
        )

    def roll_back(self, family: str, request: Request) -> Decision:
        """Take back what was released last: a rollout to some regions, or the release itself."""
        return self._decide(family, request, lambda state, _: decide.roll_back(state, request))

    def pin(self, family: str, version: str, request: Request) -> Decision:
        """Let ``version`` score everywhere until it is unpinned; its files are checked before."""
        self.registry.load(self.registry.version(family, version))

        def rule(state: Deployment, history: list[Decision]) -> Decision:
            released = {past.version for past in history if past.action == "promote" and not past.regions}
            return decide.pin(state, version, request, released)

        return self._decide(family, request, rule)

    def unpin(self, family: str, request: Request) -> Decision:
        """Let the release score again."""
        return self._decide(family, request, lambda state, _: decide.unpin(state, request))

    def archive(self, family: str, version: str, request: Request) -> Decision:
        """Take a draft or staged version out of consideration."""
        self.registry.version(family, version)
        return self._decide(family, request, lambda state, _: decide.archive(state, version, request))

    def pause(self, family: str, request: Request) -> Decision:
        """Silence the family until it is resumed."""
        return self._decide(family, request, lambda state, _: decide.pause(state, request))

    def resume(self, family: str, request: Request) -> Decision:
        """Let a paused family score again."""
        return self._decide(family, request, lambda state, _: decide.resume(state, request))

    def require_serving(self, family: str) -> RegisteredVersion:
        """The version that scores where no rollout has reached.

        Raises:
            NothingReleased: there is none yet.
        """
        return self.registry.version(family, self._released(family).serving_order("")[0])

    def untrained_yet(self, family: str) -> str:
        """Why ``family`` scores nothing although others do: it was never trained; empty where that is not so.

        A family that needs weeks of history is no failure of the days before.
        """
        others = (self.deployments.of(other).released for other in FAMILIES if other != family)
        if self.registry.versions(family) or not any(others):
            return ""
        return (
            f"{family} has no version yet; once there is enough history the schedule trains it, or "
            f"`fridge-assets train {family}`"
        )

    def serving(self, family: str, regions: Iterable[str], already: Mapping[str, str] | None = None) -> list[Serving]:
        """Who scores ``regions`` in this run; what is decided later counts from the next run on.

        A version whose files are not what training wrote is refused, and the last good release before it scores.

        Args:
            family: model family.
            regions: of the devices to be scored.
            already: region → the version that has scored the rest of it in this window, and must score these
                devices too.

        Raises:
            NothingReleased: there is no release yet.
            ArtifactRefused: not one release has its files as training wrote them.
        """
        state = self._released(family)
        groups: dict[tuple[str, ...], set[str]] = {}
        for region in regions:
            bound = (already or {}).get(region)
            groups.setdefault((bound,) if bound else state.serving_order(region), set()).add(region)
        return [self._first_good(family, order, frozenset(own)) for order, own in sorted(groups.items())]

    def _first_good(self, family: str, order: Sequence[str], regions: frozenset[str]) -> Serving:
        refused: list[str] = []
        for version in order:
            try:
                loaded = self.registry.load(self.registry.version(family, version))
            except ArtifactRefused as error:
                refused.append(f"{family} {version} was refused: {error}")
            else:
                return Serving(loaded, regions, tuple(refused))
        raise ArtifactRefused(
            f"no release of {family} can be used. {' '.join(refused)}", "Restore the files, or train a new version."
        )

    def _released(self, family: str) -> Deployment:
        state = self.deployments.of(family)
        if state.released is None:
            known = [registered.version for registered in self.registry.versions(family)]
            remedy = (
                f"Promote one with `fridge-assets models promote {family} {known[-1]}`."
                if known
                else f"Train one: materialize {family}_model in the Dagster UI, or `fridge-assets train {family}`."
            )
            raise NothingReleased(f"{family} has no released version", remedy)
        return state

    def _decide(
        self, family: str, request: Request, rule: Callable[[Deployment, list[Decision]], _Decided]
    ) -> _Decided:
        decision = self.deployments.decide(family, rule, request.run_id)
        state = self.deployments.of(family)
        stages = {known.version: state.stage_of(known.version) for known in self.registry.versions(family)}
        aliases = {"release": state.released, "staging": state.candidate, "pinned": state.pinned}
        try:
            self.registry.label(family, stages, aliases)
        except Exception:
            # MLflow only shows what was decided; the next decision shows it again.
            _LOG.warning("the stages of %s could not be shown in MLflow", family, exc_info=True)
        return decision
