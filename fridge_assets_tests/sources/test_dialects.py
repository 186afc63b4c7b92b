"""CSV as people's programs write it: what stands for a number, a moment, a device and nothing."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from fridge_assets.sources.source import Source, TimeFormat
from fridge_assets_tests.readings.deliveries import Cleaned, cleaned

LATER = datetime(2026, 12, 1, tzinfo=UTC)
NINE = datetime(2026, 3, 11, 9, 5, tzinfo=UTC)
AMBIENT = {"Temp": "temperature_ambient"}


def read(folder: Path, text: str, encoding: str = "utf-8", name: str = "june.csv", **fields: object) -> Cleaned:
    file = folder / name
    file.write_bytes(text.encode(encoding))
    return cleaned(file, Source.model_validate(fields | {"encoding": encoding}), received_at=LATER)


def moments(result: Cleaned) -> list[datetime]:
    assert result.reasons() == []
    return result.rows["timestamp_utc"].tolist()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_decimal_comma_and_any_delimiter_in_any_encoding(tmp_path: Path, encoding: str, delimiter: str) -> None:
    lines = [
        ["Gerät", "Zeit", "Außen (°C)"],
        ["Kühl-1", "2026-03-11T09:05Z", "3,39"],
        ["Kühl-1", "2026-03-11T09:06Z", "-4"],
    ]
    columns = {"Gerät": "device_id", "Zeit": "timestamp", "Außen (°C)": "temperature_ambient"}
    text = "\r\n".join(delimiter.join(line) for line in lines) + "\r\n"
    result = read(tmp_path, text, encoding, columns=columns, delimiter=delimiter, decimal=",")
    assert result.rows["temperature_ambient"].tolist() == [3.39, -4.0]
    assert set(result.rows["device_id"]) == {"Kühl-1"}


def test_a_point_in_a_file_with_decimal_comma_is_refused_not_guessed(tmp_path: Path) -> None:
    text = 'device_id,timestamp,humidity\nd1,2026-03-11T09:05Z,"1.234,5"\nd1,2026-03-11T09:06Z,3.39\n'
    result = read(tmp_path, text, decimal=",")
    assert result.reasons() == ["VALUE_UNREADABLE"] * 2
    assert result.refused["detail"].iloc[1] == "humidity is '3.39', not a number"


@pytest.mark.parametrize(
    ("written", "format_", "zone"),
    [
        ("11.03.2026 09:05", "%d.%m.%Y %H:%M", "UTC"),
        ("11.03.2026 10:05", "%d.%m.%Y %H:%M", "Europe/Berlin"),
        ("11/03/2026 9:05", "%d/%m/%Y %H:%M", "UTC"),
        ("03/11/2026 02:05 AM", "%m/%d/%Y %I:%M %p", "America/Los_Angeles"),
        ("2026-03-11-09-05-00", "%Y-%m-%d-%H-%M-%S", "UTC"),
        ("11.03.2026 10:05 +0100", "%d.%m.%Y %H:%M %z", "UTC"),
        ("1773219900", "epoch_s", "Europe/Berlin"),
        ("1773219900.000", "epoch_s", "UTC"),
        ("1773219900000", "epoch_ms", "UTC"),
        ("1773219900000000000", "epoch_ns", "UTC"),
    ],
)  # fmt: skip
def test_every_format_of_a_time_names_its_moment(tmp_path: Path, written: str, format_: str, zone: str) -> None:
    text = f"device_id,timestamp,humidity\nd1,{written},45\n"
    assert moments(read(tmp_path, text, time={"format": format_}, timezone=zone)) == [NINE]


def test_fractions_of_epoch_seconds_keep_their_microseconds(tmp_path: Path) -> None:
    text = "device_id,timestamp,humidity\nd1,1773219900.123456,45\n"
    assert moments(read(tmp_path, text, time={"format": "epoch_s"})) == [NINE.replace(microsecond=123456)]


def test_date_and_time_in_two_columns_are_one_moment(tmp_path: Path) -> None:
    text = "device_id,Date,Time,humidity\nd1,2026-03-11,9:05:00,45\n"
    assert moments(read(tmp_path, text, time={"columns": ("Date", "Time")})) == [NINE]
    german = "device_id,Datum,Zeit,humidity\nd1,11.03.2026,9:05,45\n"
    time = {"columns": ("Datum", "Zeit"), "format": "%d.%m.%Y %H:%M"}
    assert moments(read(tmp_path, german, time=time)) == [NINE]


def test_seconds_since_a_start_are_counted_from_it(tmp_path: Path) -> None:
    text = "device_id,time[s],humidity\nd1,0,45\nd1,60.5,46\n"
    time = {"format": "seconds_since_start", "start": "2026-03-11T09:04:00Z"}
    result = read(tmp_path, text, columns={"time[s]": "timestamp"}, time=time)
    assert moments(result) == [NINE.replace(minute=4), NINE.replace(microsecond=500_000)]


def test_a_time_that_is_not_in_the_format_of_the_source_is_set_aside_with_it(tmp_path: Path) -> None:
    text = "device_id,timestamp,humidity\nd1,31.12.2026 25:00,45\n"
    result = read(tmp_path, text, time={"format": "%d.%m.%Y %H:%M"})
    assert result.refused["detail"].tolist() == ["timestamp '31.12.2026 25:00' cannot be read as %d.%m.%Y %H:%M"]


# --- summer time


def hourly(folder: Path, *times: str, devices: tuple[str, ...] = ("d1",)) -> list[str]:
    rows = [f"{device},{time},45" for time in times for device in devices]
    text = "device_id,timestamp,humidity\n" + "\n".join(rows) + "\n"
    result = read(folder, text, timezone="Europe/Berlin")
    assert result.reasons() == []
    assert len(result.rows) == len(rows), "no reading was taken for a repeat"
    return [f"{moment:%H:%M}" for moment in result.rows["timestamp_utc"].iloc[:: len(devices)]]


@pytest.mark.parametrize("devices", [("d1",), ("d1", "d2")])
def test_the_doubled_hour_has_two_passes_in_the_order_of_the_file(tmp_path: Path, devices: tuple[str, ...]) -> None:
    local = ("01:30", "02:00", "02:30", "02:00", "02:30", "03:00")
    times = [f"2025-10-26 {time}" for time in local]
    assert hourly(tmp_path, *times, devices=devices) == ["23:30", "00:00", "00:30", "01:00", "01:30", "02:00"]


def test_a_doubled_hour_that_comes_once_is_its_first_pass(tmp_path: Path) -> None:
    assert hourly(tmp_path, "2025-10-26 02:30", "2025-10-26 03:30") == ["00:30", "02:30"]


def test_a_time_in_the_missing_hour_is_of_a_clock_that_was_not_set_yet(tmp_path: Path) -> None:
    assert hourly(tmp_path, "2025-03-30 01:30", "2025-03-30 02:30", "2025-03-30 04:30") == ["00:30", "01:30", "02:30"]


def test_a_time_with_its_offset_is_of_no_doubled_hour(tmp_path: Path) -> None:
    assert hourly(tmp_path, "2025-10-26 02:30+01:00", "2025-10-26 02:30+02:00") == ["00:30", "01:30"]


# --- what a file does not say itself


def test_a_file_without_a_device_is_of_the_constant_one(tmp_path: Path) -> None:
    text = "timestamp,humidity\n2026-03-11T09:05Z,45\n"
    constants = {"device_id": "freezer-1", "defrost_cycle": False, "temperature_ambient": 21.5}
    row = read(tmp_path, text, constants=constants).rows.iloc[0]
    assert (row["device_id"], row["defrost_cycle"], row["temperature_ambient"]) == ("freezer-1", False, 21.5)
    by_name = read(tmp_path, text, name="case 7.old.csv", constants={"device_id": "{file}"})
    assert by_name.rows["device_id"].tolist() == ["case 7"]


def test_values_that_mean_nothing_are_null(tmp_path: Path) -> None:
    text = "device_id,timestamp,humidity,superheat\nd1,2026-03-11T09:05Z,-999,8\nd1,2026-03-11T09:06Z,Error,8\n"
    result = read(tmp_path, text, nothing=("-999", "Error"))
    assert result.reasons() == []
    assert (result.rows["humidity"].isna().tolist(), result.flags()) == ([True, True], [[], []])
    frame = pd.DataFrame({"device_id": "d1", "timestamp": ["2026-03-11T09:05Z"], "humidity": [-999], "superheat": [8]})
    frame.to_parquet(tmp_path / "a.parquet")
    typed = cleaned(tmp_path / "a.parquet", Source(nothing=("-999",)), received_at=LATER)
    assert (typed.rows["humidity"].isna().tolist(), typed.flags()) == ([True], [[]])


def test_names_of_devices_are_looked_up_and_offsets_added_in_our_unit(tmp_path: Path) -> None:
    text = "device_id,timestamp,Temp\nbus-3,2026-03-11T09:05Z,50\nbus-4,2026-03-11T09:05Z,50\n"
    source = {"devices": {"bus-3": "freezer-1"}, "units": {"Temp": "degF"}, "offsets": {"temperature_ambient": 0.5}}
    result = read(tmp_path, text, columns=AMBIENT, **source)
    assert result.rows["device_id"].tolist() == ["bus-4", "freezer-1"]
    assert result.rows["temperature_ambient"].tolist() == pytest.approx([10.5, 10.5])


def test_lines_above_the_header_are_skipped(tmp_path: Path) -> None:
    text = "Logger 7\nexported,today\ndevice_id,timestamp,humidity\nd1,2026-03-11T09:05Z,45\n"
    assert moments(read(tmp_path, text, skip_lines=2)) == [NINE]


def test_a_column_with_a_slash_in_its_name_may_be_the_timestamp(tmp_path: Path) -> None:
    text = "device_id,Date/Time,humidity\nd1,2026-03-11T09:05Z,45\n"
    assert moments(read(tmp_path, text, columns={"Date/Time": "timestamp"})) == [NINE]


def test_a_time_needs_a_format_that_there_is() -> None:
    with pytest.raises(ValueError, match="'epoch' is not a format of times"):
        TimeFormat(format="epoch")
