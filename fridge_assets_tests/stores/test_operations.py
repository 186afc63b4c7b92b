"""The operations store: migrations, transactions, timestamps, and the errors a user may meet."""

import multiprocessing
import pickle
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from fridge_assets.contracts import DEVICE_ALERTS
from fridge_assets.core.errors import FridgeError
from fridge_assets.stores.migrations import FOLDER, HEAD
from fridge_assets.stores.operations import Operations, device_alerts, ingest_ledger, insert_missing, metadata

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def operations(tmp_path: Path) -> Operations:
    return Operations(url_of(tmp_path / "data" / "operations.db"))


def ledger_row(name: str = "a.csv", **changes: object) -> dict[str, object]:
    return {
        "file_name": name,
        "size_bytes": 10,
        "modified_at": NOON,
        "status": "ingested",
        "recorded_at": NOON,
    } | changes


def file_names(operations: Operations) -> list[str]:
    with operations.read() as connection:
        return list(connection.scalars(sa.select(ingest_ledger.c.file_name).order_by("file_name")))


# --- migrations


def test_migrated_database_equals_the_table_metadata(operations: Operations) -> None:
    with operations.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_head_constant_is_the_newest_migration() -> None:
    assert ScriptDirectory(str(FOLDER)).get_current_head() == HEAD


def test_alert_table_has_exactly_the_columns_of_its_contract() -> None:
    assert tuple(device_alerts.columns.keys()) == DEVICE_ALERTS.column_names


def test_first_use_creates_the_folder_and_the_tables(operations: Operations, tmp_path: Path) -> None:
    assert file_names(operations) == []
    assert (tmp_path / "data" / "operations.db").exists()


def test_migrating_again_keeps_the_rows(operations: Operations) -> None:
    with operations.transaction() as connection:
        connection.execute(ingest_ledger.insert(), ledger_row())
    again = Operations(operations.url)
    again.migrate()
    assert file_names(again) == ["a.csv"]


