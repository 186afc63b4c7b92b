"""The four rules once more, reading by reading in plain Python, to hold the SQL against."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from fridge_assets.settings import StreamingSettings
from fridge_assets_tests.streaming.reading_rows import Row

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def naive_onsets(rows: Sequence[Row], settings: StreamingSettings) -> set[tuple[str, str, datetime]]:
    """Device, rule and time of every onset in ``rows``, whatever their order; with the default thresholds."""
    by_device: dict[str, dict[datetime, Row]] = defaultdict(dict)
    for row in rows:
        by_device[row.device_id][row.at] = row
    found = set()
    for device, by_time in by_device.items():
        series = [by_time[at] for at in sorted(by_time)]
        for rule, met in (
            ("compressor_overload", _overload(series)),
            ("vibration_spike", _vibration(series, settings)),
            ("acute_pressure_loss", _pressure(series, settings)),
            ("total_cooling_loss", _cooling(series, settings)),
        ):
            before: tuple[datetime, bool] | None = None
            for at, is_met in met:
                goes_on = before is not None and before[1] and at - before[0] <= settings.max_gap
                if is_met and not goes_on:
                    found.add((device, rule, at))
                before = (at, is_met)
    return found


_Met = list[tuple[datetime, bool]]


def _overload(series: Sequence[Row]) -> _Met:
    return [(r.at, r.current_compressor > 40) for r in series if r.current_compressor is not None]


def _vibration(series: Sequence[Row], settings: StreamingSettings) -> _Met:
    bucket = settings.vibration_bucket
    met = []
    for row in series:
        if row.vibration_compressor is None:
            continue
        until = _EPOCH + (row.at - settings.allowed_lateness - _EPOCH) // bucket * bucket
        usual = [
            r for r in series if r.vibration_compressor is not None and until - settings.vibration_span <= r.at < until
        ]
        buckets = {(r.at - _EPOCH) // bucket for r in usual}
        known = len(buckets) >= settings.min_vibration_buckets
        mean = sum(r.vibration_compressor or 0 for r in usual) / len(usual) if usual else 0
        met.append((row.at, known and row.vibration_compressor > 3 * mean))
    return met


def _pressure(series: Sequence[Row], settings: StreamingSettings) -> _Met:
    span = settings.pressure_span
    present = [
        r for r in series if r.pressure_low_side is not None and (r.defrost_cycle or _no_defrost(r, series, span))
    ]
    met: _Met = []
    low: dict[datetime, bool] = {}
    for position, row in enumerate(present):
        is_met = False
        later = row
        for earlier in reversed(present[:position]):
            if not _same_piece(earlier, later, settings) or row.at - earlier.at > span:
                break
            assert row.pressure_low_side is not None
            assert earlier.pressure_low_side is not None
            is_met = is_met or row.pressure_low_side < (1 - 0.30) * earlier.pressure_low_side
            later = earlier
        low[row.at] = is_met
        before = present[position - 1] if position else None
        confirmed = before is not None and _same_piece(before, row, settings) and low[before.at]
        met.append((row.at, is_met and (confirmed or not row.defrost_cycle)))
    return met


def _same_piece(earlier: Row, later: Row, settings: StreamingSettings) -> bool:
    return later.at - earlier.at <= settings.max_gap and bool(later.defrost_cycle) == bool(earlier.defrost_cycle)


def _cooling(series: Sequence[Row], settings: StreamingSettings) -> _Met:
    present = [r for r in series if r.temperature_evaporator is not None]
    met: _Met = []
    began: Row | None = None
    for position, row in enumerate(present):
        if position:
            before = present[position - 1]
            assert row.temperature_evaporator is not None
            assert before.temperature_evaporator is not None
            length = row.at - before.at
            risen = row.temperature_evaporator - before.temperature_evaporator
            warming = (
                length <= settings.max_gap
                and _no_defrost(row, series, settings.defrost_recovery)
                and _no_defrost(before, series, settings.defrost_recovery)
                and risen * 60_000_000 > 2.0 * (length // timedelta(microseconds=1))
            )
            began = began or before if warming else None
        met.append((row.at, began is not None and row.at - began.at >= settings.rise_span))
    return met


def _no_defrost(row: Row, series: Sequence[Row], span: timedelta) -> bool:
    """Whether there was none within ``span`` up to ``row``."""
    return not any(other.defrost_cycle and timedelta(0) <= row.at - other.at <= span for other in series)
