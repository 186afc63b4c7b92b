"""A message as Slack shows it: Block Kit, and plain text where blocks are refused (SPEC 7).

Names of devices and sites come from files: nothing of a text is ever read as Slack's markup. Texts are of the type that
has none, and commands and links are elements of their own.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from fridge_assets.notifications.message import Message
from fridge_assets.notifications.plain_text import CUT, ending_of, link_of, notes_of, where_the_whole_is
from fridge_assets.settings import NotificationSettings

MAX_HEADER = 150
MAX_SECTION = 3000
"""Characters that Slack takes in one text of a block."""

MAX_SECTIONS = 10
"""More than this nobody reads in a channel; Slack takes 50 blocks."""

MAX_TEXT = 3500
"""Slack asks for less than 4,000 characters of plain text."""

_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escaped(text: str) -> str:
    """``text`` without anything that Slack reads as a link or a mention."""
    return "".join(_ESCAPED.get(character, character) for character in text)


def blocks_of(message: Message, settings: NotificationSettings, resend: bool) -> list[dict[str, Any]]:
    """The message as Block Kit blocks.

    Args:
        message: what to say.
        settings: addresses that messages link to.
        resend: it may have been posted before, and says so.
    """
    sections = list(islice(_pieces("\n".join(message.lines), MAX_SECTION), MAX_SECTIONS + 1))
    notes = [escaped(note) for note in notes_of(message, resend)]
    if len(sections) > MAX_SECTIONS:
        sections = sections[:MAX_SECTIONS]
        notes.insert(0, where_the_whole_is(message))
    return [
        {"type": "header", "text": _plain(_shortened(message.title, MAX_HEADER))},
        *({"type": "section", "text": _plain(text)} for text in sections),
        *_what_next(message, settings),
        {"type": "context", "elements": [_plain(note) for note in notes]},
    ]


def content_of(message: Message, settings: NotificationSettings, resend: bool) -> dict[str, Any]:
    """The message as text alone: for notifications, screen readers, and in place of blocks.

    Asks Slack to read no markup in it, and to make no links or mentions of what looks like them.
    """
    return {"text": text_of(message, settings, resend), "mrkdwn": False, "parse": "none", "link_names": False}


def text_of(message: Message, settings: NotificationSettings, resend: bool) -> str:
    """The text of :func:`content_of`."""
    ending = [escaped(line) for line in ending_of(message, settings, resend)]
    whole = "\n".join((message.title, *message.lines))
    pieces = list(islice(_pieces(whole, MAX_TEXT - len("\n".join(ending)) - 1), 2))
    if len(pieces) > 1:
        ending.insert(0, where_the_whole_is(message))
        pieces = list(islice(_pieces(whole, MAX_TEXT - len("\n".join(ending)) - 1), 1))
    return "\n".join((*pieces, *ending))


def metadata_of(message: Message, resend: bool) -> dict[str, Any]:
    """By what a program recognises the post of a message."""
    payload = {"key": message.key, "message_id": message.message_id, "resend": resend}
    return {"event_type": "fridge_assets_message", "event_payload": payload}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _what_next(message: Message, settings: NotificationSettings) -> list[dict[str, Any]]:
    """The link and the commands. A link and no button: a button needs an app that answers when it is pressed."""
    link = link_of(message, settings)
    lines: list[dict[str, Any]] = [{"type": "text", "text": text, "style": {"code": True}} for text in message.commands]
    if link:
        lines.insert(0, {"type": "link", "url": link.url, "text": link.label})
    elements = [{"type": "rich_text_section", "elements": [line]} for line in lines]
    return [{"type": "rich_text", "elements": elements}] if elements else []


def _shortened(text: str, limit: int) -> str:
    """``text`` escaped, on one line and at most ``limit`` characters long; never empty, which Slack refuses."""
    line = " ".join(text.split()) or CUT
    pieces = list(islice(_pieces(line, limit), 2))
    return pieces[0] if len(pieces) == 1 else f"{next(_pieces(line, limit - len(CUT)))}{CUT}"


def _pieces(text: str, limit: int) -> Iterator[str]:
    """``text`` escaped and cut into pieces of at most ``limit`` characters, between lines where it can be."""
    piece = ""
    for line in text.split("\n"):
        for part in _parts(line, limit):
            joined = f"{piece}\n{part}" if piece else part
            if len(joined) > limit:
                if piece.strip():
                    yield piece
                joined = part
            piece = joined
    if piece.strip():
        yield piece


def _parts(line: str, limit: int) -> Iterator[str]:
    """An escaped line, cut where it is too long but never within an escape."""
    part = ""
    for character in line:
        safe = _ESCAPED.get(character, character)
        if len(part) + len(safe) > limit:
            yield part
            part = ""
        part += safe
    yield part
