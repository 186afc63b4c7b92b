"""The landing folder and its ledger."""

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fridge_assets.stores.disk import FolderNotWritable
from fridge_assets.stores.landing import Landing, LedgerEntry, sidecar_of, still_growing
from fridge_assets.stores.operations import Operations

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "june.csv.gz"
    path.write_bytes(b"readings")
    return path


def test_delivered_file_appears_whole_under_its_name(landing: Landing, source: Path) -> None:
    target = landing.deliver(source, None)
    assert target == landing.folder / "june.csv.gz"
    assert target.read_bytes() == b"readings"
    assert [path.name for path in landing.folder.iterdir()] == ["june.csv.gz"]


def test_second_delivery_of_a_name_gets_a_free_one_and_changes_nothing(landing: Landing, source: Path) -> None:
    landing.deliver(source, None)
    source.write_bytes(b"other readings")
    names = [landing.deliver(source, None).name for _ in range(2)]
    assert names == ["june-2.csv.gz", "june-3.csv.gz"]
    assert (landing.folder / "june.csv.gz").read_bytes() == b"readings"


def test_a_delivery_is_known_by_what_is_in_it_and_how_that_is_read(landing: Landing, source: Path) -> None:
    berlin, plain = '{"timezone": "Europe/Berlin"}', landing.deliver(source, None)
    copy = source.with_name("copy.csv.gz")
    copy.write_bytes(source.read_bytes())
    assert landing.find(copy, None) == plain
    assert landing.find(copy, berlin) is None
    assert landing.find(landing.deliver(source, berlin), berlin) == landing.folder / "june-2.csv.gz"
    copy.write_bytes(b"READINGS")
    assert landing.find(copy, None) is None


def test_what_a_killed_delivery_left_does_not_say_how_another_file_is_read(landing: Landing, source: Path) -> None:
    sidecar_of(landing.folder / source.name).write_text('{"timezone": "Europe/Berlin"}')
    assert not sidecar_of(landing.deliver(source, None)).exists()


def test_interpretation_lies_beside_the_file_and_is_no_delivery_itself(landing: Landing, source: Path) -> None:
    target = landing.deliver(source, '{"timezone": "Europe/Berlin"}')
    assert sidecar_of(target).read_text() == '{"timezone": "Europe/Berlin"}'
    (file,) = landing.files()
    assert file.sidecar == sidecar_of(target)


def test_delivery_that_fails_leaves_nothing(landing: Landing, tmp_path: Path) -> None:
    with pytest.raises(FolderNotWritable):
        landing.deliver(tmp_path / "missing.csv", None)
    assert list(landing.folder.iterdir()) == []


def test_names_with_dot_or_underscore_and_folders_are_still_being_written(landing: Landing) -> None:
    for name in (".hidden.csv", "_partial.parquet", "b.csv", "a.csv"):
        (landing.folder / name).write_text("x")
    (landing.folder / "folder.csv").mkdir()
    assert [file.name for file in landing.files()] == ["a.csv", "b.csv"]


def test_file_knows_its_size_and_time(landing: Landing) -> None:
    path = landing.folder / "a.csv"
    path.write_text("12345")
    os.utime(path, (NOON.timestamp(), NOON.timestamp()))
    (file,) = landing.files()
    assert (file.size_bytes, file.modified_at) == (5, NOON)


def test_missing_landing_folder_is_created(tmp_path: Path, operations: Operations) -> None:
    assert Landing(tmp_path / "new", operations).files() == []
    assert (tmp_path / "new").is_dir()


def test_young_file_that_still_grows_is_named_and_a_quiet_or_old_one_is_not(landing: Landing) -> None:
    for name in ("growing.csv", "quiet.csv", "old.csv"):
        (landing.folder / name).write_text("x")
    os.utime(landing.folder / "old.csv", (0, 0))
    files = landing.files()
    writer = threading.Timer(0.1, (landing.folder / "growing.csv").write_text, args=("x and more",))
    writer.start()
    growing = still_growing(files, settle_seconds=10)
    writer.join()
    assert growing == {"growing.csv"}


def test_file_taken_away_while_watched_is_not_ready(landing: Landing) -> None:
    (landing.folder / "a.csv").write_text("x")
    files = landing.files()
    (landing.folder / "a.csv").unlink()
    assert still_growing(files, settle_seconds=10) == {"a.csv"}


def test_old_files_are_not_waited_for(landing: Landing) -> None:
    (landing.folder / "a.csv").write_text("x")
    started = time.monotonic()
    assert still_growing(landing.files(), settle_seconds=0) == set()
    assert time.monotonic() - started < 0.4


def test_ledger_gives_back_what_was_recorded(landing: Landing) -> None:
    full = LedgerEntry(
        "a.csv", 10, NOON, "ingested", NOON + timedelta(minutes=1), "batch", None, 9, 5, 3, 1, NOON, NOON
    )
    refused = LedgerEntry("b.csv", 0, NOON, "refused", NOON, reason="it is empty")
    landing.record([full, refused])
    assert landing.ledger() == {"a.csv": full, "b.csv": refused}


def test_recording_again_replaces_what_the_ledger_said(landing: Landing) -> None:
    landing.record([LedgerEntry("a.csv", 10, NOON, "loading", NOON)])
    landing.record([LedgerEntry("a.csv", 10, NOON, "ingested", NOON, rows=3)])
    assert landing.ledger()["a.csv"].status == "ingested"
    landing.record([])
    assert list(landing.ledger()) == ["a.csv"]


def test_report_lists_the_newest_entry_first(landing: Landing) -> None:
    landing.record(
        LedgerEntry(name, 1, NOON, "ingested", NOON + timedelta(minutes=minute))
        for name, minute in (("a.csv", 1), ("c.csv", 3), ("b.csv", 2))
    )
    assert landing.report()["file_name"].tolist() == ["c.csv", "b.csv", "a.csv"]
