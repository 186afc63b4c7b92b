"""Incoming webhooks of chats: Slack, Microsoft Teams and Mattermost (SPEC 7)."""

import re
from typing import Any

from fridge_assets.core.markdown import escaped
from fridge_assets.notifications.blocks import blocks_of, content_of
from fridge_assets.notifications.http_post import JsonPoster
from fridge_assets.notifications.message import Channel, Message
from fridge_assets.notifications.plain_text import link_of, notes_of, where_the_whole_is
from fridge_assets.notifications.sending import NotSent
from fridge_assets.settings import NotificationSettings, WebhookDestination

_MOST_TEAMS = 20_000
"""Characters: Teams takes 28 KB, markup included."""
_MOST_MATTERMOST = 3_800
"""Characters, escapes included; older servers take 4,000."""
_CONTENT_REFUSED = ("invalid_blocks", "invalid_payload", "msg_blocks_too_long", "no_text")

_TRIGGER = re.compile(r"([@:#/])(?=\S)")
_BREAK = "\u200b"
"""A space that is not seen: what follows ``@`` or ``:`` after it is neither a mention nor an emoji nor a link."""


class WebhookSender:
    """Posts messages as the chat takes them; retrying is left to the outbox.

    Args:
        name: how the destination is called.
        chosen: which chat, and the address of its webhook.
        settings: timeout, and addresses that messages link to.
    """

    def __init__(self, name: str, chosen: WebhookDestination, settings: NotificationSettings) -> None:
        self._kind = chosen.kind
        self._settings = settings
        self._poster = JsonPoster(name, chosen.url.get_secret_value(), settings.timeout)

    def send(self, channel: Channel, message: Message, resend: bool) -> str:  # noqa: ARG002 (the webhook has its own)
        """Post ``message``; webhooks do not say where it stands.

        Raises:
            NotSent: it was not posted, or perhaps not.
        """
        if self._kind == "teams":
            self._poster.post(teams_card(message, self._settings, resend))
        elif self._kind == "mattermost":
            self._poster.post({"text": mattermost_text(message, self._settings, resend)})
        else:
            self._post_to_slack(message, resend)
        return "posted"

    def _post_to_slack(self, message: Message, resend: bool) -> None:
        content = content_of(message, self._settings, resend)
        try:
            self._poster.post(content | {"blocks": blocks_of(message, self._settings, resend)})
        except NotSent as error:
            if not (error.certain and any(code in error.reason for code in _CONTENT_REFUSED)):
                raise
            self._poster.post(content)


def teams_card(message: Message, settings: NotificationSettings, resend: bool) -> dict[str, Any]:
    """The message as an Adaptive Card; its runs of text are shown as they are, where plain blocks read Markdown."""
    lines, room = list[str](), _MOST_TEAMS
    for line in message.lines:
        room -= len(line)
        if room < 0:
            lines.append(where_the_whole_is(message))
            break
        lines.append(line)
    link = link_of(message, settings)
    body = [
        _run(message.title, weight="Bolder", size="Medium"),
        *(_run(line) for line in lines),
        *(_run(command, fontType="Monospace") for command in message.commands),
        *(_run(note, isSubtle=True, size="Small") for note in notes_of(message, resend)),
    ]
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    if link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": link.label, "url": link.url}]
    return {
        "type": "message",
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}],
    }


def mattermost_text(message: Message, settings: NotificationSettings, resend: bool) -> str:
    """The message in Mattermost's Markdown, in which nothing of the message itself is markup, mention or link."""
    link = link_of(message, settings)
    ending = [
        *(_code(command) for command in message.commands),
        *([f"[{link.label}]({link.url})"] if link else []),
        *(without_markup(note) for note in notes_of(message, resend)),
    ]
    title, lines = without_markup(message.title), [without_markup(line) for line in message.lines]
    whole = "\n".join((f"**{title}**", *lines, *ending))
    if len(whole) <= _MOST_MATTERMOST:
        return whole
    ending.insert(0, without_markup(where_the_whole_is(message)))
    kept = [f"**{without_markup(message.title[:200])}**"]
    room = _MOST_MATTERMOST - len("\n".join((*kept, *ending)))
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return "\n".join((*kept, *ending))


def without_markup(text: str) -> str:
    """``text`` so that Mattermost shows it as it is, mentions and emojis too."""
    return escaped(_TRIGGER.sub(rf"\g<1>{_BREAK}", text))


def _code(text: str) -> str:
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def _run(text: str, **style: object) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **style}]}
