"""Published snapshots are whole at any moment."""

import multiprocessing
from multiprocessing.synchronize import Event
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from fridge_assets.contracts import SITE_STATUS
from fridge_assets.stores.published import Published


def test_nothing_is_there_before_the_first_publication(tmp_path: Path) -> None:
    assert Published(tmp_path / "published").read(SITE_STATUS) is None


def test_published_rows_come_back_in_the_types_of_the_contract(tmp_path: Path) -> None:
    rows = SITE_STATUS.sample(3)
    published = Published(tmp_path / "published")
    path = published.replace(SITE_STATUS, rows.assign(extra=1))
    back = published.read(SITE_STATUS)
    assert back is not None
    pd.testing.assert_frame_equal(back, SITE_STATUS.to_arrow(rows).to_pandas())
    assert path == tmp_path / "published" / "site_status.parquet"


def test_failed_publication_leaves_the_snapshot_before(tmp_path: Path) -> None:
    published = Published(tmp_path)
    published.replace(SITE_STATUS, SITE_STATUS.sample(3))
    with pytest.raises(pa.ArrowInvalid):
        published.replace(SITE_STATUS, SITE_STATUS.sample(2).assign(device_count="many"))
    assert len(published.read(SITE_STATUS)) == 3  # type: ignore[arg-type]
    assert len(list(tmp_path.iterdir())) == 1


def test_reader_beside_a_writer_sees_only_whole_snapshots(tmp_path: Path) -> None:
    published = Published(tmp_path)
    published.replace(SITE_STATUS, SITE_STATUS.sample(1))
    context = multiprocessing.get_context("fork")
    stop = context.Event()
    writer = context.Process(target=_publish_until, args=(tmp_path, stop))
    writer.start()
    try:
        sizes = {len(published.read(SITE_STATUS)) for _ in range(60)}  # type: ignore[arg-type]
    finally:
        stop.set()
        writer.join()
    assert sizes <= {1, 2000}
    assert 2000 in sizes


def _publish_until(folder: Path, stop: Event) -> None:
    rows = {size: SITE_STATUS.sample(size) for size in (1, 2000)}
    while not stop.is_set():
        for size in (2000, 1, 2000):
            Published(folder).replace(SITE_STATUS, rows[size])
