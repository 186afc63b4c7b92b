"""Readings between landing and the warehouse: what was refused, cut off, lost, or never committed."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from fridge_assets.readings.ingest import settle_interrupted
from fridge_assets.readings.take_again import LostFile, came_with, lost_files, take_again
from fridge_assets.settings import Settings
from fridge_assets.stores.disk import size_of
from fridge_assets.stores.landing import SIDECAR_SUFFIX, Landing, LedgerEntry, landed_paths
from fridge_assets.stores.looking import ReadOnlyOperations, ReadOnlyWarehouse
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets.upkeep.doctor.check import FIX, Check, Remedy, State, broken, named, note, ok, removes

_LONGEST_RUN = 3600.0
"""Seconds after which a run that goes on has either committed a file or is dead."""


def reading_checks(
    settings: Settings, warehouse: ReadOnlyWarehouse, operations: ReadOnlyOperations, is_busy: Callable[[], bool]
) -> list[Check]:
    """Readings, refused files, what interrupted deliveries and ingestions left, the files of clean readings."""
    landing = Landing(settings.landing_dir, operations)
    to_write = Stores(settings)
    both = ("warehouse", "operations store")
    return [
        Check("readings", lambda: _readings(warehouse), needs=("warehouse",)),
        Check("landing files", lambda: _landing(landing), needs=("operations store",)),
        Check("interpretations", lambda: _interpretations(settings.landing_dir)),
        Check("ingest ledger", lambda: _ledger(warehouse, landing, to_write, is_busy), needs=both),
        Check("clean readings", lambda: _lost(warehouse, landing, to_write, is_busy), needs=both),
        Check("uncommitted readings", lambda: _uncommitted(warehouse, is_busy), needs=("warehouse",)),
    ]


class Stores:
    """The stores that remedies write, opened only then.

    Args:
        settings: of the data folder.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def warehouse(self) -> Warehouse:
        """The warehouse."""
        return Warehouse.from_settings(self._settings)

    @property
    def landing(self) -> Landing:
        """The landing folder with its ledger."""
        operations = Operations(self._settings.operations_database, self._settings.operations.lock_wait)
        return Landing(self._settings.landing_dir, operations)


def _readings(warehouse: ReadOnlyWarehouse) -> State:
    with warehouse.read() as connection:
        devices = connection.execute("SELECT count(*) FROM device_last_seen").fetchall()[0][0]
    if not devices:
        return note("none yet; bring some with `fridge-assets ingest FILE`")
    return ok(f"of {devices:,} devices")


def _landing(landing: Landing) -> State:
    refused = [entry for entry in landing.ledger().values() if entry.status == "refused"]
    if refused:
        return note(f"{len(refused)} refused, for example: {refused[0].reason}")
    return ok("none refused")


def _interpretations(folder: Path) -> State:
    """What says how to read a file that never came would say it of the next file of that name."""
    sidecars = sorted(folder.glob(f".*{SIDECAR_SUFFIX}"))
    names = {path: path.name.removeprefix(".").removesuffix(SIDECAR_SUFFIX) for path in sidecars}
    alone = [
        path
        for path, name in names.items()
        # The file is copied under a temporary name while its interpretation is there already.
        if not (folder / name).exists() and not any(folder.glob(f".{name}.*.tmp"))
    ]
    if not alone:
        return ok(f"{len(sidecars):,} beside their files")
    return note(
        f"{named([path.name for path in alone])} without the landing file that {_s(alone, 'it is', 'they are')} about",
        removes(alone),
    )


