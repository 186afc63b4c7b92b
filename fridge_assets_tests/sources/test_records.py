"""Formats other than CSV: records in JSON, the line protocol of InfluxDB, Excel, archives."""

import gzip
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fridge_assets.core.errors import FridgeError
from fridge_assets.sources.source import Source
from fridge_assets_tests.readings.deliveries import Cleaned, cleaned
from fridge_assets_tests.sources.workbook import write_workbook

LATER = datetime(2026, 12, 1, tzinfo=UTC)
MS = 1_773_219_900_000
NINE = datetime(2026, 3, 11, 9, 5, tzinfo=UTC)
EPOCH_MS = {"columns": ("ts",), "format": "epoch_ms"}
NESTED = {"columns": {"key": "device_id", "values.evap": "temperature_evaporator", "values.rh": "humidity"}}


def read(file: Path, **fields: object) -> Cleaned:
    return cleaned(file, Source.model_validate(fields), received_at=LATER)


def as_json(path: Path, value: object) -> Path:
    text = json.dumps(value, indent=1)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
def test_a_json_array_of_objects_in_objects_is_a_reading_each(tmp_path: Path, name: str) -> None:
    records = [{"key": "d1", "ts": MS + 60_000 * n, "values": {"evap": -20.1 - n, "rh": 45}} for n in range(3)]
    result = read(as_json(tmp_path / name, records), format="json", time=EPOCH_MS, **NESTED)
    assert result.rows["temperature_evaporator"].tolist() == [-20.1, -21.1, -22.1]
    assert result.rows["timestamp_utc"].iloc[0] == NINE


def test_thingsboard_telemetry_of_several_devices(tmp_path: Path) -> None:
    telemetry = {
        "freezer-1": [{"ts": MS, "values": {"evap": -20.1, "rh": 45}}, {"ts": MS + 60_000, "values": {"evap": -20.2}}],
        "freezer-2": [{"ts": MS, "values": {"evap": -19.5}}],
    }
    result = read(as_json(tmp_path / "a.json", telemetry), format="json", time=EPOCH_MS, **NESTED)
    assert result.rows[["device_id", "temperature_evaporator"]].to_numpy().tolist() == [
        ["freezer-1", -20.1], ["freezer-2", -19.5], ["freezer-1", -20.2]
    ]  # fmt: skip


def test_thingsboard_time_series_of_one_device(tmp_path: Path) -> None:
    evap = [{"ts": MS, "value": "-20.1"}, {"ts": MS + 60_000, "value": "-20.2"}]
    series = {"evap": evap, "rh": [{"ts": MS, "value": "45"}]}
    result = read(
        as_json(tmp_path / "a.json", series), format="json", time=EPOCH_MS, shape="long", tag_column="key",
        value_column="value", tags={"evap": "temperature_evaporator", "rh": "humidity"},
        constants={"device_id": "freezer-1"},
    )  # fmt: skip
    assert result.rows["temperature_evaporator"].tolist() == [-20.1, -20.2]
    assert result.rows["humidity"].iloc[0] == 45


