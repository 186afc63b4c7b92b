"""What a sweep works on, and what it says it did."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.settings import Settings
from fridge_assets.stores.landing import Landing
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse


class RunHistory(Protocol):
    """The history of runs, which Dagster keeps."""

    def ended_before(self, moment: datetime) -> Sequence[str]:
        """Ids of runs that were created before ``moment`` and have ended."""

    def delete(self, run_id: str) -> int:
        """Delete a run, its events and what its steps printed; returns the bytes of its files."""


@dataclass(frozen=True)
class Sweep:
    """The data folder that is swept, and the moments that ages are counted from.

    Args:
        settings: how long what is kept, and where it is.
        warehouse: analytics tables and clean readings.
        operations: alerts, messages and the ingest ledger.
        landing: the landing folder.
        models: versions and where they stand.
        runs: the history of runs.
        now: the moment; what programs leave behind is judged by it.
        data_now: the moment of the newest reading, but not after ``now``; data is judged by it, so that recorded data
            of last year does not vanish in the night after it was ingested.
        dry: only look.
    """

    settings: Settings
    warehouse: Warehouse
    operations: Operations
    landing: Landing
    models: ModelLifecycle
    runs: RunHistory
    now: datetime
    data_now: datetime
    dry: bool


@dataclass
class Swept:
    """What was removed of one subject, or would be.

    Args:
        subject: table or folder.
        kept_for: what is younger stays.
        rows: table rows.
        files: files.
        bytes: what they took on the disk.
        problems: what could not be removed, and why.
    """

    subject: str
    kept_for: timedelta
    rows: int = 0
    files: int = 0
    bytes: int = 0
    problems: list[str] = field(default_factory=list)
