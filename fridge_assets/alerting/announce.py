"""Who is told about which alert, and in which words (SPEC 6, 7)."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from fridge_assets.alerting.evidence import STREAMING
from fridge_assets.alerting.generate import GeneratedAlerts
from fridge_assets.alerting.sites import CHANNELS
from fridge_assets.core.identity import SHORT_ID
from fridge_assets.notifications.message import Channel, Message
from fridge_assets.settings import IncidentSettings

_ONE_BY_ONE = ("CRITICAL", "HIGH")
"""Severities that people are told about one by one."""
_DIGEST = "MEDIUM"


def worth_telling(generated: GeneratedAlerts, window_end: datetime) -> pd.DataFrame:
    """DEVICE_ALERTS rows that are news: new and more severe ones; not repeats, nor older alerts that are opened again.

    Args:
        generated: what one run of alerting stored.
        window_end: the window that it was about.
    """
    updated = generated.updated
    # Of streaming alerts the stream itself has told; what the scores say of them is for the dashboard.
    raised = updated[(updated["window_end"] == pd.Timestamp(window_end)) & (updated["source"] != STREAMING)]
    fresh = pd.concat([generated.new, raised])
    return fresh[~fresh["suppressed"].astype(bool) & (fresh["status"] != "RESOLVED")]


def announcements(told: pd.DataFrame, run_id: str, now: datetime, settings: IncidentSettings) -> list[Message]:
    """What is said about alerts that are news.

    Of many alerts of one severity one message is made, so that no channel floods. MEDIUM alerts come as one digest by
    site.

    Args:
        told: those of :func:`worth_telling` that no message about their site stands for.
        run_id: Dagster run that did; empty for none.
        now: when it did.
        settings: how many messages one run sends one by one, and how many alerts a list names.
    """
    messages: list[Message] = []
    for severity in _ONE_BY_ONE:
        channel = CHANNELS[severity]
        own = told[told["severity"] == severity].sort_values(["anomaly_score", "device_id"], ascending=[False, True])
        if 0 < len(own) <= settings.single_messages:
            messages += [single_message(alert, channel, run_id, now) for _, alert in own.iterrows()]
        elif len(own):
            messages.append(_listed(own, severity, channel, run_id, now, settings))
    digest = told[told["severity"] == _DIGEST]
    if len(digest):
        messages.append(_digest(digest, run_id, now, settings))
    return messages


def single_message(
    alert: "Mapping[str, Any] | pd.Series[Any]", channel: Channel, run_id: str, now: datetime
) -> Message:
    """What is said about one alert.

    Args:
        alert: DEVICE_ALERTS columns by name.
        channel: who is told.
        run_id: Dagster run that raised it; empty for none.
        now: when it did.
    """
    return Message(
        key=f"alert/{alert['alert_id']}/{alert['severity']}",
        channel=channel,
        kind="anomaly",
        title=f"{alert['severity']}: {alert['device_id']} in {alert['site_id']}: {alert['title']}",
        lines=(
            str(alert["description"]),
            f"Act by {pd.Timestamp(str(alert['sla_deadline'])):%Y-%m-%d %H:%M} UTC.",
        ),
        occurred_at=now,
        run_id=run_id,
        about=(str(alert["alert_id"]),),
        commands=(f"fridge-assets alerts show {str(alert['alert_id'])[:SHORT_ID]}",),
        dedup_key=dedup_key(str(alert["alert_id"])),
    )


def _listed(
    alerts: pd.DataFrame, severity: str, channel: Channel, run_id: str, now: datetime, settings: IncidentSettings
) -> Message:
    sites = alerts["site_id"].nunique()
    return Message(
        key=f"alerts/{severity}/{_latest(alerts)}/{alerts['alert_id'].min()}",
        channel=channel,
        kind="anomaly",
        title=f"{len(alerts)} new {severity} alerts in {sites} site{'s' if sites > 1 else ''}",
        lines=tuple(listed_lines(alerts, settings.listed_alerts)),
        occurred_at=now,
        run_id=run_id,
        about=tuple(alerts["alert_id"]),
        commands=(listing(alerts),),
    )


def _digest(alerts: pd.DataFrame, run_id: str, now: datetime, settings: IncidentSettings) -> Message:
    by_site = alerts.groupby("site_id").size().sort_values(ascending=False, kind="stable")
    named = [f"{site}: {count} device{'s' if count > 1 else ''}" for site, count in by_site.items()]
    shown = named[: settings.listed_alerts]
    rest = [f"and {len(named) - len(shown)} more sites"] if len(named) > len(shown) else []
    return Message(
        key=f"digest/{_latest(alerts)}/{alerts['alert_id'].min()}",
        channel=CHANNELS[_DIGEST],
        kind="anomaly",
        title=f"{len(alerts)} new {_DIGEST} alert{'s' if len(alerts) > 1 else ''} in {len(by_site)} site"
        f"{'s' if len(by_site) > 1 else ''}",
        lines=(*shown, *rest),
        occurred_at=now,
        run_id=run_id,
        about=tuple(alerts["alert_id"]),
        commands=(listing(alerts),),
    )


def listed_lines(alerts: pd.DataFrame, most: int) -> Iterator[str]:
    """The first ``most`` of many alerts, one a line."""
    for _, alert in alerts.head(most).iterrows():
        yield f"{alert['device_id']} in {alert['site_id']}: {alert['title']}"
    if len(alerts) > most:
        yield f"and {len(alerts) - most} more"


def listing(alerts: pd.DataFrame) -> str:
    """The command that lists alerts of one severity."""
    return f"fridge-assets alerts list --min-severity {alerts['severity'].iloc[0]}"


def dedup_key(alert_id: str) -> str:
    """By what services that call people know an alert, whatever is said of it."""
    return f"alert/{alert_id}"


def _latest(alerts: pd.DataFrame) -> str:
    return pd.Timestamp(alerts["window_end"].max()).isoformat()
