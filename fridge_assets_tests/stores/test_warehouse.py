"""The DuckDB file: connections that close, transactions that are whole, and the errors a user may meet."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from fridge_assets.contracts import SITE_STATUS
from fridge_assets.core.errors import FridgeError
from fridge_assets.settings import Settings, WarehouseSettings
from fridge_assets.stores.disk import FolderNotWritable
from fridge_assets.stores.warehouse import Warehouse, WarehouseBusy, WarehouseUnavailable, store_changed
from fridge_assets_tests.conftest import settings_of


def put_sites(warehouse: Warehouse, count: int) -> None:
    with warehouse.transaction() as connection:
        store_changed(connection, SITE_STATUS, SITE_STATUS.to_arrow(SITE_STATUS.sample(count)))


def sites_hash(warehouse: Warehouse) -> list[tuple[object, ...]]:
    with warehouse.read() as connection:
        return connection.execute("SELECT count(*), bit_xor(hash(s)) FROM site_status s").fetchall()


def is_free(warehouse: Warehouse) -> bool:
    """Whether no connection of this process holds the file: another kind of connection would be refused."""
    duckdb.connect(warehouse.database, config={"threads": "1"}).close()
    return True


@contextmanager
def other_process(script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process running ``script``, which has printed its first line when the block begins."""
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        try:
            yield process
        finally:
            process.kill()


HOLD = """
    import duckdb, sys
    connection = duckdb.connect(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    connection.close()
"""


