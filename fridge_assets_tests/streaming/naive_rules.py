"""The four rules once more, reading by reading in plain Python, to hold the SQL against."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from fridge_assets.settings import StreamingSettings
from fridge_assets_tests.streaming.reading_rows import Row

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MINUTE = timedelta(minutes=1)
_MILLISECOND = timedelta(milliseconds=1)

Value = Callable[[Row], float | None]


def naive_onsets(rows: Sequence[Row], settings: StreamingSettings) -> set[tuple[str, str, datetime]]:
    """Device, rule and time of every onset in ``rows``, whatever their order; with the default thresholds."""
    by_device: dict[str, dict[datetime, Row]] = defaultdict(dict)
    for row in rows:
        by_device[row.device_id][row.at] = row
    found = set()
    for device, by_time in by_device.items():
        history = History([by_time[at] for at in sorted(by_time)], settings)
        for rule, met in (
            ("compressor_overload", _overload(history)),
            ("vibration_spike", _vibration(history)),
            ("acute_pressure_loss", _pressure(history)),
            ("total_cooling_loss", _cooling(history)),
        ):
            before: tuple[datetime, bool] | None = None
            for at, is_met in met:
                goes_on = before is not None and before[1] and at - before[0] <= history.usual(at).gap
                if is_met and not goes_on:
                    found.add((device, rule, at))
                before = (at, is_met)
    return found


@dataclass(frozen=True)
class Usual:
    """What is usual of a device at some time."""

    vibration: float | None
    pressure_floor: float | None
    pressure_new: bool
    evaporator_ceiling: float | None
    evaporator_new: bool
    interval: timedelta | None
    gap: timedelta


class History:
    """The readings of one device in the order of their time, and what was usual before each of them."""

    def __init__(self, series: Sequence[Row], settings: StreamingSettings) -> None:
        self.series, self.settings = series, settings
        self._usual: dict[datetime, Usual] = {}
        self._pressures = self._held([(r.at, r.pressure_low_side) for r in series], max)
        settled = [(r.at, r.temperature_evaporator) for r in series if self.no_defrost(r, settings.defrost_recovery)]
        self._temperatures = self._held(settled, min)

    def no_defrost(self, row: Row, span: timedelta) -> bool:
        """Whether there was none within ``span`` up to ``row``."""
        return not any(other.defrost_cycle and timedelta(0) <= row.at - other.at <= span for other in self.series)

    def usual(self, at: datetime) -> Usual:
        """What was usual when a reading of the time ``at`` came."""
        until = self._bucket(at - self.settings.allowed_lateness)
        if until not in self._usual:
            self._usual[until] = self._usual_until(until)
        return self._usual[until]

    def _held(
        self, values: Sequence[tuple[datetime, float | None]], of: Callable[[Sequence[float]], float]
    ) -> list[tuple[datetime, float]]:
        """What was held by as many readings in a row as the rules want to see."""
        count = self.settings.consecutive_readings
        present = [(at, value) for at, value in values if value is not None]
        rows = [present[n - count + 1 : n + 1] for n in range(count - 1, len(present))]
        held = [row for row in rows if row[-1][0] - row[0][0] <= (count - 1) * self.settings.max_interval]
        return [(row[-1][0], float(np.float32(of([value for _, value in row])))) for row in held]

    def _bucket(self, at: datetime) -> datetime:
        return _EPOCH + (at - _EPOCH) // self.settings.vibration_bucket * self.settings.vibration_bucket

    def _usual_until(self, until: datetime) -> Usual:
        settings = self.settings
        enough = -(-settings.cold_start // settings.vibration_bucket)

        def remembered(at: datetime) -> bool:
            return until - settings.vibration_span <= at < until

        rows = [r for r in self.series if remembered(r.at)]
        shaken = [r for r in rows if (r.vibration_compressor or 0) >= settings.running_vibration]
        known = len({self._bucket(r.at) for r in shaken}) >= settings.min_vibration_buckets
        pressures, temperatures = (
            {at: value for at, value in held if remembered(at)} for held in (self._pressures, self._temperatures)
        )
        buckets = [len({self._bucket(at) for at in held}) for held in (pressures, temperatures)]
        pressure_buckets, temperature_buckets = buckets
        interval = self._interval(rows)
        return Usual(
            sum(r.vibration_compressor or 0 for r in shaken) / len(shaken) if known else None,
            min(pressures.values()) if pressure_buckets >= settings.min_vibration_buckets else None,
            pressure_buckets < enough,
            max(temperatures.values()) if temperature_buckets >= settings.min_vibration_buckets else None,
            temperature_buckets < enough,
            interval,
            settings.max_gap if interval is None else interval // _MILLISECOND * settings.max_gap // 60_000,
        )

    def _interval(self, rows: Sequence[Row]) -> timedelta | None:
        buckets: dict[datetime, list[Row]] = defaultdict(list)
        for row in rows:
            buckets[self._bucket(row.at)].append(row)
        spanned = steps = 0
        names = ("current_compressor", "vibration_compressor", "pressure_low_side", "temperature_evaporator")
        for there in buckets.values():
            spanned += (there[-1].at - there[0].at) // _MILLISECOND
            steps += max(1, *(sum(getattr(r, name) is not None for r in there) for name in names)) - 1
        return max(spanned // steps * _MILLISECOND, timedelta(seconds=10)) if steps else None


_Met = list[tuple[datetime, bool]]


def _overload(history: History) -> _Met:
    return [(r.at, r.current_compressor > 40) for r in history.series if r.current_compressor is not None]


def _vibration(history: History) -> _Met:
    met = []
    for row in history.series:
        if row.vibration_compressor is not None:
            usual = history.usual(row.at).vibration
            met.append((row.at, usual is not None and row.vibration_compressor > 3 * usual))
    return met


def _judged(history: History, row: Row) -> bool:
    interval = history.usual(row.at).interval
    return interval is None or interval <= history.settings.max_interval


def _pressure(history: History) -> _Met:
    settings = history.settings
    present = [
        (r, r.pressure_low_side)
        for r in history.series
        if r.pressure_low_side is not None
        and (r.defrost_cycle or history.no_defrost(r, settings.pressure_span))
        and _judged(history, r)
    ]
    limits: list[float] = []
    piece = 0
    met: _Met = []
    for position, (row, _) in enumerate(present):
        usual = history.usual(row.at)
        if position:
            before = present[position - 1][0]
            same = row.at - before.at <= usual.gap and bool(row.defrost_cycle) == bool(before.defrost_cycle)
            piece = piece if same else position
        span = max(settings.pressure_span, usual.interval * 1.5 if usual.interval else timedelta(0))
        highest = max(value for other, value in present[piece : position + 1] if row.at - other.at <= span)
        limits.append(min((1 - _pressure_drop(usual, settings)) * highest, _pressure_band(usual, settings)))
        first = position - settings.consecutive_readings + 1
        in_a_row = [value for _, value in present[max(first, 0) : position + 1]]
        met.append((row.at, first >= piece and all(value < limits[first] for value in in_a_row)))
    return met


def _pressure_drop(usual: Usual, settings: StreamingSettings) -> float:
    if not usual.pressure_new:
        return 0.30
    limit = settings.no_band_pressure_drop if usual.pressure_floor is None else settings.cold_start_pressure_drop
    return max(0.30, limit)


def _pressure_band(usual: Usual, settings: StreamingSettings) -> float:
    if usual.pressure_floor is None:
        return float("inf")
    return usual.pressure_floor * (1 - settings.pressure_band_margin)


def _cooling(history: History) -> _Met:
    settings = history.settings
    present = [
        (r, r.temperature_evaporator)
        for r in history.series
        if r.temperature_evaporator is not None and _judged(history, r)
    ]
    met: _Met = []
    run: list[tuple[Row, float]] = []
    for row, value in present:
        if run:
            before, value_before = run[-1]
            length = row.at - before.at
            warming = (
                length <= history.usual(row.at).gap
                and history.no_defrost(row, settings.defrost_recovery)
                and history.no_defrost(before, settings.defrost_recovery)
                and (value - value_before) * 60_000_000 > 2.0 * (length // timedelta(microseconds=1))
            )
            run = run if warming else []
        run.append((row, value))
        began, began_with = run[0]
        long_enough = row.at - began.at >= settings.rise_span and len(run) >= settings.consecutive_readings
        met.append((row.at, long_enough and value > _exceeded(history.usual(began.at), began_with, settings)))
    return met


def _exceeded(usual: Usual, began_with: float, settings: StreamingSettings) -> float:
    if usual.evaporator_ceiling is None:
        return began_with + settings.no_band_temperature_rise
    margin = settings.cold_start_temperature_rise if usual.evaporator_new else settings.temperature_band_margin
    return usual.evaporator_ceiling + margin
