"""What is exported for other programs: a spreadsheet runs none of it, and a number is a number."""

from pathlib import Path

import pandas as pd
import pytest

from fridge_assets.contracts import QUARANTINED_READINGS
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse, store_changed
from fridge_assets.upkeep.export import export_dataset

TEXTS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "a=1", "'=1", "", "1-1"]
SAFE = ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\t=1", "'\r=1", "'\n=1", "a=1", "'=1", "", "1-1"]


@pytest.fixture
def exported(warehouse: Warehouse, operations: Operations, settings: Settings, tmp_path: Path) -> dict[str, Path]:
    rows = QUARANTINED_READINGS.sample(len(TEXTS)).assign(detail=TEXTS, row_number=range(-5, len(TEXTS) - 5))
    with warehouse.transaction() as connection:
        store_changed(connection, QUARANTINED_READINGS, QUARANTINED_READINGS.to_arrow(rows))
    files = {ending: tmp_path / f"rows.{ending}" for ending in ("csv", "parquet")}
    for file in files.values():
        assert export_dataset("quarantined_readings", file, None, warehouse, operations, settings) == len(TEXTS)
    return files


def test_text_that_a_spreadsheet_would_run_has_an_apostrophe_in_front(exported: dict[str, Path]) -> None:
    rows = pd.read_csv(exported["csv"], dtype="str", keep_default_na=False).sort_values("row_number", key=pd.to_numeric)
    assert rows["detail"].tolist() == SAFE
    assert rows["row_number"].tolist() == [str(number) for number in range(-5, len(TEXTS) - 5)]


def test_parquet_keeps_every_text(exported: dict[str, Path]) -> None:
    assert pd.read_parquet(exported["parquet"]).sort_values("row_number")["detail"].tolist() == TEXTS
