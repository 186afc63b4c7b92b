"""Files that appear whole or not at all, and folders that cannot be written."""

from pathlib import Path

import pytest

from fridge_assets.stores.disk import DiskFull, FolderNotWritable
from fridge_assets.stores.files import atomic_write, writable_folder


def test_file_appears_only_when_the_block_has_ended_well(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file.txt"
    with atomic_write(target) as temporary:
        temporary.write_text("whole")
        assert temporary.name.startswith(".")
        assert not target.exists()
    assert target.read_text() == "whole"


def test_failed_write_leaves_the_file_before_and_no_temporary(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("before")

    def write_half() -> None:
        with atomic_write(target) as temporary:
            temporary.write_text("ha")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert target.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


@pytest.mark.parametrize("action", [writable_folder, lambda folder: atomic_write(folder / "x").__enter__()])
@pytest.mark.parametrize("where", ["below a file", "read-only system folder"])
def test_folder_that_cannot_be_written_is_named_with_the_way_out(action, where: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "data" if where == "below a file" else Path("/proc/fridge")
    with pytest.raises(FolderNotWritable, match=rf"{folder} cannot be written: .*--data-dir"):
        action(folder)


def test_full_disk_is_named_and_the_file_before_stays(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("before")

    def write_to_full_disk() -> None:
        with atomic_write(target), open("/dev/full", "w") as full:
            full.write("x" * 100_000)

    with pytest.raises(DiskFull, match=f"{tmp_path} cannot be written: its disk is full"):
        write_to_full_disk()
    assert target.read_text() == "before"
