"""Foreign files into landing, after a look at what they hold."""

from pathlib import Path

import pandas as pd
import pytest

from fridge_assets.core.errors import FridgeError
from fridge_assets.readings.deliver import DeliveryReport, deliver
from fridge_assets.readings.ingest import ingest
from fridge_assets.readings.ranges import RANGES_FILE, read_range_tables
from fridge_assets.settings import Settings
from fridge_assets.sources.source import Source, source_of_options
from fridge_assets.stores.landing import Landing, sidecar_of
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.readings.deliveries import HEALTHY, NO_SENSOR, at, moment, reading, registry_of, write

KNOWN = registry_of("d1")


def bring(
    file: Path,
    settings: Settings,
    landing: Landing,
    source: Source | None = None,
    registry: pd.DataFrame | None = None,
) -> DeliveryReport:
    warehouse = Warehouse.from_settings(settings)
    tables = read_range_tables(settings.root)
    return deliver(file, source or Source(), landing, warehouse, registry, settings.readings, tables=tables)


def test_report_says_what_the_file_holds_and_the_file_lies_in_landing(
    tmp_path: Path, settings: Settings, landing: Landing
) -> None:
    silent = dict.fromkeys(("vibration_compressor", "door_open_close"), "")
    rows = [reading(m, device) | silent for m in (0, 1, 2) for device in ("d1", "d2")]
    file = write(tmp_path / "june.csv", [*rows, {**reading(90), **NO_SENSOR}])
    report = bring(file, settings, landing)
    assert (report.rows, report.devices, report.unusable, report.warnings) == (7, 2, 1, ())
    assert (report.first_timestamp, report.last_timestamp) == (moment(0), moment(2))
    assert report.sensors == tuple(name for name in HEALTHY if name not in silent)
    assert report.unusable_examples["reason"].tolist() == ["ALL_SENSORS_NULL"]
    assert report.delivered_as == landing.folder / "june.csv"
    assert report.delivered_as.read_bytes() == file.read_bytes()
    assert not sidecar_of(report.delivered_as).exists()


def test_interpretation_is_kept_beside_the_file(tmp_path: Path, settings: Settings, landing: Landing) -> None:
    source = Source(columns={"evap": "temperature_evaporator"}, units={"evap": "degF"}, timezone="Europe/Berlin")
    row = {"device_id": "d1", "timestamp": "2026-06-01 14:00", "evap": -13.0}
    report = bring(write(tmp_path / "a.csv", [row]), settings, landing, source)
    assert report.first_timestamp == moment(0)
    assert report.warnings == ("1 timestamps name no time zone and are read as Europe/Berlin; --timezone sets another",)
    assert Source.from_json(sidecar_of(report.delivered_as).read_text()) == source


def test_warnings_name_unknown_columns_missing_zones_and_values_out_of_range(
    tmp_path: Path, settings: Settings, landing: Landing
) -> None:
    rows = [{**reading(0, timestamp="2026-06-01 12:00", humidity=200), "colour": "red"}]
    warnings = bring(write(tmp_path / "a.csv", rows), settings, landing).warnings
    assert [warning.split(";")[0] for warning in warnings] == [
        "columns colour are unknown and ignored",
        "1 timestamps name no time zone and are read as UTC",
        "1 values are none that their sensor can read",
    ]


def test_values_out_of_range_are_told_by_sensor_with_their_spread_and_kind(
    tmp_path: Path, settings: Settings, landing: Landing
) -> None:
    rows = [
        reading(0, current_compressor=58, humidity=-999),
        reading(1, current_compressor=12),
        reading(2, humidity=44),
    ]
    report = bring(write(tmp_path / "a.csv", rows), settings, landing)
    assert report.out_of_range.to_dict(orient="records") == [
        {"sensor": "current_compressor", "unusual": 1, "impossible": 0, "least": 12, "median": 12, "largest": 58},
        {"sensor": "humidity", "unusual": 0, "impossible": 1, "least": 44, "median": 44.5, "largest": 45},
    ]
    assert [warning.split(";")[0] for warning in report.warnings] == [
        "1 values are unusual for their sensor",
        "1 values are none that their sensor can read",
    ]


def test_ranges_of_the_data_folder_decide_what_is_out_of_range(
    tmp_path: Path, settings: Settings, landing: Landing
) -> None:
    settings.root.mkdir(parents=True, exist_ok=True)
    (settings.root / RANGES_FILE).write_text("[default.plausible]\ncurrent_compressor = [0, 80]\n")
    report = bring(write(tmp_path / "a.csv", [reading(current_compressor=58)]), settings, landing)
    assert report.out_of_range.empty
    (settings.root / RANGES_FILE).write_text("[default.plausible]\ncurrent_compresor = [0, 80]\n")
    with pytest.raises(FridgeError, match=r"no numeric sensor 'current_compresor'.*mean current_compressor"):
        bring(write(tmp_path / "b.csv", [reading(current_compressor=59)]), settings, landing)


