"""What may be decided, what holds then, and what scored at a moment of the past (SPEC 3)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fridge_assets.core.names import UnknownName
from fridge_assets.deployment import decide
from fridge_assets.deployment.decide import NotAllowed, Proof, Request
from fridge_assets.deployment.state import Decision, Deployment, deployment_of

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PASSED = Proof(passed=True, said="3 of 3 windows passed")
FAILED = Proof(passed=False, said="KL 0.31 over 0.1")
REGIONS = ("east", "north", "south")

Step = Callable[[Deployment, Request], Decision]


def promote(version: str, *regions: str, proof: Proof = PASSED, override: bool = False) -> Step:
    return lambda state, request: decide.promote(
        state, version, request, proof, regions=regions, known_regions=REGIONS, override=override
    )


def stage(version: str) -> Step:
    return lambda state, request: decide.stage(state, version, request)


def pin(version: str, *released: str) -> Step:
    return lambda state, request: decide.pin(state, version, request, released)


def archive(version: str) -> Step:
    return lambda state, request: decide.archive(state, version, request)


def history(*steps: Step, reason: str = "because") -> list[Decision]:
    """The decisions that ``steps`` make one after the other, a minute apart."""
    taken: list[Decision] = []
    for number, step in enumerate(steps):
        request = Request("ann", NOON + timedelta(minutes=number), reason)
        taken.append(step(deployment_of("forest", taken), request))
    return taken


def state(*steps: Step, reason: str = "because") -> Deployment:
    return deployment_of("forest", history(*steps, reason=reason))


def test_versions_go_from_draft_through_staging_to_release_and_to_the_archive() -> None:
    assert Deployment("forest").stage_of("1.1.0") == "draft"
    staged = state(promote("1.0.0"), stage("1.1.0"))
    assert [staged.stage_of(v) for v in ("1.0.0", "1.1.0", "1.2.0")] == ["release", "staging", "draft"]
    released = state(promote("1.0.0"), stage("1.1.0"), promote("1.1.0"))
    assert [released.stage_of(v) for v in ("1.0.0", "1.1.0")] == ["archived", "release"]
    assert (released.serving("north"), released.candidate) == ("1.1.0", None)


def test_staging_another_candidate_makes_the_first_one_a_draft_again() -> None:
    assert state(promote("1.0.0"), stage("1.1.0"), stage("1.2.0")).stage_of("1.1.0") == "draft"


def test_the_first_release_needs_no_proof_and_later_ones_do() -> None:
    assert state(promote("1.0.0", proof=FAILED)).released == "1.0.0"
    with pytest.raises(NotAllowed, match=r"1\.1\.0 may not be promoted: KL 0\.31 over 0\.1.*--override"):
        history(promote("1.0.0"), promote("1.1.0", proof=FAILED))


def test_an_override_needs_a_reason_and_the_history_keeps_what_was_overruled() -> None:
    overruling = promote("1.1.0", proof=FAILED, override=True)
    *_, decision = history(promote("1.0.0"), overruling, reason="the fleet changed")
    assert (decision.reason, decision.overridden) == ("the fleet changed", "KL 0.31 over 0.1")
    with pytest.raises(NotAllowed, match="--reason"):
        history(promote("1.0.0"), overruling, reason="  ")
    *_, needless = history(promote("1.0.0"), promote("1.1.0", override=True))
    assert needless.overridden == ""


def test_rollback_returns_to_the_release_before_and_stops_at_the_first() -> None:
    taken = state(promote("1.0.0"), promote("1.1.0"), promote("1.2.0"), decide.roll_back)
    assert (taken.serving("east"), taken.stage_of("1.2.0")) == ("1.1.0", "archived")
    *_, back = history(promote("1.0.0"), promote("1.1.0"), decide.roll_back)
    assert (back.version, back.from_version) == ("1.0.0", "1.1.0")
    with pytest.raises(NotAllowed, match=r"no release before 1\.0\.0"):
        history(promote("1.0.0"), promote("1.1.0"), decide.roll_back, decide.roll_back)
    # back to a release that was returned to before: what scored last comes last
    assert state(promote("1.0.0"), promote("1.1.0"), promote("1.0.0"), decide.roll_back).released == "1.1.0"


def test_a_rollout_reaches_its_regions_grows_and_ends_in_a_release() -> None:
    first = state(promote("1.0.0"), promote("1.1.0", "north"))
    assert [first.serving(region) for region in REGIONS] == ["1.0.0", "1.1.0", "1.0.0"]
    assert first.stage_of("1.1.0") == "staging"
    grown = state(promote("1.0.0"), promote("1.1.0", "north"), promote("1.1.0", "east"))
    assert [grown.serving(region) for region in REGIONS] == ["1.1.0", "1.1.0", "1.0.0"]
    done = state(promote("1.0.0"), promote("1.1.0", "north"), promote("1.1.0"))
    assert (done.rollout, done.released) == (None, "1.1.0")


def test_rollback_of_a_rollout_leaves_the_release_alone() -> None:
    back = state(promote("1.0.0"), promote("1.1.0", "north"), decide.roll_back)
    assert [back.serving(region) for region in REGIONS] == ["1.0.0"] * 3
    assert back.stage_of("1.1.0") == "archived"


def test_a_rollout_is_refused_where_it_makes_no_sense() -> None:
    with pytest.raises(UnknownName, match=r"no region 'atlantis'.*east, north, south"):
        history(promote("1.0.0"), promote("1.1.0", "atlantis"))
    with pytest.raises(NotAllowed, match="no release yet"):
        history(promote("1.0.0", "north"))
    with pytest.raises(NotAllowed, match=r"1\.1\.0 is being rolled out to north"):
        history(promote("1.0.0"), promote("1.1.0", "north"), promote("1.2.0", "east"))


def test_a_pin_goes_before_everything_until_it_is_taken_out() -> None:
    pinned = state(promote("1.0.0"), promote("1.1.0"), pin("1.0.0", "1.0.0"), promote("1.2.0", "north"))
    assert [pinned.serving(region) for region in REGIONS] == ["1.0.0"] * 3
    free = state(promote("1.0.0"), promote("1.1.0"), pin("1.0.0", "1.0.0"), decide.unpin)
    assert free.serving("north") == "1.1.0"
    with pytest.raises(NotAllowed, match="never released"):
        history(promote("1.0.0"), pin("1.1.0", "1.0.0"))
    with pytest.raises(NotAllowed, match="no pinned version"):
        history(promote("1.0.0"), decide.unpin)


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ((promote("1.0.0"), promote("1.0.0")), "released already"),
        ((promote("1.0.0"), stage("1.0.0")), "released already"),
        ((promote("1.0.0"), stage("1.1.0"), stage("1.1.0")), "staged already"),
        ((promote("1.0.0"), archive("1.0.0")), "is scoring"),
        ((promote("1.0.0"), promote("1.1.0", "north"), archive("1.1.0")), "is scoring"),
        ((promote("1.0.0"), archive("1.1.0"), archive("1.1.0")), "archived already"),
    ],
)
def test_decisions_that_change_nothing_or_stop_scoring_are_refused(steps: tuple[Step, ...], problem: str) -> None:
    with pytest.raises(NotAllowed, match=problem):
        history(*steps)


def test_what_stands_in_for_refused_files_is_the_release_before() -> None:
    taken = state(promote("1.0.0"), promote("1.1.0"), promote("1.2.0", "north"))
    assert taken.serving_order("north") == ("1.2.0", "1.1.0", "1.0.0")
    assert taken.serving_order("east") == ("1.1.0", "1.0.0")


def test_the_past_is_answered_from_the_history() -> None:
    taken = history(promote("1.0.0"), promote("1.1.0"), decide.roll_back)
    moments = [NOON + timedelta(minutes=minutes) for minutes in (-1, 0, 1, 2)]
    assert [deployment_of("forest", taken, at).serving("north") for at in moments] == [None, "1.0.0", "1.1.0", "1.0.0"]


_STEPS = st.one_of(
    st.builds(stage, st.sampled_from(["1.0.0", "1.1.0", "1.2.0"])),
    st.builds(promote, st.sampled_from(["1.0.0", "1.1.0", "1.2.0"])),
    st.builds(promote, st.sampled_from(["1.0.0", "1.1.0", "1.2.0"]), st.sampled_from(REGIONS)),
    st.just(pin("1.0.0", "1.0.0")),
    st.builds(archive, st.sampled_from(["1.0.0", "1.1.0", "1.2.0"])),
    st.sampled_from([decide.roll_back, decide.unpin]),
)


@given(st.lists(_STEPS, max_size=12))
def test_whatever_is_decided_every_region_keeps_one_version_that_was_released(steps: list[Step]) -> None:
    taken = history(promote("1.0.0"))
    for step in steps:
        held = deployment_of("forest", taken)
        try:
            taken.append(step(held, Request("ann", NOON + timedelta(minutes=len(taken)), "why")))
        except NotAllowed:
            assert deployment_of("forest", taken) == held
    final = deployment_of("forest", taken)
    promoted = {decision.version for decision in taken if decision.action == "promote"}
    for region in REGIONS:
        assert final.serving(region) in promoted
        assert final.stage_of(str(final.serving(region))) != "draft"
    assert [decision.number for decision in taken] == list(range(1, len(taken) + 1))
