"""When windows are computed: lateness, catching up after an outage, re-runs, and views of the past."""

from datetime import datetime

import pytest

from fridge_assets.contracts import DEVICE_FEATURES
from fridge_assets.contracts.validation import ContractViolation
from fridge_assets.features.compute import FeatureReport, compute_features, newest_window_end
from fridge_assets.readings.ingest import ingest
from fridge_assets.settings import FeatureSettings, Settings
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.conftest import landing_of, settings_of
from fridge_assets_tests.readings.deliveries import Row, at, moment, reading, rows_of, table_hash, write


def deliver(settings: Settings, name: str, rows: list[Row]) -> None:
    """``rows`` through landing into clean readings."""
    write(settings.landing_dir / name, rows)
    ingest(landing_of(settings), Warehouse.from_settings(settings), None, moment(0), settings)


def compute(settings: Settings, minute: float) -> FeatureReport:
    """Features at ``minute`` minutes after noon."""
    return compute_features(Warehouse.from_settings(settings), moment(minute), settings.features)


def counts(warehouse: Warehouse) -> list[tuple[object, ...]]:
    """(device, minutes of window start after noon, readings) of every feature row."""
    rows = rows_of(
        warehouse,
        "SELECT device_id, (epoch(window_start) - $noon)::INTEGER // 60, reading_count FROM device_features "
        "ORDER BY 2, 1",
        noon=moment(0).timestamp(),
    )
    return [tuple(row) for row in rows]


def newest(warehouse: Warehouse, now: datetime) -> datetime | None:
    with warehouse.read() as connection:
        return newest_window_end(connection, now)


def test_window_is_computed_once_it_has_closed_and_late_readings_change_only_their_device_when_they_arrive(
    settings: Settings, warehouse: Warehouse
) -> None:
    deliver(
        settings, "a.csv", [reading(m, device, timestamp_ingested=at(m)) for m in (1, 2) for device in ("d1", "d2")]
    )
    assert newest(warehouse, moment(600)) is None
    assert compute(settings, 16.99) == FeatureReport(0, 0, 0, None)
    assert compute(settings, 17) == FeatureReport(1, 2, 0, moment(15))
    assert counts(warehouse) == [("d1", 0, 2), ("d2", 0, 2)]
    other_device = "(SELECT * FROM device_features WHERE device_id = 'd2')"
    before = table_hash(warehouse, other_device)

    deliver(settings, "b.csv", [reading(5, "d1", humidity=99, timestamp_ingested=at(40)),
                                reading(6, "d1", timestamp_ingested=at(100))])  # fmt: skip
    assert compute(settings, 39).late_rows == 0
    assert counts(warehouse) == [("d1", 0, 2), ("d2", 0, 2)]
    assert compute(settings, 41) == FeatureReport(0, 0, 1, None)
    assert counts(warehouse) == [("d1", 0, 3), ("d2", 0, 2)]
    assert rows_of(warehouse, "SELECT humidity_mean FROM device_features WHERE device_id = 'd1'") == [(63.0,)]
    assert compute(settings, 102).late_rows == 1
    assert counts(warehouse) == [("d1", 0, 4), ("d2", 0, 2)]
    assert table_hash(warehouse, other_device) == before
    assert newest(warehouse, moment(14)) is None
    assert newest(warehouse, moment(15)) == moment(15)


def test_outage_of_many_hours_is_caught_up_in_one_run_whatever_the_batch_size(settings: Settings) -> None:
    minutes = range(0, 30 * 60, 5)
    rows = [
        reading(m, device, humidity=40 + m % 7, timestamp_ingested=at(m)) for m in minutes for device in ("d1", "d2")
    ]
    hashes = []
    for name, size in (("whole", 10**6), ("parts", 400)):
        chosen = settings_of(settings.root / name, features=FeatureSettings(readings_per_batch=size))
        deliver(chosen, "a.csv", rows)
        assert compute(chosen, 30 * 60 + 2) == FeatureReport(120, 240, 0, moment(30 * 60))
        warehouse = Warehouse.from_settings(chosen)
        hashes.append(table_hash(warehouse, "device_features"))
        assert rows_of(warehouse, "SELECT count(*) FROM due_windows") == [(0,)]
    assert hashes[0] == hashes[1]


def test_computing_again_changes_no_row_even_when_every_window_is_due_again(
    settings: Settings, warehouse: Warehouse
) -> None:
    deliver(settings, "a.csv", [reading(m, f"d{m % 3}", humidity=40 + m / 7) for m in range(30)])
    compute(settings, 60)
    before = table_hash(warehouse, "device_features")
    assert compute(settings, 60) == FeatureReport(0, 0, 0, None)
    with warehouse.transaction() as connection:
        connection.execute(
            "INSERT INTO due_windows SELECT DISTINCT window_start, NULL, window_end FROM device_features"
        )
    assert compute(settings, 60).rows == 6
    assert table_hash(warehouse, "device_features") == before


def test_broken_contract_writes_nothing_and_leaves_the_windows_due(settings: Settings, warehouse: Warehouse) -> None:
    deliver(settings, "a.csv", [reading(1)])
    # A stored reading beyond its physical range: cleaning never writes one, so the file is tampered with.
    (path,) = warehouse.clean_readings_folder().rglob("*.parquet")
    with warehouse.engine() as engine:
        tampered = f"SELECT * REPLACE (500.0 AS humidity) FROM read_parquet('{path}', hive_partitioning = false)"
        engine.execute(f"COPY ({tampered}) TO '{path}.new' (FORMAT parquet)")
    path.with_suffix(".parquet.new").replace(path)
    with pytest.raises(
        ContractViolation, match=rf"{DEVICE_FEATURES.name} breaks its contract: humidity_mean must lie in"
    ):
        compute(settings, 60)
    assert counts(warehouse) == []
    assert rows_of(warehouse, "SELECT count(*) FROM due_windows") == [(1,)]
