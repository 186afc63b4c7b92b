"""What is said to people, and where (SPEC 7)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from fridge_assets.identity import SHORT_ID, deterministic_id

Channel = Literal["operations", "on_call", "site_digest", "data_platform", "ml", "everyone"]
Kind = Literal[
    "anomaly",
    "deadline",
    "run_failure",
    "freshness",
    "data_quality",
    "fallback",
    "model",
    "recovery",
    "automation",
    "summary",
]
"""What a message is about; ``summary`` is the outbox's own: many old messages in one."""

Status = Literal["pending", "sent", "summarised"]
"""What became of a message; ``summarised``: another message stands for it."""


@dataclass(frozen=True)
class Message:
    """Something that must be said once.

    Args:
        key: natural key within the channel, such as ``alert/4f1c…/CRITICAL``; a message with a known key is not new.
        channel: who is told.
        kind: what it is about.
        title: one line, without markup.
        lines: the text, in Slack's markup or none.
        occurred_at: when what it is about happened, timezone-aware.
        run_id: the Dagster run that it is about or comes from; empty for none.
        about: ids of the alerts that it stands for.
    """

    key: str
    channel: Channel
    kind: Kind
    title: str
    lines: tuple[str, ...]
    occurred_at: datetime
    run_id: str = ""
    about: tuple[str, ...] = ()

    @property
    def message_id(self) -> str:
        """The same for the same channel and key, always."""
        return deterministic_id(self.channel, self.key)

    @property
    def short_id(self) -> str:
        """The beginning of the id, by which people recognise a message that was sent again."""
        return self.message_id[:SHORT_ID]
