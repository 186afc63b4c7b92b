"""Whatever is delivered, in whatever files and batches: nothing is lost, and the clean rows are the same."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fridge_assets.contracts import CLEAN_SENSOR_READINGS
from fridge_assets.contracts.sensor_readings import NUMERIC_SENSORS
from fridge_assets.readings.ingest import ingest
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.conftest import landing_of, settings_of
from fridge_assets_tests.readings.deliveries import (
    NO_SENSOR,
    Row,
    at,
    cleaned,
    moment,
    reading,
    registry_of,
    rows_of,
    stored_readings,
    write,
)

FORMATS = ("csv", "parquet", "jsonl", "csv.gz")
VALUES = ["event_id", "device_id", "timestamp_utc", *(s.name for s in NUMERIC_SENSORS), "sensor_null_count"]
REGISTRY = ["d1", "d2"]


@st.composite
def rows(draw: st.DrawFn) -> Row:
    """A reading as odd as a device may send it; equal ``event_id`` means equal reading."""
    minute = draw(st.integers(0, 150))
    device = draw(st.sampled_from(["d1", "d2", "stranger"]))
    row = reading(minute, device, event_id=f"{device}-{minute}", timestamp_ingested=at(minute + 1))
    oddity = (minute * 7 + len(device)) % 6
    if oddity == 0:
        row |= NO_SENSOR
    elif oddity == 1:
        row["humidity"] = 400.0
    elif oddity == 2:
        row["superheat"] = None
    elif oddity == 3:
        row["timestamp_ingested"] = at(minute + 3000)
    return row


deliveries = st.lists(st.tuples(rows(), st.integers(0, 3)), min_size=1, max_size=25)


def files_of(folder: Path, delivered: list[tuple[Row, int]], prefix: str = "") -> list[Path]:
    """Each row into the file that was drawn for it; each file in another format."""
    paths = []
    for number in range(4):
        part = [row for row, file in delivered if file == number]
        if part:
            paths.append(write(folder / f"{prefix}{number}.{FORMATS[number]}", part))
    return paths


@given(deliveries)
@settings(max_examples=6, deadline=None, derandomize=True)
def test_files_of_one_batch_lose_nothing_and_give_the_rows_of_one_file(delivered: list[tuple[Row, int]]) -> None:
    with TemporaryDirectory() as folder:
        together = write(Path(folder) / "all.csv", [row for row, _ in delivered])
        one = cleaned(together, registry=registry_of(*REGISTRY), received_at=moment(4000))
        many = cleaned(files_of(Path(folder), delivered), registry=registry_of(*REGISTRY), received_at=moment(4000))
    for result in (one, many):
        assert result.delivered == len(delivered) == len(result.rows) + len(result.refused) + result.duplicates
    pd.testing.assert_frame_equal(many.rows, one.rows)
    assert sorted(many.reasons()) == sorted(one.reasons())


@given(st.lists(deliveries, min_size=2, max_size=2))
@settings(max_examples=2, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_batches_in_any_order_lose_nothing_and_store_the_rows_of_one_batch(
    batches: list[list[tuple[Row, int]]],
) -> None:
    everything = [row for batch in batches for row, _ in batch]
    with TemporaryDirectory() as folder:
        chosen = settings_of(Path(folder) / "data")
        warehouse = Warehouse.from_settings(chosen)
        total = 0
        for number, batch in enumerate(batches):
            # Not one file may hold the bytes of another: it would be the same delivery, and read once.
            numbered = [({**row, "batch": number}, file) for row, file in batch]
            files_of(chosen.landing_dir, numbered, f"{number}-")
            report = ingest(landing_of(chosen), warehouse, registry_of(*REGISTRY), moment(0), chosen)
            assert report.rows == len(batch) == report.clean + report.quarantined + report.duplicates
            total += report.clean
        stored = stored_readings(warehouse)
        quarantined = rows_of(warehouse, "SELECT count(*) FROM quarantined_readings")[0][0]
        together = write(Path(folder) / "all.csv", everything)
        expected = cleaned(together, registry=registry_of(*REGISTRY), received_at=moment(4000))
    assert len(stored) == total
    assert quarantined == len(expected.refused)
    pd.testing.assert_frame_equal(stored[VALUES], expected.rows[VALUES])
    assert tuple(stored.columns) == CLEAN_SENSOR_READINGS.column_names
