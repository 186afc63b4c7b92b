"""Files that are too old: each on its own, so that one that cannot be removed keeps no other."""

import os
import shutil
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from fridge_assets.stores.files import RUNNING, is_locked, writer_of
from fridge_assets.stores.operations import ingest_ledger, stream_files
from fridge_assets.stores.reading_files import forget_files
from fridge_assets.upkeep.retention.report import Sweep, Swept

BATCH = 500
"""Files, or names of files, that one transaction forgets."""

_HOUR = timedelta(hours=1)


def remove(paths: Iterable[Path], swept: Swept, dry: bool) -> None:
    """Remove files and count them in ``swept``; one that is gone already is none, one that cannot go is a problem."""
    for path in paths:
        try:
            size = path.stat().st_size
            if not dry:
                path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            swept.problems.append(f"{path} cannot be removed: {error.strerror}")
        else:
            swept.files += 1
            swept.bytes += size


def untouched_since(folder: Path, moment: datetime, pattern: str = "*") -> Iterator[Path]:
    """Files below ``folder`` that match ``pattern`` and were last written before ``moment``."""
    for path in sorted(folder.rglob(pattern)):
        try:
            if path.is_file() and path.stat().st_mtime < moment.timestamp():
                yield path
        except FileNotFoundError:
            continue


def sweep_landing(sweep: Sweep, swept: Swept) -> None:
    """Remove ingested landing files with what said how to read them; refused ones and strangers stay."""
    cutoff = sweep.data_now - swept.kept_for
    ledger = sweep.landing.ledger()
    for file in sweep.landing.files():
        entry = ledger.get(file.name)
        if (
            entry is not None
            and entry.status in ("ingested", "repeated")
            and max(entry.recorded_at, file.modified_at) < cutoff
        ):
            # The sidecar first: left alone, it would tell how to read the next file of that name.
            remove((file.sidecar, file.path), swept, sweep.dry)


def sweep_ledger(sweep: Sweep, swept: Swept) -> None:
    """Forget landing files that have been gone for long; while a file is there, its entry keeps it from being read."""
    cutoff = sweep.data_now - swept.kept_for
    there = {file.name for file in sweep.landing.files()}
    gone = [name for name, e in sweep.landing.ledger().items() if name not in there and e.recorded_at < cutoff]
    if sweep.dry:
        swept.rows = len(gone)
        return
    columns = ingest_ledger.c
    for first in range(0, len(gone), BATCH):
        names = gone[first : first + BATCH]
        # First where the readings are: a name that only ingest_batches knows would be refused for ever.
        with sweep.warehouse.transaction() as connection:
            forget_files(connection, names)
        with sweep.operations.transaction() as connection:
            forgotten = sa.delete(ingest_ledger).where(columns.file_name.in_(names), columns.recorded_at < cutoff)
            swept.rows += connection.execute(forgotten).rowcount


def sweep_stream_ledger(sweep: Sweep, swept: Swept) -> None:
    """The same for the ledger of the stream."""
    columns, cutoff = stream_files.c, sweep.data_now - swept.kept_for
    there = {file.name for file in sweep.landing.files()}
    with sweep.operations.read() as connection:
        old = connection.scalars(sa.select(columns.file_name).where(columns.consumed_at < cutoff)).all()
    gone = [name for name in old if name not in there]
    if sweep.dry:
        swept.rows = len(gone)
        return
    for first in range(0, len(gone), BATCH):
        with sweep.operations.transaction() as connection:
            forgotten = sa.delete(stream_files).where(columns.file_name.in_(gone[first : first + BATCH]))
            swept.rows += connection.execute(forgotten).rowcount


def sweep_clean_readings(sweep: Sweep, swept: Swept) -> None:
    """Remove whole hours: first from the manifest, then the files: a crash leaves too many files, never too few."""
    last_hour = sweep.data_now - swept.kept_for - _HOUR
    folder = sweep.warehouse.clean_readings_folder()
    old = f"FROM clean_reading_files WHERE hour <= $last ORDER BY hour, path LIMIT {BATCH}"
    if sweep.dry:
        with sweep.warehouse.read() as connection:
            sql = "SELECT path, rows FROM clean_reading_files WHERE hour <= $last"
            found = connection.execute(sql, {"last": last_hour}).fetchall()
        swept.rows = sum(rows for _, rows in found)
        remove((folder / path for path, _ in found), swept, dry=True)
        return
    while True:
        with sweep.warehouse.transaction() as connection:
            found = connection.execute(f"SELECT path, rows {old}", {"last": last_hour}).fetchall()
            paths = [path for path, _ in found]
            connection.execute("DELETE FROM clean_reading_files WHERE list_contains(?, path)", [paths])
        swept.rows += sum(rows for _, rows in found)
        remove((folder / path for path in paths), swept, dry=False)
        if len(found) < BATCH:
            return


def sweep_orphans(sweep: Sweep, swept: Swept) -> None:
    """Remove Parquet files that no batch committed, and folders that stayed empty."""
    folder, before = sweep.warehouse.clean_readings_folder(), sweep.now - swept.kept_for
    written = list(untouched_since(folder, before, "*.parquet"))
    # The manifest after the files: what was committed in between is in it.
    with sweep.warehouse.read() as connection:
        known = {folder / path for (path,) in connection.execute("SELECT path FROM clean_reading_files").fetchall()}
    remove((path for path in written if path not in known), swept, sweep.dry)
    if not sweep.dry:
        remove_empty_folders(folder, before)


def sweep_folder(sweep: Sweep, swept: Swept) -> None:
    """Remove every file of a folder that was last written too long ago, and folders that stayed empty."""
    folder, before = sweep.settings.root / swept.subject, sweep.now - swept.kept_for
    remove(untouched_since(folder, before), swept, sweep.dry)
    if not sweep.dry:
        remove_empty_folders(folder, before)


def sweep_temporary_files(sweep: Sweep, swept: Swept) -> None:
    """Remove what was being written under a temporary name when its program was killed."""
    before, chosen = sweep.now - swept.kept_for, sweep.settings
    for folder in (
        chosen.landing_dir,
        chosen.sources_dir,
        chosen.published_dir,
        chosen.models_dir / "training",
        chosen.root,
    ):
        # The names that stores.files.atomic_write gives: other people's temporary files are theirs.
        names = (
            p for p in untouched_since(folder, before, ".*.tmp") if p.parent == folder and writer_of(p) is not None
        )
        remove(names, swept, sweep.dry)


def sweep_launches(sweep: Sweep, swept: Swept) -> None:
    """Remove the locks of programs that were killed while they ran a job."""
    folder, before = sweep.settings.root / swept.subject, sweep.now - swept.kept_for
    remove((path for path in untouched_since(folder, before, "*.lock") if not is_locked(path)), swept, sweep.dry)


def sweep_replays(sweep: Sweep, swept: Swept) -> None:
    """Remove the folders of replays that were killed; readings and models in them are links, and stay."""
    before = (sweep.now - swept.kept_for).timestamp()
    for lock in sorted(sweep.settings.replays_dir.glob(f"*/{RUNNING}")):
        if lock.stat().st_mtime >= before or is_locked(lock):
            continue
        remove((path for path in lock.parent.rglob("*") if path.is_file() and path != lock), swept, sweep.dry)
        if not sweep.dry:
            shutil.rmtree(lock.parent)


def remove_empty_folders(folder: Path, before: datetime) -> None:
    """Remove folders below ``folder`` that were empty for long; a younger one may be about to be filled."""
    for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        if path.stat().st_mtime < before.timestamp() and not any(os.scandir(path)):
            path.rmdir()
