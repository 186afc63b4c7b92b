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
from fridge_assets.streaming.rules import microseconds
from fridge_assets_tests.streaming.reading_rows import MINUTE, START, Row, minutes, onsets, take

SETTINGS = StreamingSettings()


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine(SETTINGS, threads=1)
    yield made
    made.close()


def healthy(count: int, start: datetime = START) -> list[Row]:
    return [Row(at) for at in minutes(count, start)]


def found(rows: Sequence[Row]) -> list[tuple[str, float]]:
    """Rule and minute of every onset, in their order."""
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


def test_without_an_hour_of_history_there_is_no_vibration_spike() -> None:
    # Four buckets of a quarter of an hour that the watermark has left behind.
    assert found(with_values(healthy(75), 69, "vibration_compressor", [50.0])) == []
    assert found(with_values(healthy(75), 70, "vibration_compressor", [50.0])) == [("vibration_spike", 70)]


def test_the_features_know_the_usual_vibration_of_a_new_stream(engine: Engine) -> None:
    hours = [START - timedelta(hours=n) for n in (2, 3)]
    engine.know_vibration(
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


@pytest.mark.parametrize(
    ("pressures", "expected"),
    [
        ([200, 180, 160, 141, 139.9], 4),
        ([200, 190, 180, 170, 160, 150, 140.1, 130], None),  # never 30 % within five minutes
        ([200, None, None, None, 130], None),  # real readings across the span
        ([200, None, 130], 2),
        ([200, 139], 1),
    ],
)
def test_a_fall_of_pressure(pressures: list[float | None], expected: int | None) -> None:
    rows = with_values(healthy(len(pressures)), 0, "pressure_low_side", pressures)
    assert found(rows) == ([] if expected is None else [("acute_pressure_loss", expected)])


def test_a_loss_of_pressure_within_a_defrost_counts_from_the_second_low_reading_on() -> None:
    rows = [replace(row, defrost_cycle=True) for row in healthy(20)]
    assert found(with_values(rows, 5, "pressure_low_side", [100.0])) == []
    assert found(with_values(rows, 5, "pressure_low_side", [100.0, 100.0])) == [("acute_pressure_loss", 6)]


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
    untidy = onsets(batches)
    monkeypatch.setattr(engine_module, "_TIDY_ROWS", 0)
    assert onsets(batches) == untidy
    assert len(untidy) == 2
    tidied = Engine(SETTINGS, threads=1)
    for batch in batches:
        take(tidied, batch)
    kept = SETTINGS.lookback + SETTINGS.allowed_lateness
    assert tidied.rows()["recent"] < 1.4 * kept / MINUTE + 10
    tidied.close()
