"""Which values of a sensor are plausible, unusual or impossible, by equipment model and refrigerant (SPEC 1.3).

A *plausible* value is what such a machine reads, running or at rest. One outside of that which the sensor can read is
*unusual*: it stays, flagged. One that no sensor reads (NaN, -999, 1e9) is *impossible*: it becomes null, flagged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from fridge_assets.contracts.sensor_readings import NUMERIC_SENSORS, SENSORS
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.names import unknown
from fridge_assets.core.toml_files import parsed, read_text
from fridge_assets.readings.refrigerants import Range, refrigerant_name, refrigerant_ranges, require_refrigerant
from fridge_assets.stores.frames import query, registered

RANGES_FILE = "sensor_ranges.toml"
"""Name of the tables in the data folder; without the file the built-in ones hold."""

_SENSORS = {sensor.name: sensor for sensor in NUMERIC_SENSORS}


@dataclass(frozen=True)
class SensorRanges:
    """Smallest and largest value of every numeric sensor, by name.

    Args:
        plausible: values outside are unusual.
        possible: values outside are impossible.
    """

    plausible: Mapping[str, Range]
    possible: Mapping[str, Range]

    def bounds(self) -> dict[str, float]:
        """All of them by the names of :func:`bound`."""
        return {
            bound(sensor, kind, end): float(table[sensor][end])
            for kind, table in (("plausible", self.plausible), ("possible", self.possible))
            for sensor in _SENSORS
            for end in (0, 1)
        }


BUILT_IN = SensorRanges(
    {s.name: (s.minimum or 0.0, s.maximum or 0.0) for s in NUMERIC_SENSORS},
    {s.name: (s.possible_minimum or 0.0, s.possible_maximum or 0.0) for s in NUMERIC_SENSORS},
)
"""Of a machine of which neither equipment model nor refrigerant says more."""


def bound(sensor: str, kind: str, end: int) -> str:
    """Column name of one end (0 or 1) of the ``plausible`` or ``possible`` range of ``sensor``."""
    return f"{sensor}_{kind}_{('from', 'to')[end]}"


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")

    plausible: dict[str, Range] = {}
    possible: dict[str, Range] = {}


class _Model(_Table):
    refrigerant: str = ""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    default: _Table = _Table()
    refrigerants: dict[str, _Table] = {}
    models: dict[str, _Model] = {}


@dataclass(frozen=True)
class RangeTables:
    """The ranges of every device: what is said of its equipment model before its refrigerant before all devices."""

    file: _File = field(default_factory=_File)

    def of(self, model: str, refrigerant: str | None) -> SensorRanges:
        """The ranges of a device.

        Args:
            model: its equipment model, as the registry has it.
            refrigerant: the same; None or empty where the registry does not say, and the table of the model may.
        """
        own = self.file.models.get(model, _Model())
        name = refrigerant_name(refrigerant or own.refrigerant)
        said = self.file.refrigerants.get(name, _Table())
        plausible = {
            **BUILT_IN.plausible,
            **self.file.default.plausible,
            **refrigerant_ranges(name),
            **said.plausible,
            **own.plausible,
        }
        possible = {**BUILT_IN.possible, **self.file.default.possible, **said.possible, **own.possible}
        return SensorRanges(plausible, {sensor: _around(possible[sensor], plausible[sensor]) for sensor in possible})


BUILT_IN_TABLES = RangeTables()
"""Of a data folder that has none of its own."""


def _around(possible: Range, plausible: Range) -> Range:
    """What is plausible is possible."""
    return min(possible[0], plausible[0]), max(possible[1], plausible[1])


def read_range_tables(data_dir: Path) -> RangeTables:
    """The tables of the data folder; the built-in ones where it has none.

    Raises:
        FridgeError: the file cannot be read, names a sensor or refrigerant that does not exist, or a range that is
            none; the message says where.
    """
    path = data_dir / RANGES_FILE
    text = read_text(path)
    if text is None:
        return BUILT_IN_TABLES
    try:
        file = _File.model_validate(parsed(text, str(path)))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"] if not isinstance(part, int))
        raise FridgeError(
            f"{path}: {where} is {first['input']!r}: {first['msg']}",
            "A table is [default.plausible], [refrigerants.R290.plausible] or [models.NAME.possible] with lines such "
            'as current_compressor = [0, 80]; a model may have refrigerant = "R290".',
        ) from error
    file = file.model_copy(update={"refrigerants": {refrigerant_name(n): t for n, t in file.refrigerants.items()}})
    _check(file, path)
    return RangeTables(file)


def _check(file: _File, path: Path) -> None:
    tables: dict[str, _Table] = {"default": file.default}
    tables |= {f"refrigerants.{name}": table for name, table in file.refrigerants.items()}
    tables |= {f"models.{name}": table for name, table in file.models.items()}
    for name, model in file.models.items():
        if model.refrigerant:
            require_refrigerant(refrigerant_name(model.refrigerant), file.refrigerants, f"for models.{name} in {path}")
    for where, table in tables.items():
        for kind, ranges in (("plausible", table.plausible), ("possible", table.possible)):
            for name, (low, high) in ranges.items():
                if name not in _SENSORS:
                    raise unknown("numeric sensor", name, list(_SENSORS), f"in {where}.{kind} of {path}")
                _check_range(f"{path}: {where}.{kind}.{name}", name, low, high)


def _check_range(said: str, sensor: str, low: float, high: float) -> None:
    least, most = _SENSORS[sensor].limits
    if not low < high:
        raise FridgeError(f"{said} is [{low:g}, {high:g}], which holds no value", "Give the smaller one first.")
    if least is not None and most is not None and not (least <= low and high <= most):
        unit = _SENSORS[sensor].unit
        raise FridgeError(
            f"{said} is [{low:g}, {high:g}] {unit}, and nothing outside of {least:g} to {most:g} {unit} is ever stored",
            "Check the unit of the readings; --unit converts them.",
        )


def know_ranges(connection: duckdb.DuckDBPyConnection, registry: pd.DataFrame | None, tables: RangeTables) -> None:
    """Tell an engine the ranges of the devices, which :func:`known_bounds` then finds there.

    Args:
        connection: an engine.
        registry: DEVICE_REGISTRY rows; None when there is none and nothing is known of any device.
        tables: of the data folder.
    """
    connection.execute("DROP TABLE IF EXISTS common_ranges; DROP TABLE IF EXISTS device_ranges")
    kinds = pd.DataFrame({"model": [""], "refrigerant": [None]})
    if registry is not None and len(registry):
        kinds = registry[["model", "refrigerant"]].drop_duplicates(ignore_index=True)
    bounds = pd.DataFrame([_bounds_of(tables, *kind) for kind in kinds.itertuples(index=False)])
    with registered(connection, given=bounds.iloc[:1]):
        connection.execute("CREATE TABLE common_ranges AS FROM given")
    differing = [name for name in bounds.columns if (bounds[name] != bounds[name].iloc[0]).any()]
    if registry is None or not differing:
        return
    # Only the bounds that differ between devices are joined to readings; every other one is a number in the query.
    found = registry[["device_id", "model", "refrigerant"]].merge(kinds.join(bounds[differing]))
    with registered(connection, given=found[["device_id", *differing]]):
        connection.execute("CREATE TABLE device_ranges AS FROM given")


def _bounds_of(tables: RangeTables, model: Any, refrigerant: Any) -> dict[str, float]:
    return tables.of(str(model), None if pd.isna(refrigerant) else str(refrigerant)).bounds()


@dataclass(frozen=True)
class Bounds:
    """The ranges as SQL: a number where all devices have the same, else a column of ``device_ranges``.

    Args:
        sql: by the names of :func:`bound`.
        by_device: whether ``device_ranges`` must be joined.
    """

    sql: Mapping[str, str]
    by_device: bool

    @property
    def join(self) -> str:
        """What follows the relation with ``device_id`` in a FROM clause."""
        return "LEFT JOIN device_ranges USING (device_id)" if self.by_device else ""

    def within(self, sensor: str, kind: str) -> str:
        """Condition that a value of ``sensor`` is in its ``plausible`` or ``possible`` range; null for a null."""
        return f"{sensor} BETWEEN {self.sql[bound(sensor, kind, 0)]} AND {self.sql[bound(sensor, kind, 1)]}"


def known_bounds(connection: duckdb.DuckDBPyConnection) -> Bounds:
    """The ranges that :func:`know_ranges` told; the built-in ones in an engine that was told none."""
    tables = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    common = BUILT_IN.bounds()
    if "common_ranges" in tables:
        (row,) = connection.execute("FROM common_ranges").fetchall()
        common = dict(zip(common, row, strict=True))
    sql = {name: repr(float(value)) for name, value in common.items()}
    if "device_ranges" not in tables:
        return Bounds(sql, by_device=False)
    described = connection.execute("DESCRIBE device_ranges").fetchall()
    return Bounds({**sql, **{row[0]: row[0] for row in described if row[0] != "device_id"}}, by_device=True)


def spread_out_of_range(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """What the sensors read that have a value outside of their plausible range.

    Args:
        connection: an engine holding ``staged``.

    Returns:
        ``sensor``, ``unusual`` and ``impossible`` (numbers of values), ``least``, ``median`` and ``largest`` of all
        possible values (null without one), one row per such sensor in the order of the contract.
    """
    bounds = known_bounds(connection)
    bits = {sensor.name: 1 << place for place, sensor in enumerate(SENSORS)}
    each = " UNION ALL ".join(
        f"SELECT {bits[name]} AS place, '{name}' AS sensor, "
        f"count(*) FILTER (NOT ({bounds.within(name, 'plausible')})) AS unusual, "
        f"count(*) FILTER ({name} IS NULL AND null_mask & {bits[name]} = 0) AS impossible, "
        f"min({name}) AS least, median({name}) AS median, max({name}) AS largest FROM taken {bounds.join}"
        for name in _SENSORS
    )
    return query(
        connection,
        "WITH taken AS (FROM staged WHERE reason IS NULL OR reason = 'ALL_SENSORS_NULL') "
        f"SELECT * EXCLUDE (place) FROM ({each}) WHERE unusual + impossible > 0 ORDER BY place",
    )
