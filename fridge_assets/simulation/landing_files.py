"""Files of a simulated fleet: written under a temporary name, then renamed, then left alone (SPEC 1.2)."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fridge_assets.core.errors import FridgeError
from fridge_assets.stores.files import atomic_write


def landing_file(landing_dir: Path, start: datetime, end: datetime) -> Path:
    """Where the readings that arrive in a span land; names sort by time."""
    return landing_dir / f"readings-{_stamp(start)}-{_stamp(end)}.parquet"


def write_readings(readings: pa.Table, path: Path, *, keep: bool = False) -> int:
    """Write one landing file and return its size in bytes; FridgeError when it is there already, or ``keep`` it."""
    if keep and path.exists():
        return path.stat().st_size
    refuse_existing(path)
    with atomic_write(path) as temporary:
        pq.write_table(readings, temporary, compression="zstd")
    return path.stat().st_size


def refuse_existing(path: Path) -> None:
    """FridgeError when ``path`` exists, because landing files are never changed."""
    if path.exists():
        raise FridgeError(
            f"{path.name} is already in {path.parent}", "Simulate another span or choose another data folder"
        )


def refuse_other_registry(registry: pd.DataFrame, path: Path) -> None:
    """FridgeError when a registry is there that is not ``registry``, because it may be the user's own."""
    if path.exists() and path.read_bytes() != _registry_text(registry).encode():
        raise FridgeError(f"{path} holds another registry", "Choose another data folder or move that file away")


def write_registry(registry: pd.DataFrame, path: Path) -> None:
    """Write the registry as CSV."""
    with atomic_write(path) as temporary:
        temporary.write_text(_registry_text(registry), encoding="utf-8")


def write_ground_truth(ground_truth: pd.DataFrame, path: Path) -> None:
    """Write ground truth, of faults or of states, as Parquet, over an earlier one."""
    with atomic_write(path) as temporary:
        ground_truth.to_parquet(temporary, index=False)


def _registry_text(registry: pd.DataFrame) -> str:
    return registry.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%SZ")


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y%m%dT%H%MZ")
