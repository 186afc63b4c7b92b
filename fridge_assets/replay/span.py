"""Which runs a replay makes, over which readings it can be made, and which models have learned from these hours."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb

from fridge_assets.core.errors import FridgeError
from fridge_assets.models.metadata import ModelMetadata

HOUR = timedelta(hours=1)

_AFTER_THE_HOUR = timedelta(minutes=3)
"""When the hourly run comes: as its schedule says."""

_DAILY_HOUR = 3
"""The full hour, UTC, at which the daily run comes: as its schedule says."""


@dataclass(frozen=True)
class Cycle:
    """One score run and the publication after it.

    Args:
        moment: when it runs.
        every_model: whether the daily models score, too.
    """

    moment: datetime
    every_model: bool


@dataclass(frozen=True)
class Readings:
    """The clean readings that there are.

    Args:
        hours: hours in which there are any, in their order.
        newest: moment of the newest one.
    """

    hours: tuple[datetime, ...]
    newest: datetime


@dataclass(frozen=True)
class Trained:
    """A version that has learned from hours that are replayed.

    Args:
        family: model family.
        version: semantic version.
        since: start of the oldest window that it learned from.
        until: end of the newest one.
        hours: how many of the replayed hours lie between them.
    """

    family: str
    version: str
    since: datetime
    until: datetime
    hours: int


def hours_between(first: datetime, last: datetime) -> list[datetime]:
    """Every full hour between two moments, both included.

    Raises:
        FridgeError: there is none.
    """
    hour = first.replace(minute=0, second=0, microsecond=0)
    hour += HOUR if hour < first else timedelta(0)
    if last < hour:
        raise FridgeError(
            f"there is no full hour between {_said(first)} and {_said(last)} UTC",
            "Give a longer span; runs are hourly.",
        )
    return [hour + number * HOUR for number in range((last - hour) // HOUR + 1)]


def hourly_moment(hour: datetime) -> datetime:
    """When the hourly run of the window that ends at ``hour`` comes."""
    return hour + _AFTER_THE_HOUR


def cycles_of(hours: Sequence[datetime]) -> list[Cycle]:
    """The runs of the schedules at these hours; the first one is of all models, so that each has said something."""
    cycles = []
    for number, hour in enumerate(hours):
        if number and hour.hour == _DAILY_HOUR:
            cycles.append(Cycle(hour, every_model=True))
        cycles.append(Cycle(hourly_moment(hour), every_model=not number))
    return cycles


def readings_there_are(connection: duckdb.DuckDBPyConnection) -> Readings | None:
    """The clean readings in the warehouse, None when there are none."""
    hours = connection.execute("SELECT DISTINCT hour FROM clean_reading_files ORDER BY hour").fetchall()
    newest = connection.execute("SELECT max(last_reading_at) FROM device_last_seen").fetchall()[0][0]
    if not hours or newest is None:
        return None
    return Readings(tuple(hour.astimezone(UTC) for (hour,) in hours), newest.astimezone(UTC))


def require_readings(hours: Sequence[datetime], readings: Readings | None, window: timedelta) -> None:
    """Refuse hours whose windows nobody has readings of.

    Args:
        hours: full hours, oldest first; the window that ends with each is judged.
        readings: what there is.
        window: length of a window.

    Raises:
        FridgeError: the first or the last window lies outside of the readings, or there are none in between.
    """
    if readings is None:
        raise FridgeError("there are no readings yet", "Bring some with `fridge-assets ingest FILE`.")
    first, last = hours[0] - window, hours[-1] - window
    if first < readings.hours[0]:
        problem = f"{_said(hours[0])} UTC lies before the first readings"
    elif last > readings.newest:
        problem = f"{_said(hours[-1])} UTC lies after the last reading"
    elif not any(first - HOUR < hour <= hours[-1] for hour in readings.hours):
        problem = f"there are no readings between {_said(hours[0])} and {_said(hours[-1])} UTC"
    else:
        return
    can = hours_between(readings.hours[0] + window, readings.newest + window)
    raise FridgeError(
        f"{problem}: there are readings from {_said(readings.hours[0])} to {_said(readings.newest)} UTC",
        f"Replay hours between {can[0]:%Y-%m-%dT%H:%MZ} and {can[-1]:%Y-%m-%dT%H:%MZ}.",
    )


def trained_within(versions: Iterable[ModelMetadata], hours: Sequence[datetime], window: timedelta) -> list[Trained]:
    """Those of ``versions`` that have learned from any of ``hours``: how well they do there says too much."""
    found = []
    for version in versions:
        since, until = version.training.window_from - window, version.training.window_to
        inside = sum(hour - HOUR < until and hour > since for hour in hours)
        if inside:
            found.append(Trained(version.family, version.version, since, until, inside))
    return found


def _said(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
