"""The exact rows a model was trained on, written once and never changed (SPEC 2.1)."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from fridge_assets.contracts.device_features import MODEL_FEATURES
from fridge_assets.core.errors import FridgeError
from fridge_assets.models.selection import IDENTITY, OPERATION, STATE
from fridge_assets.stores.files import atomic_write


def canonical(rows: pd.DataFrame) -> pd.DataFrame:
    """``rows`` in the one order that training sees: identity, operation, then features; by device and time.

    Rows of days have neither state nor OPERATION; those that earlier releases trained on may lack both or the latter.
    """
    state = [STATE] if STATE in rows.columns else []
    features = [name for name in (*OPERATION, *MODEL_FEATURES) if name in rows.columns]
    ordered = rows.sort_values(["device_id", "window_end"], kind="stable", ignore_index=True)
    types = {"device_id": "str", "cohort": "str", "window_end": "datetime64[us, UTC]"}
    ordered = ordered[[*IDENTITY, *state, *features]].astype({**types, **dict.fromkeys(features, "float64")})
    return ordered.assign(**{name: ordered[name].fillna("").astype("str") for name in state})


def content_hash(rows: pd.DataFrame) -> str:
    """SHA-256 of :func:`canonical` rows: of their content, whatever wrote the file or in which version."""
    digest = hashlib.sha256()
    for column in rows.columns:
        digest.update(f"{column}\x1e".encode())
        if column in ("device_id", "cohort", STATE):
            digest.update("\x1f".join(rows[column]).encode())
        elif column == "window_end":
            digest.update(np.ascontiguousarray(rows[column].astype("int64"), dtype="<i8").tobytes())
        else:
            values = rows[column].to_numpy(dtype=np.float64)
            # One null and one zero, whatever their bits.
            digest.update(np.where(np.isnan(values), np.nan, values + 0.0).astype("<f8").tobytes())
        digest.update(b"\x1d")
    return digest.hexdigest()


def write_snapshot(rows: pd.DataFrame, models_dir: Path) -> Path:
    """Write :func:`canonical` rows under their content hash; a snapshot that exists is left as it is."""
    file = snapshot_file(models_dir, content_hash(rows))
    if not file.exists():
        with atomic_write(file) as temporary:
            rows.to_parquet(temporary, index=False)
            temporary.chmod(0o444)
    return file


def read_snapshot(models_dir: Path, training_hash: str) -> pd.DataFrame:
    """The rows whose content hash is ``training_hash``.

    Raises:
        FridgeError: there are none, or they are no longer what was trained on.
    """
    file = snapshot_file(models_dir, training_hash)
    if not file.exists():
        raise FridgeError(f"there are no training rows {file}", "Restore the file from a backup, or train on new rows.")
    rows = pd.read_parquet(file)
    if content_hash(canonical(rows)) != training_hash:
        raise FridgeError(
            f"{file} is not what the model was trained on: its content has another hash",
            "Restore the file from a backup, or train on new rows.",
        )
    return rows


def snapshot_file(models_dir: Path, training_hash: str) -> Path:
    """Where the training rows of that hash are kept."""
    return models_dir / "training" / f"{training_hash}.parquet"
