"""Silences and maintenance windows: spans in which what is seen of a device or site is told to nobody (SPEC 6.1).

A span is [starts_at, ends_at): its last moment does not belong to it, and one that is ended before it begins is empty
and holds nothing. It holds every severity, also a rise; what is still wrong after it is told then.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.contracts.silences import SILENCE_KINDS
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.identity import deterministic_id
from fridge_assets.core.moments import spoken
from fridge_assets.core.names import unknown
from fridge_assets.settings import IncidentSettings
from fridge_assets.stores.beginnings import Ids, id_beginning_with
from fridge_assets.stores.operations import insert_missing, silences

if TYPE_CHECKING:  # people act as quickly as they type: nothing here imports pandas
    import pandas as pd

_IDS = Ids(silences.c.silence_id, "silence", "silences list --all")


@dataclass(frozen=True)
class Silence:
    """One span in which a device or a whole site raises nothing.

    Args:
        kind: ``maintenance``, of which models do not learn either, or ``silence``.
        device_id: device; None for a whole site.
        site_id: site; None for one device.
        starts_at: first moment, timezone-aware.
        ends_at: first moment after it.
        actor: who made it.
        reason: why.
        created_at: when it was made.
        ended_by: who ended it early; empty for nobody.
        work_order_id: the work that it is for; None for none.
    """

    kind: str
    device_id: str | None
    site_id: str | None
    starts_at: datetime
    ends_at: datetime
    actor: str
    reason: str
    created_at: datetime
    ended_by: str = ""
    work_order_id: str | None = None

    @property
    def scope(self) -> str:
        """What it is about, such as ``site site-0003``."""
        return f"device {self.device_id}" if self.site_id is None else f"site {self.site_id}"

    @property
    def said(self) -> str:
        """Who holds what until when, and why."""
        return f"{self.kind} of {self.actor} until {self.ends_at:%Y-%m-%d %H:%M} UTC: {self.reason}"

    @property
    def silence_id(self) -> str:
        """The same for the same scope, start, person and moment, always."""
        return deterministic_id(self.scope, self.starts_at.isoformat(), self.actor, self.created_at.isoformat())


def add_silence(connection: Connection, silence: Silence, settings: IncidentSettings) -> None:
    """Store a silence in the transaction of ``connection``; one that is there is left alone.

    Raises:
        FridgeError: it ends before it begins, is too long, says not why, or is of neither or both of a device and a
            site.
    """
    _check(silence, settings)
    insert_missing(connection, silences, [{"silence_id": silence.silence_id, **asdict(silence)}])


def refuse_unknown(silence: Silence, registry: "pd.DataFrame | None") -> None:
    """Refuse a silence of a device or site that is not in the registry.

    Args:
        silence: the silence.
        registry: ``device_id`` and ``site_id``; None where there is no registry, and every name may be right.

    Raises:
        FridgeError: it is not there.
    """
    if registry is None:
        return
    for what, name in (("device", silence.device_id), ("site", silence.site_id)):
        if name is not None and name not in set(registry[f"{what}_id"]):
            raise unknown(what, name, list(registry[f"{what}_id"].unique()), "in the device registry")


def end_silence(connection: Connection, silence_id: str, actor: str, at: datetime) -> Silence:
    """End a silence early; one that has not begun is taken back: it ends where it would have begun.

    Args:
        connection: of a transaction.
        silence_id: its id, or the beginning of it.
        actor: who ends it.
        at: when.

    Returns:
        The silence as it is now.

    Raises:
        FridgeError: there is no such silence, or more than one, or it is over.
    """
    columns = silences.c
    identity = id_beginning_with(connection, _IDS, silence_id)
    query = sa.select(silences).where(columns.silence_id == identity).with_for_update()
    before = dict(connection.execute(query).mappings().one())
    del before["silence_id"]
    if before["ends_at"] <= at or before["starts_at"] == before["ends_at"]:
        raise FridgeError(
            f"the silence {identity} is over since {before['ends_at']:%Y-%m-%d %H:%M} UTC",
            "There is nothing to end; see `fridge-assets silences list`.",
        )
    change = {"ends_at": max(before["starts_at"], at), "ended_by": actor}
    connection.execute(sa.update(silences).where(columns.silence_id == identity).values(change))
    return Silence(**(before | change))


def end_silences_of(connection: Connection, work_order_id: str, actor: str, at: datetime) -> None:
    """End what is left of the maintenance windows of a work order, in the transaction of ``connection``."""
    columns = silences.c
    left = sa.and_(columns.work_order_id == work_order_id, columns.ends_at > at)
    ends = sa.case((columns.starts_at > at, columns.starts_at), else_=at)
    connection.execute(sa.update(silences).where(left).values(ends_at=ends, ended_by=actor))


def silences_between(connection: Connection, start: datetime, end: datetime) -> list[Silence]:
    """Those that hold some moment of [``start``, ``end``), by id."""
    columns = silences.c
    overlapping = sa.and_(columns.starts_at < end, columns.ends_at > start, columns.starts_at < columns.ends_at)
    rows = connection.execute(sa.select(silences).where(overlapping).order_by(columns.silence_id)).mappings()
    return [Silence(**{name: value for name, value in row.items() if name != "silence_id"}) for row in rows]


def list_silences(connection: Connection, over_at: datetime | None = None) -> list[dict[str, Any]]:
    """SILENCES rows, the one that ends last first.

    Args:
        connection: an open connection.
        over_at: leave out those that are over at this moment, or were taken back; None for all.
    """
    columns = silences.c
    query = sa.select(silences).order_by(columns.ends_at.desc(), columns.silence_id)
    if over_at is not None:
        query = query.where(columns.ends_at > over_at, columns.starts_at < columns.ends_at)
    return [dict(row) for row in connection.execute(query).mappings()]


def _check(silence: Silence, settings: IncidentSettings) -> None:
    length = silence.ends_at - silence.starts_at
    if (silence.device_id is None) == (silence.site_id is None):
        which = "neither" if silence.device_id is None else "both"
        raise FridgeError(f"a silence is of {which} a device and a site", "Name one of them.")
    if silence.kind not in SILENCE_KINDS:
        raise unknown("kind of silence", silence.kind, SILENCE_KINDS)
    if silence.ends_at <= silence.starts_at:
        raise FridgeError(
            f"a silence from {silence.starts_at:%Y-%m-%d %H:%M} to {silence.ends_at:%Y-%m-%d %H:%M} UTC ends before it "
            "begins",
            "Name a later end.",
        )
    if length > settings.longest_silence:
        raise FridgeError(
            f"a silence of {spoken(length)} is longer than {spoken(settings.longest_silence)}",
            "Make a shorter one; when it ends, make a new one if it is still needed.",
        )
    if not silence.reason.strip():
        raise FridgeError("a silence without a reason", "Say why; the audit shows it.")
