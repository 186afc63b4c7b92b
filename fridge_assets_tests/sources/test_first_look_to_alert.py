"""Each kind of file that people bring, from `sources add` to the status of its devices and an alert."""

import gzip
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from fridge_assets.readings.ingest import ingest
from fridge_assets.registry.devices import effective_registry
from fridge_assets.settings import ReadingSettings, Settings, StreamingSettings
from fridge_assets.sources.saved import save_source
from fridge_assets.sources.source import Source
from fridge_assets.status.compute import device_activity, device_scores, device_status
from fridge_assets.status.refresh import open_incidents
from fridge_assets.stores.landing import Landing
from fridge_assets.stores.operations import Operations, device_alerts
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets.streaming.service import StreamService
from fridge_assets.streaming.sources.landing import LandingSource
from fridge_assets_tests.cli.typed import refused, typed
from fridge_assets_tests.readings.deliveries import stored_readings
from fridge_assets_tests.sources.workbook import write_workbook

START = datetime(2026, 6, 13, 12, tzinfo=UTC)
MINUTES = range(4)
VALUES = {"temperature_evaporator": -20.5, "current_compressor": 45.25}
"""Every reading: a current that no compressor has for long."""
DEVICES = ("case 1", "case 2")


def at(minute: int, pattern: str = "%Y-%m-%dT%H:%M:%SZ") -> str:
    return f"{START + timedelta(minutes=minute):{pattern}}"


def rows_of(header: str, line: Callable[[str, int], str]) -> str:
    return "\n".join([header, *(line(device, minute) for minute in MINUTES for device in DEVICES)]) + "\n"


def wide(_: Path) -> str:
    header = "Time," + ",".join(f"{d} Evap Temp,{d} Compressor Current (A)" for d in DEVICES)
    return "\n".join([header, *(f"{at(m)},-20.5,45.25,-20.5,45.25" for m in MINUTES)]) + "\n"


def long(_: Path) -> str:
    return rows_of(
        "device,tag,time,value", lambda d, m: f"{d},Evap Temp,{at(m)},-20.5\n{d},Compressor Current,{at(m)},45.25"
    )


def dated(pattern: str) -> Callable[[Path], str]:
    return lambda _: rows_of("device_id,timestamp,evap temp,current", lambda d, m: f"{d},{at(m, pattern)},-20.5,45.25")


def decimal_comma(_: Path) -> str:
    return "\ufeff" + rows_of("device_id;Zeit;Evap Temp;Current", lambda d, m: f"{d};{at(m)};-20,5;45,25")


def epoch(factor: int) -> Callable[[Path], str]:
    def write(_: Path) -> str:
        moment = int(START.timestamp())
        return rows_of("device_id,ts,evap,current", lambda d, m: f"{d},{(moment + 60 * m) * factor},-20.5,45.25")

    return write


def excel(path: Path) -> None:
    start = START.replace(tzinfo=None)
    rows = [[d, start + timedelta(minutes=m), -20.5, 45.25] for m in MINUTES for d in DEVICES]
    write_workbook(path, [["Device", "Time", "Evap Temp", "Current"], *rows])


def json_array(_: Path) -> str:
    readings = [{"device": d, "time": at(m), "evap_temp": -20.5, "current": 45.25} for m in MINUTES for d in DEVICES]
    return json.dumps(readings)


def line_protocol(_: Path) -> str:
    moment = int(START.timestamp())
    lines = (
        f"fridge,host={d.replace(' ', chr(92) + ' ')} evap_temp=-20.5,current=45.25 {moment + 60 * m}000000000"
        for m in MINUTES
        for d in DEVICES
    )
    return "\n".join(lines) + "\n"


def thingsboard(_: Path) -> str:
    moment = int(START.timestamp())
    values = {"evap_temp": -20.5, "current": 45.25}
    return json.dumps({d: [{"ts": (moment + 60 * m) * 1000, "values": values} for m in MINUTES] for d in DEVICES})


def home_assistant(_: Path) -> str:
    lines = (
        f"sensor.{d.replace(' ', '_')}_{tag},{value},{at(m)}"
        for m in MINUTES
        for d in DEVICES
        for tag, value in (("temperature", "-20.5"), ("current", "45.25"))
    )
    return (
        "entity_id,state,last_changed\n"
        + "\n".join(lines)
        + "\nsensor.case_1_temperature,unavailable,2026-06-13T12:09:00Z\n"
    )


