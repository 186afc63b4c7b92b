"""The four acute rules for one device, in plain Python, reading by reading: what a user of a stream processor writes.

Readings come in the order of their time and each only once, so there is nothing of lateness or repetition here.
"""

from collections import deque
from typing import NamedTuple

from fridge_assets.settings import StreamingSettings
from fridge_assets.streaming.rules import COOLING_LOSS, OVERLOAD, PRESSURE_LOSS, VIBRATION, microseconds

MINUTE = 60_000_000
OVERLOAD_LIMIT = OVERLOAD.default
VIBRATION_LIMIT = VIBRATION.default
PRESSURE_SHARE = 1 - PRESSURE_LOSS.default
COOLING_LIMIT = COOLING_LOSS.default


class Reading(NamedTuple):
    """What the rules look at; ``at`` in µs since 1970."""

    at: int
    current: float | None
    vibration: float | None
    pressure: float | None
    temperature: float | None
    defrost: bool | None


Found = tuple[str, int]
"""A rule and the time of an onset."""


class Spans:
    """The settings of the stream in µs."""

    def __init__(self, settings: StreamingSettings) -> None:
        self.gap = microseconds(settings.max_gap)
        self.pressure = microseconds(settings.pressure_span)
        self.rise = microseconds(settings.rise_span)
        self.recovery = microseconds(settings.defrost_recovery)
        self.lateness = microseconds(settings.allowed_lateness)
        self.bucket = microseconds(settings.vibration_bucket)
        self.vibration = microseconds(settings.vibration_span)
        self.min_buckets = settings.min_vibration_buckets


class DeviceRules:
    """State of one device.

    Args:
        spans: of the rules.
    """

    __slots__ = (
        "_began", "_buckets", "_defrost", "_defrosting", "_low", "_met", "_pressures", "_spans", "_temperature",
        "_until", "_usual",
    )  # fmt: skip

    def __init__(self, spans: Spans) -> None:
        self._spans = spans
        self._met: dict[str, int] = {}  # rule → when it was last met, if the last reading of its sensor met it
        self._buckets: dict[int, list[float]] = {}  # bucket → sum and number of its readings
        self._until = 0
        self._usual: float | None = None
        self._pressures: deque[tuple[int, float]] = deque()  # falling: the highest of the span is the first
        self._low = self._defrosting = False  # of the last of the pressures
        self._temperature: tuple[int, float, bool] | None = None
        self._began: int | None = None
        self._defrost: int | None = None

    def take(self, reading: Reading) -> list[Found]:
        """Onsets that ``reading`` is."""
        at, current, vibration, pressure, temperature, defrost = reading
        found: list[Found] = []
        if defrost:
            self._defrost = at
        if current is not None:
            self._note(OVERLOAD.name, at, current > OVERLOAD_LIMIT, found)
        if vibration is not None:
            self._note(VIBRATION.name, at, self._is_shaken(at, vibration), found)
        if pressure is not None and (defrost or self._no_defrost(at, self._spans.pressure)):
            self._note(PRESSURE_LOSS.name, at, self._has_sunk(at, pressure, bool(defrost)), found)
        if temperature is not None:
            self._note(COOLING_LOSS.name, at, self._has_warmed(at, temperature), found)
        return found

    def _note(self, rule: str, at: int, met: bool, found: list[Found]) -> None:
        """An onset is the first reading of a row of readings that meet the rule."""
        if met:
            last = self._met.get(rule)
            if last is None or at - last > self._spans.gap:
                found.append((rule, at))
            self._met[rule] = at
        elif self._met:
            self._met.pop(rule, None)

    def _is_shaken(self, at: int, vibration: float) -> bool:
        """Whether it is a multiple of the mean of the last day, which moves on bucket by bucket."""
        spans = self._spans
        until = (at - spans.lateness) // spans.bucket * spans.bucket
        if until != self._until:
            self._until = until
            self._buckets = {start: sums for start, sums in self._buckets.items() if start >= until - spans.vibration}
            usual = [sums for start, sums in self._buckets.items() if start < until]
            count = sum(n for _, n in usual)
            self._usual = sum(total for total, _ in usual) / count if len(usual) >= spans.min_buckets else None
        bucket = at // spans.bucket * spans.bucket
        sums = self._buckets.get(bucket)
        if sums is None:
            self._buckets[bucket] = [vibration, 1]
        else:
            sums[0] += vibration
            sums[1] += 1
        return self._usual is not None and vibration > VIBRATION_LIMIT * self._usual

    def _no_defrost(self, at: int, span: int) -> bool:
        """Whether there was none within ``span`` up to now."""
        return self._defrost is None or at - self._defrost > span

    def _has_sunk(self, at: int, pressure: float, defrost: bool) -> bool:
        """Whether it is lower by a share than the highest within the span; in a defrost, whether two in a row are."""
        pressures, spans = self._pressures, self._spans
        # The last one is always there: with it the gap is measured.
        if pressures and (at - pressures[-1][0] > spans.gap or defrost != self._defrosting):
            pressures.clear()
            self._low = False
        self._defrosting = defrost
        while pressures and at - pressures[0][0] > spans.pressure:
            pressures.popleft()
        low = bool(pressures) and pressure < PRESSURE_SHARE * pressures[0][1]
        while pressures and pressures[-1][1] <= pressure:
            pressures.pop()
        pressures.append((at, pressure))
        confirmed = self._low or not defrost
        self._low = low
        return low and confirmed

    def _has_warmed(self, at: int, temperature: float) -> bool:
        """Whether it has risen fast for the whole span, and no defrost explains it."""
        spans = self._spans
        settled = self._no_defrost(at, spans.recovery)
        before = self._temperature
        self._temperature = (at, temperature, settled)
        if before is None:
            return False
        before_at, before_temperature, before_settled = before
        length = at - before_at
        warming = (
            settled
            and before_settled
            and length <= spans.gap
            and (temperature - before_temperature) * MINUTE > COOLING_LIMIT * length
        )
        if not warming:
            self._began = None
            return False
        if self._began is None:
            self._began = before_at
        return at - self._began >= spans.rise
