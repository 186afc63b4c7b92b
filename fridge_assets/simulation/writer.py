"""Write a simulated fleet to disk, all at once or live (SPEC 9, 10)."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count, islice
from pathlib import Path

from fridge_assets.simulation.arrival import Arrivals, file_spans
from fridge_assets.simulation.fleet import Fleet
from fridge_assets.simulation.landing_files import (
    landing_file,
    refuse_existing,
    refuse_other_registry,
    write_ground_truth,
    write_readings,
    write_registry,
)
from fridge_assets.simulation.unfinished import Unfinished
from fridge_assets.stores.disk import require_space

ROWS_PER_FILE = 1_000_000

_BYTES_PER_READING = 50
"""About what a reading takes in a landing file."""

Progress = Callable[[timedelta, timedelta], None]
"""Called after every file with the simulated time that is done and the whole of it."""


@dataclass(frozen=True)
class WrittenFleet:
    """What was written.

    Args:
        devices: in the registry.
        sites: in the registry.
        faulty_devices: in the ground truth.
        readings: rows in the landing files, duplicates included.
        in_transit: readings still on their way at the end, which are in no file.
        files: landing files.
        bytes: size of the landing files.
    """

    devices: int
    sites: int
    faulty_devices: int
    readings: int
    in_transit: int
    files: int
    bytes: int


def write_fleet(
    fleet: Fleet,
    landing_dir: Path,
    registry_path: Path,
    ground_truth_path: Path,
    *,
    rows_per_file: int = ROWS_PER_FILE,
    progress: Progress | None = None,
    unfinished: Unfinished | None = None,
    states_path: Path | None = None,
) -> WrittenFleet:
    """Write registry (CSV), ground truth and the readings of the fleet's whole span (Parquet).

    With ``states_path`` what the machines truly do goes there, see :func:`fridge_assets.simulation.states.episodes`.

    The registry comes first, so that no reader ever meets a reading of an unknown device. Readings land
    in the file of their arrival, an hour a file for small fleets. With ``unfinished`` an interrupted fleet is gone on
    with: files of it that are there stay.

    Raises:
        FridgeError: a landing file of the span, or another registry, is there already, or there is no space for the
            readings; nothing is written.
    """
    spans = list(file_spans(fleet.start, fleet.end, len(fleet.registry), rows_per_file))
    going_on = unfinished is not None and unfinished.going_on
    refuse_other_registry(fleet.registry, registry_path)
    if not going_on:
        for span in spans:
            refuse_existing(landing_file(landing_dir, *span))
    expected = fleet.expected_readings
    require_space(landing_dir, expected * _BYTES_PER_READING, f"a simulation of {expected:,} readings")
    if unfinished is not None:
        unfinished.begin()
    write_registry(fleet.registry, registry_path)
    write_ground_truth(fleet.ground_truth, ground_truth_path)
    if states_path is not None:
        write_ground_truth(fleet.states(fleet.start, fleet.end), states_path)
    arrivals = Arrivals(fleet)
    readings = 0
    # One file is compressed and written while the next is simulated.
    with ThreadPoolExecutor(max_workers=1) as pool:
        sizes: list[Future[int]] = []
        for start, end in spans:
            table = arrivals.between(start, end)
            if sizes:
                sizes[-1].result()
            sizes.append(pool.submit(write_readings, table, landing_file(landing_dir, start, end), keep=going_on))
            readings += table.num_rows
            if progress:
                progress(end - fleet.start, fleet.end - fleet.start)
    written = WrittenFleet(
        devices=len(fleet.registry),
        sites=fleet.registry["site_id"].nunique(),
        faulty_devices=len(fleet.ground_truth),
        readings=readings,
        in_transit=arrivals.in_transit.num_rows,
        files=len(spans),
        bytes=sum(size.result() for size in sizes),
    )
    if unfinished is not None:
        unfinished.end()
    return written


def write_live(
    fleet: Fleet,
    landing_dir: Path,
    *,
    minutes: int | None,
    sleep: Callable[[float], None],
    clock: Callable[[], datetime],
    on_file: Callable[[Path, int], None] | None = None,
) -> None:
    """Go on where :func:`write_fleet` ended: one landing file a minute, each when its minute is over.

    Minutes that have passed already are written at once, so that the readings have no gap. What was in
    transit when :func:`write_fleet` ended never arrives.

    Args:
        fleet: continues after its own end.
        landing_dir: where the files go.
        minutes: how many to write; None for until interrupted.
        sleep: waits for that many seconds.
        clock: the present time, timezone-aware.
        on_file: called after every file with its path and its number of readings.

    Raises:
        FridgeError: a landing file of one of the minutes is there already.
    """
    arrivals = Arrivals(fleet)
    for number in islice(count(), minutes):
        start = fleet.end + timedelta(minutes=number)
        end = start + timedelta(minutes=1)
        wait = (end - clock()).total_seconds()
        if wait > 0:
            sleep(wait)
        table = arrivals.between(start, end)
        path = landing_file(landing_dir, start, end)
        write_readings(table, path)
        if on_file:
            on_file(path, table.num_rows)