def fahrenheit(_: Path) -> str:
    return rows_of("device_id,timestamp,evap temp,room temp,current", lambda d, m: f"{d},{at(m)},-4.9,72,45.25")


def latin_1(path: Path) -> None:
    text = rows_of("Gerät;Zeit;Außen;Evap Temp;Current", lambda d, m: f"{d};{at(m)};3;-20.5;45.25")
    path.write_bytes(gzip.compress(text.encode("latin-1")))


def lookout_for_equipment(_: Path) -> str:
    pattern = "%Y-%m-%d-%H-%M-%S"
    return "Timestamp,EvapTemp,CompressorCurrent\n" + "".join(f"{at(m, pattern)},-20.5,45.25\n" for m in MINUTES)


def two_columns(_: Path) -> str:
    return rows_of(
        "device_id,Date,Time,evap,current",
        lambda d, m: f"{d},{at(m, '%d/%m/%Y')},{at(m, '%H:%M:%S')},-20.5,45.25",
    )


def since_start(_: Path) -> str:
    return "time[s],evap temp,current\n" + "".join(f"{60 * m},-20.5,45.25\n" for m in MINUTES)


@dataclass(frozen=True)
class Case:
    """A file as people bring it.

    Args:
        name: of the file.
        write: gives its text, or writes it.
        asks: options that the command must ask for, in its order, with their answers.
        devices: as they are called.
    """

    name: str
    write: Callable[[Path], str | None]
    asks: tuple[tuple[str, str], ...] = ()
    devices: tuple[str, ...] = DEVICES
    options: tuple[str, ...] = ()


CASES = {
    "wide": Case("site.csv", wide),
    "long": Case("export.csv", long),
    "month or day first": Case("a.csv", dated("%m/%d/%Y %H:%M"), (("--timezone", "UTC"),)),
    "day first with points": Case("a.csv", dated("%d.%m.%Y %H:%M"), (("--timezone", "UTC"),)),
    "decimal comma": Case("a.csv", decimal_comma),
    "epoch seconds": Case("a.csv", epoch(1)),
    "epoch milliseconds": Case("a.csv", epoch(1000)),
    "Excel": Case("a.xlsx", excel, (("--timezone", "UTC"),)),
    "JSON array": Case("a.json", json_array),
    "InfluxDB line protocol": Case("a.lp", line_protocol),
    "ThingsBoard": Case("telemetry.json", thingsboard),
    "Home Assistant": Case(
        "history.csv", home_assistant, (("--sensor", "temp=temperature_evaporator"),), ("case_1", "case_2"),
        ("--align", "60", "--nothing", "unavailable"),
    ),
    "latin-1": Case("a.csv.gz", latin_1, (("--encoding", "latin-1"),)),
    "date and time apart": Case("a.csv", two_columns, (("--timezone", "UTC"),)),
    "seconds since a start, no device": Case(
        "a.csv", since_start, (("--time-start", "2026-06-13T12:00:00Z"), ("--device", "case 1")), ("case 1",)
    ),
    "AWS Lookout for Equipment": Case(
        "case 1.csv", lookout_for_equipment, (("--timezone", "UTC"), ("--device", "{file}")), ("case 1",)
    ),
}  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path / "data",
        readings=ReadingSettings(settle=timedelta(0)),
        # What is in the files is told, however long ago it was.
        streaming=StreamingSettings(
            port=0, threads=1, poll=timedelta(milliseconds=20), told_within=timedelta(days=36_500)
        ),
    )


def written(folder: Path, case: Case) -> Path:
    file = folder / case.name
    text = case.write(file)
    if text is not None:
        file.write_text(text, encoding="utf-8")
    return file


def status_of(settings: Settings, now: datetime) -> pd.DataFrame:
    """DEVICE_STATUS rows as the run of an hour makes them."""
    warehouse, operations = Warehouse.from_settings(settings), Operations(settings.operations_database)
    registry = effective_registry(settings.root, warehouse)
    with warehouse.read() as connection:
        activity = device_activity(connection, now, settings.fleet)
        scores = device_scores(connection, now, settings, ())
    with operations.read() as connection:
        return device_status(registry, activity, scores, open_incidents(connection), now, settings)


