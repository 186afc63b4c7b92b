"""A message as Slack shows it: Block Kit, and plain text where blocks are refused (SPEC 7)."""

from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import quote

from fridge_assets.notifications.message import Message

MAX_HEADER = 150
MAX_SECTION = 3000
"""Characters that Slack takes in one text of a block."""

MAX_SECTIONS = 10
"""More than this nobody reads in a channel; Slack takes 50 blocks."""

MAX_TEXT = 3500
"""Slack asks for less than 4,000 characters of plain text."""

_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_CUT = "…"


def escaped(text: str) -> str:
    """``text`` without anything that Slack reads as a link or a mention."""
    return "".join(_ESCAPED.get(character, character) for character in text)


def blocks_of(message: Message, ui_url: str, resend: bool) -> list[dict[str, Any]]:
    """The message as Block Kit blocks.

    Args:
        message: what to say.
        ui_url: address of the Dagster UI.
        resend: it may have been posted before, and says so.
    """
    sections = list(islice(_pieces("\n".join(message.lines), MAX_SECTION), MAX_SECTIONS + 1))
    notes = _notes(message, ui_url, resend)
    if len(sections) > MAX_SECTIONS:
        sections = sections[:MAX_SECTIONS]
        notes.insert(0, _where_the_whole_is(message))
    return [
        {"type": "header", "text": {"type": "plain_text", "text": _shortened(message.title, MAX_HEADER)}},
        *({"type": "section", "text": {"type": "mrkdwn", "text": text}} for text in sections),
        {"type": "context", "elements": [{"type": "mrkdwn", "text": note} for note in notes]},
    ]


def text_of(message: Message, ui_url: str, resend: bool) -> str:
    """The message as plain text: for notifications, screen readers, and in place of blocks."""
    notes = "\n".join(_notes(message, ui_url, resend))
    whole = "\n".join((message.title, *message.lines))
    pieces = list(islice(_pieces(whole, MAX_TEXT - len(notes) - 1), 2))
    if len(pieces) > 1:
        notes = f"{_where_the_whole_is(message)}\n{notes}"
        pieces = list(islice(_pieces(whole, MAX_TEXT - len(notes) - 1), 1))
    return "\n".join((*pieces, notes))


def metadata_of(message: Message, resend: bool) -> dict[str, Any]:
    """By what a program recognises the post of a message."""
    payload = {"key": message.key, "message_id": message.message_id, "resend": resend}
    return {"event_type": "fridge_assets_message", "event_payload": payload}


def _notes(message: Message, ui_url: str, resend: bool) -> list[str]:
    """What stands below the text. A link and no button: a button needs an app that answers when it is pressed."""
    about = f"{message.occurred_at:%Y-%m-%d %H:%M} UTC · {message.kind.replace('_', ' ')} · key {message.short_id}"
    notes = [about]
    if message.run_id:
        notes.insert(0, f"<{ui_url.rstrip('/')}/runs/{quote(message.run_id, safe='')}|Open the run>")
    if resend and message.kind == "summary":
        # What it says may have grown since.
        notes.append(f"Sent again (key {message.short_id}); it replaces an earlier one with this key.")
    elif resend:
        notes.append(f"Sent again (key {message.short_id}); ignore it if you have seen it.")
    return notes


def _where_the_whole_is(message: Message) -> str:
    return f"{_CUT} the whole text: `fridge-assets messages show {message.short_id}`"


def _shortened(text: str, limit: int) -> str:
    """``text`` escaped, on one line and at most ``limit`` characters long; never empty, which Slack refuses."""
    line = " ".join(text.split()) or _CUT
    pieces = list(islice(_pieces(line, limit), 2))
    return pieces[0] if len(pieces) == 1 else f"{next(_pieces(line, limit - len(_CUT)))}{_CUT}"


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
