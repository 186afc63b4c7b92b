"""Ids that people give by their beginning: the one row that is meant, or an error that helps."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.core.identity import SHORT_ID, SHORTEST_ID
from fridge_assets.core.names import UnknownName


@dataclass(frozen=True)
class Ids:
    """Ids of one kind of thing, hexadecimal as UUIDs are.

    Args:
        column: where they are; its table's key.
        what: what has them, such as ``alert``.
        listing: words of the command that lists them, such as ``alerts list --all``.
    """

    column: sa.Column[Any]
    what: str
    listing: str


def id_beginning_with(connection: Connection, ids: Ids, beginning: str) -> str:
    """The id that ``beginning`` means.

    Raises:
        UnknownName: no id begins with it, the nearest is named then; or more than one does; or it is too short to be
            meant.
    """
    if len(beginning) < SHORTEST_ID:
        a = "an" if ids.what[0] in "aeiou" else "a"
        raise UnknownName(
            f"{beginning!r} is too short for {a} {ids.what}", f"Give {SHORTEST_ID} characters of its id or more."
        )
    found = _beginning_with(connection, ids, beginning)
    if len(found) == 1:
        return found[0]
    listed = f"See `fridge-assets {ids.listing}`"
    if found:
        raise UnknownName(f"several {ids.what}s begin with {beginning!r}", f"{listed} and give more of the id.")
    near = _nearest(connection, ids, beginning)
    meant = f"Did you mean {near}? " if near else ""
    raise UnknownName(f"no {ids.what} begins with {beginning!r}", f"{meant}{listed}.")


def _nearest(connection: Connection, ids: Ids, beginning: str) -> str:
    """The first characters of an id that shares as many with ``beginning`` as any, empty if these are too few."""
    for length in range(min(len(beginning) - 1, SHORT_ID), SHORTEST_ID - 1, -1):
        near = _beginning_with(connection, ids, beginning[:length])
        if near:
            return near[0][:SHORT_ID]
    return ""


def _beginning_with(connection: Connection, ids: Ids, beginning: str) -> list[str]:
    """Two ids at most that begin with it."""
    name = ids.column
    # They lie between it and "g" after it, which an index can use.
    near = sa.and_(name >= beginning, name < f"{beginning}g", name.startswith(beginning, autoescape=True))
    return [str(found) for found in connection.scalars(sa.select(name).distinct().where(near).order_by(name).limit(2))]
