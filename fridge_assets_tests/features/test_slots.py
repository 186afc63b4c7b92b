"""Masks of slots say what a list of the slots would."""

from datetime import timedelta

import duckdb
import pytest

from fridge_assets.features.slots import Slots, count_sql

QUARTER = Slots(900)


def value(sql: str) -> object:
    with duckdb.connect() as connection:
        return connection.execute(f"SELECT {sql}").fetchall()[0][0]


@pytest.mark.parametrize(
    ("seconds", "count", "milliseconds"),
    [(900, 15, 60_000), (3600, 60, 60_000), (86_400, 60, 1_440_000), (30, 1, 30_000)],
)
def test_a_window_is_cut_by_the_minute_or_into_sixty(seconds: int, count: int, milliseconds: int) -> None:
    assert (Slots(seconds).count, Slots(seconds).milliseconds) == (count, milliseconds)
    assert value(Slots(seconds).bit_sql(str(seconds * 1000 - 1))) == 1 << (count - 1)


def test_a_reading_holds_until_the_next_and_no_longer_than_the_span() -> None:
    held = QUARTER.held_sql("1::BIGINT", f"{1 | 1 << 3}::BIGINT", timedelta(minutes=5))
    assert value(held) == 0b111
    assert value(QUARTER.held_sql("1::BIGINT", "1::BIGINT", timedelta(minutes=5))) == 0b11111
    assert value(QUARTER.held_sql(f"{1 << 14}::BIGINT", f"{1 << 14}::BIGINT", timedelta(minutes=5))) == 1 << 14


def test_runs_are_counted_measured_and_kept_when_they_last() -> None:
    mask = f"{0b0111011010}::BIGINT"
    assert value(QUARTER.runs_sql(mask)) == 3
    assert value(QUARTER.longest_sql(mask)) == 3
    assert value(QUARTER.longest_sql("0::BIGINT")) == 0
    assert value(QUARTER.longest_sql(f"{QUARTER.full}::BIGINT")) == 15
    assert value(QUARTER.lasting_sql(mask, timedelta(minutes=3))) == 0b0111000000
    assert value(QUARTER.begun_sql(mask, f"{0b1}::BIGINT")) == 1
    assert value(QUARTER.after_last_sql(mask)) == 9
    assert value(QUARTER.after_last_sql("0::BIGINT")) is None
    assert value(count_sql(mask)) == 6
