"""Who is told of an incident (SPEC 6, 7)."""

from typing import Final

from fridge_assets.incidents.terms import LEVELS, Level, Severity
from fridge_assets.notifications.message import Channel

_LADDER: Final[tuple[Channel | None, ...]] = (None, "site_digest", "operations", "on_call", "everyone")
"""Whom the severities are told to at first, from the least severe; each level is one channel further."""


def channel_of(severity: Severity, level: Level = LEVELS[0]) -> Channel | None:
    """Who is told at an escalation level; None for nobody: it is for the dashboard only."""
    return _LADDER[min(severity + LEVELS.index(level), len(_LADDER) - 1)]
