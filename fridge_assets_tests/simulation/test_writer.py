"""Registry, ground truth and landing files on disk (SPEC 1.2, 9)."""

import resource
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from fridge_assets.core.errors import FridgeError
from fridge_assets.simulation import (
    FaultShare,
    Fleet,
    WrittenFleet,
    simulate_registry,
    write_fleet,
    write_live,
)
from fridge_assets_tests.simulation.spans import HOUR, MINUTE, START


def fleet(seed: int = 3, hours: int = 3) -> Fleet:
    faults = (FaultShare("bearing_wear", 0.1),)
    return Fleet(simulate_registry(40, seed), seed, START, START + hours * HOUR, faults)


def write(folder: Path, of: Fleet, **options: int) -> WrittenFleet:
    return write_fleet(of, folder / "landing", folder / "registry.csv", folder / "ground_truth.parquet", **options)


def landed(folder: Path) -> list[Path]:
    return sorted((folder / "landing").iterdir())


def test_files_cover_an_hour_each_and_sort_by_time(tmp_path: Path) -> None:
    write(tmp_path, fleet())
    assert [path.name for path in landed(tmp_path)] == [
        "readings-20260302T0000Z-20260302T0100Z.parquet",
        "readings-20260302T0100Z-20260302T0200Z.parquet",
        "readings-20260302T0200Z-20260302T0300Z.parquet",
    ]
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "ground_truth.parquet",
        "landing",
        "registry.csv",
    ]


def test_a_reading_is_in_the_file_of_its_arrival_and_all_of_them_arrive(tmp_path: Path) -> None:
    summary = write(tmp_path, fleet(hours=5))
    tables = [pq.read_table(path) for path in landed(tmp_path)]
    late = 0
    for hour, table in enumerate(tables):
        frame = table.to_pandas()
        assert frame["timestamp_ingested"].ge(START + hour * HOUR).all()
        assert frame["timestamp_ingested"].lt(START + (hour + 1) * HOUR).all()
        late += int((frame["sequence_number"] < hour * 60).sum())
    assert late > 0
    everything = fleet(hours=5).readings(START, START + 5 * HOUR)
    assert summary.readings == sum(table.num_rows for table in tables)
    assert summary.readings + summary.in_transit == everything.num_rows
    key = [("device_id", "ascending"), ("timestamp_ingested", "ascending")]
    arrived = everything.filter(
        pc.less(everything["timestamp_ingested"], pa.scalar(START + 5 * HOUR, pa.timestamp("us", "UTC")))
    )
    assert pa.concat_tables(tables).sort_by(key).combine_chunks().equals(arrived.sort_by(key).combine_chunks())


def test_the_summary_counts_what_is_on_disk(tmp_path: Path) -> None:
    summary = write(tmp_path, fleet())
    assert (summary.devices, summary.sites, summary.faulty_devices, summary.files) == (40, 4, 4, 3)
    assert summary.bytes == sum(path.stat().st_size for path in landed(tmp_path))
    registry = pd.read_csv(tmp_path / "registry.csv", parse_dates=["install_date"])
    assert registry["device_id"].tolist() == fleet().registry["device_id"].tolist()
    assert str(registry["install_date"].dt.tz) == "UTC"
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "ground_truth.parquet"), fleet().ground_truth)


def test_large_fleets_get_smaller_files_at_round_times(tmp_path: Path) -> None:
    summary = write(tmp_path, fleet(hours=1), rows_per_file=40 * 15)
    assert summary.files == 4
    assert [path.name[9:23] for path in landed(tmp_path)] == [f"20260302T00{m:02d}Z" for m in (0, 15, 30, 45)]
    assert all(pq.read_metadata(path).num_rows <= 40 * 15 * 1.1 for path in landed(tmp_path))


