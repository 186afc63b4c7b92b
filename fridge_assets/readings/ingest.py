"""Landing files into clean and quarantined readings: exactly once, in batches, each batch whole or not at all."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from fridge_assets.core.identity import deterministic_id
from fridge_assets.readings.clean import clean, count_flags
from fridge_assets.readings.commit import commit_outcome, gather_outcome, read_known_state
from fridge_assets.readings.kept_contract import enforce_cleaned
from fridge_assets.readings.landed import source_of, stage_files
from fridge_assets.readings.ranges import know_ranges, read_range_tables
from fridge_assets.readings.staging import know_devices
from fridge_assets.settings import Settings
from fridge_assets.sources.names import format_of, not_readings
from fridge_assets.sources.saved import changed_since
from fridge_assets.stores.frames import query
from fridge_assets.stores.landing import (
    Landing,
    LandingFile,
    LedgerEntry,
    read_as,
    same_content,
    still_growing,
)
from fridge_assets.stores.warehouse import Warehouse


@dataclass
class IngestReport:
    """What one ingestion did.

    ``rows`` = ``clean`` + ``quarantined`` + ``duplicates``, always.
    """

    files: int = 0
    rows: int = 0
    clean: int = 0
    quarantined: int = 0
    duplicates: int = 0
    flagged: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    reasons: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    refused: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Batch:
    batch_id: str
    files: tuple[LandingFile, ...]


def ingest(
    landing: Landing, warehouse: Warehouse, registry: pd.DataFrame | None, now: datetime, settings: Settings
) -> IngestReport:
    """Ingest every landing file that has not been ingested yet.

    Args:
        landing: the landing folder and its ledger.
        warehouse: where clean and quarantined readings go.
        registry: DEVICE_REGISTRY rows; None when there is no registry and every device counts as known.
        now: recorded as the time of ingestion.
        settings: cleaning rules and batch size.

    Returns:
        Counts, refused files with their reasons, and warnings.

    Raises:
        ContractViolation: cleaned rows break their contract; that batch wrote nothing.
    """
    report = IngestReport()
    settle_interrupted(landing, warehouse, now)
    for batch in _batches(_pending(landing, settings, now, report), settings.readings.batch_bytes):
        _ingest_batch(batch, landing, warehouse, registry, now, settings, report)
    return report


def files_waiting(landing: Landing) -> int:
    """How many landing files no ingestion has settled yet; needs a look at the folder and at the ledger only."""
    settled = {
        entry.file_name for entry in landing.ledger().values() if entry.status in ("ingested", "refused", "repeated")
    }
    return len(landing.new_files(settled))


def settle_interrupted(landing: Landing, warehouse: Warehouse, now: datetime) -> None:
    """Complete the ledger for batches that were committed just before a crash."""
    loading = [entry for entry in landing.ledger().values() if entry.status == "loading"]
    if not loading:
        return
    with warehouse.read() as connection:
        committed = _by_file(query(connection, "SELECT * FROM ingest_batches"))
    entries = []
    for entry in loading:
        row = committed.get(entry.file_name)
        if row is not None:
            entries.append(_ingested(entry.file_name, entry.size_bytes, entry.modified_at, row, now))
    landing.record(entries)


def _pending(landing: Landing, settings: Settings, now: datetime, report: IngestReport) -> list[LandingFile]:
    ledger = landing.ledger()
    files = landing.files()
    candidates = []
    refused = []
    for file in files:
        known = ledger.get(file.name)
        unchanged = known is not None and (known.size_bytes, known.modified_at) == (
            file.size_bytes,
            file.modified_at,
        )
        if known is not None and known.status == "ingested":
            if not unchanged:
                report.warnings.append(
                    f"{file.name} changed after it was ingested and is not read again; "
                    "deliver its new rows in a file of another name"
                )
        elif known is not None and known.status in ("refused", "repeated") and unchanged:
            if known.status == "refused" and changed_since(settings.sources_dir, file.source, known.recorded_at):
                candidates.append(file)
        elif not file.source and not file.sidecar.exists() and format_of(file.path) is None:
            reason = not_readings(file.name)
            refused.append(_refused(file, reason, now))
            report.refused[file.name] = reason
        else:
            candidates.append(file)
    landing.record(refused)
    growing = still_growing(candidates, settings.readings.settle.total_seconds())
    for name in sorted(growing):
        report.waiting[name] = f"{name} is still being written; the next run looks again"
    return _without_repeated([f for f in candidates if f.name not in growing], files, ledger, landing, now, report)


def _without_repeated(
    candidates: Sequence[LandingFile],
    files: Sequence[LandingFile],
    ledger: Mapping[str, LedgerEntry],
    landing: Landing,
    now: datetime,
    report: IngestReport,
) -> list[LandingFile]:
    """Leave out new files that hold the same bytes as another: somebody has dropped one twice.

    Its readings were delivered once, so they are not marked as repeated ones, which features would show.
    """
    taken: dict[int, list[LandingFile]] = defaultdict(list)
    for file in files:
        if file.name in ledger and ledger[file.name].status == "ingested":
            taken[file.size_bytes].append(file)
    left, repeated = [], []
    for file in candidates:
        others = taken[file.size_bytes] if file.name not in ledger else []
        twin = same_content(file.path, read_as(file), others) if others else None
        if twin is None:
            left.append(file)
            taken[file.size_bytes].append(file)
            continue
        reason = f"{file.name} holds the same as {twin.name} and is not read again"
        report.warnings.append(reason)
        repeated.append(LedgerEntry(file.name, file.size_bytes, file.modified_at, "repeated", now, reason=reason))
    landing.record(repeated)
    return left


def _batches(files: Sequence[LandingFile], batch_bytes: int) -> Iterator[_Batch]:
    chunk: list[LandingFile] = []
    size = 0
    for file in files:
        if chunk and size + file.size_bytes > batch_bytes:
            yield _batch(chunk)
            chunk, size = [], 0
        chunk.append(file)
        size += file.size_bytes
    if chunk:
        yield _batch(chunk)


def _batch(files: Sequence[LandingFile]) -> _Batch:
    identity = [f"{file.name}:{file.size_bytes}:{file.modified_at.isoformat()}" for file in files]
    return _Batch(deterministic_id("batch", *identity), tuple(files))


def _ingest_batch(
    batch: _Batch,
    landing: Landing,
    warehouse: Warehouse,
    registry: pd.DataFrame | None,
    now: datetime,
    settings: Settings,
    report: IngestReport,
) -> None:
    with warehouse.engine() as engine:
        if registry is not None:
            know_devices(engine, registry)
        know_ranges(engine, registry, read_range_tables(settings.root))
        refused, warnings = stage_files(engine, batch.files, settings.readings, settings.sources_dir)
        report.warnings += warnings
        landing.record(
            _refused(file, refused[file.name], now) if file.name in refused
            else LedgerEntry(file.name, file.size_bytes, file.modified_at, "loading", now, batch.batch_id)
            for file in batch.files
        )  # fmt: skip
        report.refused.update(refused)
        known = read_known_state(engine, warehouse, [file.name for file in batch.files])
        clean(engine, known.stored_files, settings.readings)
        enforce_cleaned(engine)
        outcome = gather_outcome(engine, warehouse.clean_readings_folder(), batch.batch_id, now, settings)
        _count(engine, outcome.per_file, report)
        _warn_of_missing_zones(engine, batch, settings.sources_dir, report)
    commit_outcome(warehouse, outcome, known)
    counts = _by_file(outcome.per_file)
    landing.record(
        _ingested(
            file.name,
            file.size_bytes,
            file.modified_at,
            counts.get(file.name, _NO_ROWS),
            now,
        )
        for file in batch.files
        if file.name not in refused
    )


def _count(engine: duckdb.DuckDBPyConnection, per_file: pd.DataFrame, report: IngestReport) -> None:
    report.files += len(per_file)
    for name in ("rows", "clean", "quarantined", "duplicates"):
        setattr(report, name, getattr(report, name) + int(per_file[name].sum()))
    for flag, count in count_flags(engine).items():
        report.flagged[flag] += count
    for reason, count in engine.execute(
        "SELECT reason, count(*) FROM staged WHERE reason IS NOT NULL GROUP BY reason"
    ).fetchall():
        report.reasons[reason] += count


def _warn_of_missing_zones(
    engine: duckdb.DuckDBPyConnection, batch: _Batch, sources: Path, report: IngestReport
) -> None:
    zoneless = dict(
        engine.execute("SELECT source_file, count(*) FROM staged WHERE zoneless GROUP BY source_file").fetchall()
    )
    for file in batch.files:
        source = source_of(file, sources) if file.name in zoneless else None
        # Whoever saved a source has been asked for its zone.
        if source is not None and source.timezone == "UTC" and source.format is None:
            report.warnings.append(
                f"{file.name}: {zoneless[file.name]:,} timestamps name no time zone and are read as UTC"
            )


def _ingested(
    name: str,
    size: int,
    modified_at: datetime,
    counts: Mapping[str, Any],
    now: datetime,
) -> LedgerEntry:
    return LedgerEntry(
        name,
        size,
        modified_at,
        "ingested",
        now,
        batch_id=None,
        reason=None,
        rows=int(counts["rows"]),
        clean=int(counts["clean"]),
        quarantined=int(counts["quarantined"]),
        duplicates=int(counts["duplicates"]),
        first_timestamp=_moment(counts["first_timestamp"]),
        last_timestamp=_moment(counts["last_timestamp"]),
    )


def _by_file(rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return {str(row["source_file"]): dict(row) for _, row in rows.iterrows()}


def _refused(file: LandingFile, reason: str, now: datetime) -> LedgerEntry:
    return LedgerEntry(file.name, file.size_bytes, file.modified_at, "refused", now, reason=reason)


def _moment(value: Any) -> datetime | None:
    return None if pd.isna(value) else pd.Timestamp(value).tz_convert(UTC).to_pydatetime()


_NO_ROWS: Mapping[str, Any] = {
    "rows": 0, "clean": 0, "quarantined": 0, "duplicates": 0, "first_timestamp": None, "last_timestamp": None,
}  # fmt: skip
