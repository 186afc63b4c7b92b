"""The pulse of streaming processes: who is alive, and in which words it is told (SPEC 5)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fridge_assets.settings import StreamingSettings
from fridge_assets.stores.operations import Operations
from fridge_assets.streaming.status import StreamStatus, alive, beat, look, statuses

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
SETTINGS = StreamingSettings()
BUSY = StreamStatus(
    instance="fridge/7",
    source="landing",
    started_at=NOW - 120 * MINUTE,
    beaten_at=NOW - 3 * SECOND,
    newest_reading_at=NOW - 75 * SECOND,
    behind=2,
    lag_seconds=72.4,
    readings=1_234_567,
    unusable=3,
    too_late=4,
    alerts=5,
)


def silent(instance: str = "fridge/6", since: timedelta = 10 * MINUTE) -> StreamStatus:
    return replace(BUSY, instance=instance, beaten_at=NOW - since)


def stopped(instance: str = "fridge/5", since: timedelta = 10 * MINUTE) -> StreamStatus:
    return replace(silent(instance, since), stopped_at=NOW - since)


def test_a_pulse_replaces_the_one_before_of_its_process_and_of_no_other(operations: Operations) -> None:
    later = replace(BUSY, beaten_at=NOW, stopped_at=NOW, readings=2_000_000, alerts=6)
    for status in (silent(), BUSY, later):
        with operations.transaction() as connection:
            beat(connection, status)
    with operations.read() as connection:
        assert statuses(connection) == [later, silent()]


def test_a_process_that_starts_again_under_its_name_is_no_longer_stopped(operations: Operations) -> None:
    with operations.transaction() as connection:
        beat(connection, replace(BUSY, stopped_at=NOW))
        beat(connection, BUSY)
        assert statuses(connection) == [BUSY]


@pytest.mark.parametrize(
    ("since", "expected"), [(0, True), (60, True), (60.1, False), (-60, True), (-61, False), (7200, False)]
)
def test_a_pulse_is_young_within_the_limit_in_both_directions(since: float, expected: bool) -> None:
    status = silent(since=since * SECOND)
    assert alive(status, NOW, SETTINGS) == expected
    assert not alive(replace(status, stopped_at=status.beaten_at), NOW, SETTINGS)


@pytest.mark.parametrize(
    ("known", "state", "said"),
    [
        ([], "off", "not running: `fridge-assets stream`"),
        (
            [BUSY],
            "alive",
            "alive since 2026-06-01 10:00 UTC, newest reading 1 min 12 s old, 1,234,567 readings, 5 onsets",
        ),
        (
            [replace(BUSY, newest_reading_at=None, lag_seconds=0.0, readings=0, alerts=0)],
            "alive",
            "alive since 2026-06-01 10:00 UTC, no reading yet, 0 readings, 0 onsets",
        ),
        (
            [BUSY, replace(BUSY, instance="fridge/8", started_at=NOW - 5 * MINUTE, lag_seconds=9.0), silent()],
            "alive",
            "2 processes alive since 2026-06-01 10:00 UTC, newest reading 1 min 12 s old, "
            "2,469,134 readings, 10 onsets",
        ),
        ([stopped()], "off", "not running, stopped 2026-06-01 11:50 UTC: `fridge-assets stream`"),
        ([stopped(), silent(since=20 * MINUTE)], "off", "not running, stopped 2026-06-01 11:50 UTC"),
        ([silent(), stopped(since=20 * MINUTE)], "silent", "dead, silent for 10 min, and nobody has stopped it"),
        ([silent(since=-20 * MINUTE)], "silent", "dead, its last pulse lies in the future"),
    ],
)
def test_the_last_process_decides_unless_any_is_alive(known: list[StreamStatus], state: str, said: str) -> None:
    found = look(known, NOW, SETTINGS)
    assert found.state == state
    assert found.line.startswith(said)