def test_new_data_folder_has_every_table_at_the_first_read(warehouse: Warehouse) -> None:
    with warehouse.read() as connection:
        tables = {row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    assert {"device_features", "quarantined_readings", "model_scores", "device_status", "due_windows"} <= tables


OLDER = {
    "a table is missing": "DROP TABLE rules_based_fallback",
    "a column is missing": "ALTER TABLE score_runs DROP COLUMN committed_at",
    "scores do not say what their version has seen": "ALTER TABLE score_runs DROP COLUMN provisional",
    "features do not say how a machine ran": "ALTER TABLE device_features DROP COLUMN operating_state",
}
"""What earlier releases left out, as the statement that takes it away."""


@pytest.mark.parametrize("missing", OLDER)
@pytest.mark.parametrize("noted", ["no digest", "another digest"])
@pytest.mark.parametrize("first", ["read", "transaction"])
def test_a_file_of_an_earlier_release_is_brought_up_to_date_at_its_first_use_and_keeps_its_rows(
    missing: str, noted: str, first: str, warehouse: Warehouse
) -> None:
    put_sites(warehouse, 3)
    before = sites_hash(warehouse)
    with warehouse.get_connection() as connection:
        connection.execute(OLDER[missing])
        connection.execute(
            "DROP TABLE warehouse_schema" if noted == "no digest" else "UPDATE warehouse_schema SET digest = 'old'"
        )
    with getattr(warehouse, first)() as connection:
        assert connection.execute("SELECT count(*) FROM rules_based_fallback").fetchone() == (0,)
        assert connection.execute("SELECT count(committed_at) FROM score_runs").fetchone() == (0,)
        assert connection.execute("SELECT count(provisional) FROM score_runs").fetchone() == (0,)
        assert connection.execute("SELECT count(operating_state) FROM device_features").fetchone() == (0,)
    assert sites_hash(warehouse) == before


def test_a_file_that_is_up_to_date_is_only_read(warehouse: Warehouse) -> None:
    put_sites(warehouse, 3)
    with other_process(HOLD.replace("sys.argv[1]", "sys.argv[1], read_only=True"), warehouse.database):
        with warehouse.read() as connection:
            assert connection.execute("SELECT count(*) FROM warehouse_schema").fetchone() == (1,)
        assert sites_hash(warehouse)[0][0] == 3


@pytest.mark.parametrize("kind", ["read", "transaction", "get_connection"])
def test_connection_closes_when_its_block_raises(kind: str, warehouse: Warehouse) -> None:
    put_sites(warehouse, 1)
    with pytest.raises(ZeroDivisionError), getattr(warehouse, kind)() as connection:
        raise ZeroDivisionError
    with pytest.raises(duckdb.ConnectionException):
        connection.execute("SELECT 1")
    assert is_free(warehouse)


def test_engine_closes_when_its_block_raises_and_touches_no_file(warehouse: Warehouse) -> None:
    with pytest.raises(ZeroDivisionError), warehouse.engine() as engine:
        raise ZeroDivisionError
    with pytest.raises(duckdb.ConnectionException):
        engine.execute("SELECT 1")
    assert not Path(warehouse.database).exists()


def test_engine_computes_in_utc_with_the_limits_of_the_warehouse(warehouse: Warehouse) -> None:
    settings = "SELECT current_setting('TimeZone'), current_setting('threads')"
    with warehouse.engine() as engine:
        assert engine.execute(settings).fetchone() == ("UTC", 2)


def test_transaction_is_committed_at_its_end(warehouse: Warehouse) -> None:
    put_sites(warehouse, 3)
    assert sites_hash(warehouse)[0][0] == 3
    put_sites(warehouse, 2)
    assert sites_hash(warehouse)[0][0] == 2


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_transaction_is_rolled_back_on_any_exception(error: type[BaseException], warehouse: Warehouse) -> None:
    put_sites(warehouse, 3)
    before = sites_hash(warehouse)

    def delete_and_fail() -> None:
        with warehouse.transaction() as connection:
            connection.execute("DELETE FROM site_status")
            raise error

    with pytest.raises(error):
        delete_and_fail()
    assert sites_hash(warehouse) == before


def test_reading_connection_refuses_to_write(warehouse: Warehouse) -> None:
    put_sites(warehouse, 1)
    with warehouse.read() as connection, pytest.raises(duckdb.InvalidInputException):
        connection.execute("DELETE FROM site_status")


def test_file_held_by_another_process_names_it_and_changes_nothing(warehouse: Warehouse) -> None:
    put_sites(warehouse, 3)
    before = sites_hash(warehouse)
    with other_process(HOLD, warehouse.database) as holder:
        started = time.monotonic()
        with pytest.raises(WarehouseBusy, match=rf"process {holder.pid}\) for more than 1 s.*nothing was changed"):
            put_sites(warehouse, 1)
        assert 1 <= time.monotonic() - started < 5
    assert sites_hash(warehouse) == before


def test_lock_whose_holder_has_just_gone_is_waited_for_as_well(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_sites(warehouse, 1)
    connect, refusals = duckdb.connect, ["Resource temporarily unavailable", "Conflicting lock is held in PID 0"]

    def refused_at_first(*arguments: object, **options: object) -> duckdb.DuckDBPyConnection:
        if refusals:
            raise duckdb.IOException(f'IO Error: Could not set lock on file "w.duckdb": {refusals.pop()}')
        return connect(*arguments, **options)

    monkeypatch.setattr(duckdb, "connect", refused_at_first)
    put_sites(warehouse, 2)
    assert refusals == []
    assert sites_hash(warehouse)[0][0] == 2


def test_file_released_in_time_is_used_without_a_word(settings: Settings) -> None:
    patient = Warehouse.from_settings(settings_of(settings.root, warehouse=WarehouseSettings()))
    put_sites(patient, 1)
    script = HOLD.replace("sys.stdin.readline()", "import time; time.sleep(0.5)")
    with other_process(script, patient.database):
        put_sites(patient, 2)
    assert sites_hash(patient)[0][0] == 2


def test_several_processes_may_read_at_once(warehouse: Warehouse) -> None:
    put_sites(warehouse, 3)
    with other_process(HOLD.replace("sys.argv[1]", "sys.argv[1], read_only=True"), warehouse.database):
        assert sites_hash(warehouse)[0][0] == 3


def test_process_killed_in_mid_transaction_leaves_the_table_as_before(warehouse: Warehouse, settings: Settings) -> None:
    put_sites(warehouse, 3)
    before = sites_hash(warehouse)
    script = """
        import sys
        from pathlib import Path
        from fridge_assets.contracts import SITE_STATUS
        from fridge_assets.settings import Settings
        from fridge_assets.stores.warehouse import Warehouse, store_changed
        with Warehouse.from_settings(Settings(data_dir=Path(sys.argv[1]))).transaction() as connection:
            store_changed(connection, SITE_STATUS, SITE_STATUS.to_arrow(SITE_STATUS.sample(20_000)))
            print("ready", flush=True)
            sys.stdin.readline()
    """
    with other_process(script, str(settings.root)) as writer:
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
    assert sites_hash(warehouse) == before
    put_sites(warehouse, 4)
    assert sites_hash(warehouse)[0][0] == 4


def test_full_disk_is_a_clear_error_and_the_last_state_is_intact(warehouse: Warehouse, settings: Settings) -> None:
    put_sites(warehouse, 3)
    before = sites_hash(warehouse)
    # A process may not make files longer than this: the write fails as on a full disk.
    script = """
        import resource, signal, sys
        from pathlib import Path
        from fridge_assets.contracts import SITE_STATUS
        from fridge_assets.settings import Settings
        from fridge_assets.stores.warehouse import Warehouse, WarehouseUnavailable, store_changed
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        rows = SITE_STATUS.to_arrow(SITE_STATUS.sample(300_000))
        warehouse = Warehouse.from_settings(Settings(data_dir=Path(sys.argv[1])))
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
        try:
            with warehouse.transaction() as connection:
                store_changed(connection, SITE_STATUS, rows)
        except WarehouseUnavailable as error:
            print(error)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(settings.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "cannot be used" in done.stdout, done.stderr
    assert "the disk has space; the last committed state is intact" in done.stdout
    assert sites_hash(warehouse) == before


@pytest.mark.parametrize("folder", ["below a file", "read-only system folder"])
def test_data_folder_that_cannot_be_written_is_a_clear_error(folder: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    place = tmp_path / "file" / "data" if folder == "below a file" else Path("/proc/fridge")
    warehouse = Warehouse.from_settings(settings_of(place))
    for use in (warehouse.transaction, warehouse.engine):
        with pytest.raises(FolderNotWritable, match=f"{place}.* cannot be written.*--data-dir"), use():
            pass


def test_file_that_is_no_database_is_named(warehouse: Warehouse, settings: Settings) -> None:
    settings.root.mkdir()
    settings.warehouse_file.write_bytes(b"x" * 10_000)
    with pytest.raises(WarehouseUnavailable, match=rf"{settings.warehouse_file} cannot be used"), warehouse.read():
        pass


def test_looking_at_a_warehouse_that_is_not_there_finds_empty_tables_and_creates_nothing(settings: Settings) -> None:
    warehouse = Warehouse.from_settings(settings)
    with warehouse.read() as connection:
        assert connection.execute("SELECT count(*) FROM model_scores").fetchall() == [(0,)]
    assert not settings.root.exists()


def test_a_file_that_several_processes_make_and_read_at_once_is_never_seen_half_made(settings: Settings) -> None:
    context = multiprocessing.get_context("fork")
    begin, outcomes = context.Barrier(4), context.Queue()

    def use(number: int) -> None:
        warehouse = Warehouse.from_settings(settings)
        begin.wait()
        try:
            if number < 2:
                with warehouse.transaction() as connection:
                    connection.execute(
                        "INSERT INTO repeated_events (event_id, timestamp_utc) VALUES (?, now())", [number]
                    )
            else:
                for _ in range(20):
                    with warehouse.read() as connection:
                        connection.execute("SELECT count(*) FROM repeated_events").fetchall()
        except FridgeError as error:
            outcomes.put(str(error))
        else:
            outcomes.put("done")

    processes = [context.Process(target=use, args=(number,)) for number in range(4)]
    for process in processes:
        process.start()
    assert [outcomes.get(timeout=60) for _ in processes] == ["done"] * 4
    for process in processes:
        process.join(60)
    with Warehouse.from_settings(settings).read() as connection:
        assert connection.execute("SELECT count(*) FROM repeated_events").fetchall() == [(2,)]
