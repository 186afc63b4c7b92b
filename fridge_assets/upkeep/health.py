"""Whether automation and stream are alive, told by their pulse: freshness freezes silently without one (SPEC 4)."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.core.errors import FridgeError
from fridge_assets.core.moments import spoken
from fridge_assets.deployment.store import Deployments
from fridge_assets.notifications.message import Message
from fridge_assets.notifications.outbox import enqueue, oldest_pending
from fridge_assets.notifications.watch import changed
from fridge_assets.settings import HealthSettings, NotificationSettings, Settings, StalenessSettings
from fridge_assets.stores.operations import Operations, insert_missing, pulse, score_ages, watched_states
from fridge_assets.streaming.status import StreamLook, look, statuses

AUTOMATION = "automation"
"""The daemon, the code that it loads and the operations store: their pulse needs all three."""

STREAM = "stream"
"""The streaming process, which may not be wanted at all: only one that has vanished is a problem."""

_CAUGHT_UP = {
    AUTOMATION: "Missed windows are caught up by the next run.",
    STREAM: "It goes on with the readings that it had not judged.",
}
_WHERE_TO_LOOK = (
    "Is dagster-daemon running (`systemctl status fridge-daemon`, `journalctl -u fridge-daemon -n 50`)? "
    "Does the code load (`dagster definitions validate -m fridge_assets.definitions`)?"
)


@dataclass(frozen=True)
class Health:
    """How the automation and the stream are.

    Args:
        green: all that should be alive is.
        problems: why not, with where to look; empty when green.
        notes: what deserves a look although it is alive.
        last_beat: the automation's last pulse; None when there never was one, or nobody can know.
        looked_at: the moment of the look.
        dead: the parts that are not alive, one for each problem.
        stream: how the stream is; None when nobody can know.
    """

    green: bool
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    last_beat: datetime | None
    looked_at: datetime
    dead: tuple[str, ...]
    stream: StreamLook | None


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
    """Look whether all is alive; an operations store that cannot be read is a problem, not an error.

    Args:
        operations: where the pulses are.
        now: the actual time.
        settings: how long a silence may be, and how long a message may wait.
    """
    try:
        with operations.read() as connection:
            last_beat = connection.scalar(sa.select(pulse.c.beaten_at).where(pulse.c.name == AUTOMATION))
            stream = look(statuses(connection), now, settings.streaming)
            notes = [
                *_waiting_messages(connection, now, settings.notifications),
                *_scores(connection, now, settings.staleness),
            ]
        paused = sorted(Deployments(operations).paused())
    except FridgeError as error:
        return Health(False, (str(error),), (), None, now, (AUTOMATION,), None)
    notes += [f"{family} is paused: `fridge-assets resume {family}`" for family in paused]
    problems = {AUTOMATION: silence(last_beat, now, settings.health)}
    if stream.state == "silent":
        problems[STREAM] = f"The stream is {stream.line}."
    dead = tuple(part for part, problem in problems.items() if problem)
    return Health(not dead, tuple(problems[part] for part in dead), tuple(notes), last_beat, now, dead, stream)


def tell(operations: Operations, found: Health) -> bool:
    """Store a message for everyone about each part that died or came back since the last look; whether there is any.

    Args:
        operations: where messages wait, and what was seen last.
        found: the health now.

    Raises:
        FridgeError: the store cannot be written, so that nobody can be told.
    """
    now, problems = found.looked_at, dict(zip(found.dead, found.problems, strict=True))
    # A stream that was stopped on purpose is neither dead nor alive again.
    parts = [AUTOMATION] if found.stream is None or found.stream.state == "off" else [AUTOMATION, STREAM]
    with operations.transaction() as connection:
        messages = [_changed_pulse(connection, part, problems.get(part, ""), now) for part in parts]
        news = [message for message in messages if message is not None]
        enqueue(connection, news, now)
    return bool(news)


def _changed_pulse(connection: Connection, part: str, problem: str, now: datetime) -> Message | None:
    subject, state = f"health/{part}", "red" if problem else "green"
    seen = changed(connection, subject, state, now)
    if seen is None or (seen.before is None and not problem):
        return None
    dead_for = f" after {spoken(now - seen.since)}" if seen.since else ""
    return Message(
        key=f"{subject}/{state}/{now.isoformat()}",
        channel="everyone",
        kind="automation" if problem else "recovery",
        title=f"The {part} is dead" if problem else f"The {part} is alive again{dead_for}",
        lines=(problem or _CAUGHT_UP[part],),
        occurred_at=now,
        dedup_key=subject,
    )


def _waiting_messages(connection: Connection, now: datetime, settings: NotificationSettings) -> list[str]:
    oldest = oldest_pending(connection)
    if oldest is None or now - oldest.created_at <= settings.long_wait:
        return []
    waited = spoken(now - oldest.created_at)
    return [f"a message to {oldest.channel} has waited for {waited}: `fridge-assets messages list --status pending`"]


def _scores(connection: Connection, now: datetime, settings: StalenessSettings) -> list[str]:
    newest = connection.scalar(sa.select(sa.func.max(score_ages.c.scored_at)))
    if newest is None:
        return ["nothing has been scored yet: `fridge-assets status`"]
    # The tier as the automation saw it last: to judge it here would take seconds to import the models.
    tier = connection.scalar(sa.select(watched_states.c.state).where(watched_states.c.subject == "scores"))
    if tier == "fresh" and now - newest < settings.stale:
        return []
    seen = f"{tier.replace('_', ' ')} when last looked at" if tier else "the automation has not looked at them yet"
    return [f"the newest scores are {spoken(now - newest)} old ({seen}): `fridge-assets status`"]
