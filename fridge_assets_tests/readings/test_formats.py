"""The same readings in every format, and values as foreign files write them."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fridge_assets.sources.file import UnreadableFile, format_of
from fridge_assets.sources.source import Source
from fridge_assets_tests.readings.deliveries import NO_SENSOR, Row, at, cleaned, moment, reading, typed_table, write

FORMATS = ["readings.parquet", "readings.csv", "readings.csv.gz", "readings.jsonl", "readings.jsonl.gz"]


def varied_rows() -> list[Row]:
    """Readings with everything that formats may treat differently."""
    return [
        reading(0, event_id="e0", sequence_number=1, humidity=45.678901, door_open_close=True),
        reading(1, event_id=None, sequence_number=None, superheat=None, defrost_cycle=None),
        reading(2, event_id="e2", sequence_number=3, temperature_evaporator=99.0, timestamp_ingested=at(5)),
        reading(3, event_id="e2", sequence_number=4),
        {**reading(4), **NO_SENSOR},
    ]


def complete(rows: list[Row]) -> list[Row]:
    """``rows`` with the same columns in each."""
    columns = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in columns} for row in rows]


def write_with(path: Path, column: str, values: pa.Array) -> None:
    """Healthy readings as Parquet, with ``values`` in ``column``."""
    table = typed_table([reading(minute) for minute in range(len(values))])
    pq.write_table(table.set_column(table.schema.get_field_index(column), column, values), path)


@pytest.mark.parametrize("name", FORMATS[1:])
def test_every_format_gives_the_same_clean_rows(name: str, tmp_path: Path) -> None:
    rows = complete(varied_rows())
    expected = cleaned(write(tmp_path / FORMATS[0], rows))
    result = cleaned(write(tmp_path / name, rows))
    assert (len(expected.rows), expected.duplicates, expected.reasons()) == (3, 1, ["ALL_SENSORS_NULL"])
    pd.testing.assert_frame_equal(result.rows, expected.rows)
    assert (result.duplicates, result.reasons()) == (1, ["ALL_SENSORS_NULL"])


@pytest.mark.parametrize(
    ("name", "format_"),
    [("a.PARQUET", "parquet"), ("a.b.csv", "csv"), ("a.jsonl.gz", "jsonl"), ("a.txt", None), ("a.parquet.gz", None),
     (".a.csv", None), ("_a.csv", None)],
)  # fmt: skip
def test_format_is_what_the_name_promises(name: str, format_: str | None) -> None:
    assert format_of(Path(name)) == format_


def test_booleans_in_text_may_be_numbers_or_words(tmp_path: Path) -> None:
    words = {"0": False, "1": True, "true": True, "FALSE": False, "True": True, "0.0": False, "1.0": True, "": None}
    rows = [reading(minute, door_open_close=word) for minute, word in enumerate(words)]
    result = cleaned(write(tmp_path / "a.csv", rows))
    doors = [None if pd.isna(door) else bool(door) for door in result.rows["door_open_close"]]
    assert doors == list(words.values())
    assert result.reasons() == []


@pytest.mark.parametrize("type_", [pa.int8(), pa.int64(), pa.float64(), pa.bool_(), pa.string()], ids=str)
def test_booleans_in_parquet_may_have_any_type(type_: pa.DataType, tmp_path: Path) -> None:
    words = pa.array(["1", "0"] if type_ == pa.string() else [1, 0]).cast(type_)
    write_with(tmp_path / "a.parquet", "door_open_close", words)
    assert cleaned(tmp_path / "a.parquet").rows["door_open_close"].tolist() == [True, False]


def test_usual_words_for_nothing_are_null(tmp_path: Path) -> None:
    words = ["", "null", "NULL", "None", "na", "N/A", "-", " "]
    columns = ("humidity", "door_open_close", "sequence_number")
    rows = [reading(minute, **dict.fromkeys(columns, word)) for minute, word in enumerate(words)]
    result = cleaned(write(tmp_path / "a.csv", rows))
    assert result.reasons() == []
    assert result.rows["sensor_null_count"].tolist() == [2] * len(words)


@pytest.mark.parametrize("type_", [pa.int32(), pa.float32(), pa.decimal128(10, 2)], ids=str)
def test_numbers_in_parquet_may_have_any_numeric_type(type_: pa.DataType, tmp_path: Path) -> None:
    numbers = pa.array([45.0]).cast(type_)
    write_with(tmp_path / "a.parquet", "humidity", numbers)
    assert cleaned(tmp_path / "a.parquet").rows["humidity"].tolist() == [45.0]


def test_any_sensor_column_may_be_missing(tmp_path: Path) -> None:
    row = {"device_id": "d1", "timestamp": at(0), "humidity": 45.0}
    for name in ("a.csv", "a.parquet", "a.jsonl"):
        assert cleaned(write(tmp_path / name, [row])).rows["sensor_null_count"].tolist() == [13]


def test_keys_that_appear_only_in_later_json_lines_are_read(tmp_path: Path) -> None:
    sparse = {"device_id": "d1", "timestamp": at(0), "humidity": 45.0}
    assert cleaned(write(tmp_path / "a.jsonl", [sparse, reading(1)])).rows["sensor_null_count"].tolist() == [13, 0]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_may_be_separated_by_comma_semicolon_or_tab_and_carry_a_byte_order_mark(
    separator: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    lines = ["device_id,timestamp,humidity,superheat", f"d1,{at(0)},45,8", f"d1,{at(1)},46,9"]
    path.write_text("\ufeff" + "\r\n".join(lines).replace(",", separator) + "\r\n")
    assert cleaned(path).rows["humidity"].tolist() == [45, 46]


# --- timestamps


@pytest.mark.parametrize(
    ("text", "timezone"),
    [
        ("2026-06-01T12:00:00Z", "UTC"),
        ("2026-06-01T14:00:00+02:00", "UTC"),
        ("2026-06-01 14:00:00+02", "America/New_York"),
        ("2026-06-01T12:00:00", "UTC"),
        ("2026-06-01 12:00", "UTC"),
        ("2026-06-01T14:00:00.000", "Europe/Berlin"),
        ("2026-06-01 08:00:00", "America/New_York"),
    ],
)
def test_timestamps_with_a_zone_mean_it_and_those_without_are_in_the_given_zone(
    text: str, timezone: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.csv", [reading(timestamp=text)])
    assert cleaned(path, Source(timezone=timezone)).rows["timestamp_utc"].tolist() == [moment(0)]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_parquet_timestamps_of_any_unit_and_zone_are_read(unit: str, zone: str | None, tmp_path: Path) -> None:
    local = moment(0) if zone else moment(0).replace(tzinfo=None)
    times = pa.array([local]).cast(pa.timestamp(unit, tz=zone))
    write_with(tmp_path / "a.parquet", "timestamp", times)
    assert cleaned(tmp_path / "a.parquet").rows["timestamp_utc"].tolist() == [moment(0)]


def test_zoneless_parquet_timestamps_are_in_the_given_zone(tmp_path: Path) -> None:
    times = pa.array([moment(120).replace(tzinfo=None)])
    write_with(tmp_path / "a.parquet", "timestamp", times)
    result = cleaned(tmp_path / "a.parquet", Source(timezone="Europe/Berlin"))
    assert result.rows["timestamp_utc"].tolist() == [moment(0)]


@pytest.mark.parametrize("seconds", ["1780315200", 1780315200])
def test_seconds_since_1970_are_refused_with_what_would_be_right(seconds: object, tmp_path: Path) -> None:
    result = cleaned(write(tmp_path / "a.csv", [reading(timestamp=seconds)]))
    assert result.reasons() == ["TIMESTAMP_UNREADABLE"]
    assert "1780315200" in result.refused["detail"].iloc[0]
    assert "use ISO 8601" in result.refused["detail"].iloc[0]


def test_parquet_whose_timestamps_are_numbers_says_so(tmp_path: Path) -> None:
    write_with(tmp_path / "a.parquet", "timestamp", pa.array([1780315200]))
    result = cleaned(tmp_path / "a.parquet")
    assert result.reasons() == ["TIMESTAMP_UNREADABLE"]
    assert "1780315200" in result.refused["detail"].iloc[0]


# --- columns


def test_columns_named_like_our_own_helpers_are_just_unknown_columns(tmp_path: Path) -> None:
    helpers = {"filename": "x", "row_number": 7, "source_file": "y", "line": "z", "src": "s", "malformed_line": "m"}
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        result = cleaned(write(tmp_path / name, [{**reading(), **helpers}]))
        assert (result.reasons(), len(result.rows)) == ([], 1), name


@pytest.mark.parametrize("name", ["with 'quote.csv", "with [1] bracket.csv", "with space.parquet", "ünï.jsonl"])
def test_file_may_have_any_name_in_any_folder(name: str, tmp_path: Path) -> None:
    assert len(cleaned(write(tmp_path / "o'brien's [x] data" / name, [reading()])).rows) == 1


# --- damaged


def truncated_parquet(path: Path) -> None:
    write(path, [reading(i) for i in range(500)])
    path.write_bytes(path.read_bytes()[:-200])


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.parquet", truncated_parquet, r"a\.parquet cannot be read: .*truncated or damaged"),
        ("a.csv", lambda path: path.write_text(""), r"a\.csv is empty \(0 bytes\)"),
        ("a.txt", lambda path: path.write_text("hello"), r"a\.txt is not a readings file"),
        ("a.csv.gz", lambda path: path.write_text("no gzip"), r"a\.csv\.gz cannot be read"),
        ("a.csv", lambda path: path.write_text("timestamp,humidity\n2026-06-01T12:00Z,4\n"),
         r"has no column device_id; columns are timestamp, humidity.*--map THEIR_COLUMN=device_id"),
        ("a.csv", lambda path: path.write_text("device_id,humidity\nd1,4\n"), r"no column timestamp; columns are"),
        ("a.csv", lambda path: path.write_text("device_id,timestamp\nd1,2026-06-01T12:00Z\n"),
         r"none of the 14 sensor columns; .*--map .*temperature_evaporator"),
        ("a.jsonl", lambda path: path.write_text("not json\n"), r"has no column device_id; columns are none"),
    ],
    ids=["truncated Parquet", "empty", "other kind", "no gzip", "no device_id", "no timestamp", "no sensor", "no JSON"],
)  # fmt: skip
def test_file_that_cannot_be_read_says_why(name: str, make, message: str, tmp_path: Path) -> None:
    make(tmp_path / name)
    with pytest.raises(UnreadableFile, match=message):
        cleaned(tmp_path / name)


def test_damaged_lines_are_set_aside_with_their_text_and_the_others_are_read(tmp_path: Path) -> None:
    csv = write(tmp_path / "a.csv", [reading(0), reading(1)])
    csv.write_text(csv.read_text() + "d1,2026-06-01T12:02:00Z,1,2\n" + "d1," * 30 + "\n")
    result = cleaned(csv)
    assert (result.reasons(), len(result.rows), result.delivered) == (["ROW_MALFORMED"] * 2, 2, 4)
    assert result.refused["raw"].iloc[0] == "d1,2026-06-01T12:02:00Z,1,2"
    jsonl = write(tmp_path / "b.jsonl", [reading(0), reading(1)])
    jsonl.write_text(jsonl.read_text() + '{"device_id": "d1", "times\n' + "[1, 2]\n\n")
    result = cleaned(jsonl)
    assert (result.reasons(), len(result.rows), result.delivered) == (["ROW_MALFORMED"] * 2, 2, 4)
    assert result.refused["raw"].tolist() == ['{"device_id": "d1", "times', "[1, 2]"]


def test_header_without_rows_gives_no_readings(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [reading()])
    path.write_text(path.read_text().splitlines()[0] + "\n")
    assert cleaned(path).delivered == 0
