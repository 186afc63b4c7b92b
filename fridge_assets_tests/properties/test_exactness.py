"""However the same readings come, in whatever order, files and batches, on however many threads: the same bits."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fridge_assets.contracts import DEVICE_FEATURES
from fridge_assets.contracts.sensor_readings import NUMERIC_SENSORS
from fridge_assets.features.compute import compute_features
from fridge_assets.models.families import FAMILIES, HOURLY_FAMILIES
from fridge_assets.models.selection import select_training_rows
from fridge_assets.models.training import train
from fridge_assets.readings.ingest import ingest
from fridge_assets.scoring.model_input import read_model_input
from fridge_assets.settings import ForestSettings, ReadingSettings, Settings, TrainingSettings, WarehouseSettings
from fridge_assets.stores.frames import query_arrow
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.conftest import landing_of, settings_of
from fridge_assets_tests.readings.deliveries import Row, at, moment, reading, registry_of, write

DEVICES = [f"d{number}" for number in range(8)]
MINUTES = 120
NOW = moment(MINUTES + 20)
FORMATS = ("csv", "parquet", "jsonl", "csv.gz")


def sent(seed: int = 5) -> list[Row]:
    """Two hours of readings with fractions that no double holds; some twice, some with nulls, some late."""
    rng = np.random.default_rng(seed)
    rows = []
    for device in DEVICES:
        for minute in range(MINUTES):
            values: Row = {
                sensor.name: round(float(rng.uniform(sensor.minimum, sensor.maximum)), 3) for sensor in NUMERIC_SENSORS
            }
            if rng.random() < 0.05:
                values["humidity"] = None
            values |= operated(device, minute, rng)
            late = 30 if rng.random() < 0.05 else 0.5
            rows.append(reading(minute + float(rng.integers(0, 59)) / 64, device, **values))
            rows[-1]["timestamp_ingested"] = at(minute + 1 + late)
    return [*rows, *rows[::50]]


def operated(device: str, minute: int, rng: np.random.Generator) -> Row:
    """How a device runs: some stop and start, some have a defrost that a sensor tells of, some one that none does."""
    number = DEVICES.index(device)
    in_defrost = (minute + 11 * number) % 70 < 12
    if number < 3:
        return {"defrost_cycle": in_defrost and rng.random() < 0.9}
    standing = in_defrost or (minute + number) % 20 < 7
    changes: Row = {"current_compressor": 0.1 if standing else 9.0 + number, "defrost_cycle": None}
    return changes | {"temperature_evaporator": 3.0 if in_defrost else -4.0 - rng.random()}


SENT = sent()


@dataclass(frozen=True)
class Delivery:
    """A way for the readings to come.

    Args:
        seed: of the order of the rows.
        files: how many there are.
        together: whether all of them are one batch.
        late: how many files come only after features were computed without them.
        threads: of DuckDB.
    """

    seed: int
    files: int
    together: bool
    late: int
    threads: int


deliveries = st.builds(
    Delivery, st.integers(0, 10**6), st.integers(1, 6), st.booleans(), st.integers(0, 5), st.sampled_from([1, 2, 4])
)


def delivered(folder: Path, how: Delivery) -> Settings:
    """A data folder in which features were computed of readings that came so."""
    chosen = settings_of(
        folder,
        readings=ReadingSettings(settle=timedelta(0), batch_bytes=10**9 if how.together else 1),
        warehouse=WarehouseSettings(threads=how.threads),
        forest=ForestSettings(trees=20),
        training=TrainingSettings(min_rows=8),
    )
    warehouse = Warehouse.from_settings(chosen)
    order = np.random.default_rng(how.seed).permutation(len(SENT))
    parts = [[SENT[i] for i in part] for part in np.array_split(order, how.files)]
    for number, part in enumerate(parts):
        if number == max(how.files - how.late, 1):
            bring(chosen, warehouse)
        write(chosen.landing_dir / f"{number}.{FORMATS[(number + how.seed) % 4]}", part)
    bring(chosen, warehouse)
    return chosen


def bring(chosen: Settings, warehouse: Warehouse) -> None:
    """Ingest what has landed and compute what is due."""
    ingest(landing_of(chosen), warehouse, registry_of(*DEVICES), NOW, chosen)
    compute_features(warehouse, NOW, chosen.features)


def features_of(warehouse: Warehouse) -> pa.Table:
    """All features in the order of their key, to the bit."""
    columns = ", ".join(DEVICE_FEATURES.column_names)
    with warehouse.read() as connection:
        return query_arrow(connection, f"SELECT {columns} FROM device_features ORDER BY window_start, device_id")


def scores_of(warehouse: Warehouse, chosen: Settings) -> dict[str, list[bytes]]:
    """The newest window's scores by models that were trained on all windows, to the bit."""
    devices = registry_of(*DEVICES).assign(cohort="c")
    scores = {}
    for family in HOURLY_FAMILIES:
        with warehouse.read() as connection:
            rows = select_training_rows(connection, devices, NOW, chosen, FAMILIES[family].view)
            scored = read_model_input(connection, moment(MINUTES), devices, chosen, FAMILIES[family].view)
        version = train(FAMILIES[family], rows, chosen, NOW).version
        complete, _ = version.imputer.apply(scored.rows, scored.recent)
        scores[family] = [score.tobytes() for score in version.score(complete)]
    return scores


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[pa.Table, dict[str, list[bytes]]]:
    """Features and scores of the readings in one file, in one batch, on one thread."""
    plainly = delivered(tmp_path_factory.mktemp("plainly"), Delivery(0, 1, True, 0, 1))
    warehouse = Warehouse.from_settings(plainly)
    return features_of(warehouse), scores_of(warehouse, plainly)


@given(how=deliveries)
@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_features_and_scores_depend_on_the_readings_alone_to_the_bit(
    expected: tuple[pa.Table, dict[str, list[bytes]]], how: Delivery
) -> None:
    with TemporaryDirectory() as folder:
        otherwise = delivered(Path(folder) / "otherwise", how)
        found = Warehouse.from_settings(otherwise)
        assert features_of(found).num_rows == len(DEVICES) * MINUTES // 15
        assert features_of(found).equals(expected[0])
        assert scores_of(found, otherwise) == expected[1]


def test_odd_and_even_minutes_in_two_files_give_the_bits_of_one_file(tmp_path: Path) -> None:
    parity = [int(pd.Timestamp(str(row["timestamp"])).minute) % 2 for row in SENT]
    tables = []
    for name, parts in (
        ("one", [SENT]),
        ("two", [[r for r, p in zip(SENT, parity, strict=True) if p == n] for n in (0, 1)]),
    ):
        chosen = settings_of(tmp_path / name)
        warehouse = Warehouse.from_settings(chosen)
        for number, part in enumerate(parts):
            write(chosen.landing_dir / f"{number}.parquet", part)
        bring(chosen, warehouse)
        tables.append(features_of(warehouse))
    assert tables[0].num_rows == len(DEVICES) * MINUTES // 15
    assert tables[0].equals(tables[1])
