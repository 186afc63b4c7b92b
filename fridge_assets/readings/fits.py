"""Whether the values of a file fit the units that they are said to be in."""

from collections.abc import Iterable, Mapping, Sequence

import duckdb

from fridge_assets.contracts.sensor_readings import NUMERIC_SENSORS
from fridge_assets.readings.ranges import bound, known_bounds
from fridge_assets.sources.file import SourceFile, rows_sql
from fridge_assets.sources.judgement import Fit, Misfit, given_unit, misfits
from fridge_assets.sources.scalars import number_sql
from fridge_assets.sources.units import UNIT_OF, units_of
from fridge_assets.sources.values import device_sql

_JUDGED_ROWS = 200_000
"""Rows whose values decide whether a unit fits."""
_LEAST_VALUES = 60
_SELDOM = 0.1
"""Values of a sensor, and the share below which those of a known source are hardly ever plausible, or possible."""
_SEVERAL = 2
"""Devices, and sensors of one kind, that no single fault puts out of range together."""
_OFTEN = 0.05
"""Share of rows with an implausible value from which a file is looked at: most files need no second look."""


def fits_of(engine: duckdb.DuckDBPyConnection, file: SourceFile) -> list[Fit]:
    """How many values of each sensor are plausible in each unit that they may be in.

    Args:
        engine: may have been told of the devices' ranges.
        file: opened; its first rows decide.
    """
    bounds = known_bounds(engine)
    read = {s.name: file.ours[s.name] for s in NUMERIC_SENSORS if s.name in file.ours}
    if not read:
        return []
    numbers = ", ".join(f"{number_sql(*column, file.source)} AS {name}" for name, column in read.items())
    counted, largest, keys = [], [], []
    for name in read:
        low, high = (bounds.sql[bound(name, "plausible", end)] for end in (0, 1))
        lowest, highest = (bounds.sql[bound(name, "possible", end)] for end in (0, 1))
        given = given_unit(file.source, name)
        for unit, (factor, offset) in units_of(name).items():
            value = f"({name} * {factor!r} + {offset + file.source.offsets.get(name, 0.0)!r})"
            counted.append(
                f"[count({name}), count(*) FILTER ({value} BETWEEN {low} AND {high}), "
                f"count(*) FILTER ({value} BETWEEN {lowest} AND {highest}), "
                f"count(*) FILTER ({value} < 0), count(*) FILTER ({name} BETWEEN 0 AND 1)]"
            )
            largest.append(f"coalesce(max({value}) FILTER ({value} BETWEEN {low} AND {high}), 0)")
            keys.append((name, unit, unit == given))
    (found,) = engine.execute(
        f"WITH taken AS (SELECT {device_sql(file)} AS device_id, {numbers} "
        f"FROM ({rows_sql(file, most=_JUDGED_ROWS)}) AS src) "
        f"SELECT {', '.join(counted)}, {', '.join(largest)} FROM taken {bounds.join}"
    ).fetchall()
    engine.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    rows = zip(keys, found[: len(keys)], found[len(keys) :], strict=True)
    return [
        Fit(name, unit, is_given, values, plausible, possible, negative, fractions, float(most))
        for (name, unit, is_given), (values, plausible, possible, negative, fractions), most in rows
        if values
    ]


def unfit_files(engine: duckdb.DuckDBPyConnection, files: Mapping[str, SourceFile]) -> dict[str, str]:
    """Why files of known sources are not in the units of their source, by name.

    Nobody looks at a file that is put into the folder of a source, and a logger may be set to other units. Whoever
    saved the source was shown that its units fit, so that only what can be no fault of a machine counts: a machine that
    stands, leaks or warms is out of range for hours, and in the range of another unit.

    Args:
        engine: holds ``staged`` with the rows of these files.
        files: by name, as ``source_file`` has it.
    """
    suspects: Sequence[tuple[str, int]] = engine.execute(
        "SELECT source_file, count(DISTINCT device_id) FROM staged "
        "WHERE reason IS NULL AND source_file IN (SELECT unnest($names::VARCHAR[])) "
        f"GROUP BY source_file HAVING avg(range_violation::INTEGER) > {_OFTEN}",
        {"names": [name for name, file in files.items() if not file.source.as_is]},
    ).fetchall()
    unfit = {}
    for name, devices in suspects:
        found = _of_no_machine([fit for fit in fits_of(engine, files[name]) if fit.values >= _LEAST_VALUES], devices)
        if found:
            unfit[name] = (
                f"{name}: {'; '.join(map(str, found))}. Say the unit under units in the source, "
                "or as_is: true where the values are right."
            )
    return unfit


def _of_no_machine(fits: Iterable[Fit], devices: int) -> list[Misfit]:
    """The misfits that no fault explains: values that no sensor reads, or of several devices several sensors of a kind.

    Args:
        fits: of one file.
        devices: how many it is of.
    """
    listed = list(fits)
    given = {fit.sensor: fit for fit in listed if fit.is_given}
    found = [misfit for misfit in misfits(listed) if misfit.share < _SELDOM]
    impossible = [one for one in found if given[one.sensor].possible < _SELDOM * given[one.sensor].values]
    if devices < _SEVERAL:
        return impossible
    kinds = [(UNIT_OF[one.sensor], unit) for one in found for unit in one.units]
    together = [one for one in found if any(kinds.count((UNIT_OF[one.sensor], unit)) >= _SEVERAL for unit in one.units)]
    return [one for one in found if one in impossible or one in together]