def _ledger(warehouse: ReadOnlyWarehouse, landing: Landing, stores: Stores, is_busy: Callable[[], bool]) -> State:
    """Whether the ledger and the warehouse know the same landing files; one of them may come from a backup."""
    ledger = landing.ledger()
    there = landed_paths(landing.folder)
    with warehouse.read() as connection:
        committed = {str(name) for (name,) in connection.execute("SELECT source_file FROM ingest_batches").fetchall()}
    loading = {name for name, entry in ledger.items() if entry.status == "loading"}
    unstored = {n for n, e in ledger.items() if e.status == "ingested" and e.rows and n in there and n not in committed}
    unknown = (committed & there.keys()) - ledger.keys()
    wrong = [
        f"{len(names):,} {what}: {named(sorted(names))}"
        for names, what in (
            (loading, "marked as being ingested while no run is going"),
            (unstored, "marked as ingested and not in the warehouse"),
            (unknown, "in the warehouse and not in the ledger"),
        )
        if names
    ]
    if not wrong:
        return ok("agrees with the warehouse; no ingestion was cut off")
    if is_busy():
        return ok("a run is going, which may be ingesting")

    def apply() -> None:
        now = datetime.now(UTC)
        files = [file for file in stores.landing.files() if file.name in unknown]
        stores.landing.record(LedgerEntry(f.name, f.size_bytes, f.modified_at, "loading", now) for f in files)
        settle_interrupted(stores.landing, stores.warehouse, now)
        left = {name for name, entry in stores.landing.ledger().items() if entry.status == "loading"}
        stores.landing.forget(left | unstored)

    return broken(
        "; ".join(wrong),
        Remedy("marks as ingested what was committed, and leaves the rest to the next ingestion", apply),
    )


def _lost(warehouse: ReadOnlyWarehouse, landing: Landing, stores: Stores, is_busy: Callable[[], bool]) -> State:
    lost = lost_files(warehouse)
    if not lost:
        return ok("every committed file is there and whole")
    with warehouse.read() as connection:
        sources = came_with(connection, lost)
    missing = sorted(name for name in sources if not (landing.folder / name).is_file())
    said = f"{_described(lost)}; restore {_s(lost, 'it', 'them')} from a backup"
    if not sources:
        return broken(f"{said}; which landing files brought these readings is not known any more")
    said = f"{said}, or take the readings again from the landing files that brought them: {', '.join(sorted(sources))}"
    if missing:
        return broken(f"{said}; copy {', '.join(missing)} into {landing.folder} again, then {FIX}")
    if is_busy():
        return broken(f"{said}; wait until the run that is going has ended, then {FIX}")
    return broken(
        said,
        Remedy(
            "lets the next ingestion take these landing files again",
            lambda: take_again(lost, stores.landing, stores.warehouse),
        ),
    )


def _described(lost: Sequence[LostFile]) -> str:
    first, rows = lost[0], sum(file.rows for file in lost)
    when = f"{first.hour:%Y-%m-%d %H}:00 UTC"
    if len(lost) == 1:
        return f"{first.path} is {first.damage}, with {rows:,} readings of {when}"
    return (
        f"{len(lost):,} files with {rows:,} readings cannot be used: {first.path} of {when} is {first.damage}, for "
        "example"
    )


def _uncommitted(warehouse: ReadOnlyWarehouse, is_busy: Callable[[], bool]) -> State:
    folder = warehouse.clean_readings_folder()
    before = time.time() - (_LONGEST_RUN if is_busy() else 0)
    written = [path for path in folder.rglob("*.parquet") if path.stat().st_mtime <= before]
    # The manifest after the files: what was committed in between is in it.
    with warehouse.read() as connection:
        known = {folder / path for (path,) in connection.execute("SELECT path FROM clean_reading_files").fetchall()}
    left = sorted(path for path in written if path not in known)
    if not left:
        return ok("none: every file belongs to a committed ingestion")
    size = sum(path.stat().st_size for path in left)
    return note(
        f"{named([path.name for path in left])} ({size_of(size)}) left by ingestions that were killed before they "
        "committed; nobody reads them",
        removes(left),
    )


def _s(things: Sequence[object], one: str, many: str) -> str:
    return one if len(things) == 1 else many