def test_up_to_date_store_opens_without_loading_alembic(operations: Operations) -> None:
    operations.migrate()
    script = (
        "import sys; from fridge_assets.stores.operations import Operations; "
        f"Operations({operations.url!r}).migrate(); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def write_one(url: str, name: str, barrier: "multiprocessing.synchronize.Barrier") -> None:
    barrier.wait()
    with Operations(url).transaction() as connection:
        connection.execute(ingest_ledger.insert(), ledger_row(name))


def test_processes_that_start_at_once_on_an_empty_folder_all_succeed(operations: Operations) -> None:
    fork = multiprocessing.get_context("fork")
    for attempt in range(5):
        url = operations.url.replace("operations.db", f"operations{attempt}.db")
        barrier = fork.Barrier(6)
        workers = [fork.Process(target=write_one, args=(url, f"{n}.csv", barrier)) for n in range(6)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
        assert [worker.exitcode for worker in workers] == [0] * 6
        assert file_names(Operations(url)) == [f"{n}.csv" for n in range(6)]


def test_store_of_a_newer_release_is_refused_by_name(operations: Operations) -> None:
    with operations.transaction() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(FridgeError, match=r"operations\.db was written by another release.*9999.*Update"):
        Operations(operations.url).migrate()


# --- transactions


def test_sqlite_runs_in_wal_mode_with_foreign_keys(operations: Operations) -> None:
    with operations.read() as connection:
        settings = [
            connection.scalar(sa.text(f"PRAGMA {name}"))
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        ]
    assert settings == ["wal", 1, 1, 20_000]


def test_failed_transaction_leaves_nothing(operations: Operations) -> None:
    def interrupted() -> None:
        with operations.transaction() as connection:
            connection.execute(ingest_ledger.insert(), ledger_row())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert file_names(operations) == []


def test_reader_sees_the_last_committed_state_while_another_writes(operations: Operations) -> None:
    with operations.transaction() as writer:
        writer.execute(ingest_ledger.insert(), ledger_row())
        assert file_names(operations) == []
    assert file_names(operations) == ["a.csv"]


def test_read_then_write_in_two_threads_loses_no_update(operations: Operations) -> None:
    with operations.transaction() as connection:
        connection.execute(ingest_ledger.insert(), ledger_row(rows=0))

    def count_up() -> None:
        for _ in range(20):
            with operations.transaction() as connection:
                rows = connection.scalar(sa.select(ingest_ledger.c.rows))
                connection.execute(ingest_ledger.update().values(rows=rows + 1))

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with operations.read() as connection:
        assert connection.scalar(sa.select(ingest_ledger.c.rows)) == 80


def test_insert_missing_keeps_the_row_that_is_there(operations: Operations) -> None:
    with operations.transaction() as connection:
        insert_missing(connection, ingest_ledger, [ledger_row("a.csv", rows=1)])
        insert_missing(connection, ingest_ledger, [ledger_row("a.csv", rows=2), ledger_row("b.csv", rows=3)])
        insert_missing(connection, ingest_ledger, [])
        columns = (ingest_ledger.c.file_name, ingest_ledger.c.rows)
        assert connection.execute(sa.select(*columns).order_by("file_name")).all() == [
            ("a.csv", 1),
            ("b.csv", 3),
        ]


def test_store_in_use_can_be_sent_to_another_process(operations: Operations) -> None:
    operations.migrate()
    copy = pickle.loads(pickle.dumps(operations))
    with copy.transaction() as connection:
        connection.execute(ingest_ledger.insert(), ledger_row())
    assert file_names(operations) == ["a.csv"]


def test_store_in_use_survives_a_fork(operations: Operations) -> None:
    operations.migrate()
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(2)

    def child() -> None:
        barrier.wait()
        with operations.transaction() as connection:
            connection.execute(ingest_ledger.insert(), ledger_row("child.csv"))

    worker = fork.Process(target=child)
    worker.start()
    barrier.wait()
    with operations.transaction() as connection:
        connection.execute(ingest_ledger.insert(), ledger_row("parent.csv"))
    worker.join(60)
    assert file_names(operations) == ["child.csv", "parent.csv"]


# --- timestamps


def test_timestamps_come_back_aware_and_in_utc(operations: Operations) -> None:
    tokyo = timezone(timedelta(hours=9))
    moment = datetime(2026, 6, 1, 21, 0, 0, 123456, tzinfo=tokyo)
    with operations.transaction() as connection:
        connection.execute(ingest_ledger.insert(), ledger_row(modified_at=moment))
    with operations.read() as connection:
        stored = connection.scalar(sa.select(ingest_ledger.c.modified_at))
    assert stored == moment
    assert stored.utcoffset() == timedelta(0)


def test_naive_timestamps_are_refused(operations: Operations) -> None:
    naive = ledger_row(modified_at=NOON.replace(tzinfo=None))
    with pytest.raises(FridgeError, match="12:00:00 has no timezone"), operations.transaction() as connection:
        connection.execute(ingest_ledger.insert(), naive)
    assert file_names(operations) == []


# --- errors a user may meet


def test_locked_database_says_that_another_process_is_writing(operations: Operations) -> None:
    hasty = Operations(operations.url, lock_wait=timedelta(seconds=0.1))
    hasty.migrate()
    with operations.transaction():
        with pytest.raises(FridgeError, match=r"being written by another process for longer than 0\.1 s"):
            hasty.transaction().__enter__()
        assert file_names(hasty) == []


def test_read_only_database_is_named(operations: Operations, tmp_path: Path) -> None:
    operations.migrate()
    read_only = Operations(f"sqlite:///file:{tmp_path}/data/operations.db?mode=ro&uri=true")
    with (
        pytest.raises(FridgeError, match=r"operations\.db.* is read-only.*write access"),
        read_only.transaction() as connection,
    ):
        connection.execute(ingest_ledger.insert(), ledger_row())


def test_folder_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(FridgeError, match=r"file/data cannot be written"):
        Operations(url_of(tmp_path / "file" / "data" / "operations.db")).migrate()


def test_path_that_is_a_folder_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(FridgeError, match=r"cannot be opened or created\. Give this user write access"):
        Operations(url_of(tmp_path)).migrate()


def test_full_disk_writes_nothing_of_the_transaction(operations: Operations) -> None:
    def fill_the_disk() -> None:
        with operations.transaction() as connection:
            pages = connection.scalar(sa.text("PRAGMA page_count"))
            connection.execute(sa.text(f"PRAGMA max_page_count = {pages + 2}"))
            connection.execute(ingest_ledger.insert(), [ledger_row(f"{n}.csv", reason="x" * 999) for n in range(99)])

    with pytest.raises(FridgeError, match=r"disk is full.*nothing of this transaction"):
        fill_the_disk()
    assert file_names(operations) == []


def test_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "operations.db"
    path.write_bytes(b"device_id,timestamp\n" * 1000)
    with pytest.raises(FridgeError, match=r"operations\.db is not a SQLite database.*Move that file away"):
        Operations(url_of(path)).migrate()


def test_damaged_database_is_named(operations: Operations, tmp_path: Path) -> None:
    with operations.transaction() as connection:
        rows = [ledger_row(f"{n}.csv", reason="x" * 500) for n in range(500)]
        connection.execute(ingest_ledger.insert(), rows)
    path = tmp_path / "data" / "operations.db"
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()
    content = bytearray(path.read_bytes())
    content[4096 * 20 :] = b"\xff" * (len(content) - 4096 * 20)
    path.write_bytes(content)
    with pytest.raises(FridgeError, match=r"operations\.db is damaged"), operations.read() as connection:
        connection.execute(sa.select(ingest_ledger)).all()


@pytest.mark.parametrize("url", ["not a url", "oracle+nothing://host/db"])
def test_unusable_url_is_explained(url: str) -> None:
    with pytest.raises(FridgeError, match="FRIDGE_OPERATIONS_URL"):
        Operations(url).migrate()
