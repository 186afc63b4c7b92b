"""What is said to people, and where (SPEC 7)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from fridge_assets.core.identity import SHORT_ID, deterministic_id

Channel = Literal["operations", "on_call", "site_digest", "data_platform", "ml", "everyone"]
CHANNELS: Final[tuple[Channel, ...]] = get_args(Channel)
Kind = Literal[
    "anomaly",
    "deadline",
    "escalation",
    "run_failure",
    "freshness",
    "data_quality",
    "fallback",
    "model",
    "recovery",
    "automation",
    "summary",
    "test",
]
"""What a message is about; ``deadline`` says that nobody has taken an incident, ``escalation`` that a person wants more
people to know; ``summary`` is the outbox's own: many old messages in one; ``test`` is never stored."""

Status = Literal["pending", "sent", "summarised", "superseded"]
"""What became of a message; ``summarised``: another message stands for it; ``superseded``: it was no longer true when
its turn came."""

_UNSEEN = {
    # Controls end headers and move cursors; the others turn text around, so that it reads as something else.
    **dict.fromkeys((*range(32), 127, *range(128, 160), 8232, 8233), " "),
    **dict.fromkeys((0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))),
}


def plain(text: str) -> str:
    """``text`` on one line, without characters that are not seen and change what is."""
    return " ".join(text.translate(_UNSEEN).split())


@dataclass(frozen=True)
class Message:
    """Something that must be said once.

    Args:
        key: natural key within the channel, such as ``incident/4f1c…/2``; a message with a known key is not new.
        channel: who is told.
        kind: what it is about.
        title: one line, without markup.
        lines: the text; whatever is in it is shown as it is, since names in it come from files.
        occurred_at: when what it is about happened, timezone-aware.
        run_id: the Dagster run that it is about or comes from; empty for none.
        about: ids of the incidents that it stands for.
        commands: what to type next.
        dedup_key: what services that call people know it by: events with the same one are one incident there, which a
            ``recovery`` ends. Empty for the message's own key.
        zone: time zone of the places that it is about, as :func:`~fridge_assets.core.moments.in_zone` takes it.
    """

    key: str
    channel: Channel
    kind: Kind
    title: str
    lines: tuple[str, ...]
    occurred_at: datetime
    run_id: str = ""
    about: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    dedup_key: str = ""
    zone: str = "UTC"

    @property
    def message_id(self) -> str:
        """The same for the same channel and key, always."""
        return deterministic_id(self.channel, self.key)

    @property
    def short_id(self) -> str:
        """The beginning of the id, by which people recognise a message that was sent again."""
        return self.message_id[:SHORT_ID]
