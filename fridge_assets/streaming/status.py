"""The pulse of the streaming processes and what it says; light, since `health` has a second for its look (SPEC 5)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.core.moments import spoken
from fridge_assets.settings import StreamingSettings
from fridge_assets.stores.operations import insert_missing, stream_status

StreamState = Literal["alive", "off", "silent"]
"""``off``: never started, or stopped on purpose; ``silent``: gone without having been stopped."""

_START = "`fridge-assets stream`"


@dataclass
class StreamStatus:
    """How one streaming process is.

    Args:
        instance: name of the process.
        source: where its readings come from.
        started_at: when it began.
        beaten_at: its last pulse.
        stopped_at: when it ended on purpose; None while it has not.
        newest_reading_at: time of the newest reading that it has judged; None before the first.
        behind: files or messages that wait to be taken.
        lag_seconds: age of the newest reading at the last pulse.
        readings: readings taken since it began.
        unusable: readings that went to the dead letters.
        too_late: readings that came later than is allowed.
        alerts: onsets that it has found.
    """

    instance: str
    source: str
    started_at: datetime
    beaten_at: datetime
    stopped_at: datetime | None = None
    newest_reading_at: datetime | None = None
    behind: int = 0
    lag_seconds: float = 0.0
    readings: int = 0
    unusable: int = 0
    too_late: int = 0
    alerts: int = 0


@dataclass(frozen=True)
class StreamLook:
    """What a look at the pulse of all streaming processes finds.

    Args:
        state: whether it is alive.
        line: the same in a sentence without a full stop, with what to do next.
    """

    state: StreamState
    line: str


def beat(connection: Connection, status: StreamStatus) -> None:
    """Put ``status`` in place of what was known of its process, in the transaction of ``connection``."""
    row = asdict(status)
    insert_missing(connection, stream_status, [row])
    connection.execute(sa.update(stream_status).where(stream_status.c.instance == status.instance).values(**row))


def statuses(connection: Connection) -> list[StreamStatus]:
    """What is known of every streaming process, the one with the newest pulse first."""
    columns = stream_status.c
    rows = connection.execute(sa.select(stream_status).order_by(columns.beaten_at.desc(), columns.instance))
    return [StreamStatus(**row) for row in rows.mappings()]


def alive(status: StreamStatus, now: datetime, settings: StreamingSettings) -> bool:
    """Whether the process was not stopped and its pulse is young; one from the future proves nothing."""
    return status.stopped_at is None and abs(now - status.beaten_at) <= settings.max_silence


def look(known: Sequence[StreamStatus], now: datetime, settings: StreamingSettings) -> StreamLook:
    """How the stream is, and in which words it is told.

    One process that is alive is enough: it has the folder, or the parts of the topic, that others have left. Where none
    is, the last of them says whether that was meant.

    Args:
        known: every process, the one with the newest pulse first.
        now: the actual time.
        settings: how long a silence may be.
    """
    working = [status for status in known if alive(status, now, settings)]
    if working:
        return StreamLook("alive", _working(working))
    if not known:
        return StreamLook("off", f"not running: {_START}")
    last = known[0]
    if last.stopped_at is not None:
        return StreamLook("off", f"not running, stopped {last.stopped_at:%Y-%m-%d %H:%M} UTC: {_START}")
    silence = now - last.beaten_at
    said = f"silent for {spoken(silence)}" if silence.total_seconds() > 0 else "its last pulse lies in the future"
    return StreamLook("silent", f"dead, {said}, and nobody has stopped it; start it again with {_START}")


def _working(processes: Sequence[StreamStatus]) -> str:
    since = min(status.started_at for status in processes)
    number = f"{len(processes)} processes alive" if len(processes) > 1 else "alive"
    has_read = any(status.newest_reading_at for status in processes)
    lag = spoken(timedelta(seconds=max(status.lag_seconds for status in processes)))
    return (
        f"{number} since {since:%Y-%m-%d %H:%M} UTC, "
        f"{f'newest reading {lag} old' if has_read else 'no reading yet'}, "
        f"{sum(status.readings for status in processes):,} readings, "
        f"{sum(status.alerts for status in processes):,} onsets"
    )
