"""The four acute rules for one device, in plain Python, reading by reading: what a user of a stream processor writes.

Readings come in the order of their time and each only once, so there is nothing of lateness or repetition here.
"""

from collections import deque
from typing import NamedTuple

import numpy as np

from fridge_assets.settings import StreamingSettings
from fridge_assets.settings.streaming import WITHIN_INTERVALS
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
        self.max_interval = microseconds(settings.max_interval)
        self.pressure = microseconds(settings.pressure_span)
        self.rise = microseconds(settings.rise_span)
        self.recovery = microseconds(settings.defrost_recovery)
        self.lateness = microseconds(settings.allowed_lateness)
        self.bucket = microseconds(settings.vibration_bucket)
        self.history = microseconds(settings.vibration_span)
        self.enough = -(-settings.cold_start // settings.vibration_bucket)
        self.settings = settings


class Bucket:
    """What a quarter of an hour has shown."""

    __slots__ = ("ceiling", "count", "first", "floor", "last", "ran", "total")

    def __init__(self, at: int) -> None:
        self.first = self.last = at
        self.total = 0.0
        self.count = [0, 0, 0, 0]  # of current, vibration, pressure, temperature
        self.ran = 0  # readings of a running compressor's vibration
        self.floor: float | None = None
        self.ceiling: float | None = None


class DeviceRules:
    """State of one device.

    Args:
        spans: of the rules.
    """

    __slots__ = (
        "_buckets", "_ceiling", "_defrost", "_defrosting", "_fallen", "_floor", "_gap", "_interval", "_last_pressures",
        "_last_temperatures", "_met", "_new", "_pressures", "_run", "_spans", "_temperature", "_until", "_usual",
    )  # fmt: skip

    def __init__(self, spans: Spans) -> None:
        in_a_row = spans.settings.consecutive_readings
        self._spans = spans
        self._met: dict[str, int] = {}  # rule → when it was last met, if the last reading of its sensor met it
        self._buckets: dict[int, Bucket] = {}
        self._until = -1
        self._usual: float | None = None
        self._floor: float | None = None
        self._ceiling: float | None = None
        self._new = (True, True)  # whether there is too little history of pressure and of temperature
        self._interval: int | None = None
        self._gap = spans.gap
        self._last_pressures: deque[tuple[int, float]] = deque(maxlen=in_a_row)
        self._last_temperatures: deque[tuple[int, float]] = deque(maxlen=in_a_row)
        self._pressures: deque[tuple[int, float]] = deque()
        self._fallen: deque[tuple[float, float]] = deque(maxlen=in_a_row)  # a pressure and what it must be below
        self._defrosting = False  # at the last of the pressures
        self._temperature: tuple[int, float, bool] | None = None
        self._run: tuple[int, int, float] | None = None  # begin, readings, limit of a rise
        self._defrost: int | None = None

    def take(self, reading: Reading) -> list[Found]:
        """Onsets that ``reading`` is."""
        at, current, vibration, pressure, temperature, defrost = reading
        found: list[Found] = []
        if defrost:
            self._defrost = at
        self._remember(reading)
        often = self._interval is None or self._interval <= self._spans.max_interval
        if current is not None:
            self._note(OVERLOAD.name, at, current > OVERLOAD_LIMIT, found)
        if vibration is not None:
            shaken = self._usual is not None and vibration > VIBRATION_LIMIT * self._usual
            self._note(VIBRATION.name, at, shaken, found)
        if pressure is not None and often and (defrost or self._no_defrost(at, self._spans.pressure)):
            self._note(PRESSURE_LOSS.name, at, self._has_sunk(at, pressure, bool(defrost)), found)
        if temperature is not None and often:
            self._note(COOLING_LOSS.name, at, self._has_warmed(at, temperature), found)
        return found

    def _note(self, rule: str, at: int, met: bool, found: list[Found]) -> None:
        """An onset is the first reading of a row of readings that meet the rule."""
        if met:
            last = self._met.get(rule)
            if last is None or at - last > self._gap:
                found.append((rule, at))
            self._met[rule] = at
        elif self._met:
            self._met.pop(rule, None)

    def _remember(self, reading: Reading) -> None:
        """Put the reading into its bucket, and know what was usual before it."""
        spans, at = self._spans, reading.at
        until = (at - spans.lateness) // spans.bucket * spans.bucket
        if until != self._until:
            self._until = until
            self._buckets = {start: it for start, it in self._buckets.items() if start >= until - spans.history}
            self._know([it for start, it in self._buckets.items() if start < until])
        bucket = self._buckets.get(at // spans.bucket * spans.bucket)
        if bucket is None:
            bucket = self._buckets[at // spans.bucket * spans.bucket] = Bucket(at)
        bucket.last = at
        values = (reading.current, reading.vibration, reading.pressure, reading.temperature)
        for place, value in enumerate(values):
            bucket.count[place] += value is not None
        if reading.vibration is not None and reading.vibration >= spans.settings.running_vibration:
            bucket.total += reading.vibration
            bucket.ran += 1
        held = self._held(self._last_pressures, at, reading.pressure)
        if held is not None:
            bucket.floor = max(held) if bucket.floor is None else min(bucket.floor, max(held))
        settled = self._no_defrost(at, spans.recovery)
        held = self._held(self._last_temperatures, at, reading.temperature if settled else None)
        if held is not None:
            bucket.ceiling = min(held) if bucket.ceiling is None else max(bucket.ceiling, min(held))

    def _held(self, last: deque[tuple[int, float]], at: int, value: float | None) -> list[float] | None:
        """The last values when they are enough in a row."""
        if value is None:
            return None
        last.append((at, value))
        longest = (self._spans.settings.consecutive_readings - 1) * self._spans.max_interval
        return [v for _, v in last] if len(last) == last.maxlen and at - last[0][0] <= longest else None

    def _know(self, buckets: list[Bucket]) -> None:
        first, enough = self._spans.settings.min_vibration_buckets, self._spans.enough
        shaken = [it for it in buckets if it.ran]
        known = len(shaken) >= first
        self._usual = sum(it.total for it in shaken) / sum(it.ran for it in shaken) if known else None
        floors = [it.floor for it in buckets if it.floor is not None]
        ceilings = [it.ceiling for it in buckets if it.ceiling is not None]
        self._floor = float(np.float32(min(floors))) if len(floors) >= first else None
        self._ceiling = float(np.float32(max(ceilings))) if len(ceilings) >= first else None
        self._new = (len(floors) < enough, len(ceilings) < enough)
        steps = sum(max(1, *it.count) - 1 for it in buckets)
        spanned = sum((it.last - it.first) // 1000 for it in buckets)
        self._interval = max(spanned // steps, 10_000) * 1000 if steps else None
        self._gap = self._spans.gap if self._interval is None else self._interval // 1000 * self._spans.gap // 60_000

    def _no_defrost(self, at: int, span: int) -> bool:
        """Whether there was none within ``span`` up to now."""
        return self._defrost is None or at - self._defrost > span

    def _has_sunk(self, at: int, pressure: float, defrost: bool) -> bool:
        """Whether it is far below the highest within the span and below the band, for some readings in a row."""
        pressures, settings = self._pressures, self._spans.settings
        if pressures and (at - pressures[-1][0] > self._gap or defrost != self._defrosting):
            pressures.clear()
            self._fallen.clear()
        self._defrosting = defrost
        pressures.append((at, pressure))
        span = max(self._spans.pressure, round((self._interval or 0) * WITHIN_INTERVALS))
        while at - pressures[0][0] > span:
            pressures.popleft()
        share = PRESSURE_SHARE
        if self._new[0]:
            drop = settings.no_band_pressure_drop if self._floor is None else settings.cold_start_pressure_drop
            share = min(share, 1 - drop)
        limit = share * max(value for _, value in pressures)
        if self._floor is not None:
            limit = min(limit, self._floor * (1 - settings.pressure_band_margin))
        self._fallen.append((pressure, limit))
        below = self._fallen[0][1]
        return len(self._fallen) == self._fallen.maxlen and all(value < below for value, _ in self._fallen)

    def _has_warmed(self, at: int, temperature: float) -> bool:
        """Whether it has risen fast for the whole span, out of its band, and no defrost explains it."""
        spans, settings = self._spans, self._spans.settings
        settled = self._no_defrost(at, spans.recovery)
        before = self._temperature
        self._temperature = (at, temperature, settled)
        warming = False
        if before is not None:
            before_at, before_temperature, before_settled = before
            length = at - before_at
            warming = (
                settled
                and before_settled
                and length <= self._gap
                and (temperature - before_temperature) * MINUTE > COOLING_LIMIT * length
            )
        if not warming or self._run is None:
            self._run = (at, 1, self._exceeded(temperature))
            return False
        began, readings, limit = self._run
        self._run = (began, readings + 1, limit)
        return at - began >= spans.rise and readings + 1 >= settings.consecutive_readings and temperature > limit

    def _exceeded(self, temperature: float) -> float:
        """What a rise that begins now must come to."""
        settings = self._spans.settings
        if self._ceiling is None:
            return temperature + settings.no_band_temperature_rise
        new = settings.cold_start_temperature_rise
        return self._ceiling + (new if self._new[1] else settings.temperature_band_margin)
