"""The last known state of things, so that a change is told once and not at every look (SPEC 4)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.stores.operations import insert_missing, watched_states

_NEVER_SEEN = ""


@dataclass(frozen=True)
class Transition:
    """A change of state.

    Args:
        subject: what changed.
        before: its state until now; None when it is seen for the first time.
        after: its state from now on.
        since: when ``before`` began; None when it is seen for the first time.
        at: when the change was seen.
        detail: what the caller had to say about ``after``.
    """

    subject: str
    before: str | None
    after: str
    since: datetime | None
    at: datetime
    detail: str


def changed(connection: Connection, subject: str, state: str, now: datetime, detail: str = "") -> Transition | None:
    """Store the state of ``subject`` and return the transition, if there is one.

    Enqueue what is said about it in the same transaction: a transition is returned once.

    Args:
        connection: of a transaction of the operations store.
        subject: what is watched, such as ``freshness/model_scores``.
        state: its state, not empty.
        now: the moment of the look.
        detail: kept beside the state, also when only the detail is new.

    Returns:
        None when the state is the one that is stored.
    """
    columns = watched_states.c
    # The empty row is there to be locked: two processes that see a subject first then take turns on PostgreSQL too.
    insert_missing(connection, watched_states, [{"subject": subject, "state": _NEVER_SEEN, "since": now, "detail": ""}])
    stored = connection.execute(sa.select(watched_states).where(columns.subject == subject).with_for_update()).one()
    update = sa.update(watched_states).where(columns.subject == subject)
    if stored.state == state:
        if stored.detail != detail:
            connection.execute(update.values(detail=detail))
        return None
    connection.execute(update.values(state=state, since=now, detail=detail))
    if stored.state == _NEVER_SEEN:
        return Transition(subject, None, state, None, now, detail)
    return Transition(subject, stored.state, state, stored.since, now, detail)


def settled(
    connection: Connection, subject: str, state: str, now: datetime, patience: timedelta, detail: str = ""
) -> Transition | None:
    """:func:`changed`, but only once ``subject`` has been in ``state`` for ``patience``, look after look.

    Args:
        connection: of a transaction of the operations store.
        subject: what is watched.
        state: its state, not empty.
        now: the moment of the look.
        patience: how long a state must last to count; zero for at once.
        detail: kept beside the state.
    """
    looks = f"{subject}/looks"
    changed(connection, looks, state, now)
    began = connection.execute(sa.select(watched_states.c.since).where(watched_states.c.subject == looks)).scalar_one()
    return changed(connection, subject, state, now, detail) if now - began >= patience else None