def test_one_example_is_shown_of_each_reason(tmp_path: Path, settings: Settings, landing: Landing) -> None:
    rows = [reading(), *[reading(m, device="stranger") for m in range(9)], reading(1, timestamp="soon")]
    report = bring(write(tmp_path / "a.csv", rows), settings, landing, registry=KNOWN)
    assert report.unusable == 10
    assert report.unusable_examples[["row_number", "reason"]].to_numpy().tolist() == [
        [2, "DEVICE_UNKNOWN"],
        [11, "TIMESTAMP_UNREADABLE"],
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"a\.csv is not a file"),
        ("", r"a\.csv is empty"),
        (
            "device_id,timestamp,humidity\n",
            r"no usable row among 0: it has a header but no rows\. Nothing was delivered",
        ),
        (f"device_id,timestamp,humidity\nd1,{at(0)},wet\n", r"no usable row among 1: humidity is 'wet', not a number"),
        (f"device_id,timestamp,humidity\nd9,{at(0)},45\n", r"d9 is not in the device registry"),
    ],
    ids=["missing", "empty", "header only", "text for numbers", "unknown device"],
)
def test_file_without_a_usable_row_is_refused_and_landing_stays_as_it_was(
    content: str | None, message: str, tmp_path: Path, settings: Settings, landing: Landing
) -> None:
    if content is not None:
        (tmp_path / "a.csv").write_text(content)
    with pytest.raises(FridgeError, match=message):
        bring(tmp_path / "a.csv", settings, landing, registry=KNOWN)
    assert list(landing.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("columns", "units", "message"),
    [
        (
            {"evapf": "temperature_evaporator"},
            {},
            r"no column 'evapf' for --map\. Did you mean evap_f\? Its",
        ),
        ({"EVAP_F": "temperature_evaporator"}, {}, r"no column 'EVAP_F' for --map\. Did you mean evap_f\?"),
        ({}, {"humidity": "%"}, r"no column 'humidity' for --unit\. Its columns are device_id, timestamp, evap_f"),
        (
            {"evap_f": "temperature_evaporator", "other": "humidity"},
            {},
            r"no column 'other' for --map\. Its columns are device_id, timestamp, evap_f",
        ),
    ],
)
def test_an_interpretation_of_a_column_that_the_file_lacks_is_refused(
    tmp_path: Path, settings: Settings, landing: Landing, columns: dict[str, str], units: dict[str, str], message: str
) -> None:
    row = {"device_id": "d1", "timestamp": at(0), "evap_f": -13.0, "temperature_ambient": 20.0}
    with pytest.raises(FridgeError, match=message):
        bring(write(tmp_path / "a.csv", [row]), settings, landing, source_of_options(columns=columns, units=units))
    assert list(landing.folder.iterdir()) == []


def test_a_unit_may_name_the_column_as_the_file_does_or_as_we_do(
    tmp_path: Path, settings: Settings, landing: Landing
) -> None:
    row = {"device_id": "d1", "timestamp": at(0), "evap_f": -13.0}
    for number, named in enumerate(("evap_f", "temperature_evaporator")):
        source = Source(columns={"evap_f": "temperature_evaporator"}, units={named: "degF"})
        assert bring(write(tmp_path / f"{number}.csv", [row]), settings, landing, source).rows == 1


def test_a_file_that_is_delivered_again_stays_one_file(tmp_path: Path, settings: Settings, landing: Landing) -> None:
    file = write(tmp_path / "june.csv", [reading(m) for m in range(5)])
    first = bring(file, settings, landing)
    again = bring(file.rename(tmp_path / "june (1).csv"), settings, landing)
    assert (first.again, again.again) == (False, True)
    assert again.delivered_as == first.delivered_as
    assert [found.name for found in landing.files()] == ["june.csv"]
    ingest(landing, Warehouse.from_settings(settings), None, moment(60), settings)
    assert bring(tmp_path / "june (1).csv", settings, landing).again, "also once it was ingested"


def test_a_file_read_in_another_way_is_another_delivery(tmp_path: Path, settings: Settings, landing: Landing) -> None:
    file = write(tmp_path / "june.csv", [{**reading(0), "timestamp": "2026-06-01 14:00"}])
    reports = [bring(file, settings, landing, Source(timezone=zone)) for zone in ("UTC", "Europe/Berlin")]
    assert [report.again for report in reports] == [False, False]
    assert [found.name for found in landing.files()] == ["june-2.csv", "june.csv"]
