"""A change of state is one transition, not one at every look."""

from contextlib import suppress
from datetime import timedelta

from fridge_assets.notifications.watch import Transition, changed, settled
from fridge_assets.stores.operations import Operations
from fridge_assets_tests.notifications.given import NOON

LATER = NOON + timedelta(hours=1)
MINUTE = timedelta(minutes=1)


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


def looks(operations: Operations, *states: tuple[float, str], patience: float = 10) -> list[tuple[float, str | None]]:
    """Minutes and states before, of the transitions that these looks (minute, state) find."""
    found = []
    for minute, state in states:
        now = NOON + minute * MINUTE
        with operations.transaction() as connection:
            seen = settled(connection, "scores", state, now, (patience if state == "stale" else 0) * MINUTE)
        if seen is not None:
            assert (seen.after, seen.at) == (state, now)
            found.append((minute, seen.before))
    return found


def test_a_state_that_must_last_counts_once_it_has(operations: Operations) -> None:
    stale = [(minute, "stale") for minute in (60, 65, 69.9, 70, 75)]
    assert looks(operations, (0, "fresh"), *stale) == [(0, None), (70, "fresh")]


def test_a_state_that_was_left_in_between_begins_anew(operations: Operations) -> None:
    found = looks(operations, (0, "fresh"), (60, "stale"), (65, "fresh"), (66, "stale"), (72, "stale"), (76, "stale"))
    assert found == [(0, None), (76, "fresh")]


def test_a_state_that_need_not_last_counts_at_once_and_so_does_the_way_back(operations: Operations) -> None:
    found = looks(operations, (0, "fresh"), (5, "stale"), (6, "expired"), (7, "fresh"))
    assert found == [(0, None), (6, "fresh"), (7, "expired")]


def test_a_state_that_must_last_counts_as_such_from_the_first_sighting_on(operations: Operations) -> None:
    assert looks(operations, (0, "stale"), (10, "stale")) == [(10, None)]
    assert looks(operations, (20, "fresh"), (21, "stale"), patience=0) == [(20, "stale"), (21, "fresh")]
