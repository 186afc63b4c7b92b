"""Sums of whole parts: exact, and so the same in any order."""

from collections.abc import Sequence
from fractions import Fraction
from math import isqrt

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fridge_assets.contracts.sensor_readings import NUMERIC_SENSORS
from fridge_assets.core.exact_sums import (
    FEATURE_PARTS,
    READING_PARTS,
    mean_sql,
    p95_sql,
    parts_sql,
    slope_sql,
    std_sql,
    value_sql,
    weighted_mean_sql,
)

MOST_READINGS_A_SECOND = 10
LONGEST_WINDOW_SECONDS = 24 * 3600

parts = st.integers(-35_000_000, 35_000_000)
milliseconds = st.integers(0, 899_999)


def aggregated(expression: str, rows: Sequence[tuple[int | None, int]]) -> float | None:
    """``expression`` over rows of (``parts``, ``ms``)."""
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE rows (parts BIGINT, ms BIGINT)")
        connection.executemany("INSERT INTO rows VALUES (?, ?)", [list(row) for row in rows])
        found: float | None = connection.execute(f"SELECT {expression} FROM rows").fetchall()[0][0]
        return found


def one(expression: str) -> object:
    return duckdb.sql(f"SELECT {expression}").fetchall()[0][0]


@pytest.mark.parametrize(
    ("value", "whole"),
    [("40.12", 401_200), ("-25.5", -255_000), ("0.00005", 1), ("-0.00005", 0), ("0.00004999", 0), ("3500", 35_000_000)],
)
def test_a_value_is_counted_in_whole_parts_of_its_unit(value: str, whole: int) -> None:
    assert one(parts_sql(f"{value}::DOUBLE")) == whole


@pytest.mark.parametrize("value", ["'NaN'", "'inf'"])
def test_what_is_no_number_is_an_error_and_not_a_sum(value: str) -> None:
    with pytest.raises(duckdb.ConversionException):
        one(parts_sql(f"{value}::DOUBLE"))


def test_squares_of_every_sensor_add_up_within_64_bits_in_any_window() -> None:
    for sensor in NUMERIC_SENSORS:
        largest = max(abs(limit or 0.0) for limit in sensor.limits) * READING_PARTS
        assert largest**2 < 2**63
        assert largest * MOST_READINGS_A_SECOND * LONGEST_WINDOW_SECONDS < 2**53, "the sum is exact as a double, too"


@given(st.lists(parts, min_size=2, max_size=40))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_the_mean_is_the_double_next_to_the_true_mean(values: list[int]) -> None:
    assert aggregated(mean_sql("parts"), [(v, 0) for v in values]) == float(
        Fraction(sum(values), READING_PARTS * len(values))
    )
    assert aggregated(mean_sql("parts", FEATURE_PARTS), [(v, 0) for v in values]) == float(
        Fraction(sum(values), FEATURE_PARTS * len(values))
    )


@given(st.lists(parts, min_size=2, max_size=40))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_the_deviation_is_that_of_exact_arithmetic(values: list[int]) -> None:
    count = len(values)
    squares = Fraction(count * sum(v * v for v in values) - sum(values) ** 2, count * (count - 1))
    exact = isqrt(int(squares * 10**20)) / 10**10 / READING_PARTS
    assert aggregated(std_sql("parts"), [(v, 0) for v in values]) == pytest.approx(exact, rel=1e-14, abs=1e-14)


@given(st.lists(st.tuples(parts, milliseconds), min_size=2, max_size=40, unique_by=lambda row: row[1]))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_the_slope_is_that_of_exact_arithmetic(rows: list[tuple[int, int]]) -> None:
    count = len(rows)
    mean = Fraction(sum(ms for _, ms in rows), count)
    slope = sum(v * (ms - mean) for v, ms in rows) / sum((ms - mean) ** 2 for _, ms in rows)
    exact = float(slope * 60_000 / READING_PARTS)
    assert aggregated(slope_sql("parts", "ms"), rows) == pytest.approx(exact, rel=1e-15, abs=1e-300)


@given(st.lists(parts, min_size=1, max_size=40))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_the_95th_percentile_is_that_of_exact_arithmetic(values: list[int]) -> None:
    place = Fraction(95 * (len(values) - 1), 100)
    below = sorted(values)[int(place)]
    above = sorted(values)[min(int(place) + 1, len(values) - 1)]
    exact = (below + (above - below) * (place - int(place))) / READING_PARTS
    assert aggregated(p95_sql("parts"), [(v, 0) for v in values]) == float(exact)


def test_a_mean_of_means_counts_each_with_its_readings_and_passes_over_nulls() -> None:
    expression = weighted_mean_sql("parts", "ms", READING_PARTS)
    assert aggregated(expression, [(10_000, 3), (20_000, 1), (None, 50)]) == 1.25
    assert aggregated(expression, [(None, 50)]) is None


def test_equal_values_have_their_value_as_mean_and_no_deviation_or_slope() -> None:
    rows: list[tuple[int | None, int]] = [(401_234, minute * 60_000) for minute in range(15)] + [(None, 7)]
    assert aggregated(mean_sql("parts"), rows) == aggregated(value_sql("max(parts)"), rows) == 40.1234
    assert aggregated(std_sql("parts"), rows) == aggregated(slope_sql("parts", "ms"), rows) == 0.0


def test_one_value_has_no_deviation_and_values_at_one_time_no_slope() -> None:
    assert aggregated(std_sql("parts"), [(5, 0), (None, 1)]) is None
    assert aggregated(slope_sql("parts", "ms"), [(5, 10), (6, 10), (None, 20)]) is None


def test_no_value_has_no_aggregate() -> None:
    for expression in (mean_sql("parts"), std_sql("parts"), p95_sql("parts"), slope_sql("parts", "ms")):
        assert aggregated(expression, [(None, 1), (None, 2)]) is None
