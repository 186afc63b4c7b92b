"""A message as plain text, and what every way of showing it has in common: its link and its notes (SPEC 7)."""

from dataclasses import dataclass
from urllib.parse import quote

from fridge_assets.core.moments import with_local_times
from fridge_assets.notifications.message import Message
from fridge_assets.settings import NotificationSettings

CUT = "…"

_ABOUT_ALERTS = ("anomaly", "deadline", "escalation")


@dataclass(frozen=True)
class Link:
    """Where to read on.

    Args:
        label: what it leads to.
        url: its address.
    """

    label: str
    url: str


def link_of(message: Message, settings: NotificationSettings) -> Link | None:
    """Where to read on about a message: its incident, or else the run that it is about; None where there is no page.

    An incident comes from a run, too, but nobody finds it there.
    """
    if message.kind in _ABOUT_ALERTS:
        page = settings.alerts_url.rstrip("/")
        if not page:
            return None
        if len(message.about) == 1:
            return Link("Open the incident", f"{page}/{quote(message.about[0], safe='')}")
        return Link("Open the incidents", page)
    if message.run_id:
        return Link("Open the run", f"{settings.ui_url.rstrip('/')}/runs/{quote(message.run_id, safe='')}")
    return None


def notes_of(message: Message, resend: bool) -> list[str]:
    """What stands below the text: when it happened, what it is, by what it is recognised when it comes again."""
    kind = message.kind.replace("_", " ")
    happened = with_local_times(f"{message.occurred_at:%Y-%m-%d %H:%M} UTC", message.occurred_at, message.zone)
    notes = [f"{happened} · {kind} · key {message.short_id}"]
    if resend and message.kind == "summary":
        # What it says may have grown since.
        notes.append(f"Sent again (key {message.short_id}); it replaces an earlier one with this key.")
    elif resend:
        notes.append(f"Sent again (key {message.short_id}); ignore it if you have seen it.")
    return notes


def where_the_whole_is(message: Message) -> str:
    """What stands in place of text for which there is no room."""
    return f"{CUT} the whole text: fridge-assets messages show {message.short_id}"


def ending_of(message: Message, settings: NotificationSettings, resend: bool) -> list[str]:
    """What follows the text: commands, link and notes, a line each."""
    link = link_of(message, settings)
    links = [f"{link.label}: {link.url}"] if link else []
    return [*message.commands, *links, *notes_of(message, resend)]


def body_of(message: Message, settings: NotificationSettings, resend: bool, most: int) -> str:
    """All but the title as plain text of at most ``most`` characters, notes and commands always among them."""
    ending = ending_of(message, settings, resend)
    text = "\n".join(message.lines)
    room = most - len("\n\n".join(("", *ending)))
    if len(text) > room:
        ending.insert(0, where_the_whole_is(message))
        text = text[: max(room - len(ending[0]) - 2, 0)]
    return "\n".join((text, "", *ending))
