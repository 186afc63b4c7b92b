"""The words in which incidents are told of: severities, statuses, reasons, actions (SPEC 6, 6.1)."""

from enum import IntEnum
from typing import Final, Literal, NamedTuple

Status = Literal["OPEN", "ACKNOWLEDGED", "IN_PROGRESS", "RESOLVED", "FALSE_POSITIVE"]
Level = Literal["L1", "L2", "L3"]
Source = Literal["models", "streaming", "rules_fallback"]
Direction = Literal["high", "low", ""]
TellReason = Literal["opened", "severity_rose", "new_sensor", "reopened", "deadline_passed", "reminder"]
HoldReason = Literal["repeat", "being_worked_on", "unconfirmed", "silenced", "known_benign", "part_of_site"]
ClosedBecause = Literal["recovered", "withdrawn", "resolved", "false_positive"]
Verdict = Literal["", "unjudged", "confirmed", "transient"]
"""What the models say of what the stream has seen; empty where the stream has seen nothing."""
PersonsAction = Literal[
    "acknowledge",
    "take",
    "start",
    "maintain",
    "snooze",
    "resolve",
    "false_positive",
    "confirm",
    "escalate",
    "undo",
]
Action = Literal["open", "reopen", "join", "quiet", "recover", "withdraw", "breach", "remind", "wake"] | PersonsAction

LEVELS: Final[tuple[Level, ...]] = ("L1", "L2", "L3")
TAKEN: Final[frozenset[Status]] = frozenset({"ACKNOWLEDGED", "IN_PROGRESS"})
"""Statuses in which somebody sees to it."""


class Severity(IntEnum):
    """How urgent it is: a greater one is more urgent."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2
    CRITICAL = 3


class Sign(NamedTuple):
    """The sensor that stands out most, and which way it is off; the direction is empty where nobody knows."""

    sensor: str
    direction: Direction = ""
