"""Telling of acute alerts: one by one, or as one message when there are too many for people to read (SPEC 5)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.alerting.announce import single_message
from fridge_assets.alerting.sites import SITE_KEY, tell_sites
from fridge_assets.core.moments import spoken
from fridge_assets.notifications.message import Channel, Message
from fridge_assets.notifications.outbox import also_about, enqueue
from fridge_assets.notifications.watch import changed
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import device_alerts, outbox, outbox_subjects, watched_states
from fridge_assets.streaming.onsets import SOURCE
from fridge_assets.streaming.store import TOLD_AGAIN

SUBJECT = "streaming/storm"
_CHANNEL: Channel = "on_call"
_LISTING = "fridge-assets alerts list --min-severity CRITICAL"
_STORM, _CALM = "storm", "calm"


def announce(
    connection: Connection,
    alerts: Sequence[Mapping[str, Any]],
    sizes: Mapping[str, int],
    now: datetime,
    settings: Settings,
) -> None:
    """Store what is said about new acute alerts, in the transaction that stores the alerts themselves.

    Alerts that are told as an incident of their site come first and make no storm. More of the others within
    ``storm_span`` than ``storm_alerts`` are a storm: one message says so when it begins, and none about a single alert
    until it is over.

    Args:
        connection: of the transaction in which ``alerts`` were stored.
        alerts: DEVICE_ALERTS rows to tell of.
        sizes: site → number of its active devices.
        now: the actual time.
        settings: what makes an incident of a site, and a storm.
    """
    if not alerts:
        return
    sites = tell_sites(connection, pd.DataFrame(alerts), sizes, "", now, settings.alerts)
    enqueue(connection, sites.messages, now)
    alerts = [alert for alert in alerts if alert["alert_id"] not in sites.alert_ids]
    if not alerts:
        return
    count = max(_recent(connection, now, settings), _said(connection, now, settings) + len(alerts))
    if count <= settings.streaming.storm_alerts and not _is_storm(connection):
        enqueue(connection, [_single(alert, now) for alert in alerts], now)
        return
    ids = tuple(str(alert["alert_id"]) for alert in alerts)
    if changed(connection, SUBJECT, _STORM, now) is None:
        also_about(connection, _beginning(_since(connection)).message_id, ids)
    else:
        names = sorted({alert["site_id"] for alert in alerts})
        message = replace(
            _beginning(now),
            title=f"Storm of acute alerts: {count} in {spoken(settings.streaming.storm_span)}",
            lines=(
                f"The newest {len(alerts)} are in {len(names)} site{'s' if len(names) > 1 else ''}: "
                f"{', '.join(names[: settings.alerts.listed_alerts])}.",
                "Every alert is stored; until the storm is over none is told by itself.",
            ),
            commands=(_LISTING,),
            about=ids,
        )
        enqueue(connection, [message], now)


def settle(connection: Connection, now: datetime, settings: Settings) -> None:
    """Say that a storm is over, once the rate has fallen."""
    if not _is_storm(connection) or _recent(connection, now, settings) > settings.streaming.storm_alerts:
        return
    over = changed(connection, SUBJECT, _CALM, now)
    if over is None or over.since is None:
        return
    count = _told_since(connection, over.since - settings.streaming.storm_span)
    message = Message(
        key=f"{SUBJECT}/{now.isoformat()}",
        channel=_CHANNEL,
        kind="recovery",
        title=f"The storm of acute alerts is over after {spoken(now - over.since)}",
        lines=(f"{count} acute alerts were stored.",),
        occurred_at=now,
        commands=(_LISTING,),
        dedup_key=SUBJECT,
    )
    enqueue(connection, [message], now)


def _beginning(since: datetime) -> Message:
    return Message(f"{SUBJECT}/{since.isoformat()}", _CHANNEL, "anomaly", "", (), since, dedup_key=SUBJECT)


def _since(connection: Connection) -> datetime:
    query = sa.select(watched_states.c.since).where(watched_states.c.subject == SUBJECT)
    since: datetime = connection.execute(query).scalar_one()
    return since


def _single(alert: Mapping[str, Any], now: datetime) -> Message:
    message = single_message(alert, _CHANNEL, "", now)
    return replace(message, key=f"{message.key}/{alert[TOLD_AGAIN]}") if TOLD_AGAIN in alert else message


def _is_storm(connection: Connection) -> bool:
    state = connection.scalar(sa.select(watched_states.c.state).where(watched_states.c.subject == SUBJECT))
    return bool(state == _STORM)


def _recent(connection: Connection, now: datetime, settings: Settings) -> int:
    """Acute alerts of the span, those left out that people were told of as an incident of their site."""
    of_site = (
        sa.select(outbox_subjects.c.message_id)
        .join(outbox, outbox.c.message_id == outbox_subjects.c.message_id)
        .where(outbox_subjects.c.subject == device_alerts.c.alert_id, outbox.c.key.startswith(SITE_KEY))
    )
    return _told_since(connection, now - settings.streaming.storm_span, ~of_site.exists())


def _said(connection: Connection, now: datetime, settings: Settings) -> int:
    """Messages about single alerts within the span; alerts that are told again are among them."""
    columns = outbox.c
    query = (
        sa.select(sa.func.count())
        .select_from(outbox)
        .where(
            columns.created_at > now - settings.streaming.storm_span,
            columns.channel == _CHANNEL,
            columns.key.startswith("alert/"),
        )
    )
    return connection.scalar(query) or 0


def _told_since(connection: Connection, moment: datetime, *conditions: sa.ColumnElement[bool]) -> int:
    columns = device_alerts.c
    query = (
        sa.select(sa.func.count())
        .select_from(device_alerts)
        .where(columns.alert_created_at > moment, columns.source == SOURCE, columns.suppressed.is_(sa.false()))
        .where(*conditions)
    )
    return connection.scalar(query) or 0