def test_files_begin_on_the_hour_although_the_span_does_not(tmp_path: Path) -> None:
    odd = Fleet(simulate_registry(10, 3), 3, START + 50 * MINUTE, START + 130 * MINUTE)
    write(tmp_path, odd)
    assert [path.name[9:40] for path in landed(tmp_path)] == [
        "20260302T0050Z-20260302T0100Z.p",
        "20260302T0100Z-20260302T0200Z.p",
        "20260302T0200Z-20260302T0210Z.p",
    ]


def test_progress_is_told_after_every_file(tmp_path: Path) -> None:
    told: list[tuple[timedelta, timedelta]] = []
    write_fleet(
        fleet(),
        tmp_path,
        tmp_path / "r.csv",
        tmp_path / "g.parquet",
        progress=lambda *step: told.append(step),
    )
    assert told == [(HOUR, 3 * HOUR), (2 * HOUR, 3 * HOUR), (3 * HOUR, 3 * HOUR)]


def test_a_file_that_cannot_be_written_whole_does_not_appear(tmp_path: Path) -> None:
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Large enough for the registry and the ground truth, too small for an hour of readings.
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, unlimited[1]))
    try:
        with pytest.raises(FridgeError, match=r"cannot be written: .*File too large"):
            write(tmp_path, fleet())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert (tmp_path / "ground_truth.parquet").exists()
    assert landed(tmp_path) == []


def test_a_file_being_written_is_hidden_until_it_is_whole(tmp_path: Path) -> None:
    seen: set[str] = set()
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write, tmp_path, fleet(hours=24))
        while not writing.done():
            for path in (tmp_path / "landing").glob("[!.]*"):
                if path.name not in seen:
                    assert pq.read_metadata(path).num_rows > 0
                    seen.add(path.name)
    assert len(landed(tmp_path)) == 24
    assert seen


def test_landing_files_are_never_overwritten(tmp_path: Path) -> None:
    write(tmp_path, fleet(hours=1))
    before = landed(tmp_path)[0].read_bytes()
    with pytest.raises(FridgeError, match=r"readings-20260302T0000Z.* is already in"):
        write(tmp_path, fleet(hours=2))
    assert [path.read_bytes() for path in landed(tmp_path)] == [before]


def test_another_registry_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "registry.csv").write_text("device_id,site_id\nmy-fridge,my-shop\n")
    with pytest.raises(FridgeError, match="holds another registry"):
        write(tmp_path, fleet())
    assert "my-fridge" in (tmp_path / "registry.csv").read_text()
    assert not (tmp_path / "landing").exists()


def test_live_writes_one_file_a_minute_after_waiting_for_its_end(tmp_path: Path) -> None:
    write(tmp_path, fleet(hours=1))
    now = START + HOUR + timedelta(seconds=20)
    waits: list[float] = []
    files: list[tuple[str, int]] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        waits.append(seconds)
        now += timedelta(seconds=seconds)

    def clock() -> datetime:
        return now

    write_live(
        fleet(hours=1),
        tmp_path / "landing",
        minutes=3,
        sleep=sleep,
        clock=clock,
        on_file=lambda path, readings: files.append((path.name, readings)),
    )
    assert waits == [40.0, 60.0, 60.0]
    assert [name[9:23] for name, _ in files] == ["20260302T0100Z", "20260302T0101Z", "20260302T0102Z"]
    assert [name for name, _ in files] == [path.name for path in landed(tmp_path)[1:]]
    assert all(35 <= readings <= 45 for _, readings in files)
    first = pq.read_table(landed(tmp_path)[1])
    assert set(first["sequence_number"].to_pylist()) == {60}


def test_live_catches_up_without_waiting(tmp_path: Path) -> None:
    def sleep(seconds: float) -> None:
        raise AssertionError(f"waited {seconds} s for minutes that have passed")

    write_live(fleet(hours=1), tmp_path, minutes=5, sleep=sleep, clock=lambda: START + 2 * HOUR)
    assert len(list(tmp_path.iterdir())) == 5
