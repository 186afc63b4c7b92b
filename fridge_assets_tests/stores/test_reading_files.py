"""The manifest decides which files of clean readings count."""

from datetime import timedelta
from pathlib import Path

from fridge_assets.contracts import CLEAN_SENSOR_READINGS
from fridge_assets.stores.reading_files import (
    CleanFile,
    clean_files,
    clean_files_of,
    commit_clean_files,
    write_clean_files,
)
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.readings.deliveries import moment


def write_hours(warehouse: Warehouse, batch: str, minutes: list[float]) -> list[CleanFile]:
    """Clean readings at ``minutes`` after noon, written but not committed."""
    rows = CLEAN_SENSOR_READINGS.sample(len(minutes)).assign(timestamp_utc=[moment(m) for m in minutes])
    with warehouse.engine() as engine:
        engine.register("rows", CLEAN_SENSOR_READINGS.to_arrow(rows))
        engine.execute("CREATE TABLE cleaned AS SELECT *, date_trunc('hour', timestamp_utc) AS hour_start FROM rows")
        return write_clean_files(engine, warehouse.clean_readings_folder(), batch)


def found(warehouse: Warehouse, first: float, last: float) -> list[Path]:
    with warehouse.read() as connection:
        return clean_files(connection, warehouse.clean_readings_folder(), moment(first), moment(last))


def test_written_files_count_only_once_they_are_committed(warehouse: Warehouse) -> None:
    files = write_hours(warehouse, "b1", [0, 1])
    assert (warehouse.clean_readings_folder() / files[0].path).exists()
    assert found(warehouse, -600, 600) == []
    with warehouse.transaction() as connection:
        commit_clean_files(connection, files)
    assert found(warehouse, -600, 600) == [warehouse.clean_readings_folder() / files[0].path]


def test_rolled_back_commit_leaves_no_file_in_the_manifest(warehouse: Warehouse) -> None:
    files = write_hours(warehouse, "b1", [0])
    try:
        with warehouse.transaction() as connection:
            commit_clean_files(connection, files)
            raise ZeroDivisionError
    except ZeroDivisionError:
        assert found(warehouse, -600, 600) == []


def test_one_file_an_hour_in_folders_of_date_and_hour(warehouse: Warehouse) -> None:
    files = write_hours(warehouse, "b1", [0, 59, 60, 12 * 60])
    described = sorted((Path(f.path).parent.as_posix(), f.hour, f.rows, f.batch_id) for f in files)
    assert described == [
        ("date=2026-06-01/hour=12", moment(0), 2, "b1"),
        ("date=2026-06-01/hour=13", moment(60), 1, "b1"),
        ("date=2026-06-02/hour=00", moment(720), 1, "b1"),
    ]


def test_files_of_the_hours_between_two_moments_are_found_in_a_fixed_order(warehouse: Warehouse) -> None:
    files = write_hours(warehouse, "b2", [60, 120]) + write_hours(warehouse, "b1", [0, 60])
    with warehouse.transaction() as connection:
        commit_clean_files(connection, files)
    hours = [(path.parent.name, path.name[:2]) for path in found(warehouse, 30, 119)]
    assert hours == [("hour=12", "b1"), ("hour=13", "b1"), ("hour=13", "b2")]
    assert found(warehouse, 180, 600) == []


def test_the_largest_file_comes_first_as_an_engine_takes_all_to_be_like_it(warehouse: Warehouse) -> None:
    files = (
        write_hours(warehouse, "b1", [0]) + write_hours(warehouse, "b2", [1, 2, 3]) + write_hours(warehouse, "b3", [4])
    )
    with warehouse.transaction() as connection:
        commit_clean_files(connection, files)
    assert [path.name[:2] for path in found(warehouse, 0, 0)] == ["b2", "b1", "b3"]


def test_batch_written_again_replaces_its_own_files(warehouse: Warehouse) -> None:
    write_hours(warehouse, "b1", [0, 1])
    files = write_hours(warehouse, "b1", [0])
    with warehouse.transaction() as connection:
        commit_clean_files(connection, files)
    (path,) = found(warehouse, 0, 0)
    with warehouse.engine() as engine:
        assert engine.execute("SELECT count(*) FROM read_parquet($path)", {"path": str(path)}).fetchall() == [(1,)]
    assert [file.hour + timedelta(hours=1) for file in files] == [moment(60)]


def test_files_of_some_hours_are_found_by_hour_and_those_without_any_are_left_out(warehouse: Warehouse) -> None:
    files = write_hours(warehouse, "b2", [60, 120]) + write_hours(warehouse, "b1", [0, 60, 61])
    with warehouse.transaction() as connection:
        commit_clean_files(connection, files)
    folder = warehouse.clean_readings_folder()
    with warehouse.read() as connection:
        assert clean_files_of(connection, folder, []) == {}
        by_hour = clean_files_of(connection, folder, [moment(600), moment(120), moment(60)])
    assert {hour: [path.name[:2] for path in paths] for hour, paths in by_hour.items()} == {
        moment(60): ["b1", "b2"],
        moment(120): ["b2"],
    }
    assert list(by_hour) == [moment(60), moment(120)]
