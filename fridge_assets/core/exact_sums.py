"""Sums that are the same in any order: of whole numbers, turned into a double once at the end (SPEC 1.4).

A sum of doubles depends on the order of its terms, and that on files, batches and threads; a sum of integers on nothing
but the terms. So a measured value is counted in whole parts of its unit before anything is summed, and what follows
the sums is a fixed row of IEEE operations, each of which has one right result on any machine and in any engine.

The expressions are DuckDB's. ``parts`` names a column of :func:`parts_sql`.
"""

READING_PARTS = 10_000
"""Parts of its unit in which a reading is counted: finer than any of the sensors resolves."""

FEATURE_PARTS = 1_000_000
"""The same for a feature, which may be a mean of many readings."""

_PERCENT_STEPS = 20
"""0.95 is 19 of 20: times this, a 95th percentile of whole numbers is a whole number."""

_MINUTE = 60_000


def parts_sql(value: str, per_unit: int = READING_PARTS) -> str:
    """``value`` in whole parts of its unit (BIGINT); half a part counts as one. A value that is no number is an error.

    Args:
        value: SQL of a double smaller than 2^53 / ``per_unit``, or than 3 * 10^9 / ``per_unit`` where it is squared.
        per_unit: number of parts.
    """
    # Not round(): engines differ about halves.
    return f"floor({value} * {per_unit} + 0.5)::BIGINT"


def value_sql(parts: str, per_unit: int = READING_PARTS) -> str:
    """The double for a whole number of parts."""
    return f"{parts} / {float(per_unit)}"


def mean_sql(parts: str, per_unit: int = READING_PARTS) -> str:
    """Mean, null without a value."""
    return f"sum({parts})::DOUBLE / (count({parts}) * {per_unit})"


def weighted_mean_sql(parts: str, weight: str, per_unit: int) -> str:
    """Mean of ``parts`` that stand for ``weight`` (a whole number) values each, null without one."""
    return f"sum({parts} * {weight})::DOUBLE / (sum({weight}) FILTER ({parts} IS NOT NULL) * {per_unit})"


def std_sql(parts: str) -> str:
    """Standard deviation of a sample, null for fewer than two values."""
    count, total = f"count({parts})", f"sum({parts})"
    squares = f"{count} * sum({parts} * {parts}) - {total} * {total}"
    return f"sqrt(({squares})::DOUBLE / nullif({count} * ({count} - 1), 0)) / {float(READING_PARTS)}"


def p95_sql(parts: str) -> str:
    """95th percentile, between two values by straight line; null without a value."""
    # Rounded to what it is, whatever the engine's way of drawing a straight line.
    return f"round(quantile_cont({parts}, 0.95) * {_PERCENT_STEPS}) / {float(READING_PARTS * _PERCENT_STEPS)}"


def slope_sql(parts: str, milliseconds: str, per_unit: int = READING_PARTS) -> str:
    """Units per minute by least squares, null for values at fewer than two times.

    Args:
        parts: the values.
        milliseconds: their times from any start, a whole number (BIGINT).
        per_unit: number of parts.
    """
    count, total = f"count({parts})", f"sum({parts})"
    there = f"CASE WHEN {parts} IS NOT NULL THEN {milliseconds} END"  # quicker than a filter for each sum
    time, times = f"sum({there})", f"sum(({there}) * {milliseconds})"
    covariance = f"{count} * sum({milliseconds} * {parts}) - {time} * {total}"
    variance = f"{count} * {times} - {time} * {time}"
    return f"({_MINUTE} * ({covariance}))::DOUBLE / nullif({per_unit} * ({variance}), 0)::DOUBLE"
