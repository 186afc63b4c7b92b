"""Which readings reach the windows that are computed: those of their time and devices that had arrived."""

from datetime import datetime, timedelta

import pyarrow as pa

from fridge_assets.features.due import Batch
from fridge_assets.features.readings import DUE_READINGS, files_of, provide_readings
from fridge_assets.readings.ingest import ingest
from fridge_assets.settings import Settings
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.conftest import landing_of
from fridge_assets_tests.readings.deliveries import Row, at, moment, reading, write

WINDOW = timedelta(minutes=15)
LATER = moment(600)


def deliver(settings: Settings, name: str, rows: list[Row]) -> None:
    write(settings.landing_dir / name, rows)
    ingest(landing_of(settings), Warehouse.from_settings(settings), None, moment(0), settings)


def provided(
    settings: Settings,
    windows: list[float],
    devices: list[tuple[float, str]] | None = None,
    now: datetime = LATER,
    window: timedelta = WINDOW,
) -> list[tuple[str, float]]:
    """Device and minute of the readings provided for ``windows`` (minutes), of ``devices`` of windows only."""
    warehouse = Warehouse.from_settings(settings)
    batch = Batch(tuple(map(moment, windows)), whole=devices is None)
    chosen = None
    if devices is not None:
        starts = pa.array([moment(minute) for minute, _ in devices], pa.timestamp("us", tz="UTC"))
        chosen = pa.table({"window_start": starts, "device_id": [device for _, device in devices]})
    with warehouse.read() as connection:
        files = files_of(connection, warehouse.clean_readings_folder(), batch, window)
    with warehouse.engine() as engine:
        provide_readings(engine, files, chosen, now, window)
        rows = engine.execute(
            f"SELECT device_id, (epoch(timestamp_utc) - $noon) / 60 FROM {DUE_READINGS} ORDER BY 2, 1",
            {"noon": moment(0).timestamp()},
        ).fetchall()
    return [(str(device), float(minute)) for device, minute in rows]


def test_windows_of_the_fleet_get_their_own_readings_also_where_others_lie_between_them(settings: Settings) -> None:
    deliver(settings, "a.csv", [reading(m, device) for m in (14, 15, 29, 30, 44, 45, 59, 60) for device in ("a", "b")])
    assert provided(settings, [15]) == [("a", 15), ("b", 15), ("a", 29), ("b", 29)]
    assert [minute for device, minute in provided(settings, [15, 30]) if device == "a"] == [15, 29, 30, 44]
    assert [minute for device, minute in provided(settings, [15, 45]) if device == "a"] == [15, 29, 45, 59]


def test_late_windows_get_the_readings_of_their_own_devices_from_whatever_file(settings: Settings) -> None:
    deliver(settings, "a.csv", [reading(m, device) for m in (1, 16, 61) for device in ("a", "b", "c")])
    deliver(settings, "b.csv", [reading(2, "a"), reading(17, "b"), reading(18, "c")])
    late: list[tuple[float, str]] = [(0, "a"), (15, "b"), (60, "c")]
    assert provided(settings, [0, 15, 60], late) == [("a", 1), ("a", 2), ("b", 16), ("b", 17), ("c", 61)]


def test_readings_that_arrive_later_do_not_exist_yet(settings: Settings) -> None:
    deliver(settings, "a.csv", [reading(1, timestamp_ingested=at(2)), reading(3, timestamp_ingested=at(90))])
    for devices in (None, [(0.0, "d1")]):
        assert provided(settings, [0], devices, now=moment(89)) == [("d1", 1)]
        assert provided(settings, [0], devices, now=moment(90)) == [("d1", 1), ("d1", 3)]


def test_a_window_longer_than_an_hour_has_the_files_of_all_its_hours(settings: Settings) -> None:
    deliver(settings, "a.csv", [reading(m) for m in (1, 61, 119, 120)])
    for devices in (None, [(0.0, "d1")]):
        window = timedelta(hours=2)
        assert [minute for _, minute in provided(settings, [0], devices, window=window)] == [1, 61, 119]