def test_json_that_is_cut_off_is_refused_whole(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"key": "d1", "ts": 1773219900000, "values": {"evap": -20}}, {"key"')
    with pytest.raises(FridgeError, match=r"a\.json cannot be read: .*truncated or damaged"):
        read(tmp_path / "a.json", format="json", time=EPOCH_MS, **NESTED)


def test_lines_that_are_like_most_and_lines_that_are_not_are_read_alike(tmp_path: Path) -> None:
    times = [f"{MS + 60_000 * n}000000" for n in range(10)]
    (tmp_path / "a.lp").write_text(
        f"fridge,host=12i evap=-20.5,rh=45i {times[0]}\n"
        f"fridge,host=12i evap=-20.6,rh=46i {times[1]}\n"
        f"fridge,host=12i evap=-20.7,rh=47 {times[2]}\n"
        f"fridge,host=12i rh=48i,evap=-20.8 {times[3]}\n"
        f"fridge,host=12i evap=-20.9 {times[4]}\n"
        f"fridge,host=12i  evap=-21,rh=49i  {times[5]}\n"
        f"fridge,host=12i evap=-21.1,rh=50i,amb=20 {times[6]}\n"
        f"fridge,host=1\\2i evap=-21.2,rh=51i {times[7]}\n"
        f"#fridge,host=12i evap=-1,rh=1i {times[8]}\n"
        "fridge,host=12i evap=-1,rh=1i later\n"
        "fridge,host= evap=-1,rh=1i 5\n"
    )
    columns = {"host": "device_id", "evap": "temperature_evaporator", "rh": "humidity", "amb": "temperature_ambient"}
    result = read(
        tmp_path / "a.lp", format="line_protocol", columns=columns, time={"columns": ("time",), "format": "epoch_ns"}
    )
    rows = result.rows.sort_values("timestamp_utc")
    assert rows["device_id"].tolist() == ["12i"] * 8
    assert rows["temperature_evaporator"].tolist() == [-20.5, -20.6, -20.7, -20.8, -20.9, -21.0, -21.1, -21.2]
    assert rows["humidity"].fillna(-1).tolist() == [45, 46, 47, 48, -1, 49, 50, 51]
    assert rows["temperature_ambient"].dropna().tolist() == [20]
    assert result.refused["reason"].tolist() == ["ROW_MALFORMED", "DEVICE_MISSING"]


def test_influxdb_line_protocol_with_escapes_types_and_a_damaged_line(tmp_path: Path) -> None:
    (tmp_path / "a.lp").write_text(
        "# exported\n"
        f'fridge,host=freezer\\ 1,site=a evap=-20.5,rh=45i,note="a, b=c d",door=t {MS}000000\n'
        "this is no line\n"
        f"fridge,host=freezer\\ 2 evap=-21.25 {MS}000001\n"
    )
    columns = {"host": "device_id", "evap": "temperature_evaporator", "rh": "humidity", "door": "door_open_close"}
    result = read(
        tmp_path / "a.lp", format="line_protocol", columns=columns, time={"columns": ("time",), "format": "epoch_ns"}
    )
    assert result.rows["device_id"].tolist() == ["freezer 1", "freezer 2"]
    assert result.rows["temperature_evaporator"].tolist() == [-20.5, -21.25]
    assert (result.rows["humidity"].iloc[0], bool(result.rows["door_open_close"].iloc[0])) == (45, True)
    assert result.refused[["reason", "raw"]].to_numpy().tolist() == [["ROW_MALFORMED", "this is no line"]]


# --- Excel and archives

COLUMNS = {"Case": "device_id", "Time": "timestamp", "Evap °C": "temperature_evaporator"}


def test_a_sheet_is_read_with_its_moments_and_numbers(tmp_path: Path) -> None:
    rows = [["Store 7"], ["Case", "Time", "Evap °C"], [7, NINE.replace(tzinfo=None), -20.1], ["8b", None, -21]]
    file = write_workbook(tmp_path / "a.xlsx", rows)
    result = read(file, format="excel", columns=COLUMNS, skip_lines=1, sheet="Data")
    assert result.rows[["device_id", "temperature_evaporator"]].to_numpy().tolist() == [["7", -20.1]]
    assert result.rows["timestamp_utc"].tolist() == [NINE]
    assert result.reasons() == ["TIMESTAMP_MISSING"]
    with pytest.raises(FridgeError, match=r"a\.xlsx has no sheet 'Other'\. Choose one of Data"):
        read(file, format="excel", columns=COLUMNS, sheet="Other")


def as_zip(path: Path, text: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inner/june.csv", text)
    return path


def test_an_archive_of_one_file_is_read_as_that_file(tmp_path: Path) -> None:
    text = "device_id;timestamp;humidity\nd1;2026-03-11T09:05Z;45,5\n"
    result = read(as_zip(tmp_path / "a.csv.zip", text), format="csv", decimal=",")
    assert result.rows["humidity"].tolist() == [45.5]
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", text)
        archive.writestr("b.csv", text)
    with pytest.raises(FridgeError, match=r"two\.zip holds 2 files"):
        read(tmp_path / "two.zip", format="csv")


def test_an_excel_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04 no sheet")
    with pytest.raises(FridgeError, match=r"a\.xlsx cannot be read"):
        read(tmp_path / "a.xlsx", format="excel", columns=COLUMNS)
