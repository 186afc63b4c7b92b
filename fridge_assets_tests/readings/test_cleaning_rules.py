"""Each row of the table of SPEC 1.3: what is repaired, what is flagged, what is set aside."""

from pathlib import Path

import pandas as pd
import pytest

from fridge_assets.contracts.sensor_readings import NUMERIC_SENSORS, Sensor
from fridge_assets_tests.readings.deliveries import (
    HEALTHY,
    NO_SENSOR,
    Row,
    at,
    cleaned,
    moment,
    reading,
    registry_of,
    write,
)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    return tmp_path / "readings.csv"


def test_healthy_reading_comes_through_unchanged_and_without_flags(csv: Path) -> None:
    result = cleaned(write(csv, [reading(timestamp_ingested=at(1))]))
    row = result.rows.iloc[0]
    assert {name: row[name] for name in HEALTHY} == HEALTHY
    assert (row["timestamp_utc"], row["timestamp_ingested"]) == (moment(0), moment(1))
    assert (result.flags(), row["sensor_null_count"]) == ([[]], 0)


# --- plausible, unusual, impossible


def test_plausible_values_stay_unusual_ones_stay_flagged_and_impossible_ones_become_null(csv: Path) -> None:
    rows = []
    for sensor in NUMERIC_SENSORS:
        values = [
            sensor.minimum, sensor.maximum,
            float(sensor.minimum or 0) - 0.001, float(sensor.maximum or 0) + 0.001,
            sensor.possible_minimum, sensor.possible_maximum,
            float(sensor.possible_minimum or 0) - 0.001, float(sensor.possible_maximum or 0) + 0.001,
        ]  # fmt: skip
        rows += [reading(i, sensor.name, **{sensor.name: value}) for i, value in enumerate(values)]
    result = cleaned(write(csv, rows))
    for sensor in NUMERIC_SENSORS:
        own = result.rows[result.rows["device_id"] == sensor.name]
        given = [row[sensor.name] for row in rows if row["device_id"] == sensor.name]
        kept = own[sensor.name].tolist()
        inside = sensor.possible_minimum == sensor.minimum  # where nothing below is possible either
        unusual = [*given[:2], *((None if inside else given[2]), given[3]), *given[4:6]]
        assert [None if pd.isna(value) else value for value in kept] == [*unusual, None, None]
        flags = [bool(list(value)) for value in own["quality_flags"]]
        assert flags == [False, False, True, True, not inside, True, True, True], sensor.name
        assert own["sensor_null_count"].tolist() == [int(pd.isna(value)) for value in kept]


@pytest.mark.parametrize("value", [-999, 1e9, "nan", "inf", "-inf"])
@pytest.mark.parametrize("sensor", NUMERIC_SENSORS, ids=lambda sensor: sensor.name)
def test_what_no_sensor_reads_is_null_everywhere(sensor: Sensor, value: float | str, csv: Path) -> None:
    result = cleaned(write(csv, [reading(**{sensor.name: value})]))
    assert result.rows[sensor.name].isna().all()
    assert result.flags() == [["RANGE_VIOLATION"]]


def test_an_impossible_value_is_no_sign_of_a_sensor_and_an_unusual_one_is(csv: Path) -> None:
    rows = [reading(0, humidity=1e9, current_compressor=58), reading(5, humidity=None, current_compressor=None)]
    assert cleaned(write(csv, rows)).flags() == [["RANGE_VIOLATION"], ["SENSOR_GAP"]]
    rows = [reading(0, humidity=1e9), reading(5, humidity=None)]
    assert cleaned(write(csv, rows)).flags() == [["RANGE_VIOLATION"], []]


def test_plausible_ranges_are_those_of_the_specification() -> None:
    assert {s.name: (s.minimum, s.maximum) for s in NUMERIC_SENSORS} == {
        "temperature_evaporator": (-60, 30), "temperature_condenser": (20, 80), "temperature_ambient": (-40, 60),
        "temperature_discharge": (30, 150), "temperature_suction": (-40, 30), "pressure_high_side": (500, 3500),
        "pressure_low_side": (50, 800), "current_compressor": (0, 50), "vibration_compressor": (0, 100),
        "humidity": (0, 100), "superheat": (-5, 50), "subcooling": (-5, 30),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["readings.csv", "readings.parquet"])
