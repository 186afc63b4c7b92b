"""Events for services that call people: PagerDuty and Opsgenie (SPEC 7)."""

from typing import Any
from urllib.parse import quote

from fridge_assets.notifications.http_post import JsonPoster
from fridge_assets.notifications.message import Channel, Message
from fridge_assets.notifications.plain_text import body_of, link_of
from fridge_assets.settings import EventDestination, NotificationSettings

_OWN = {
    "pagerduty": "https://events.pagerduty.com/v2/enqueue",
    "opsgenie": "https://api.opsgenie.com/v2/alerts",
}
_MOST_SUMMARY = {"pagerduty": 1024, "opsgenie": 130}
_MOST_TEXT = 10_000
_MOST_KEY = {"pagerduty": 255, "opsgenie": 512}
_CALM = ("recovery", "summary", "test")
_URGENCY = {
    "on_call": ("critical", "P1"),
    "everyone": ("critical", "P1"),
    "operations": ("error", "P2"),
    "data_platform": ("error", "P2"),
    "ml": ("error", "P2"),
    "site_digest": ("warning", "P3"),
}


class EventSender:
    """Opens an incident for a message, adds to one that is open, or ends it; retrying is left to the outbox.

    Args:
        name: how the destination is called.
        chosen: which service, and its key.
        settings: timeout, and addresses that messages link to.
    """

    def __init__(self, name: str, chosen: EventDestination, settings: NotificationSettings) -> None:
        self._chosen = chosen
        self._settings = settings
        key = chosen.key.get_secret_value()
        headers = {"Authorization": f"GenieKey {key}"} if chosen.kind == "opsgenie" else {}
        self._poster = JsonPoster(name, (chosen.url or _OWN[chosen.kind]).rstrip("/"), settings.timeout, headers)

    def send(self, channel: Channel, message: Message, resend: bool) -> str:
        """Hand ``message`` over; returns the deduplication key of its incident.

        Raises:
            NotSent: it was not taken, or perhaps not.
        """
        if message.kind == "recovery" and not ends(message):
            return "no incident: nothing was opened that it could end"  # and nobody is called for good news
        dedup_key = dedup_key_of(message, self._chosen.kind)
        if self._chosen.kind == "pagerduty":
            event = pagerduty_event(channel, message, self._settings, resend)
            self._poster.post(event | {"routing_key": self._chosen.key.get_secret_value()})
        elif ends(message):
            note = {"source": "fridge-assets", "note": body_of(message, self._settings, resend, _MOST_TEXT)}
            self._poster.post(note, f"/{quote(dedup_key, safe='')}/close?identifierType=alias")
        else:
            self._poster.post(opsgenie_alert(channel, message, self._settings, resend))
        return dedup_key


def dedup_key_of(message: Message, kind: str) -> str:
    """By what the service knows the incident of a message; the same when the message is sent again."""
    return (message.dedup_key or message.key)[: _MOST_KEY[kind]]


def ends(message: Message) -> bool:
    """Whether a message ends the incident that an earlier one has opened."""
    return message.kind == "recovery" and bool(message.dedup_key)


def pagerduty_event(channel: Channel, message: Message, settings: NotificationSettings, resend: bool) -> dict[str, Any]:
    """The message as an event of the Events API v2, without the key of the integration."""
    severity = "info" if message.kind in _CALM else _URGENCY[channel][0]
    link = link_of(message, settings)
    event: dict[str, Any] = {
        "event_action": "resolve" if ends(message) else "trigger",
        "dedup_key": dedup_key_of(message, "pagerduty"),
        "payload": {
            "summary": message.title[: _MOST_SUMMARY["pagerduty"]],
            "source": "fridge-assets",
            "severity": severity,
            "timestamp": message.occurred_at.isoformat(),
            "class": message.kind,
            "group": channel,
            "custom_details": {"text": body_of(message, settings, resend, _MOST_TEXT)},
        },
    }
    if link:
        event["links"] = [{"href": link.url, "text": link.label}]
    return event


def opsgenie_alert(channel: Channel, message: Message, settings: NotificationSettings, resend: bool) -> dict[str, Any]:
    """The message as an alert of Opsgenie's Alert API v2."""
    return {
        "message": message.title[: _MOST_SUMMARY["opsgenie"]],
        "alias": dedup_key_of(message, "opsgenie"),
        "description": body_of(message, settings, resend, _MOST_TEXT),
        "priority": "P5" if message.kind in _CALM else _URGENCY[channel][1],
        "source": "fridge-assets",
        "tags": [channel, message.kind],
    }
