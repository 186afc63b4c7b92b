"""What the version before flagged is not learned from, unless it flagged so much that the fleet changed (SPEC 2.1)."""

from datetime import UTC, datetime, timedelta

import pandas as pd

from fridge_assets.contracts import MODEL_SCORES
from fridge_assets.models.exclusions import flagged_windows
from fridge_assets.settings import Settings
from fridge_assets.stores.frames import registered
from fridge_assets.stores.warehouse import Warehouse

NOW = datetime(2026, 3, 10, 14, tzinfo=UTC)


def left_out(warehouse: Warehouse, settings: Settings, scores: pd.DataFrame, family: str) -> list[str]:
    """The devices whose windows are left out when ``scores`` are stored."""
    with warehouse.transaction() as connection, registered(connection, scores=scores):
        columns = ", ".join(MODEL_SCORES.column_names)
        connection.execute(f"INSERT INTO model_scores ({columns}) SELECT {columns} FROM scores")
    with warehouse.read() as connection:
        return list(flagged_windows(connection, family, NOW, settings)["device_id"])


def scored(flagged: int, of: int, model: str = "isolation_forest_v1", window: datetime = NOW) -> pd.DataFrame:
    """Scores of ``of`` devices in one window, the first ``flagged`` of them flagged and the first the strangest."""
    numbers = range(of)
    return MODEL_SCORES.sample(of).assign(
        device_id=[f"d{n:03}" for n in numbers],
        model_id=model,
        window_end=window,
        anomaly_flag=[n < flagged for n in numbers],
        anomaly_score=[1 - n / of for n in numbers],
    )


def test_flagged_windows_of_the_family_and_history_are_left_out(warehouse: Warehouse, settings: Settings) -> None:
    scores = pd.concat(
        [
            scored(3, 100),
            scored(5, 100, model="statistical_baseline_v1"),
            scored(1, 100, window=NOW - settings.training.history),
            scored(1, 100, window=NOW + timedelta(hours=1)),
        ]
    )
    assert left_out(warehouse, settings, scores, "isolation_forest") == ["d000", "d001", "d002"]


def test_of_a_fleet_that_has_changed_only_the_strangest_tenth_is_left_out(
    warehouse: Warehouse, settings: Settings
) -> None:
    assert left_out(warehouse, settings, scored(60, 100), "isolation_forest") == [f"d{n:03}" for n in range(10)]


def test_without_scores_nothing_is_left_out(warehouse: Warehouse, settings: Settings) -> None:
    assert left_out(warehouse, settings, scored(2, 50), "autoencoder") == []
