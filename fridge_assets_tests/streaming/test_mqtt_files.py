"""Messages of a broker in files: what is acknowledged is seen by others in the end, whatever the disk does."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fridge_assets.streaming.sources.mqtt_files import MessageFiles

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LATER = NOON.timestamp() + 60


def test_a_file_that_cannot_be_finished_is_finished_later_and_not_written_to_again(tmp_path: Path) -> None:
    files = MessageFiles(tmp_path, timedelta(seconds=30))
    files.store("store-7", ["first"], NOON, 0)
    (growing,) = (tmp_path / "store-7").iterdir()
    in_the_way = growing.with_name(growing.name[1:])
    in_the_way.mkdir()
    with pytest.raises(OSError, match=in_the_way.name):
        files.finish(LATER)
    files.store("store-7", ["second"], NOON, 0)
    assert growing.read_text() == "first\n"
    in_the_way.rmdir()
    assert files.finish(LATER)
    seen = [path for path in (tmp_path / "store-7").iterdir() if not path.name.startswith(".")]
    assert sorted(path.read_text() for path in seen) == ["first\n", "second\n"]
