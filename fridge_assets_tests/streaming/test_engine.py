"""What each rule sees and what it must not see, one reading at a time (SPEC 5)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pandas as pd
import pyarrow as pa
import pytest

from fridge_assets.settings import StreamingSettings
from fridge_assets.streaming import engine as engine_module
from fridge_assets.streaming.engine import Engine
from fridge_assets.streaming.history import looked_back
from fridge_assets.streaming.rules import microseconds
from fridge_assets_tests.streaming.reading_rows import MINUTE, START, Row, band_of, minutes, onsets, take

SETTINGS = StreamingSettings()


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine(SETTINGS, threads=1)
    yield made
    made.close()


def healthy(count: int, start: datetime = START) -> list[Row]:
    return [Row(at) for at in minutes(count, start)]


def found(rows: Sequence[Row], usual: pa.Table | None = None) -> list[tuple[str, float]]:
    """Rule and minute of every onset, in their order, on a device that was in its band for a day."""
    return sorted((rule, (at - START) / MINUTE) for _, rule, at in onsets([rows], usual=usual or band_of()))


def new_device(rows: Sequence[Row]) -> list[tuple[str, float]]:
    """The same on a device that has never sent before."""
    return sorted((rule, (at - START) / MINUTE) for _, rule, at in onsets([rows]))


def with_values(rows: Sequence[Row], first: int, sensor: str, values: Sequence[float | None]) -> list[Row]:
    changed = list(rows)
    for number, value in enumerate(values, first):
        changed[number] = replace(changed[number], **{sensor: value})
    return changed


def test_a_healthy_device_raises_nothing() -> None:
    assert found(healthy(120)) == []


def test_an_overload_is_one_onset_until_the_current_falls() -> None:
    rows = with_values(healthy(20), 5, "current_compressor", [40.1, 45.0, 46.0, 40.0, 41.0])
    assert found(rows) == [("compressor_overload", 5), ("compressor_overload", 9)]


def test_an_overload_after_a_silence_is_a_new_onset() -> None:
    rows = with_values(healthy(20), 5, "current_compressor", [45.0] * 10)
    assert found([*rows[:7], *rows[10:]]) == [("compressor_overload", 5), ("compressor_overload", 10)]
    assert found([*rows[:7], *rows[8:]]) == [("compressor_overload", 5)], "one lost reading is bridged"


def test_vibration_is_held_against_the_usual_of_the_device() -> None:
    spike = with_values(healthy(120), 100, "vibration_compressor", [9.1, 9.0])
    assert found(spike) == [("vibration_spike", 100)]
    strong = [replace(row, vibration_compressor=8.0) for row in healthy(120)]
    assert found(with_values(strong, 100, "vibration_compressor", [23.9])) == []


def test_vibration_of_a_machine_that_starts_and_stops_is_held_against_the_usual_of_its_runs() -> None:
    rows = cycling(10 * 60)
    spike = with_values(rows, 9 * 60 + 3, "vibration_compressor", [3.1 * 2.6])
    assert new_device(rows) == []
    assert new_device(spike) == [("vibration_spike", 9 * 60 + 3)]


def test_the_start_after_days_at_rest_is_no_vibration_spike() -> None:
    rest = [replace(row, vibration_compressor=0.05) for row in healthy(30 * 60)]
    assert found([*rest, *healthy(60, START + 30 * 60 * MINUTE)]) == []


def test_without_an_hour_of_history_there_is_no_vibration_spike() -> None:
    # Four buckets of a quarter of an hour that the watermark has left behind.
    assert found(with_values(healthy(75), 69, "vibration_compressor", [50.0])) == []
    assert found(with_values(healthy(75), 70, "vibration_compressor", [50.0])) == [("vibration_spike", 70)]


def test_the_features_know_the_usual_vibration_of_a_new_stream(engine: Engine) -> None:
    hours = [START - timedelta(hours=n) for n in (2, 3)]
    engine.know_usual(
        pa.table(
            {
                "device_id": ["d1"] * 2,
                "window_start": pa.array(hours, pa.timestamp("us", tz="UTC")),
                "mean": [3.0] * 2,
                "readings": [60] * 2,
            }
        )
    )
    changes = take(engine, [Row(START, vibration_compressor=9.5), Row(START, "d2", vibration_compressor=9.5)])
    assert [(o.device_id, o.rule, o.reference) for o in changes.new] == [("d1", "vibration_spike", 3.0)]


def test_the_features_know_the_usual_vibration_of_a_device_that_sends_every_hour(engine: Engine) -> None:
    hours = [START - n * timedelta(hours=1) for n in range(1, 25)]
    usual = {"device_id": ["d1"] * 24, "window_start": pa.array(hours, pa.timestamp("us", tz="UTC"))}
    engine.know_usual(pa.table(usual | {"mean": [3.0] * 24, "readings": [1] * 24}))
    assert take(engine, [Row(START, vibration_compressor=8.9)]).new == []


@pytest.mark.parametrize(
    ("pressures", "expected"),
    [
        ([200, 180, 160, 139.9, 139, 138], 5),
        ([200, 139.9, 139, 141], None),  # in two readings only
        ([200, 139, 141, 139, 139, 139], 5),
        ([200, 190, 180, 170, 160, 150, 140.1, 135, 130, 125], None),  # never 30 % within five minutes
        ([200, None, None, None, 130, 130, 130], None),  # real readings across the span
        ([200, None, 130, 130, 130], 4),
        ([200, 139, None, 139, 139], 4),
        ([280, 150, 150, 150, 150], None),  # a compressor that starts: in the band
    ],
)
def test_a_fall_of_pressure(pressures: list[float | None], expected: int | None) -> None:
    rows = with_values(healthy(len(pressures)), 0, "pressure_low_side", pressures)
    assert found(rows) == ([] if expected is None else [("acute_pressure_loss", expected)])


def test_a_loss_of_pressure_within_a_defrost_is_one_as_well() -> None:
    rows = [replace(row, defrost_cycle=True) for row in healthy(20)]
    assert found(with_values(rows, 5, "pressure_low_side", [100.0] * 2)) == []
    assert found(with_values(rows, 5, "pressure_low_side", [100.0] * 3)) == [("acute_pressure_loss", 7)]


def test_the_pull_down_after_a_defrost_is_no_loss_of_pressure() -> None:
    rows = with_values(healthy(60), 10, "pressure_low_side", [600.0] * 12)
    rows = [replace(row, defrost_cycle=10 <= n < 22) for n, row in enumerate(rows)]
    assert found(rows) == []


@pytest.mark.parametrize(
    ("temperatures", "expected"),
    [
        ([-20, -17.9, -15.8, -13.7], 3),
        ([-20, -17.9, -15.8, -13.8], None),  # the last minute rose by exactly 2 °C or less
        ([-20, -17.9, -15.8, -15.8, -13.7, -11.6, -9.5], 6),
        ([-20, -17.9, None, -13.5], 3),
        ([-20, -17.9, None, None, -10.0], None),
        ([-26, -23.8, -21.5, -19.3], None),  # a compressor that stops: in the band
        ([-26, -23.8, -21.5, -19.3, -16.9], 4),
    ],
)
def test_a_loss_of_cooling(temperatures: list[float | None], expected: int | None) -> None:
    rows = with_values(healthy(len(temperatures)), 0, "temperature_evaporator", temperatures)
    assert found(rows) == ([] if expected is None else [("total_cooling_loss", expected)])


@pytest.mark.parametrize(("defrost_ended", "expected"), [(5, []), (4, [("total_cooling_loss", 23)])])
def test_a_defrost_and_the_quarter_of_an_hour_after_it_do_not_count(
    defrost_ended: int, expected: list[tuple[str, float]]
) -> None:
    rows = with_values(healthy(24), 20, "temperature_evaporator", [-20, -17, -14, -11])
    rows[defrost_ended] = replace(rows[defrost_ended], defrost_cycle=True)
    assert found(rows) == expected


def cycling(count: int) -> list[Row]:
    """A compressor that runs for 10 of 30 minutes, and an evaporator that warms fast when it stops."""
    rows = healthy(count)
    for number, row in enumerate(rows):
        minute = number % 30
        running = minute < 10
        vibration = 2.4 + 0.2 * (minute % 3) if running else 0.05
        pressure = 190.0 if running else 190.0 + min(minute - 9, 10) * 11
        temperature = -26.0 + (max(10.0 - 3.0 * minute, 0.0) if running else min(2.5 * (minute - 9), 10.0))
        rows[number] = replace(
            row,
            pressure_low_side=pressure,
            temperature_evaporator=temperature,
            current_compressor=9.0 if running else 0.1,
            vibration_compressor=vibration,
        )
    return rows


def test_compressors_that_start_and_stop_are_no_failures_from_the_first_reading_on() -> None:
    assert new_device(cycling(36 * 60)) == []


def test_a_defrost_that_nobody_flags_is_no_failure_once_a_day_has_shown_one() -> None:
    rows = cycling(48 * 60)
    for day in range(2):
        warm = [min(-16.0 + 2.6 * n, 8.0) for n in range(1, 16)]
        rows = with_values(rows, (day * 24 + 6) * 60, "temperature_evaporator", warm)
        rows = with_values(rows, (day * 24 + 6) * 60 + 15, "pressure_low_side", [330.0, 170.0, 165.0, 168.0, 175.0])
    later = [rule for rule, minute in new_device(rows) if minute > 24 * 60]
    assert later == []


def test_a_door_that_is_opened_does_not_warm_a_new_device_as_far_as_a_loss() -> None:
    assert new_device(with_values(healthy(200), 150, "temperature_evaporator", [-17.5, -15, -12.5, -10, -8, -8])) == []


def test_a_freezer_that_starts_after_a_defrost_in_its_first_hour_has_lost_no_pressure() -> None:
    assert (
        new_device(with_values(healthy(60), 30, "pressure_low_side", [690.0, 480.0, 205.0, 203.0, 201.0, 202.0])) == []
    )


@pytest.mark.parametrize("onset", [10, 150, 26 * 60])
def test_a_true_loss_is_found_in_the_first_hour_the_first_day_and_after_it(onset: int) -> None:
    rows = with_values(cycling(onset + 60), onset, "pressure_low_side", [190.0, 60.0, 40.0, 40.0, 40.0, 40.0])
    rows = with_values(rows, onset, "temperature_evaporator", [-26.0 + 3.5 * n for n in range(14)])
    told = dict(new_device(rows))
    assert onset < told["acute_pressure_loss"] <= onset + 5
    assert onset < told["total_cooling_loss"] <= onset + 13


@pytest.mark.parametrize("seconds", [10, 30, 300])
def test_three_readings_in_a_row_are_enough_at_the_devices_own_interval(seconds: int) -> None:
    step = timedelta(seconds=seconds)
    before = [Row(START + n * step) for n in range(timedelta(hours=26) // step)]
    lost = [Row(before[-1].at + n * step, pressure_low_side=90.0) for n in range(1, 4)]
    warm = [
        Row(before[-1].at + n * step, temperature_evaporator=-20.0 + n * 3 * step / MINUTE)
        for n in range(1, max(timedelta(minutes=4) // step, 2) + 1)
    ]
    assert onsets([[*before, *lost]]) == {("d1", "acute_pressure_loss", lost[-1].at)}
    assert {rule for _, rule, _ in onsets([[*before, *warm]])} == {"total_cooling_loss"}


def test_a_device_that_sends_every_hour_is_not_judged_by_what_needs_minutes() -> None:
    hours = [Row(START + timedelta(hours=n)) for n in range(48)]
    odd = [replace(row, pressure_low_side=50.0, temperature_evaporator=15.0) for row in hours[40:43]]
    assert onsets([[*hours[:40], *odd, *hours[43:]]]) == set()


def test_a_current_far_above_the_usual_is_an_overload() -> None:
    rows = with_values(healthy(70), 5, "current_compressor", [60.0] * 60)
    assert found(rows) == [("compressor_overload", 5)]


def test_what_an_earlier_version_published_has_no_bands(engine: Engine) -> None:
    engine.know_usual(band_of().drop_columns(["pressure_floor", "evaporator_ceiling", "interval_seconds"]))
    assert take(engine, healthy(5)).new == []


def test_a_late_reading_moves_the_onset_and_says_so(engine: Engine) -> None:
    rows = with_values(healthy(10), 6, "current_compressor", [45.0, 45.0])
    late = rows.pop(6)
    first = take(engine, rows)
    assert [o.at for o in first.new] == [START + 7 * MINUTE]
    second = take(engine, [replace(late, arrived=START + 12 * MINUTE)])
    assert [o.at for o in second.new] == [START + 6 * MINUTE]
    assert [o.at for o in second.withdrawn] == [START + 7 * MINUTE]


def test_a_reading_that_is_too_late_is_counted_and_left_out(engine: Engine) -> None:
    take(engine, healthy(20))
    changes = take(engine, [Row(START + timedelta(minutes=8, seconds=30), current_compressor=45.0)])
    assert (changes.readings, changes.too_late, changes.new) == (0, 1, ())
    changes = take(engine, [Row(START + timedelta(minutes=9), current_compressor=45.0)])
    assert (changes.readings, changes.too_late, len(changes.new)) == (1, 0, 1)


def test_one_device_that_is_ahead_makes_no_other_late(engine: Engine) -> None:
    take(engine, [Row(START + timedelta(hours=5), "ahead")])
    changes = take(engine, [Row(START, "on time", current_compressor=45.0)])
    assert [o.device_id for o in changes.new] == ["on time"]


def test_a_clock_that_was_ahead_does_not_make_the_right_time_late(engine: Engine) -> None:
    take(engine, [Row(START + timedelta(hours=3), arrived=START)])
    changes = take(engine, [Row(START + MINUTE, current_compressor=45.0)])
    assert (changes.too_late, len(changes.new)) == (0, 1)


def test_a_repeated_reading_brings_nothing_new(engine: Engine) -> None:
    rows = with_values(healthy(5), 3, "current_compressor", [45.0])
    take(engine, rows)
    again = take(engine, rows)
    assert (again.readings, again.repeated, again.new, again.withdrawn) == (5, 5, [], [])


def test_a_repeated_reading_of_a_clock_that_is_ahead_brings_nothing_new(engine: Engine) -> None:
    row = Row(START + timedelta(hours=3), arrived=START)
    take(engine, [row])
    assert take(engine, [row]).repeated == 1
    assert engine.rows()["recent"] == 1


def test_thresholds_count_from_the_moment_that_they_are_set(engine: Engine) -> None:
    since = microseconds(START - datetime(1970, 1, 1, tzinfo=START.tzinfo)) + microseconds(10 * MINUTE)
    engine.know_thresholds(
        pd.DataFrame(
            {
                "device_id": ["d1"],
                "rule": ["compressor_overload"],
                "since": [since],
                "until": pd.array([None], dtype="Int64"),
                "value": [11.0],
            }
        )
    )
    changes = take(engine, [*healthy(15), *(replace(row, device_id="d2") for row in healthy(15))])
    assert [(o.device_id, o.at, o.threshold) for o in changes.new] == [("d1", START + 10 * MINUTE, 11.0)]


def test_before_a_higher_threshold_was_set_the_default_counts(engine: Engine) -> None:
    since = microseconds(START - datetime(1970, 1, 1, tzinfo=START.tzinfo)) + microseconds(10 * MINUTE)
    pieces = {"device_id": ["d1"], "rule": ["compressor_overload"], "since": [since], "value": [50.0]}
    engine.know_thresholds(pd.DataFrame({**pieces, "until": pd.array([None], dtype="Int64")}))
    changes = take(
        engine, with_values(healthy(15), 5, "current_compressor", [45.0, 12.0, 12.0, 12.0, 12.0, 12.0, 45.0])
    )
    assert [o.at for o in changes.new] == [START + 5 * MINUTE]


def test_what_another_process_owns_now_is_forgotten(engine: Engine) -> None:
    take(engine, healthy(20), part="3")
    take(engine, [replace(row, device_id="d2") for row in healthy(20)], part="4")
    engine.forget(["3"])
    assert engine.connection.execute("SELECT DISTINCT device_no FROM recent").fetchall() == [(2,)]
    changes = take(engine, [Row(START, current_compressor=45.0)], part="3")
    assert (changes.too_late, len(changes.new)) == (0, 1), "its devices begin anew"


def test_the_window_does_not_grow_and_tidying_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = with_values(healthy(400), 300, "vibration_compressor", [9.5])
    rows = with_values(rows, 350, "temperature_evaporator", [-20, -17, -14, -11])
    batches = [rows[n : n + 10] for n in range(0, len(rows), 10)]
    untidy = onsets(batches, usual=band_of())
    monkeypatch.setattr(engine_module, "_TIDY_ROWS", 0)
    assert onsets(batches, usual=band_of()) == untidy
    assert len(untidy) == 2
    tidied = Engine(SETTINGS, threads=1)
    for batch in batches:
        take(tidied, batch)
    kept = SETTINGS.vibration_bucket + looked_back(SETTINGS) + SETTINGS.allowed_lateness
    assert tidied.rows()["recent"] < 1.4 * kept / MINUTE + 10
    tidied.close()
