"""The device registry file, checked and completed; derived from the readings where there is none (SPEC 1.1)."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from fridge_assets.contracts import DEVICE_REGISTRY, Column
from fridge_assets.contracts.device_registry import NO_SITE, REGISTRY_DEFAULTS, REGISTRY_REQUIRED
from fridge_assets.contracts.validation import enforce
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.moments import check_zone
from fridge_assets.stores.warehouse import Warehouse

REGISTRY_FILES = ("device_registry.csv", "device_registry.parquet")
"""Names a registry may have in the data folder; at most one of them may exist."""

_EXAMPLES_SHOWN = 5


def read_registry(data_dir: Path) -> pd.DataFrame | None:
    """The registry in ``data_dir`` in contract columns, None when there is no file.

    Raises:
        FridgeError: two registry files, a required column missing, duplicate devices, or a value that cannot be
            read; each names the value and the remedy.
        ContractViolation: a value outside its range.
    """
    present = [data_dir / name for name in REGISTRY_FILES if (data_dir / name).exists()]
    if not present:
        return None
    if len(present) > 1:
        raise FridgeError(f"{data_dir} holds both {' and '.join(REGISTRY_FILES)}", "Keep the one that is right.")
    status = present[0].stat()
    return _checked(present[0], status.st_mtime_ns, status.st_size).copy()


def registry_version(data_dir: Path) -> object:
    """Something that is different once the registry in ``data_dir`` was changed."""
    present = [path for name in REGISTRY_FILES if (path := data_dir / name).exists()]
    return tuple((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in present)


def complete_registry(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """``frame`` with contract columns and types, defaults filled in, sorted by device.

    Args:
        frame: at least ``device_id`` and ``site_id``; further columns are ignored.
        name: how error messages call it.

    Raises:
        FridgeError: see :func:`read_registry`.
    """
    for column in REGISTRY_REQUIRED:
        if column not in frame.columns:
            raise FridgeError(
                f"{name} has no column {column}; columns are {', '.join(map(str, frame.columns))}",
                f"Add {column}; it is required for every device.",
            )
    given = frame.reindex(columns=list(DEVICE_REGISTRY.column_names))
    registry = pd.DataFrame({field.name: _values(given[field.name], field, name) for field in DEVICE_REGISTRY.columns})
    registry = registry.fillna(REGISTRY_DEFAULTS)
    _refuse_blank_or_repeated(registry, name)
    _check_zones(registry, name)
    enforce(DEVICE_REGISTRY, registry)
    return registry.sort_values("device_id", ignore_index=True)


def effective_registry(data_dir: Path, warehouse: Warehouse) -> pd.DataFrame:
    """The registry file, or one row per device that has sent readings when there is no file."""
    registry = read_registry(data_dir)
    if registry is not None:
        return registry
    with warehouse.read() as connection:
        rows = connection.execute("SELECT device_id FROM device_last_seen ORDER BY device_id").fetchall()
    devices = pd.DataFrame({"device_id": [row[0] for row in rows], "site_id": NO_SITE}, dtype="str")
    return complete_registry(devices, "derived registry") if rows else DEVICE_REGISTRY.empty()


def with_cohort(registry: pd.DataFrame) -> pd.DataFrame:
    """``registry`` plus ``cohort``: equipment model × climate zone."""
    return registry.assign(cohort=registry["model"] + " × " + registry["climate_zone"])


def active_devices(registry: pd.DataFrame) -> pd.DataFrame:
    """Rows of the devices that are scored."""
    return registry[registry["status"] == "active"].reset_index(drop=True)


def site_sizes(registry: pd.DataFrame) -> dict[str, int]:
    """Site → number of its active devices."""
    return {str(site): int(count) for site, count in active_devices(registry)["site_id"].value_counts().items()}


@lru_cache(maxsize=4)
def _checked(path: Path, modified_ns: int, size: int) -> pd.DataFrame:  # noqa: ARG001 (they tell a changed file)
    # Every step of a run asks for the registry; checking 100,000 devices takes longer than reading them.
    return complete_registry(_read(path), path.name)


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype="str")
    except (OSError, ValueError) as error:
        first_line = str(error).strip().splitlines()[0].rstrip(".")
        raise FridgeError(f"{path.name} cannot be read: {first_line}", "Replace it by a whole file.") from error


def _values(given: "pd.Series[Any]", field: Column, name: str) -> "pd.Series[Any]":
    if field.type == "double":
        return _numbers(given, field.name, name)
    if field.type == "timestamp":
        return _times(given, field.name, name)
    return given.astype("str").str.strip().mask(given.isna()).replace("", None)


def _numbers(given: pd.Series, column: str, name: str) -> pd.Series:
    values = pd.to_numeric(given, errors="coerce").astype("float64")
    _refuse_unreadable(given, values, column, name, "a number")
    return values


def _times(given: pd.Series, column: str, name: str) -> pd.Series:
    values = pd.to_datetime(given, errors="coerce", utc=True, format="ISO8601")
    _refuse_unreadable(given, values, column, name, "an ISO 8601 date such as 2024-05-31")
    return values


def _refuse_unreadable(given: pd.Series, values: pd.Series, column: str, name: str, wanted: str) -> None:
    wrong = given[values.isna() & given.notna()]
    if not wrong.empty:
        raise FridgeError(
            f"{name}: {column} is {wrong.iloc[0]!r} in {len(wrong)} rows, the first is row {wrong.index[0] + 1}",
            f"Give {wanted}, or leave it empty for the default.",
        )


def _check_zones(registry: pd.DataFrame, name: str) -> None:
    given = registry.dropna(subset="timezone")[["site_id", "timezone"]].drop_duplicates()
    for site, zone in given.itertuples(index=False):
        check_zone(zone, f"{name}: timezone of site {site}")
    several = given.loc[given["site_id"].duplicated(), "site_id"]
    if len(several):
        zones = sorted(given.loc[given["site_id"] == several.iloc[0], "timezone"])
        raise FridgeError(
            f"{name} gives site {several.iloc[0]} the time zones {' and '.join(zones)}", "Give a site one time zone."
        )


def _refuse_blank_or_repeated(registry: pd.DataFrame, name: str) -> None:
    for column in REGISTRY_REQUIRED:
        blank = registry.index[registry[column].isna()]
        if len(blank):
            raise FridgeError(
                f"{name}: {column} is empty in {len(blank)} rows, the first is row {blank[0] + 1}", "Fill it in."
            )
    repeated = registry.loc[registry["device_id"].duplicated(), "device_id"].unique()
    if len(repeated):
        examples = ", ".join(repeated[:_EXAMPLES_SHOWN]) + (" …" if len(repeated) > _EXAMPLES_SHOWN else "")
        raise FridgeError(
            f"{name} names {len(repeated)} devices more than once: {examples}",
            "Keep one row per device; nothing was ingested or scored with this registry.",
        )
