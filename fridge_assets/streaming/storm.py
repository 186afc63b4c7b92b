"""Telling of acute alerts: one by one, or as one message when there are too many for people to read (SPEC 5)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.alerting.announce import single_message
from fridge_assets.moments import spoken
from fridge_assets.notifications.message import Channel, Message
from fridge_assets.notifications.outbox import enqueue
from fridge_assets.notifications.watch import changed
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import device_alerts, outbox, watched_states
from fridge_assets.streaming.onsets import SOURCE
from fridge_assets.streaming.store import TOLD_AGAIN

SUBJECT = "streaming/storm"
_CHANNEL: Channel = "on_call"
_STORM, _CALM = "storm", "calm"


def announce(connection: Connection, alerts: Sequence[Mapping[str, Any]], now: datetime, settings: Settings) -> None:
    """Store what is said about new acute alerts, in the transaction that stores the alerts themselves.

    More of them within ``storm_span`` than ``storm_alerts`` are a storm: one message says so when it begins, and none
    about a single alert until it is over.

    Args:
        connection: of the transaction in which ``alerts`` were stored.
        alerts: DEVICE_ALERTS rows to tell of.
        now: the actual time.
        settings: what makes a storm.
    """
    if not alerts:
        return
    count = max(_recent(connection, now, settings), _said(connection, now, settings) + len(alerts))
    if count <= settings.streaming.storm_alerts and not _is_storm(connection):
        enqueue(connection, [_single(alert, now) for alert in alerts], now)
    elif changed(connection, SUBJECT, _STORM, now):
        sites = {alert["site_id"] for alert in alerts}
        message = Message(
            key=f"{SUBJECT}/{now.isoformat()}",
            channel=_CHANNEL,
            kind="anomaly",
            title=f"Storm of acute alerts: {count} in {spoken(settings.streaming.storm_span)}",
            lines=(
                f"The newest {len(alerts)} are in {len(sites)} site{'s' if len(sites) > 1 else ''}: "
                f"{', '.join(sorted(sites)[: settings.alerts.listed_alerts])}.",
                "Every alert is stored; until the storm is over none is told by itself.",
                "`fridge-assets alerts list --min-severity CRITICAL`",
            ),
            occurred_at=now,
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
        lines=(f"{count} acute alerts were stored: `fridge-assets alerts list --min-severity CRITICAL`",),
        occurred_at=now,
    )
    enqueue(connection, [message], now)


def _single(alert: Mapping[str, Any], now: datetime) -> Message:
    message = single_message(alert, _CHANNEL, "", now)
    return replace(message, key=f"{message.key}/{alert[TOLD_AGAIN]}") if TOLD_AGAIN in alert else message


def _is_storm(connection: Connection) -> bool:
    state = connection.scalar(sa.select(watched_states.c.state).where(watched_states.c.subject == SUBJECT))
    return bool(state == _STORM)


def _recent(connection: Connection, now: datetime, settings: Settings) -> int:
    return _told_since(connection, now - settings.streaming.storm_span)


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


def _told_since(connection: Connection, moment: datetime) -> int:
    columns = device_alerts.c
    query = (
        sa.select(sa.func.count())
        .select_from(device_alerts)
        .where(columns.alert_created_at > moment, columns.source == SOURCE, columns.suppressed.is_(sa.false()))
    )
    return connection.scalar(query) or 0