def test_nan_and_infinity_count_as_out_of_range(name: str, tmp_path: Path) -> None:
    values = ["nan", "inf", "-inf"]
    rows = [reading(i, humidity=v if name.endswith("csv") else float(v)) for i, v in enumerate(values)]
    result = cleaned(write(tmp_path / name, rows))
    assert result.rows["humidity"].isna().all()
    assert result.flags() == [["RANGE_VIOLATION"]] * 3


def test_reading_without_any_value_in_range_is_set_aside(csv: Path) -> None:
    result = cleaned(write(csv, [reading(**{**NO_SENSOR, "humidity": 999.0})]))
    assert result.reasons() == ["ALL_SENSORS_NULL"]


# --- device clock


@pytest.mark.parametrize(
    ("minutes_apart", "believed"),
    [(-24 * 60, True), (24 * 60, True), (-24 * 60 - 1, False), (24 * 60 + 1, False)],
)
def test_device_clock_more_than_a_day_from_ingestion_is_not_believed(
    minutes_apart: int, believed: bool, csv: Path
) -> None:
    result = cleaned(write(csv, [reading(minutes_apart, timestamp_ingested=at(0))]))
    assert result.rows["timestamp_utc"].iloc[0] == moment(minutes_apart if believed else 0)
    assert result.flags() == [[] if believed else ["CLOCK_DRIFT"]]


def test_ingestion_time_is_the_device_clock_where_it_is_not_given(csv: Path) -> None:
    assert cleaned(write(csv, [reading(7)])).rows["timestamp_ingested"].iloc[0] == moment(7)


# --- repeated events


def test_first_of_a_repeated_event_by_sequence_is_kept_and_flagged(csv: Path) -> None:
    rows = [
        reading(event_id="e1", sequence_number=3, humidity=30),
        reading(event_id="e1", sequence_number=1, humidity=10),
        reading(event_id="e1", sequence_number="", humidity=99),
        reading(1, event_id="e2", sequence_number=4),
    ]
    result = cleaned(write(csv, rows))
    assert result.rows["event_id"].tolist() == ["e1", "e2"]
    assert result.rows["humidity"].tolist() == [10, 45]
    assert result.flags() == [["DUPLICATE_REMOVED"], []]
    assert result.duplicates == 2


def test_repeats_across_files_without_sequence_keep_the_one_that_was_ingested_first(tmp_path: Path) -> None:
    late = write(tmp_path / "a.csv", [reading(event_id="e1", humidity=50, timestamp_ingested=at(9))])
    early = write(tmp_path / "b.csv", [reading(event_id="e1", humidity=40, timestamp_ingested=at(1))])
    assert cleaned([late, early]).rows["humidity"].tolist() == [40]


def test_readings_without_event_id_are_the_same_event_only_with_same_device_time_and_values(csv: Path) -> None:
    rows = [reading(), reading(), reading(humidity=46), reading(1), reading(device="d2")]
    result = cleaned(write(csv, rows))
    assert (len(result.rows), result.duplicates) == (4, 1)
    assert result.rows["event_id"].is_unique


def test_derived_event_id_does_not_depend_on_the_format_the_reading_came_in(tmp_path: Path) -> None:
    names = ["a.csv", "a.parquet", "a.jsonl"]
    ids = {cleaned(write(tmp_path / n, [reading(humidity=45.123)])).rows["event_id"].iloc[0] for n in names}
    assert len(ids) == 1


# --- sensor gaps


