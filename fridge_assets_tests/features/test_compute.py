"""When windows are computed: lateness, catching up after an outage, re-runs, and views of the past."""

from datetime import datetime
from pathlib import Path

import pytest

from fridge_assets.contracts import DEVICE_FEATURES
from fridge_assets.contracts.validation import ContractViolation
from fridge_assets.features.compute import FeatureReport, compute_features, newest_window_end
from fridge_assets.features.due import due_batches, due_devices
from fridge_assets.readings.ingest import ingest
from fridge_assets.settings import FeatureSettings, Settings
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.conftest import landing_of, settings_of
from fridge_assets_tests.readings.deliveries import HEALTHY, Row, at, moment, reading, rows_of, table_hash, write


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


def test_readings_that_are_delivered_after_their_window_was_computed_change_only_their_device(
    settings: Settings, warehouse: Warehouse
) -> None:
    deliver(settings, "a.csv", [reading(1, device, timestamp_ingested=at(1)) for device in ("d1", "d2")])
    assert compute(settings, 17) == FeatureReport(1, 2, 0, moment(15))
    deliver(settings, "b.csv", [reading(5, "d1", timestamp_ingested=at(6))])
    assert compute(settings, 18) == FeatureReport(0, 0, 1, None)
    assert counts(warehouse) == [("d1", 0, 2), ("d2", 0, 1)]


def test_a_window_of_which_much_of_a_large_fleet_delivers_more_is_computed_whole(
    settings: Settings, warehouse: Warehouse
) -> None:
    fleet = [f"d{number:04d}" for number in range(1_201)]
    deliver(settings, "a.csv", [reading(1, device, timestamp_ingested=at(1)) for device in fleet])
    assert compute(settings, 17).rows == len(fleet)
    deliver(settings, "b.csv", [reading(2, device, timestamp_ingested=at(2)) for device in fleet[:1_001]])
    deliver(settings, "c.csv", [reading(3, device, timestamp_ingested=at(3)) for device in fleet[:1_000]])
    due = rows_of(warehouse, "SELECT device_id IS NULL, count(*) FROM due_windows GROUP BY ALL ORDER BY 1")
    assert due == [(False, 1_000), (True, 1)]
    assert compute(settings, 18) == FeatureReport(1, len(fleet), 0, moment(15))
    assert {row[2] for row in counts(warehouse)} == {1, 2, 3}


def test_a_device_that_is_late_is_computed_together_with_its_later_windows_of_the_batch(
    settings: Settings, warehouse: Warehouse
) -> None:
    minutes = (1, 16, 31)
    deliver(settings, "a.csv", [reading(m, d, timestamp_ingested=at(m)) for m in minutes for d in ("d1", "d2", "d3")])
    compute(settings, 47)
    deliver(settings, "b.csv", [reading(m, d, timestamp_ingested=at(50)) for m, d in ((2, "d1"), (17, "d2"))])
    with warehouse.read() as connection:
        (batch,) = due_batches(connection, moment(51), settings.features)
        devices = due_devices(connection, batch, moment(51)).to_pylist()
    assert batch.windows == (moment(0), moment(15))
    assert sorted((row["device_id"], row["window_start"]) for row in devices) == [
        ("d1", moment(0)), ("d1", moment(15)), ("d2", moment(15)),
    ]  # fmt: skip


def test_later_windows_that_are_computed_with_a_late_one_count_for_the_size_of_a_batch(
    settings: Settings, warehouse: Warehouse
) -> None:
    devices, minutes = ("d1", "d2", "d3"), (1, 16, 31, 46)
    deliver(settings, "a.csv", [reading(m, d, timestamp_ingested=at(m)) for m in minutes for d in devices])
    compute(settings, 62)
    late = [*((2, d) for d in devices), *((m + 1, "d1") for m in minutes[1:])]
    deliver(settings, "b.csv", [reading(m, d, timestamp_ingested=at(63)) for m, d in late])
    with warehouse.read() as connection:
        # Eighteen readings in the hour are about four in each window, of all three devices.
        batches = due_batches(connection, moment(64), FeatureSettings(readings_per_batch=8))
    assert [batch.windows for batch in batches] == [(moment(0), moment(15)), (moment(30), moment(45))]


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


