"""A window as a row of slots, one bit each, so that how a machine ran in it is a function of the set of its readings.

Or-ing bits depends on no order, and starts, runs and gaps are whole numbers of slots. Slot 0 is the lowest bit and the
earliest. The expressions are DuckDB's, over columns that hold such masks (BIGINT).
"""

from dataclasses import dataclass
from datetime import timedelta

_MOST = 60
"""So that a mask is a positive BIGINT."""


def count_sql(mask: str) -> str:
    """How many slots ``mask`` has."""
    return f"bit_count({mask})::BIGINT"


def start_sql(moment: str, window_seconds: int) -> str:
    """The start of the window that ``moment`` is in; date_trunc asks a calendar, which takes thirty times as long."""
    return f"make_timestamptz(epoch_us({moment}) // {window_seconds * 1_000_000} * {window_seconds * 1_000_000})"


def milliseconds_sql(moment: str, window_seconds: int) -> str:
    """Milliseconds from the start of its window to ``moment``."""
    return f"epoch_us({moment}) % {window_seconds * 1_000_000} // 1000"


@dataclass(frozen=True)
class Slots:
    """How a window is cut: by the minute, or into sixty parts where it is longer than an hour.

    Args:
        window_seconds: length of a window.
    """

    window_seconds: int

    @property
    def count(self) -> int:
        """Slots in a window."""
        return min(max(self.window_seconds // 60, 1), _MOST)

    @property
    def milliseconds(self) -> int:
        """Length of a slot."""
        return self.window_seconds * 1000 // self.count

    @property
    def full(self) -> int:
        """The mask of all slots."""
        return (1 << self.count) - 1

    def within(self, span: timedelta) -> int:
        """How many slots ``span`` lasts, at least one; what begins counts."""
        return max(-(-span // timedelta(milliseconds=self.milliseconds)), 1)

    def bit_sql(self, milliseconds: str) -> str:
        """The bit of a moment ``milliseconds`` after the window's start."""
        return f"(1::BIGINT << least({milliseconds} // {self.milliseconds}, {self.count - 1}))"

    def later_sql(self, mask: str, slots: int) -> str:
        """``mask`` moved to later slots; what leaves the window is gone."""
        return f"((({mask}) & {self.full >> slots}) << {slots})"

    def held_sql(self, mask: str, observed: str, span: timedelta) -> str:
        """``mask`` held until the next observation, but no longer than ``span`` from the last.

        Args:
            mask: slots in which something was observed to be so.
            observed: slots in which it was observed at all.
            span: a slot that was observed counts as its first part.
        """
        parts = [f"({mask})"]
        seen = f"({observed})"
        for slots in range(1, min(self.within(span), self.count)):
            parts.append(f"({self.later_sql(mask, slots)} & ~({seen}))")
            seen += f" | {self.later_sql(observed, slots)}"
        return f"({' | '.join(parts)})"

    def lasting_sql(self, mask: str, span: timedelta) -> str:
        """What of ``mask`` lasts for ``span`` or longer."""
        needed = min(self.within(span), self.count)
        begun = " & ".join(f"(({mask}) >> {slots})" for slots in range(needed))
        return f"({' | '.join(self.later_sql(begun, slots) for slots in range(needed))})"

    def begun_sql(self, mask: str, before: str) -> str:
        """How many slots of ``mask`` follow on one of ``before``."""
        return count_sql(f"({mask}) & {self.later_sql(before, 1)}")

    def runs_sql(self, mask: str) -> str:
        """How many unbroken runs ``mask`` has."""
        return count_sql(f"({mask}) & ~{self.later_sql(mask, 1)}")

    def longest_sql(self, mask: str) -> str:
        """Slots of the longest unbroken run of ``mask``, 0 when it is empty."""
        runs = f"list_transform(string_split(bin({mask}), '0'), lambda run: length(run))"
        return f"CASE WHEN ({mask}) = {self.full} THEN {self.count} ELSE list_max({runs}) END"

    def after_last_sql(self, mask: str) -> str:
        """Slots up to the end of the last one in ``mask``, null when it is empty."""
        return f"length(bin(nullif({mask}, 0)))"

    def minutes_sql(self, slots: str) -> str:
        """The length of ``slots`` in minutes."""
        return f"(({slots}) * {self.milliseconds} / 60000.0)"
