"""When many devices open incidents together, one message stands for them: of a site, or of the whole fleet (SPEC 6.1).

A site in trouble and a storm of acute alerts are the same rule with other numbers. A group runs for a fixed span from
its beginning; where it goes on after that, another one begins and people are told again.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from fridge_assets.incidents.observations import Span
from fridge_assets.incidents.terms import Severity

FLEET = ""
"""Scope of a group of all devices."""


@dataclass(frozen=True)
class Opening:
    """An incident of which people are to be told, or were, because it opened.

    Args:
        device_id: device.
        scope: its site, or :data:`FLEET`.
        severity: how urgent it is.
        at: when it opened.
    """

    device_id: str
    scope: str
    severity: Severity
    at: datetime


@dataclass(frozen=True)
class GroupRule:
    """How many devices are a group.

    Args:
        devices: at least so many.
        share: and at least this share of the scope's active devices.
        span: within this.
    """

    devices: int
    share: float
    span: timedelta


@dataclass(frozen=True)
class Group:
    """Devices that are told of as one.

    Args:
        scope: their site, or :data:`FLEET`.
        started_at: when people were first told of it.
        severity: the highest of its incidents.
        devices: the devices that have opened incidents.
        span: how long it stands for every further one.
    """

    scope: str
    started_at: datetime
    severity: Severity
    devices: frozenset[str]
    span: Span


def group_of(
    scope: str, openings: Iterable[Opening], size: int, running: Group | None, now: datetime, rule: GroupRule
) -> Group | None:
    """The group of one scope as it is now; None while there is none.

    Args:
        scope: a site, or :data:`FLEET`.
        openings: of that scope, new ones among them; those below MEDIUM, and those of before, do not count.
        size: its active devices.
        running: its group until now; None without one.
        now: when.
        rule: how many are a group.
    """
    if running is not None and not running.span.covers(now):
        running = None
    since = (running.started_at if running else now) - rule.span
    counted = [
        one for one in openings if one.scope == scope and since < one.at <= now and one.severity >= Severity.MEDIUM
    ]
    devices = frozenset(one.device_id for one in counted) | (running.devices if running else frozenset())
    if running is None and (size < rule.devices or len(devices) < max(rule.devices, rule.share * size)):
        return None
    severity = max([one.severity for one in counted] + ([running.severity] if running else []))
    started = running.started_at if running else now
    return Group(scope, started, severity, devices, Span(started, started + rule.span))


def groups_of(
    openings: Iterable[Opening],
    sizes: Mapping[str, int],
    running: Mapping[str, Group],
    now: datetime,
    rule: GroupRule,
) -> dict[str, Group]:
    """Scope → its group as it is now, of those that have openings or one that runs; whatever their order.

    Args:
        openings: of the last span and of now.
        sizes: scope → its active devices; one that is not in it is never a group.
        running: scope → its group until now.
        now: when.
        rule: how many are a group.
    """
    by_scope: dict[str, list[Opening]] = defaultdict(list)
    for one in openings:
        by_scope[one.scope].append(one)
    scopes = sorted((by_scope.keys() | running.keys()) & sizes.keys())
    found = {
        scope: group_of(scope, by_scope.get(scope, ()), sizes[scope], running.get(scope), now, rule) for scope in scopes
    }
    return {scope: group for scope, group in found.items() if group is not None}


def is_news(group: Group, before: Group | None) -> bool:
    """Whether people are told of ``group``: it began, or became more severe than ``before``."""
    return before is None or before.started_at != group.started_at or group.severity > before.severity
