"""In which words people are told of incidents (SPEC 6.1, 7)."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from shlex import quote
from typing import Final

from fridge_assets.core.identity import SHORT_ID
from fridge_assets.core.moments import spoken
from fridge_assets.incidents.channels import channel_of
from fridge_assets.incidents.grouping import FLEET, Group
from fridge_assets.incidents.state import Incident, IncidentEvent
from fridge_assets.incidents.terms import TellReason
from fridge_assets.notifications.message import Channel, Kind, Message
from fridge_assets.settings import IncidentSettings

_DIGEST: Final[Channel] = "site_digest"
_BEGINS: Final[Mapping[TellReason, str]] = {
    "opened": "{severity}",
    "reopened": "{severity}, back again",
    "severity_rose": "{severity}, more severe",
    "new_sensor": "{severity}, another sensor",
    "deadline_passed": "{severity}, nobody has taken it",
    "reminder": "{severity}, still nobody has taken it",
}
_OF_EVIDENCE: Final[tuple[TellReason, ...]] = ("opened", "reopened", "severity_rose", "new_sensor")
"""Reasons that somebody has seen something; the others are of time that passes."""


@dataclass(frozen=True)
class Telling:
    """One event that people are told of.

    Args:
        incident: as it was after the event.
        event: it has the reason.
        title: one line about what was seen.
        description: sentences about it.
    """

    incident: Incident
    event: IncidentEvent
    title: str
    description: str


@dataclass(frozen=True)
class Member:
    """An incident that a message about many stands for.

    Args:
        incident_id: the incident.
        title: one line about what was seen.
        first_detected_at: when it was first seen.
    """

    incident_id: str
    title: str
    first_detected_at: datetime


def messages_of(tellings: Iterable[Telling], run_id: str, settings: IncidentSettings) -> list[Message]:
    """What is said of ``tellings``, the most urgent first.

    Of many of one kind one message is made, so that no channel floods. What is for the site teams comes as one digest
    by site.

    Args:
        tellings: what people are told of.
        run_id: Dagster run that saw it; empty for none.
        settings: how many messages are sent one by one, and how many incidents a list names.
    """
    kinds: dict[tuple[int, str, Channel], list[Telling]] = {}
    for telling in tellings:
        channel, reason = channel_of(telling.incident.severity, telling.incident.level), telling.event.told
        if channel is None or reason is None:
            continue
        what: str = "evidence" if reason in _OF_EVIDENCE else reason
        kinds.setdefault((-telling.incident.severity, what, channel), []).append(telling)
    messages: list[Message] = []
    for (_, what, channel), own in sorted(kinds.items(), key=lambda pair: pair[0]):
        own.sort(key=lambda one: (one.event.occurred_at, one.incident.device_id, one.event.number))
        if channel == _DIGEST and what == "evidence":
            messages.append(_digest(own, run_id, settings))
        elif len(own) > settings.single_messages:
            messages.append(_listed(own, what, channel, run_id, settings))
        else:
            messages += [single_message(one, channel, run_id) for one in own]
    return messages


def single_message(telling: Telling, channel: Channel, run_id: str = "", actor: str = "") -> Message:
    """What is said of one incident.

    Args:
        telling: the event.
        channel: who is told.
        run_id: Dagster run that saw it; empty for none.
        actor: the person who wants more people to know; empty for none.
    """
    incident, event = telling.incident, telling.event
    beginning = ("{severity}, escalated to {level} by {actor}" if event.told is None else _BEGINS[event.told]).format(
        severity=incident.severity.name, level=incident.level, actor=actor
    )
    return Message(
        key=f"incident/{incident.incident_id}/{event.number}",
        channel=channel,
        kind=_kind(event),
        title=f"{beginning}: {incident.device_id} in {incident.site_id}: {telling.title}",
        lines=tuple(_lines(telling)),
        occurred_at=event.occurred_at,
        run_id=run_id,
        about=(incident.incident_id,),
        commands=(f"fridge-assets incidents {_command(event)} {incident.incident_id[:SHORT_ID]}",),
        dedup_key=f"incident/{incident.incident_id}",
    )


def group_message(
    group: Group,
    members: Sequence[Member],
    size: int,
    began: bool,
    now: datetime,
    run_id: str,
) -> Message:
    """What is said when many devices are told of as one, or when that becomes more severe.

    Args:
        group: as it is now.
        members: incidents that the message stands for.
        size: active devices of the scope.
        began: whether it is new; else it has become more severe.
        now: when.
        run_id: Dagster run that saw it; empty for none.
    """
    titles = Counter(member.title for member in members).most_common(1)
    first = [member.first_detected_at for member in members]
    span = spoken(group.span.ends_at - group.span.starts_at)
    where = (
        f"{len(group.devices)} of {size} devices in {group.scope}" if group.scope else f"{len(group.devices)} devices"
    )
    how = f"have trouble within {span}" if began else "have trouble: it has become more severe"
    since = "" if not first else f" First seen {_between(min(first), max(first))} UTC."
    storm = "Acute trouble of many devices" if group.scope == FLEET else ""
    scope = f" --site {quote(group.scope)}" if group.scope else " --min-severity CRITICAL"
    return Message(
        key=group_key(group),
        channel=channel_of(group.severity) or _DIGEST,
        kind="anomaly",
        title=f"{group.severity.name}: {where} {how}",
        lines=(
            *([storm] if storm else []),
            *(f"Most often: {title} ({count} of {len(members)}).{since}" for title, count in titles),
            f"Look for a common cause: power, ambient, network. For {span} from its beginning no device "
            f"{'of the site ' if group.scope else ''}is told by itself.",
        ),
        occurred_at=now,
        run_id=run_id,
        about=tuple(sorted({member.incident_id for member in members})),
        commands=(f"fridge-assets incidents list{scope}",),
        dedup_key=f"group/{group.scope}/{group.started_at.isoformat()}",
    )


def group_key(group: Group) -> str:
    """The same for the same beginning and severity of a group, always."""
    return f"group/{group.scope}/{group.started_at.isoformat()}/{group.severity.name}"


def _kind(event: IncidentEvent) -> Kind:
    if event.told is None:
        return "escalation"
    return "anomaly" if event.told in _OF_EVIDENCE else "deadline"


def _command(event: IncidentEvent) -> str:
    return "show" if event.told in _OF_EVIDENCE or event.told is None else "ack"


def _lines(telling: Telling) -> Iterator[str]:
    incident, event = telling.incident, telling.event
    if event.told is None:
        yield from [event.note] if event.note else []
    yield telling.description
    if event.told not in (*_OF_EVIDENCE, None):
        yield f"{event.note}. It was first seen {incident.first_detected_at:%Y-%m-%d %H:%M} UTC."
    if incident.deadline is not None:
        yield f"Act by {incident.deadline:%Y-%m-%d %H:%M} UTC."


def _listed(
    tellings: Sequence[Telling], what: str, channel: Channel, run_id: str, settings: IncidentSettings
) -> Message:
    severity, sites = tellings[0].incident.severity.name, len({one.incident.site_id for one in tellings})
    places = f"in {sites} site{'s' if sites > 1 else ''}"
    title = (
        f"{len(tellings)} {severity} incidents {places}"
        if what == "evidence"
        else f"Nobody has taken {len(tellings)} {severity} incidents {places}"
    )
    shown = [f"{one.incident.device_id} in {one.incident.site_id}: {one.title}" for one in tellings]
    return _of_many(tellings, f"incidents/{what}/{severity}", channel, title, shown, run_id, settings)


def _digest(tellings: Sequence[Telling], run_id: str, settings: IncidentSettings) -> Message:
    by_site = sorted(Counter(one.incident.site_id for one in tellings).items(), key=lambda pair: (-pair[1], pair[0]))
    title = (
        f"{len(tellings)} {tellings[0].incident.severity.name} incident{'s' if len(tellings) > 1 else ''} in "
        f"{len(by_site)} site{'s' if len(by_site) > 1 else ''}"
    )
    shown = [f"{site}: {count} device{'s' if count > 1 else ''}" for site, count in by_site]
    return _of_many(tellings, "digest", _DIGEST, title, shown, run_id, settings)


def _of_many(
    tellings: Sequence[Telling],
    what: str,
    channel: Channel,
    title: str,
    lines: Sequence[str],
    run_id: str,
    settings: IncidentSettings,
) -> Message:
    moment = max(one.event.occurred_at for one in tellings)
    first = min(f"{one.incident.incident_id}/{one.event.number}" for one in tellings)
    left = len(lines) - settings.listed_alerts
    severity = tellings[0].incident.severity.name
    return Message(
        key=f"{what}/{moment.isoformat()}/{first}",
        channel=channel,
        kind=_kind(tellings[0].event),
        title=title,
        lines=(*lines[: settings.listed_alerts], *([f"and {left} more"] if left > 0 else [])),
        occurred_at=moment,
        run_id=run_id,
        about=tuple(sorted({one.incident.incident_id for one in tellings})),
        commands=(f"fridge-assets incidents list --min-severity {severity}",),
    )


def _between(first: datetime, last: datetime) -> str:
    same = first == last
    return f"{first:%Y-%m-%d %H:%M}" if same else f"between {first:%Y-%m-%d %H:%M} and {last:%Y-%m-%d %H:%M}"
