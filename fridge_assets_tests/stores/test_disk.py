"""Full disks: how libraries say it, and what a user is told."""

import errno
import sqlite3
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from fridge_assets.stores.disk import DiskFull, FolderNotWritable, free_space, full_disk, require_space


def raised_by_sqlite() -> Exception:
    with sa.create_engine("sqlite://").connect() as connection:
        connection.execute(sa.text("PRAGMA max_page_count = 1"))
        with pytest.raises(sa.exc.OperationalError) as full:
            connection.execute(sa.text("CREATE TABLE t (a)"))
    return full.value


def raised_by_python() -> Exception:
    with pytest.raises(OSError, match="No space") as full, open("/dev/full", "wb", buffering=0) as file:
        file.write(b"x")
    return full.value


@pytest.mark.parametrize(
    "error",
    [
        raised_by_python(),
        raised_by_sqlite(),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        duckdb.IOException('IO Error: Could not write file "x.duckdb": No space left on device'),
        duckdb.OutOfMemoryException("failed to offload data block, limit set by the 'max_temp_directory_size' setting"),
    ],
    ids=["python", "sqlite", "quota", "duckdb", "spill"],
)
def test_every_library_is_understood_also_where_its_error_was_wrapped(error: Exception, tmp_path: Path) -> None:
    wrapped = RuntimeError("something went wrong")
    wrapped.__cause__ = error
    for one in (error, wrapped):
        told = full_disk(one, tmp_path)
        assert isinstance(told, DiskFull)
        assert "its disk is full" in str(told)
        assert "Free some space there" in told.remedy


def test_other_errors_are_no_full_disk(tmp_path: Path) -> None:
    for error in (PermissionError(errno.EACCES, "Permission denied"), sqlite3.OperationalError("disk I/O error")):
        assert full_disk(error, tmp_path) is None


def test_what_needs_more_than_is_free_is_refused_with_place_need_and_way_out(tmp_path: Path) -> None:
    place = tmp_path / "not" / "there yet"
    require_space(place, free_space(place) // 2, "a run")
    with pytest.raises(
        FolderNotWritable, match=rf"^a run needs [\d,.]+ GiB on the disk of {place} and .* are free\. Free"
    ):
        require_space(place, free_space(place) + 2**40, "a run")
