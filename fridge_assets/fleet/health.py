"""Whether the automation is alive, told by its pulse: freshness freezes silently when it is not (SPEC 4)."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.deployment.store import Deployments
from fridge_assets.errors import FridgeError
from fridge_assets.moments import spoken
from fridge_assets.notifications.message import Message
from fridge_assets.notifications.outbox import enqueue, oldest_pending
from fridge_assets.notifications.watch import changed
from fridge_assets.settings import HealthSettings, Settings
from fridge_assets.stores.operations import Operations, insert_missing, pulse, score_ages, watched_states

AUTOMATION = "automation"
"""The daemon, the code that it loads and the operations store: their pulse needs all three."""

_SUBJECT = f"health/{AUTOMATION}"
_WHERE_TO_LOOK = (
    "Is dagster-daemon running (`systemctl status fridge-daemon`, `journalctl -u fridge-daemon -n 50`)? "
    "Does the code load (`dagster definitions validate -m fridge_assets.definitions`)?"
)


@dataclass(frozen=True)
class Health:
    """How the automation is.

    Args:
        green: it is alive.
        problems: why it is not, with where to look; empty when green.
        notes: what deserves a look although it is alive.
        last_beat: its last pulse; None when there never was one, or nobody can know.
        looked_at: the moment of the look.
    """

    green: bool
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    last_beat: datetime | None
    looked_at: datetime


def beat(connection: Connection, name: str, at: datetime) -> None:
    """Note that ``name`` is alive, in the transaction of ``connection``."""
    insert_missing(connection, pulse, [{"name": name, "beaten_at": at}])
    connection.execute(sa.update(pulse).where(pulse.c.name == name).values(beaten_at=at))


def silence(last_beat: datetime | None, now: datetime, settings: HealthSettings) -> str:
    """What is wrong with a pulse that was last felt at ``last_beat``, a sentence; empty for nothing."""
    if last_beat is None:
        return f"The automation has never run on this data folder. {_WHERE_TO_LOOK}"
    if last_beat - now > settings.max_silence:
        return (
            f"The automation's last pulse lies {spoken(last_beat - now)} in the future: a clock was set back, and "
            f"nobody can know whether it is alive before its next pulse. {_WHERE_TO_LOOK}"
        )
    if now - last_beat > settings.max_silence:
        return f"The automation has been silent for {spoken(now - last_beat)}. {_WHERE_TO_LOOK}"
    return ""


def health(operations: Operations, now: datetime, settings: Settings) -> Health:
    """Look whether the automation is alive; an operations store that cannot be read is a problem, not an error.

    Args:
        operations: where the pulse is.
        now: the actual time.
        settings: how long a silence may be, and how long a message may wait.
    """
    try:
        with operations.read() as connection:
            last_beat = connection.scalar(sa.select(pulse.c.beaten_at).where(pulse.c.name == AUTOMATION))
            notes = [*_waiting_messages(connection, now, settings), *_scores(connection, now, settings)]
        paused = sorted(Deployments(operations).paused())
    except FridgeError as error:
        return Health(False, (str(error),), (), None, now)
    problem = silence(last_beat, now, settings.health)
    notes += [f"{family} is paused: `fridge-assets resume {family}`" for family in paused]
    return Health(not problem, (problem,) if problem else (), tuple(notes), last_beat, now)


def tell(operations: Operations, found: Health) -> bool:
    """Store one message for everyone when health has changed since the last look; returns whether it has.

    Args:
        operations: where messages wait, and what was seen last.
        found: the health now.

    Raises:
        FridgeError: the store cannot be written, so that nobody can be told.
    """
    now, state = found.looked_at, "green" if found.green else "red"
    with operations.transaction() as connection:
        seen = changed(connection, _SUBJECT, state, now)
        if seen is None or (seen.before is None and found.green):
            return False
        dead_for = f" after {spoken(now - seen.since)}" if seen.since else ""
        message = Message(
            key=f"{_SUBJECT}/{state}/{now.isoformat()}",
            channel="everyone",
            kind="recovery" if found.green else "automation",
            title=f"The automation is alive again{dead_for}" if found.green else "The automation is dead",
            lines=found.problems or ("Missed windows are caught up by the next run.",),
            occurred_at=now,
        )
        enqueue(connection, [message], now)
    return True


def _waiting_messages(connection: Connection, now: datetime, settings: Settings) -> list[str]:
    oldest = oldest_pending(connection)
    if oldest is None or now - oldest.created_at <= settings.notifications.long_wait:
        return []
    waited = spoken(now - oldest.created_at)
    return [f"a message to {oldest.channel} has waited for {waited}: `fridge-assets messages list --status pending`"]


def _scores(connection: Connection, now: datetime, settings: Settings) -> list[str]:
    newest = connection.scalar(sa.select(sa.func.max(score_ages.c.scored_at)))
    if newest is None:
        return ["nothing has been scored yet: `fridge-assets status`"]
    # The tier as the automation saw it last: to judge it here would take seconds to import the models.
    tier = connection.scalar(sa.select(watched_states.c.state).where(watched_states.c.subject == "scores")) or "fresh"
    if tier == "fresh" and now - newest < settings.staleness.stale:
        return []
    seen = tier.replace("_", " ")
    return [f"the newest scores are {spoken(now - newest)} old ({seen} when last looked at): `fridge-assets status`"]