def alerted(settings: Settings) -> list[str]:
    """Devices with an alert, once the stream has read all that has landed."""
    operations = Operations(settings.operations_database)
    source = LandingSource(Landing(settings.landing_dir, operations), operations, settings)
    StreamService(settings, operations, source, instance="test").run(threading.Event(), until_idle=True)
    with operations.read() as connection:
        return sorted(connection.execute(sa.select(device_alerts.c.device_id).distinct()).scalars())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_from_the_first_look_to_status_and_alert(tmp_path: Path, place: Settings, case: Case) -> None:
    file = written(tmp_path, case)
    answers: list[str] = []
    for option, answer in case.asks:
        said = refused(place.root, "sources", "add", "store-7", str(file), *case.options, *answers)
        assert option in said, "what is unclear is asked and not guessed"
        answers += [option, answer]
    code, _, error = typed(place.root, "sources", "add", "store-7", str(file), *case.options, *answers)
    assert (code, error) == (0, "")
    code, said, error = typed(place.root, "ingest", str(file), "--source", "store-7")
    assert (code, error) == (0, "")
    assert f"of {len(case.devices)} devices" in said
    landing = Landing(place.landing_dir, Operations(place.operations_database))
    report = ingest(landing, Warehouse.from_settings(place), None, datetime.now(UTC), place)
    assert (report.refused, report.quarantined) == ({}, 0)
    stored = stored_readings(Warehouse.from_settings(place))
    assert sorted(set(stored["device_id"])) == list(case.devices)
    assert set(stored["timestamp_utc"]) == {START + timedelta(minutes=minute) for minute in MINUTES}
    assert len(stored) == len(MINUTES) * len(case.devices)
    for sensor, value in VALUES.items():
        assert set(stored[sensor]) == {value}
    assert alerted(place) == list(case.devices)
    status = status_of(place, START + timedelta(minutes=10))
    assert status["device_id"].tolist() == list(case.devices)
    assert status["open_alerts"].tolist() == [1] * len(case.devices)
    assert set(status["health_status"]) <= {"critical", "degraded", "warning"}


def test_fahrenheit_without_a_unit_is_not_delivered_and_the_option_is_named(tmp_path: Path, place: Settings) -> None:
    file = written(tmp_path, Case("a.csv", fahrenheit))
    names = ("--map", "evap temp=temperature_evaporator", "--map", "room temp=temperature_ambient")
    said = refused(place.root, "ingest", str(file), *names, "--map", "current=current_compressor")
    assert "--unit temperature_ambient=degF --unit temperature_evaporator=degF" in said
    assert "--as-is" in said
    code, _, error = typed(place.root, "sources", "add", "store-7", str(file))
    assert code == 1
    assert "--unit temperature_ambient=degF --unit temperature_evaporator=degF" in error
    assert not place.sources_dir.exists(), "what does not fit is not saved"
    assert not any(place.landing_dir.glob("*.csv"))
    options = ("--unit", "temperature_ambient=degF", "--unit", "temperature_evaporator=degF")
    code, _, error = typed(place.root, "sources", "add", "store-7", str(file), *options)
    assert (code, error) == (0, "")
    assert typed(place.root, "ingest", str(file), "--source", "store-7")[0] == 0
    assert typed(place.root, "ingest", str(file), *names, "--as-is")[0] == 0


def test_next_months_file_needs_nothing_typed_again(tmp_path: Path, place: Settings) -> None:
    file = written(tmp_path, CASES["decimal comma"])
    assert typed(place.root, "sources", "add", "store-7", str(file))[0] == 0
    folder = place.landing_dir / "store-7"
    folder.mkdir(parents=True)
    text = file.read_text(encoding="utf-8-sig")
    (folder / "july.csv").write_text(text.replace("2026-06-13", "2026-07-13"))
    landing = Landing(place.landing_dir, Operations(place.operations_database))
    warehouse = Warehouse.from_settings(place)
    report = ingest(landing, warehouse, None, datetime(2026, 8, 1, tzinfo=UTC), place)
    assert (report.clean, report.refused, report.warnings) == (8, {}, [])
    assert set(stored_readings(warehouse)["current_compressor"]) == {45.25}
    assert landing.ledger()["store-7/july.csv"].status == "ingested"
    assert ingest(landing, warehouse, None, datetime(2026, 8, 1, tzinfo=UTC), place).rows == 0


