"""Thresholds of the acute rules: what the registry and the released model have said of them since when (SPEC 5).

The history is only ever appended to. It keeps the words that depart from a rule's default; a null takes a word back.
"""

import hashlib
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.notifications.watch import changed
from fridge_assets.stores.operations import Operations, insert_missing, threshold_history
from fridge_assets.streaming.precedence import DEFAULT, DEFAULTS, MODEL, REGISTRY, pieces_in_force
from fridge_assets.streaming.rules import RULES

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""Since when the first registry counts, so that a backtest of older readings uses it, too."""

_KEY = ["device_id", "rule"]
_TYPES = {"device_id": "str", "rule": "str", "value": "float64"}
_ROWS_PER_INSERT = 20_000
_WORD = threshold_history.c
# Read as the database gives it: a moment at a time, UtcTimestamp would take most of the time.
_SINCE = sa.type_coerce(_WORD.since, sa.DateTime()).label("since")


def note_registry(operations: Operations, registry: pd.DataFrame | None, now: datetime) -> int:
    """Keep what the registry says of thresholds, where that has changed.

    Args:
        operations: the store with the history.
        registry: DEVICE_REGISTRY rows; None when there is no file, and so nobody has said anything.
        now: since when a change counts; the first registry that there is counts from the beginning.

    Returns:
        Words that were written.
    """
    said = pd.DataFrame({"device_id": [], "rule": [], "value": []}).astype(_TYPES)
    if registry is not None:
        names = {rule.threshold: name for name, rule in RULES.items()}
        said = registry.rename(columns=names).melt("device_id", list(RULES), "rule", "value")
    details = ("device registry", "no longer in the device registry")
    return _note(operations, REGISTRY, said, now, BEGINNING, details)


def note_learned(operations: Operations, learned: pd.DataFrame, version: str, now: datetime) -> int:
    """Keep what the released model has learned, where that has changed.

    Args:
        operations: the store with the history.
        learned: ``device_id``, ``rule``, ``value``; everything that the model knows.
        version: of the model.
        now: since when a change counts.

    Returns:
        Words that were written.
    """
    return _note(operations, MODEL, learned, now, now, (version, f"no longer learned by {version}"))


def history_mark(connection: Connection) -> tuple[int, datetime | None]:
    """Something that changes whenever the history does, and is quick to get."""
    words, newest = connection.execute(sa.select(sa.func.count(), sa.func.max(_WORD.since))).one()
    return int(words), newest


def thresholds_in_force(connection: Connection) -> pd.DataFrame:
    """Every threshold that was, is or will be in force and is not the rule's default.

    Returns:
        ``device_id``, ``rule``, ``since`` and ``until`` (exclusive, null for open) in microseconds since 1970,
        ``value``; the pieces of one device and rule do not overlap.
    """
    pieces = pieces_in_force(_words(connection, sa.select(*_WORD["device_id", "rule", "origin", "value"], _SINCE)))
    departing = pieces["value"] != pieces["rule"].map(DEFAULTS)
    return pieces.loc[departing, ["device_id", "rule", "since", "until", "value"]].reset_index(drop=True)


def thresholds_of(connection: Connection, device_id: str, now: datetime) -> pd.DataFrame:
    """The threshold of every rule that is in force for one device.

    Returns:
        ``rule``, ``value``, ``origin``, ``since`` (:data:`BEGINNING` for what always was); one row per rule.
    """
    pieces = pieces_in_force(words_about(connection, device_id))
    begun = pieces[pd.to_datetime(pieces["since"], unit="us", utc=True) <= now]
    latest = begun.drop_duplicates("rule", keep="last").set_index("rule").reindex(list(RULES)).reset_index()
    return pd.DataFrame(
        {
            "rule": latest["rule"],
            "value": latest["value"].fillna(latest["rule"].map(DEFAULTS)),
            "origin": latest["origin"].fillna(DEFAULT),
            "since": pd.to_datetime(latest["since"].fillna(0), unit="us", utc=True),
        }
    )


def words_about(connection: Connection, device_id: str) -> pd.DataFrame:
    """The history of one device, newest first, in the columns of THRESHOLD_HISTORY."""
    query = sa.select(*_WORD["device_id", "rule", "origin", "value", "detail"], _SINCE)
    return _words(connection, query.where(_WORD.device_id == device_id).order_by(_WORD.since.desc(), _WORD.rule))


def newest_words(connection: Connection, limit: int) -> pd.DataFrame:
    """The ``limit`` newest words about any device, newest first, in the columns of THRESHOLD_HISTORY."""
    query = sa.select(*_WORD["device_id", "rule", "origin", "value", "detail"], _SINCE)
    order = (_WORD.since.desc(), _WORD.device_id, _WORD.rule, _WORD.origin)
    return _words(connection, query.order_by(*order).limit(limit))


def _note(
    operations: Operations, origin: str, said: pd.DataFrame, now: datetime, at_first: datetime, details: tuple[str, str]
) -> int:
    """Append what ``origin`` says anew, ``at_first`` being since when its very first words count."""
    detail, taken_back = details
    departing = said.loc[said["value"] != said["rule"].map(DEFAULTS), [*_KEY, "value"]]
    with operations.transaction() as connection:
        # Word by word only when something is new: 400,000 of them take seconds to read.
        transition = changed(connection, f"thresholds/{origin}", _digest(departing), now)
        if transition is None:
            return 0
        since = at_first if transition.before is None else now
        rows = [
            {
                "device_id": device_id,
                "rule": rule,
                "origin": origin,
                "since": since,
                "value": value,
                "detail": taken_back if value is None else detail,
            }
            for device_id, rule, value in _news(departing, _last_words(connection, origin, now))
        ]
        for start in range(0, len(rows), _ROWS_PER_INSERT):
            insert_missing(connection, threshold_history, rows[start : start + _ROWS_PER_INSERT])
    return len(rows)


def _digest(words: pd.DataFrame) -> str:
    return hashlib.sha256(pd.util.hash_pandas_object(words, index=False).to_numpy().tobytes()).hexdigest()


def _last_words(connection: Connection, origin: str, now: datetime) -> pd.DataFrame:
    """What ``origin`` has said last of each device and rule: ``device_id``, ``rule``, ``value``."""
    later = threshold_history.alias("later")
    # Up to now: what was written by a clock that was ahead must not hide what is said today.
    overtaken = sa.exists().where(
        later.c.device_id == _WORD.device_id,
        later.c.rule == _WORD.rule,
        later.c.origin == _WORD.origin,
        later.c.since > _WORD.since,
        later.c.since <= now,
    )
    query = sa.select(*_WORD["device_id", "rule", "value"])
    return _frame(connection, query.where(_WORD.origin == origin, _WORD.since <= now, ~overtaken))


def _news(said: pd.DataFrame, known: pd.DataFrame) -> Iterator[tuple[str, str, float | None]]:
    """What is not said as it is ``known``: device, rule, value (None: taken back)."""
    both = said.merge(known, on=_KEY, how="outer", suffixes=("", "_known"))
    same = (both["value"] == both["value_known"]) | (both["value"].isna() & both["value_known"].isna())
    news = both[~same]
    values = (None if math.isnan(value) else value for value in news["value"].tolist())
    return zip(news["device_id"].tolist(), news["rule"].tolist(), values, strict=True)


def _words(connection: Connection, query: sa.Select[Any]) -> pd.DataFrame:
    words = _frame(connection, query)
    return words.assign(since=pd.to_datetime(words["since"], utc=True))


def _frame(connection: Connection, query: sa.Select[Any]) -> pd.DataFrame:
    result = connection.execute(query)
    # Plain tuples: pandas takes a long look at every one of SQLAlchemy's rows.
    frame = pd.DataFrame(list(map(tuple, result)), columns=list(result.keys()))
    text = frame.columns.difference(["since", "value"])
    return frame.astype({"value": "float64"} | dict.fromkeys(text, "str"))