def gap_minutes(result_rows: pd.DataFrame) -> list[int]:
    flagged = result_rows[["SENSOR_GAP" in flags for flags in result_rows["quality_flags"]]]
    return [int((t - moment(0)).total_seconds() // 60) for t in flagged["timestamp_utc"]]


def silent(minute: int, **changes: object) -> Row:
    return reading(minute, vibration_compressor="", **changes)


@pytest.mark.parametrize(
    ("rows", "gaps"),
    [
        ([reading(0), silent(1), silent(2), reading(3)], [1, 2]),
        ([silent(0), silent(1), reading(2), silent(3)], [3]),
        ([silent(0), silent(61)], []),
        ([reading(0), silent(59), silent(60), silent(180)], [59, 60, 180]),
        ([reading(0), silent(24 * 60), silent(24 * 60 + 1)], [24 * 60]),
        ([reading(0, device="d2"), silent(1)], []),
        ([silent(3), reading(0)], [3]),
    ],
    ids=[
        "within the hour",
        "only after it was first heard",
        "never for a sensor that was never heard",
        "across hours",
        "for a day and no longer",
        "not from another device",
        "whatever the order of delivery",
    ],
)
def test_sensor_heard_within_a_day_and_now_null_is_a_gap(rows: list[Row], gaps: list[int], csv: Path) -> None:
    assert gap_minutes(cleaned(write(csv, rows), received_at=moment(26 * 60)).rows) == gaps


def test_value_out_of_range_is_a_violation_and_not_a_gap(csv: Path) -> None:
    assert cleaned(write(csv, [reading(0), reading(1, humidity=200)])).flags() == [[], ["RANGE_VIOLATION"]]


def test_all_oddities_of_one_reading_are_flagged_together(csv: Path) -> None:
    odd = reading(-3000, timestamp_ingested=at(1), event_id="e", humidity=200, superheat="")
    result = cleaned(write(csv, [reading(0, timestamp_ingested=at(0), event_id="e0"), odd, odd]))
    assert result.flags()[1] == ["RANGE_VIOLATION", "CLOCK_DRIFT", "DUPLICATE_REMOVED", "SENSOR_GAP"]


# --- set aside


def test_unknown_device_is_set_aside_and_named(csv: Path) -> None:
    result = cleaned(write(csv, [reading(), reading(device="stranger")]), registry=registry_of("d1"))
    assert result.rows["device_id"].tolist() == ["d1"]
    assert result.reasons() == ["DEVICE_UNKNOWN"]
    assert "stranger is not in the device registry" in result.refused["detail"].iloc[0]


def test_without_a_registry_every_device_is_known(csv: Path) -> None:
    assert cleaned(write(csv, [reading(device="anyone")])).reasons() == []


def test_reading_with_fourteen_nulls_is_set_aside_with_its_raw_row(csv: Path) -> None:
    result = cleaned(write(csv, [reading(**NO_SENSOR), reading(1)]))
    assert (result.reasons(), len(result.rows)) == (["ALL_SENSORS_NULL"], 1)
    assert '"device_id":"d1"' in result.refused["raw"].iloc[0]


def test_reading_with_thirteen_nulls_is_kept(csv: Path) -> None:
    result = cleaned(write(csv, [reading(**{**NO_SENSOR, "door_open_close": 0})]))
    assert result.rows["sensor_null_count"].tolist() == [13]


@pytest.mark.parametrize(
    ("changes", "reason", "names"),
    [
        ({"device_id": " "}, "DEVICE_MISSING", "device_id is empty"),
        ({"timestamp": ""}, "TIMESTAMP_MISSING", "timestamp is empty"),
        ({"timestamp": "last tuesday"}, "TIMESTAMP_UNREADABLE", "'last tuesday'"),
        ({"timestamp": "2026-02-30T00:00:00Z"}, "TIMESTAMP_UNREADABLE", "2026-02-30"),
        ({"timestamp": "infinity"}, "TIMESTAMP_UNREADABLE", "infinity"),
        ({"timestamp": "1970-01-01T00:00:00Z"}, "TIMESTAMP_TOO_OLD", "1970-01-01"),
        ({"timestamp": "2026-06-03T00:00:00Z"}, "TIMESTAMP_IN_FUTURE", "2026-06-03"),
        ({"humidity": "wet"}, "VALUE_UNREADABLE", "humidity is 'wet', not a number"),
        ({"door_open_close": "ajar"}, "VALUE_UNREADABLE", "door_open_close is 'ajar', not true, false, 0 or 1"),
        ({"sequence_number": "first"}, "VALUE_UNREADABLE", "sequence_number is 'first', not a whole number"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isupper() else None,
)
def test_row_that_cannot_be_used_is_set_aside_with_the_offending_value(
    changes: Row, reason: str, names: str, csv: Path
) -> None:
    good = reading(1, sequence_number="")
    result = cleaned(write(csv, [reading(sequence_number="") | changes, good]))
    assert (result.reasons(), len(result.rows)) == ([reason], 1)
    assert names in result.refused["detail"].iloc[0]


def test_device_clock_at_1970_is_replaced_where_the_ingestion_time_is_known(csv: Path) -> None:
    result = cleaned(write(csv, [reading(timestamp="1970-01-01T00:00:00Z", timestamp_ingested=at(0))]))
    assert (result.flags(), result.rows["timestamp_utc"].iloc[0]) == ([["CLOCK_DRIFT"]], moment(0))