def test_unusual_values_reach_the_features_and_impossible_ones_do_not(settings: Settings, warehouse: Warehouse) -> None:
    changes = {"temperature_condenser": 12.0, "subcooling": -22.0, "humidity": 1e9}
    deliver(
        settings, "a.csv", [reading(1, current_compressor=58, **changes), reading(2, current_compressor=62, **changes)]
    )
    compute(settings, 30)
    columns = "current_compressor_mean, temp_condenser_mean, subcooling_mean, humidity_mean, range_violation_count"
    assert rows_of(warehouse, f"SELECT {columns} FROM device_features") == [(60.0, 12.0, -22.0, None, 2)]


# --- completeness of what a device has


NOTHING = dict.fromkeys(HEALTHY)


def own_completeness(warehouse: Warehouse) -> list[object]:
    """Of each feature row, by time."""
    return [row[0] for row in rows_of(warehouse, "SELECT own_completeness FROM device_features ORDER BY window_start")]


def six_sensors(minute: float, **changes: object) -> Row:
    """A reading of a device that has the first six sensors only."""
    six = {name: HEALTHY[name] for name in list(HEALTHY)[:6]}
    return reading(minute, **{**NOTHING, **six, **changes})


def test_a_device_is_complete_when_it_sends_what_it_has(settings: Settings, warehouse: Warehouse) -> None:
    deliver(settings, "a.csv", [six_sensors(m) for m in (1, 2)])
    compute(settings, 30)
    assert own_completeness(warehouse) == [1.0]
    deliver(settings, "b.csv", [six_sensors(16, temperature_ambient=None), six_sensors(17)])
    compute(settings, 60)
    assert own_completeness(warehouse) == [1.0, 11 / 12]


def test_a_sensor_counts_from_its_first_value_on_however_the_readings_are_delivered(tmp_path: Path) -> None:
    rows = [six_sensors(m) for m in (1, 16, 31)] + [six_sensors(46, humidity=45.0), six_sensors(61)]
    found = []
    for cuts in ([rows], [rows[:2], rows[2:4], rows[4:]], [rows[3:], rows[:3]], [[row] for row in reversed(rows)]):
        chosen = settings_of(tmp_path / str(len(found)))
        for number, part in enumerate(cuts):
            deliver(chosen, f"{number}.csv", part)
            compute(chosen, 90)
        found.append(own_completeness(Warehouse.from_settings(chosen)))
    assert found == [[1.0, 1.0, 1.0, 1.0, 6 / 7]] * 4


def test_a_first_value_that_comes_late_makes_the_windows_after_it_due_again(
    settings: Settings, warehouse: Warehouse
) -> None:
    deliver(settings, "a.csv", [six_sensors(m, timestamp_ingested=at(m)) for m in (1, 16, 31)])
    compute(settings, 50)
    assert own_completeness(warehouse) == [1.0, 1.0, 1.0]
    deliver(settings, "b.csv", [six_sensors(2, humidity=45.0, timestamp_ingested=at(70))])
    assert compute(settings, 60).late_rows == 0
    assert compute(settings, 75).late_rows == 3
    assert own_completeness(warehouse) == [13 / 14, 6 / 7, 6 / 7]


def test_a_folder_of_an_earlier_release_counts_the_sensors_that_were_heard_from(
    settings: Settings, warehouse: Warehouse
) -> None:
    deliver(settings, "a.csv", [six_sensors(m) for m in (1, 2)])
    compute(settings, 30)
    with warehouse.get_connection() as connection:
        connection.execute("DROP TABLE device_first_seen")
        for column in ("own_completeness", "range_violation_count"):
            connection.execute(f"ALTER TABLE device_features DROP COLUMN {column}")
        connection.execute("UPDATE warehouse_schema SET digest = 'old'")
    deliver(settings, "b.csv", [six_sensors(16, temperature_ambient=None), six_sensors(17)])
    compute(settings, 60)
    assert own_completeness(warehouse) == [None, 11 / 12]


def test_a_folder_of_an_earlier_release_knows_which_sensors_have_told_of_a_defrost(
    settings: Settings, warehouse: Warehouse
) -> None:
    rows = [reading(m, device, defrost_cycle=device == "d2") for m in (1, 16) for device in ("d1", "d2")]
    deliver(settings, "a.csv", rows)
    compute(settings, 60)
    with warehouse.get_connection() as connection:
        connection.execute("ALTER TABLE device_first_seen DROP COLUMN defrost_signalled")
        connection.execute("UPDATE warehouse_schema SET digest = 'old'")
    with warehouse.transaction() as connection:
        known = connection.execute("SELECT device_id, defrost_signalled FROM device_first_seen ORDER BY 1").fetchall()
    assert known == [("d1", None), ("d2", moment(0))]
