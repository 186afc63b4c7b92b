"""A change of state is one transition, not one at every look."""

from contextlib import suppress
from datetime import timedelta

from fridge_assets.notifications.watch import Transition, changed
from fridge_assets.stores.operations import Operations
from fridge_assets_tests.notifications.given import NOON

LATER = NOON + timedelta(hours=1)


def look(operations: Operations, state: str, now=NOON, detail: str = "", subject: str = "scores") -> Transition | None:
    with operations.transaction() as connection:
        return changed(connection, subject, state, now, detail)


def test_the_first_sighting_has_nothing_before_it(operations: Operations) -> None:
    assert look(operations, "fresh", detail="why") == Transition("scores", None, "fresh", None, NOON, "why")


def test_the_same_state_again_is_no_transition(operations: Operations) -> None:
    look(operations, "fresh")
    assert look(operations, "fresh", LATER) is None
    assert look(operations, "fresh", LATER, detail="another reason") is None


def test_a_transition_says_since_when_the_state_before_it_held(operations: Operations) -> None:
    look(operations, "fresh")
    look(operations, "fresh", NOON + timedelta(minutes=30), detail="another reason")
    assert look(operations, "stale", LATER) == Transition("scores", "fresh", "stale", NOON, LATER, "")
    back = look(operations, "fresh", LATER + timedelta(hours=1))
    assert back is not None
    assert (back.before, back.since) == ("stale", LATER)


def test_subjects_are_watched_apart(operations: Operations) -> None:
    look(operations, "fresh")
    other = look(operations, "stale", subject="features")
    assert other is not None
    assert other.before is None
    assert look(operations, "fresh") is None


def test_a_transition_that_was_rolled_back_is_seen_again(operations: Operations) -> None:
    look(operations, "fresh")
    with suppress(ZeroDivisionError), operations.transaction() as connection:
        assert changed(connection, "scores", "stale", LATER) is not None
        raise ZeroDivisionError
    assert look(operations, "stale", LATER) is not None
