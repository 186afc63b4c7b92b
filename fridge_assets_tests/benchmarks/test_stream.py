"""The benchmark of the stream plants, cuts, times and judges as it says, and can fail."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fridge_assets.simulation import Fleet, simulate_registry
from fridge_assets.simulation.arrival import Arrivals
from fridge_assets.streaming.observed import alert_id_of
from fridge_assets.streaming.rules import OVERLOAD, microseconds
from fridge_assets_tests.benchmarks import stream_latency, stream_peer, stream_replay
from fridge_assets_tests.benchmarks.stream_fleet import MINUTE, START, by_second_of_arrival
from fridge_assets_tests.benchmarks.stream_latency import Pace, plant
from fridge_assets_tests.benchmarks.stream_peer_rules import DeviceRules, Reading, Spans
from fridge_assets_tests.benchmarks.stream_replay import Replay, Sample, peaks
from fridge_assets_tests.streaming.naive_rules import naive_onsets
from fridge_assets_tests.streaming.reading_rows import QUICK, Row

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REPLAY = Replay(10_000_000, 10, 0, 2.0, 5.0, 50.0, 90.0, 1000, 1149)
PACE = Pace(1, 1667.0, [0.5] * 50 + [1.0] * 49 + [9.0], 0, 0.1)


def arrivals(devices: int = 300) -> Arrivals:
    return Arrivals(Fleet(simulate_registry(devices, 3), 3, START, START + 10 * MINUTE))


@st.composite
def series(draw: st.DrawFn) -> list[Row]:
    """An hour and a half of eventful readings of one device, in order."""
    rows, temperature = [], -20.0
    # Where defrosts are rare the cooling has time to be lost; where they are frequent, pressure falls in them.
    defrosts = (False,) * draw(st.sampled_from((1, 3, 30))) + (True, None)
    for minute in range(90):
        temperature = min(temperature + draw(st.sampled_from((0.0, 0.0, 2.1, 3.0, 3.0, -8.0))), 25.0)
        if draw(st.integers(0, 9)) == 0:
            continue  # lost
        rows.append(
            Row(
                START + timedelta(minutes=minute, seconds=draw(st.sampled_from((0, 0, 0, 1, 20)))),
                "d1",
                draw(st.sampled_from((12.0, 12.0, 40.0, 45.0, None))),
                draw(st.sampled_from((3.0, 3.0, 3.0, 3.0, 12.0, None))),
                draw(st.sampled_from((200.0, 200.0, 160.0, 130.0, None))),
                draw(st.sampled_from((temperature, temperature, temperature, None))),
                draw(st.sampled_from(defrosts)),
            )
        )
    return rows


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(series())
def test_the_peer_judges_readings_in_order_as_the_rules_are_spelled_out(rows: list[Row]) -> None:
    rules = DeviceRules(Spans(QUICK))
    found = set()
    for row in rows:
        at = microseconds(row.at - EPOCH)
        values = (row.current_compressor, row.vibration_compressor, row.pressure_low_side, row.temperature_evaporator)
        found |= {("d1", rule, moment) for rule, moment in rules.take(Reading(at, *values, row.defrost_cycle))}
    assert found == {(device, rule, microseconds(at - EPOCH)) for device, rule, at in naive_onsets(rows, QUICK)}


@pytest.mark.parametrize(("speed", "seconds"), [(1, 90), (30, 5)])
def test_each_file_holds_what_arrives_in_its_second_and_nothing_is_lost_between(speed: int, seconds: int) -> None:
    pieces = list(by_second_of_arrival(arrivals(), START, speed, seconds))
    assert len(pieces) == seconds
    for number, piece in enumerate(pieces[:60]):
        first = START + timedelta(seconds=number * speed)
        assert all(at < first + timedelta(seconds=speed) for at in piece["timestamp_ingested"].to_pylist())
        assert all(at >= first for at in piece["timestamp_ingested"].to_pylist())
    whole = arrivals()
    minutes = [whole.between(START + n * MINUTE, START + (n + 1) * MINUTE) for n in range(-(-seconds * speed // 60))]
    end = START + timedelta(seconds=seconds * speed)
    expected = sum(at < end for table in minutes for at in table["timestamp_ingested"].to_pylist())
    assert sum(map(len, pieces)) == expected


def test_a_device_is_made_to_draw_too_much_in_one_reading_and_never_again() -> None:
    readings = arrivals(40).between(START, START + MINUTE)
    used: set[str] = set()
    rng = np.random.default_rng(1)
    wanted = []
    for _ in range(3):
        changed, ids = plant(readings, used, rng, 15)
        acute = changed.filter(pa.array(changed["current_compressor"].fill_null(0).to_numpy() > 40))
        rows = zip(acute["device_id"].to_pylist(), acute["timestamp_device"].to_pylist(), strict=True)
        assert sorted(ids) == sorted(alert_id_of(device, OVERLOAD.name, at) for device, at in rows)
        assert changed.drop_columns("current_compressor").equals(readings.drop_columns("current_compressor"))
        assert changed["current_compressor"].null_count == readings["current_compressor"].null_count
        wanted += ids
    assert len(used) == len(set(wanted)) == len(wanted)
    assert 30 < len(wanted) <= 40
    nothing, ids = plant(readings.slice(0, 0), used, rng)
    assert (len(nothing), ids) == (0, [])


def test_memory_before_the_first_batch_does_not_count() -> None:
    samples = [Sample(START + n * MINUTE, size, 0.0) for n, size in enumerate((900, 100, 300, 200, 250))]
    assert peaks(samples, START + MINUTE, START + 3 * MINUTE) == (300, 250)


@pytest.mark.parametrize(
    ("changed", "missed"),
    [({}, 0), ({"seconds": 50.1}, 1), ({"after": 1150}, 1), ({"seconds": 60.0, "after": 2000}, 2)],
)
def test_a_slow_or_a_growing_stream_is_a_miss(changed: dict[str, float], missed: int) -> None:
    assert len(stream_replay.misses(replace(REPLAY, **changed))) == missed


@pytest.mark.parametrize(
    ("changed", "missed"),
    [
        ({}, 0),
        ({"missing": 1}, 1),
        ({"latencies": [0.5] * 49 + [1.1] * 51}, 1),
        ({"latencies": [0.5] * 98 + [5.1] * 2}, 1),
        ({"latencies": [], "missing": 3}, 3),
    ],
)
def test_a_late_or_a_missing_alert_is_a_miss(changed: dict[str, list[float]], missed: int) -> None:
    lines = stream_latency.misses([PACE, replace(PACE, speed=30, **changed)])
    assert len(lines) == missed
    assert all("30 times" in line for line in lines)


def test_onsets_that_differ_from_those_of_the_peer_are_a_miss() -> None:
    same = {("d1", OVERLOAD.name, START)}
    assert stream_peer.onsets_of([f'["d1", "{OVERLOAD.name}", {microseconds(START - EPOCH)}]']) == same
    assert not stream_peer.misses(stream_peer.Contest(1, 1.0, 1.0, same, same))
    (line,) = stream_peer.misses(stream_peer.Contest(1, 1.0, 1.0, same, set()))
    assert "1 onsets were found only by the stream and 0 only by the peer" in line
