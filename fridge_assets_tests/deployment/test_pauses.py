"""A family that is silenced and given its voice back (SPEC 4)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from fridge_assets.deployment import decide
from fridge_assets.deployment.decide import NotAllowed, Proof, Request
from fridge_assets.deployment.state import Decision, Deployment, deployment_of

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)

Step = Callable[[Deployment, Request], Decision]


def promote(state: Deployment, request: Request) -> Decision:
    return decide.promote(state, "1.0.0", request, Proof(passed=True, said=""))


def history(*steps: Step, reason: str = "because") -> list[Decision]:
    """The decisions that ``steps`` make one after the other, a minute apart."""
    taken: list[Decision] = []
    for number, step in enumerate(steps):
        request = Request("ann", NOON + timedelta(minutes=number), reason)
        taken.append(step(deployment_of("forest", taken), request))
    return taken


def test_a_pause_holds_until_it_is_resumed_and_changes_no_version() -> None:
    taken = history(promote, decide.pause, decide.resume)
    states = [deployment_of("forest", taken[:number]) for number in range(1, 4)]
    assert [state.pause is not None for state in states] == [False, True, False]
    assert [state.serving("north") for state in states] == ["1.0.0"] * 3
    assert [state.resumed_at for state in states] == [None, None, NOON + timedelta(minutes=2)]
    assert deployment_of("forest", taken, NOON + timedelta(minutes=1)).pause == taken[1]


def test_what_cannot_be_paused_or_resumed_is_refused_with_the_way_out() -> None:
    with pytest.raises(NotAllowed, match="no release that could be paused"):
        history(decide.pause)
    with pytest.raises(NotAllowed, match=r"a pause needs a reason.*--reason"):
        history(promote, decide.pause, reason=" ")
    with pytest.raises(NotAllowed, match=r"paused already, since 2026-06-01 12:01 UTC by ann.*resume forest"):
        history(promote, decide.pause, decide.pause)
    with pytest.raises(NotAllowed, match="forest is not paused"):
        history(promote, decide.resume)
