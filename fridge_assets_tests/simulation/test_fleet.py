"""Readings at any time: reproducible, and the same however a span is cut (SPEC 10)."""

from datetime import datetime, timedelta
from itertools import pairwise

import pyarrow as pa
import pytest

from fridge_assets.contracts import SENSOR_READINGS
from fridge_assets.core.errors import FridgeError
from fridge_assets.simulation import FAULT_KINDS, PERFECT_DELIVERY, FaultShare, Fleet, simulate_registry
from fridge_assets_tests.simulation.spans import HOUR, MINUTE, START

FAULTS = tuple(FaultShare(kind, 0.06) for kind in FAULT_KINDS)
END = START + 20 * HOUR


def fleet(seed: int = 7) -> Fleet:
    return Fleet(simulate_registry(130, seed), seed, START, END, FAULTS)


def in_order(readings: pa.Table) -> pa.Table:
    keys = [(name, "ascending") for name in ("device_id", "sequence_number", "timestamp_ingested")]
    return readings.sort_by(keys).combine_chunks()


def test_readings_have_the_landing_columns_save_the_event_id() -> None:
    readings = fleet().readings(START, START + MINUTE)
    assert readings.column_names == [name for name in SENSOR_READINGS.column_names if name != "event_id"]
    assert readings.schema == SENSOR_READINGS.arrow_schema.remove(0)


def test_the_same_seed_gives_the_same_readings_and_another_seed_others() -> None:
    span = (START + 12 * HOUR, START + 13 * HOUR)
    assert fleet().readings(*span).equals(fleet().readings(*span))
    assert not fleet().readings(*span).equals(fleet(seed=8).readings(*span))


def test_cutting_the_span_changes_no_reading() -> None:
    start, end = START + 15 * HOUR + 37 * MINUTE, START + 18 * HOUR + 11 * MINUTE
    cuts = [start, start + MINUTE, start + 2 * MINUTE, start + 58 * MINUTE, start + 131 * MINUTE, end]
    pieces = [fleet().readings(a, b) for a, b in pairwise(cuts)]
    assert in_order(pa.concat_tables(pieces)).equals(in_order(fleet().readings(start, end)))


def test_cutting_across_midnight_changes_no_reading() -> None:
    over = Fleet(simulate_registry(24, 7), 7, START, START + 48 * HOUR)
    midnight = START + 24 * HOUR
    start, end = midnight - 10 * MINUTE, midnight + 10 * MINUTE
    pieces = [over.readings(start, midnight), over.readings(midnight, end)]
    assert in_order(pa.concat_tables(pieces)).equals(in_order(over.readings(start, end)))


def test_every_device_reads_once_a_minute_and_counts_its_readings() -> None:
    steady = Fleet(simulate_registry(30, 7), 7, START, END, delivery=PERFECT_DELIVERY)
    readings = steady.readings(START + HOUR, START + HOUR + 20 * MINUTE).to_pandas()
    assert len(readings) == 600
    minutes = (readings["timestamp_device"] - START) // timedelta(minutes=1)
    assert (minutes == readings["sequence_number"]).all()
    assert readings["sequence_number"].between(60, 79).all()
    delay = (readings["timestamp_ingested"] - readings["timestamp_device"]).dt.total_seconds()
    assert delay.between(0.3, 5).all()


def test_readings_go_on_after_the_planned_end() -> None:
    readings = fleet().readings(END, END + MINUTE)
    assert readings.num_rows > 100


def test_readings_before_the_fleet_began_are_refused() -> None:
    with pytest.raises(FridgeError, match="the fleet begins at"):
        fleet().readings(START - HOUR, START)


@pytest.mark.parametrize(
    ("start", "end", "problem"),
    [
        (datetime(2026, 3, 2), START, "not a full minute with a timezone"),  # noqa: DTZ001
        (START + timedelta(seconds=30), END, "not a full minute"),
        (START, START, "is empty"),
        (END, START, "is empty"),
    ],
)
def test_an_impossible_span_is_refused(start: datetime, end: datetime, problem: str) -> None:
    with pytest.raises(FridgeError, match=problem):
        Fleet(simulate_registry(5, 7), 7, start, end)


def test_a_registry_with_foreign_equipment_is_refused_with_the_known_models() -> None:
    registry = simulate_registry(5, 7).replace({"model": {"chest_freezer": "ice_cream_van"}})
    with pytest.raises(FridgeError, match=r"'ice_cream_van'.*walk_in_freezer"):
        Fleet(registry, 7, START, END).readings(START, START + MINUTE)
