"""Snapshots for other programs: Parquet files replaced by atomic rename, readable at any moment."""

from contextlib import suppress
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fridge_assets.contracts import Contract
from fridge_assets.stores.files import atomic_write


class Published:
    """The folder of published snapshots.

    Args:
        folder: one ``<dataset>.parquet`` per published dataset.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, contract: Contract) -> Path:
        """Where the snapshot of ``contract`` is."""
        return self.folder / f"{contract.name}.parquet"

    def replace(self, contract: Contract, frame: pd.DataFrame) -> Path:
        """Publish ``frame`` (columns of ``contract``) instead of the snapshot before; a reader sees either whole."""
        path = self.path(contract)
        with atomic_write(path) as temporary:
            pq.write_table(contract.to_arrow(frame), temporary)
        return path

    def bring_up_to_date(self, contract: Contract, frame: pd.DataFrame) -> bool:
        """:meth:`replace` the snapshot unless it holds just these rows; returns whether it was replaced."""
        rows = contract.to_arrow(frame)
        with suppress(FileNotFoundError, pa.ArrowInvalid), self.path(contract).open("rb") as file:
            if pq.read_table(file).equals(rows):
                return False
        self.replace(contract, frame)
        return True

    def read(self, contract: Contract) -> pd.DataFrame | None:
        """The snapshot of ``contract``, or None before the first publication."""
        try:
            # One open file: reading by name opens it several times, and a replacement may come in between.
            with self.path(contract).open("rb") as file:
                rows: pd.DataFrame = pq.read_table(file).to_pandas()
                return rows
        except FileNotFoundError:
            return None
