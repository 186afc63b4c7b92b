"""When a whole site is in trouble: one message about the site in place of one about each device (SPEC 6).

An incident begins when so many devices of a site, and such a share of it, alert within ``site_span``. It runs for that
long, fixed from its beginning. While it runs nobody is told of a single device of the site; when the incident becomes
more severe, people are told of the site again. A site where it goes on has another incident, and is told again. What
was told before stays told.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from shlex import quote

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.alerting.sla import channel_of
from fridge_assets.contracts.device_alerts import ACTIVE_STATUSES, ESCALATION_LEVELS, SEVERITIES
from fridge_assets.core.moments import spoken
from fridge_assets.notifications.message import Channel, Message
from fridge_assets.notifications.outbox import also_about
from fridge_assets.settings import IncidentSettings
from fridge_assets.stores.operations import device_alerts, insert_missing, site_incidents

CHANNELS: Mapping[str, Channel] = {
    severity: channel
    for severity in reversed(SEVERITIES)
    if (channel := channel_of(severity, ESCALATION_LEVELS[0])) is not None
}
"""Severity → who is told; LOW is for the dashboard only."""

SITE_KEY = "site/"
"""Beginning of the key of every message about a site."""

_ALERT = ("alert_id", "device_id", "site_id", "severity", "title", "first_detected_at", "alert_created_at")
_LOCK = 7_308_611_292
"""PostgreSQL advisory lock that lets the hourly runs and the stream judge sites one after the other."""
_PIECE = 500
"""Sites that one query names."""


@dataclass(frozen=True)
class Incident:
    """A time in which a site is told of as one.

    Args:
        site_id: the site.
        started_at: when people were first told of it.
        last_alert_at: when its newest alert was told.
        severity: the highest of its alerts.
        devices: how many devices of the site have alerted.
    """

    site_id: str
    started_at: datetime
    last_alert_at: datetime
    severity: str
    devices: int


@dataclass(frozen=True)
class SiteNews:
    """What is said of sites.

    Args:
        messages: one for each incident that began or became more severe.
        alert_ids: new alerts that incidents stand for, so that nobody is told of them one by one.
    """

    messages: tuple[Message, ...]
    alert_ids: frozenset[str]


def site_sizes(registry: pd.DataFrame) -> dict[str, int]:
    """Site → number of its active devices.

    Args:
        registry: DEVICE_REGISTRY rows.
    """
    active = registry.loc[registry["status"] == "active", "site_id"]
    return {str(site): int(count) for site, count in active.value_counts().items()}


def judge_site(
    site_id: str, alerts: pd.DataFrame, size: int, running: Incident | None, now: datetime, settings: IncidentSettings
) -> Incident | None:
    """The incident of a site in which new alerts were told.

    Args:
        site_id: the site.
        alerts: ``device_id`` and ``severity`` of its told alerts of MEDIUM and higher since ``site_span`` ago, or since
            that long before ``running``; at least one.
        size: active devices of the site.
        running: its incident until now; None without one.
        now: when the newest alerts were told.
        settings: how many devices, and which share of the site, make an incident.

    Returns:
        The incident as it is now; None while there is none.
    """
    devices = alerts["device_id"].nunique()
    severity = max(alerts["severity"], key=SEVERITIES.index)
    if running is not None:
        worst = max(running.severity, severity, key=SEVERITIES.index)
        return replace(running, last_alert_at=now, severity=worst, devices=max(running.devices, devices))
    if size < settings.site_devices or devices < max(settings.site_devices, settings.site_share * size):
        return None
    return Incident(site_id, now, now, severity, devices)


def site_message(incident: Incident, alerts: pd.DataFrame, size: int, run_id: str, settings: IncidentSettings) -> Message:
    """What is said when an incident begins or becomes more severe.

    Args:
        incident: as it is now.
        alerts: DEVICE_ALERTS rows that the message stands for, in the columns that are said.
        size: active devices of the site.
        run_id: Dagster run that raised them; empty for none.
        settings: the span within which devices alert together.
    """
    site, titles = incident.site_id, alerts["title"].value_counts()
    first, last = alerts["first_detected_at"].min(), alerts["first_detected_at"].max()
    begins = incident.started_at == incident.last_alert_at
    how = f"alert within {spoken(settings.site_span)}" if begins else "have alerted: it has become more severe"
    since = f"{first:%Y-%m-%d %H:%M}" + (f" and {last:%Y-%m-%d %H:%M}" if last > first else "")
    return Message(
        key=_key(incident),
        channel=CHANNELS[incident.severity],
        kind="anomaly",
        title=f"{incident.severity}: {incident.devices} of {size} devices in {site} {how}",
        lines=(
            f"Most often: {titles.index[0]} ({titles.iloc[0]} of {len(alerts)} alerts). "
            f"First seen {'between ' if last > first else ''}{since} UTC.",
            "Look for a common cause: power, ambient, network. For "
            f"{spoken(settings.site_span)} from its beginning no device of the site is told by itself.",
        ),
        occurred_at=incident.last_alert_at,
        run_id=run_id,
        about=tuple(sorted(alerts["alert_id"])),
        commands=(f"fridge-assets alerts list --site {quote(site)}",),
        dedup_key=f"{SITE_KEY}{site}/{incident.started_at.isoformat()}",
    )


def tell_sites(
    connection: Connection,
    fresh: pd.DataFrame,
    sizes: Mapping[str, int],
    run_id: str,
    now: datetime,
    settings: IncidentSettings,
) -> SiteNews:
    """Begin and prolong the incidents of the sites of new alerts, in the transaction that has stored these.

    Args:
        connection: of that transaction; the messages are to be stored in it, too.
        fresh: DEVICE_ALERTS rows that people are to be told of now.
        sizes: site → number of its active devices; a site that is not in it has no incident.
        run_id: Dagster run that raised the alerts; empty for none.
        now: when.
        settings: what makes an incident.
    """
    fresh = fresh.loc[fresh["severity"].isin(CHANNELS) & fresh["site_id"].map(sizes).ge(settings.site_devices)]
    fresh = fresh[list(_ALERT)]
    if fresh.empty:
        return SiteNews((), frozenset())
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    running = _running(connection, fresh["site_id"].unique(), now, settings)
    since = {site: running[site].started_at if site in running else now for site in fresh["site_id"].unique()}
    known = _told(connection, since, now, settings)
    messages: list[Message] = []
    spoken_for: set[str] = set()
    together = pd.concat([fresh, known]).drop_duplicates("alert_id")
    together["is_new"] = together["alert_id"].isin(fresh["alert_id"])
    for site, alerts in together.groupby("site_id"):
        before = running.get(str(site))
        incident = judge_site(str(site), alerts, sizes[str(site)], before, now, settings)
        if incident is None:
            continue
        own = alerts[alerts["is_new"]]
        if before is None or incident.severity != before.severity:
            # When it begins, what was told one by one belongs to it.
            whole = alerts if before is None else own
            messages.append(site_message(incident, whole, sizes[str(site)], run_id, settings))
        else:
            also_about(connection, _message_id(incident), tuple(own["alert_id"]))
        _store(connection, incident)
        spoken_for |= set(own["alert_id"])
    return SiteNews(tuple(messages), frozenset(spoken_for))


def _key(incident: Incident) -> str:
    return f"{SITE_KEY}{incident.site_id}/{incident.started_at.isoformat()}/{incident.severity}"


def _message_id(incident: Incident) -> str:
    return Message(_key(incident), CHANNELS[incident.severity], "anomaly", "", (), incident.started_at).message_id


def _running(
    connection: Connection, sites: Iterable[str], now: datetime, settings: IncidentSettings
) -> dict[str, Incident]:
    columns = site_incidents.c
    found: dict[str, Incident] = {}
    for piece in _pieces(sites):
        query = (
            sa.select(site_incidents)
            .where(columns.site_id.in_(piece), columns.started_at > now - settings.site_span)
            .where(columns.started_at <= now)
            .order_by(columns.started_at)
        )
        found |= {row["site_id"]: Incident(**row) for row in connection.execute(query).mappings()}
    return found


def _told(
    connection: Connection, since: Mapping[str, datetime], now: datetime, settings: IncidentSettings
) -> pd.DataFrame:
    """Active, told alerts of sites: of each from ``site_span`` before its moment in ``since`` on."""
    columns = device_alerts.c
    rows: list[tuple[object, ...]] = []
    for piece in _pieces(since):
        earliest = min(since[site] for site in piece) - settings.site_span
        query = sa.select(*(columns[name] for name in _ALERT)).where(
            columns.site_id.in_(piece),
            columns.alert_created_at > earliest,
            columns.alert_created_at <= now,
            columns.suppressed.is_(sa.false()),
            columns.status.in_(ACTIVE_STATUSES),
            columns.severity.in_(CHANNELS),
        )
        rows += map(tuple, connection.execute(query))
    found = pd.DataFrame(rows, columns=list(_ALERT))
    begin = pd.to_datetime(found["site_id"].map(since), utc=True) - settings.site_span
    return found[pd.to_datetime(found["alert_created_at"], utc=True) > begin]


def _store(connection: Connection, incident: Incident) -> None:
    row, columns = asdict(incident), site_incidents.c
    insert_missing(connection, site_incidents, [row])
    own = sa.and_(columns.site_id == incident.site_id, columns.started_at == incident.started_at)
    newest = {name: row[name] for name in ("last_alert_at", "severity", "devices")}
    connection.execute(sa.update(site_incidents).where(own).values(newest))


def _pieces(sites: Iterable[str]) -> Iterable[list[str]]:
    ordered = sorted(sites)
    return (ordered[first : first + _PIECE] for first in range(0, len(ordered), _PIECE))