def test_a_file_of_a_source_that_is_not_there_waits_until_it_is(tmp_path: Path, place: Settings) -> None:
    file = written(tmp_path, CASES["decimal comma"])
    folder = place.landing_dir / "store-7"
    folder.mkdir(parents=True)
    (folder / "june.csv").write_bytes(file.read_bytes())
    landing = Landing(place.landing_dir, Operations(place.operations_database))
    warehouse = Warehouse.from_settings(place)
    report = ingest(landing, warehouse, None, datetime.now(UTC), place)
    assert "there is no source 'store-7'" in report.refused["store-7/june.csv"]
    assert "fridge-assets sources add store-7" in report.refused["store-7/june.csv"]
    assert typed(place.root, "sources", "add", "store-7", str(file))[0] == 0
    assert ingest(landing, warehouse, None, datetime.now(UTC), place).clean == 8


def test_a_file_of_a_known_source_in_another_unit_waits_until_the_source_says_so(
    tmp_path: Path, place: Settings
) -> None:
    def file(name: str, current: str) -> Path:
        lines = (f"2026-06-13T12:{minute:02}:00Z,-20.5,21.5,{current}" for minute in range(60))
        path = tmp_path / name
        path.write_text("\n".join(["time,evap temp,room temp,current", *lines]) + "\n")
        return path

    june = file("june.csv", "12.5")
    assert typed(place.root, "sources", "add", "store-7", str(june), "--device", "{file}")[0] == 0
    landing = Landing(place.landing_dir, Operations(place.operations_database))
    folder = place.landing_dir / "store-7"
    folder.mkdir(parents=True)
    (folder / "june.csv").write_bytes(june.read_bytes())
    (folder / "july.csv").write_bytes(file("july.csv", "12500").read_bytes())
    report = ingest(landing, Warehouse.from_settings(place), None, datetime.now(UTC), place)
    assert report.clean == 60
    (name, why), *others = report.refused.items()
    assert (name, others) == ("store-7/july.csv", [])
    assert "current_compressor is not in A (0% of its values are plausible); mA would fit" in why
    assert "Say the unit under units in the source, or as_is: true" in why
    source = place.sources_dir / "store-7.yaml"
    source.write_text(source.read_text() + "as_is: true\n")
    report = ingest(landing, Warehouse.from_settings(place), None, datetime.now(UTC), place)
    assert (report.refused, report.rows) == ({}, 60)


@pytest.mark.parametrize(
    ("high", "low", "evaporator"),
    [
        pytest.param(400, 395, -5, id="it stands, and its sides have equalised"),
        pytest.param(900, 30, -20, id="it has leaked"),
        pytest.param(300, 30, -20, id="nothing is left in it"),
        pytest.param(1200, 300, 40, id="it is warm"),
    ],
)
def test_what_a_machine_at_fault_reads_is_taken_though_another_unit_would_fit(
    place: Settings, high: float, low: float, evaporator: float
) -> None:
    columns = {"high": "pressure_high_side", "low": "pressure_low_side", "evap": "temperature_evaporator"}
    save_source(place.sources_dir, "store-7", Source(format="csv", columns=columns, constants={"device_id": "f1"}))
    folder = place.landing_dir / "store-7"
    folder.mkdir(parents=True)
    lines = (f"{at(minute)},{high},{low},{evaporator}" for minute in range(60))
    (folder / "june.csv").write_text("\n".join(["timestamp,high,low,evap", *lines]) + "\n")
    landing = Landing(place.landing_dir, Operations(place.operations_database))
    report = ingest(landing, Warehouse.from_settings(place), None, datetime.now(UTC), place)
    assert (report.clean, report.refused) == (60, {})


def test_a_file_of_several_devices_whose_pressures_are_all_in_another_unit_is_refused(place: Settings) -> None:
    columns = {"case": "device_id", "high": "pressure_high_side", "low": "pressure_low_side"}
    save_source(place.sources_dir, "store-7", Source(format="csv", columns=columns))
    folder = place.landing_dir / "store-7"
    folder.mkdir(parents=True)
    lines = (f"{at(minute)},{case},200,15" for minute in range(60) for case in ("f1", "f2"))
    (folder / "june.csv").write_text("\n".join(["timestamp,case,high,low", *lines]) + "\n")
    landing = Landing(place.landing_dir, Operations(place.operations_database))
    report = ingest(landing, Warehouse.from_settings(place), None, datetime.now(UTC), place)
    assert report.clean == 0
    assert "psig" in report.refused["store-7/june.csv"]
