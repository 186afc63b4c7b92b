"""Whether people can keep up with what they are told: peaks, floods, chattering and standing (ISA-18.2, EEMUA 191).

A notification is one thing that one operator is told: an incident that opened, rose, came back, is overdue or is
reminded of, or a site that is told of as one.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fridge_assets.settings import AlarmHealthSettings

_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Notification:
    """Something that people were told.

    Args:
        at: when.
        device_id: of which device; empty where it stands for a whole site.
        site_id: where; empty where it stands for the whole fleet.
        reason: why, of TELL_REASONS, or ``site``.
    """

    at: datetime
    device_id: str
    site_id: str
    reason: str


@dataclass(frozen=True)
class Standing:
    """An incident that was told long ago and is still open.

    Args:
        incident_id: the incident.
        device_id: its device.
        since: when it was opened.
    """

    incident_id: str
    device_id: str
    since: datetime


@dataclass(frozen=True)
class Flood:
    """A time in which more was told than anybody can read.

    Args:
        starts_at: when there were too many.
        ends_at: when there were few again.
        notifications: told from the first that counted to the end.
        site_id: the site of most of them.
    """

    starts_at: datetime
    ends_at: datetime
    notifications: int
    site_id: str


@dataclass(frozen=True)
class AlarmHealth:
    """How much people were told, and how evenly.

    Args:
        since: begin of the span.
        until: its end.
        operators: people who share it.
        notifications: what was told, oldest first.
        peak: most that one operator was told within ``peak_span``.
        peak_at: end of that span; None where nothing was told.
        floods: oldest first.
        chattering: device → its openings while it chattered, most first.
        standing: oldest first.
        worst: devices with the most notifications, and how many.
    """

    since: datetime
    until: datetime
    operators: int
    notifications: tuple[Notification, ...]
    peak: float
    peak_at: datetime | None
    floods: tuple[Flood, ...]
    chattering: tuple[tuple[str, int], ...]
    standing: tuple[Standing, ...]
    worst: tuple[tuple[str, int], ...]

    @property
    def per_hour(self) -> float:
        """Notifications of one operator in an hour, on average."""
        return len(self.notifications) / self.operators / ((self.until - self.since) / _HOUR)

    @property
    def flood_share(self) -> float:
        """Share of the time that is flood."""
        return sum((one.ends_at - one.starts_at for one in self.floods), timedelta(0)) / (self.until - self.since)

    @property
    def worst_share(self) -> float:
        """Share of the notifications that are about the worst devices; 0 where nothing was told."""
        return sum(count for _, count in self.worst) / max(1, len(self.notifications))

    @property
    def reasons(self) -> Counter[str]:
        """Reason → number of notifications."""
        return Counter(one.reason for one in self.notifications)


def alarm_health(
    notifications: Iterable[Notification],
    openings: Iterable[tuple[str, datetime]],
    standing: Iterable[Standing],
    since: datetime,
    until: datetime,
    operators: int,
    settings: AlarmHealthSettings,
) -> AlarmHealth:
    """How much people were told from ``since`` to ``until``.

    Args:
        notifications: of the span, in any order.
        openings: device and moment at which an incident of it opened, or opened again.
        standing: incidents that have been open for long.
        since: begin of the span.
        until: its end, later than ``since``.
        operators: people who share the notifications.
        settings: spans and limits.
    """
    told = tuple(sorted(notifications, key=lambda one: (one.at, one.device_id, one.site_id, one.reason)))
    most, at = peak_of([one.at for one in told], settings)
    by_device = Counter(one.device_id for one in told if one.device_id)
    worst = sorted(by_device.items(), key=lambda pair: (-pair[1], pair[0]))[: settings.worst_devices]
    return AlarmHealth(
        since=since,
        until=until,
        operators=operators,
        notifications=told,
        peak=most / operators,
        peak_at=at,
        floods=tuple(floods_of(told, until, operators, settings)),
        chattering=tuple(chattering_of(openings, settings)),
        standing=tuple(sorted(standing, key=lambda one: (one.since, one.incident_id))),
        worst=tuple(worst),
    )


def peak_of(moments: Sequence[datetime], settings: AlarmHealthSettings) -> tuple[int, datetime | None]:
    """The most ``moments``, which are in order, within ``peak_span``, and when that ended; the first of several."""
    most, at = 0, None
    for number, moment in enumerate(moments, 1):
        count = number - bisect_right(moments, moment - settings.peak_span)
        if count > most:
            most, at = count, moment
    return most, at


def floods_of(
    told: Sequence[Notification], until: datetime, operators: int, settings: AlarmHealthSettings
) -> Iterable[Flood]:
    """The floods: from more than ``peak`` within ``peak_span`` for one operator until fewer than ``flood_ends``.

    Args:
        told: in the order of time.
        until: when a flood that goes on is cut off.
        operators: people who share the notifications.
        settings: spans and limits.
    """
    moments = [one.at for one in told]
    # The count within the span changes where something is told, and where that leaves the span.
    changes = sorted({*moments, *(moment + settings.peak_span for moment in moments)})
    starts_at: datetime | None = None
    first = 0
    for change in (moment for moment in changes if moment <= until):
        oldest = bisect_right(moments, change - settings.peak_span)
        count = (bisect_right(moments, change) - oldest) / operators
        if starts_at is None and count > settings.peak:
            starts_at, first = change, oldest
        elif starts_at is not None and count < settings.flood_ends:
            yield _flood(told[first : bisect_right(moments, change)], starts_at, change)
            starts_at = None
    if starts_at is not None and starts_at < until:
        yield _flood(told[first:], starts_at, until)


def _flood(told: Sequence[Notification], starts_at: datetime, ends_at: datetime) -> Flood:
    site, _ = min(Counter(one.site_id for one in told).items(), key=lambda pair: (-pair[1], pair[0]))
    return Flood(starts_at, ends_at, len(told), site)


def chattering_of(openings: Iterable[tuple[str, datetime]], settings: AlarmHealthSettings) -> list[tuple[str, int]]:
    """Devices that opened incidents ``chatter_openings`` times within ``chatter_span``, and how often, most first."""
    by_device: dict[str, list[datetime]] = defaultdict(list)
    for device, at in openings:
        by_device[device].append(at)
    found = []
    for device, moments in by_device.items():
        ordered, chattering = sorted(moments), set[int]()
        for last in range(settings.chatter_openings - 1, len(ordered)):
            first = bisect_right(ordered, ordered[last] - settings.chatter_span)
            if last - first + 1 >= settings.chatter_openings:
                chattering |= set(range(first, last + 1))
        if chattering:
            found.append((device, len(chattering)))
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))
