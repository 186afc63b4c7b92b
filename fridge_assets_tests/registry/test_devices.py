"""The device registry: completed with defaults, refused with the value that is wrong, derived where absent."""

import os
from pathlib import Path

import pandas as pd
import pytest

from fridge_assets.contracts import DEVICE_REGISTRY
from fridge_assets.contracts.device_registry import REGISTRY_DEFAULTS
from fridge_assets.contracts.validation import ContractViolation
from fridge_assets.core.errors import FridgeError
from fridge_assets.registry.devices import (
    active_devices,
    complete_registry,
    effective_registry,
    read_registry,
    with_cohort,
)
from fridge_assets.settings import Settings
from fridge_assets.stores.warehouse import Warehouse


def put(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "device_registry.csv"
    path.write_text(text)
    return path


def test_absent_columns_and_values_get_the_defaults_of_the_specification(tmp_path: Path) -> None:
    put(tmp_path, "device_id,site_id,model,current_threshold,colour\nd2,s1,,35,red\nd1,s1,freezer,,blue\n")
    registry = read_registry(tmp_path)
    assert registry is not None
    assert tuple(registry.columns) == DEVICE_REGISTRY.column_names
    assert registry["device_id"].tolist() == ["d1", "d2"]
    first, second = registry.to_dict(orient="records")
    assert {name: second[name] for name in REGISTRY_DEFAULTS} == {
        "region": "unknown", "model": "unknown", "climate_zone": "unknown", "status": "active",
        "current_threshold": 35.0, "vibration_ratio_threshold": 3.0, "pressure_drop_threshold": 0.30,
        "temperature_rise_threshold": 2.0,
    }  # fmt: skip
    assert (first["model"], first["current_threshold"]) == ("freezer", 40.0)


def test_csv_and_parquet_give_the_same_registry(tmp_path: Path) -> None:
    rows = pd.DataFrame({"device_id": ["007", "d2"], "site_id": ["s", "s"], "install_date": ["2024-05-31", None]})
    (tmp_path / "csv").mkdir()
    (tmp_path / "parquet").mkdir()
    rows.to_csv(tmp_path / "csv" / "device_registry.csv", index=False)
    rows.to_parquet(tmp_path / "parquet" / "device_registry.parquet")
    from_csv, from_parquet = read_registry(tmp_path / "csv"), read_registry(tmp_path / "parquet")
    assert from_csv is not None
    assert from_parquet is not None
    pd.testing.assert_frame_equal(from_csv, from_parquet)
    assert from_csv["device_id"].tolist() == ["007", "d2"]
    assert from_csv["install_date"].iloc[0] == pd.Timestamp("2024-05-31T00:00Z")


def test_changed_file_is_read_again(tmp_path: Path) -> None:
    put(tmp_path, "device_id,site_id\nd1,s1\n")
    assert len(read_registry(tmp_path)) == 1  # type: ignore[arg-type]
    path = put(tmp_path, "device_id,site_id\nd1,s1\nd2,s1\n")
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    assert len(read_registry(tmp_path)) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("device_id,region\nd1,north\n", r"has no column site_id; columns are device_id, region.*Add site_id"),
        ("site_id\ns1\n", r"has no column device_id"),
        ("device_id,site_id\nd1,s1\nd2,s1\nd1,s2\n", r"names 1 devices more than once: d1\. Keep one row per device"),
        ("device_id,site_id\n" + "".join(f"d{i % 7},s\n" for i in range(14)),
         r"names 7 devices more than once: d0, d1, d2, d3, d4 …"),
        ("device_id,site_id\nd1,s1\n,s1\n", r"device_id is empty in 1 rows, the first is row 2"),
        ("device_id,site_id\nd1, \n", r"site_id is empty in 1 rows"),
        ("device_id,site_id,current_threshold\nd1,s1,much\n",
         r"current_threshold is 'much' in 1 rows, the first is row 1.*Give a number"),
        ("device_id,site_id,install_date\nd1,s1,soon\n", r"install_date is 'soon'.*ISO 8601"),
        ('device_id,site_id\n"d1,s1\n', r"device_registry\.csv cannot be read"),
        ("", r"device_registry\.csv cannot be read"),
    ],
    ids=["no site_id", "no device_id", "twice", "many twice", "no name", "no site", "number", "date", "torn", "empty"],
)  # fmt: skip
def test_registry_that_is_wrong_is_refused_with_the_value(text: str, message: str, tmp_path: Path) -> None:
    put(tmp_path, text)
    with pytest.raises(FridgeError, match=message):
        read_registry(tmp_path)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("status", "broken", "status must be one of active, retired"),
        ("pressure_drop_threshold", 1.5, "pressure_drop_threshold must lie in 0 … 1"),
    ],
)
def test_value_outside_the_contract_is_refused(column: str, value: object, message: str) -> None:
    frame = pd.DataFrame({"device_id": ["d1"], "site_id": ["s1"], column: [value]})
    with pytest.raises(ContractViolation, match=message):
        complete_registry(frame, "registry.csv")


def test_torn_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "device_registry.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(FridgeError, match=r"device_registry\.parquet cannot be read.*whole file"):
        read_registry(tmp_path)


def test_two_registries_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "device_id,site_id\nd1,s1\n")
    (tmp_path / "device_registry.parquet").write_bytes(b"")
    with pytest.raises(FridgeError, match=r"holds both device_registry\.csv and device_registry\.parquet"):
        read_registry(tmp_path)


def test_without_a_file_the_registry_is_the_devices_seen(settings: Settings, warehouse: Warehouse) -> None:
    assert read_registry(settings.root) is None
    nobody = effective_registry(settings.root, warehouse)
    assert (tuple(nobody.columns), len(nobody)) == (DEVICE_REGISTRY.column_names, 0)
    with warehouse.transaction() as connection:
        connection.execute(
            "INSERT INTO device_last_seen (device_id, last_reading_at) VALUES ('d2', now()), ('d1', now())"
        )
    derived = effective_registry(settings.root, warehouse)
    assert derived["device_id"].tolist() == ["d1", "d2"]
    assert set(derived["site_id"]) == {"unassigned"}
    assert set(derived["status"]) == {"active"}
    put(settings.root, "device_id,site_id\nd9,s1\n")
    assert effective_registry(settings.root, warehouse)["device_id"].tolist() == ["d9"]


def test_cohort_is_model_and_climate_zone_and_retired_devices_are_not_active() -> None:
    frame = pd.DataFrame({"device_id": ["d1", "d2"], "site_id": "s", "model": "freezer", "climate_zone": ["hot", None],
                          "status": ["active", "retired"]})  # fmt: skip
    registry = complete_registry(frame, "registry.csv")
    assert with_cohort(registry)["cohort"].tolist() == ["freezer × hot", "freezer × unknown"]
    assert active_devices(registry)["device_id"].tolist() == ["d1"]
