"""The onsets are a function of the readings: order, repetition and batches do not matter (SPEC 5)."""

from datetime import timedelta
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fridge_assets_tests.streaming.naive_rules import naive_onsets
from fridge_assets_tests.streaming.reading_rows import QUICK, START, Row, onsets

SPAN = 70
MOST_DELAY = QUICK.allowed_lateness - timedelta(seconds=1)


@st.composite
def series(draw: st.DrawFn, device: str) -> list[Row]:
    """Seventy eventful readings, each with the moment of its arrival within the allowed lateness."""
    rows = []
    interval = draw(st.sampled_from((60, 60, 60, 10, 300)))
    temperature = -20.0
    for number in range(SPAN):
        temperature += draw(st.sampled_from((0.0, 0.0, 2.1, 3.0, 3.0, -8.0))) * interval / 60
        temperature = min(temperature, 25.0)
        if draw(st.integers(0, 9)) == 0:
            continue  # lost
        at = START + timedelta(seconds=number * interval + draw(st.sampled_from((0, 0, 0, 1, interval // 3))))
        rows.append(
            Row(
                at,
                device,
                draw(st.sampled_from((12.0, 12.0, 40.0, 45.0, None))),
                draw(st.sampled_from((3.0, 3.0, 3.0, 0.05, 12.0, None))),
                draw(st.sampled_from((200.0, 200.0, 160.0, 130.0, None))),
                draw(st.sampled_from((temperature, temperature, temperature, None))),
                draw(st.sampled_from((False,) * 30 + (True, None))),
                at + draw(st.sampled_from((timedelta(0), timedelta(0), timedelta(minutes=3), MOST_DELAY))),
            )
        )
    return rows


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_order_repetition_and_batches_change_nothing(data: st.DataObject) -> None:
    ordered = sorted((*data.draw(series("d1")), *data.draw(series("d2"))), key=lambda row: row.at)
    expected = naive_onsets(ordered, QUICK)
    assert onsets([ordered], QUICK) == expected

    repeated = data.draw(st.lists(st.sampled_from(ordered), max_size=20)) if ordered else []
    copies = [Row(**{**vars(row), "arrived": row.at + MOST_DELAY}) for row in repeated]
    arriving = sorted((*ordered, *copies), key=lambda row: row.ingested)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(arriving)), max_size=12)))
    edges = [0, *cuts, len(arriving)]
    batches = [arriving[a:b] for a, b in pairwise(edges) if a < b]
    assert onsets(batches, QUICK) == expected


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_reading_by_reading_is_the_same_as_all_at_once(data: st.DataObject) -> None:
    arriving = sorted(data.draw(series("d1")), key=lambda row: row.ingested)
    assert onsets([[row] for row in arriving], QUICK) == naive_onsets(arriving, QUICK)
