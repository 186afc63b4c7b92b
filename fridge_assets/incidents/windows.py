"""The device's last windows: which are judged already, what they confirm, and since when they are quiet (SPEC 6.1)."""

from collections.abc import Sequence
from datetime import datetime

from fridge_assets.incidents.state import Window
from fridge_assets.incidents.terms import Severity, Source
from fridge_assets.settings import IncidentSettings

Windows = tuple[Window, ...]


def is_judged(windows: Windows, end: datetime, source: Source, severity: Severity | None) -> bool:
    """Whether a source has said of a window at least what it says now, or of a later one anything."""
    if any(window.end > end and window.source == source for window in windows):
        return True
    for window in windows:
        if (window.end, window.source) == (end, source):
            return severity is None or (window.severity is not None and window.severity >= severity)
    return bool(windows) and end < windows[0].end


def with_window(windows: Windows, window: Window, settings: IncidentSettings) -> Windows:
    """The last windows after another was judged; what the same source has said of that one before is replaced."""
    if window.source == "streaming":
        return windows  # it judges no windows: it sees, or it does not
    others = [other for other in windows if (other.end, other.source) != (window.end, window.source)]
    kept = sorted([*others, window], key=lambda one: (one.end, one.source))
    ends = _last_ends(kept, max(settings.confirm_windows, settings.resolve_after_windows))
    return tuple(one for one in kept if one.end in ends)


def confirms(windows: Windows, settings: IncidentSettings) -> bool:
    """Whether MEDIUM evidence was seen in enough of the last windows."""
    ends = _last_ends(windows, settings.confirm_windows)
    return len({one.end for one in windows if one.end in ends and one.counts}) >= settings.confirm_seen


def quiet_after(windows: Windows, last_seen: datetime) -> list[datetime]:
    """Ends of the windows after ``last_seen`` that were judged quiet, oldest first."""
    return sorted({one.end for one in windows if one.end > last_seen and one.severity is None})


def _last_ends(windows: Sequence[Window], count: int) -> frozenset[datetime]:
    return frozenset(sorted({one.end for one in windows})[-count:])
