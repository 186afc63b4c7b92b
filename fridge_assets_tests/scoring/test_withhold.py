"""Withheld scores are kept apart, and replaced as a whole (SPEC 4)."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from fridge_assets.contracts.validation import ContractViolation
from fridge_assets.scoring.withhold import withhold
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.scoring.stored import score_report

WINDOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOW = WINDOW + timedelta(minutes=5)
HOUR = timedelta(hours=1)
FOREST = "isolation_forest"


def stored(warehouse: Warehouse) -> list[tuple[object, ...]]:
    with warehouse.read() as connection:
        return connection.execute(
            "SELECT model_id, epoch(window_end)::BIGINT, count(*), min(anomaly_score), any_value(reason), "
            "any_value(run_id) FROM withheld_scores GROUP BY ALL ORDER BY 1, 2"
        ).fetchall()


def test_withheld_scores_are_stored_with_their_reason_and_run(warehouse: Warehouse) -> None:
    report = score_report(FOREST, WINDOW, np.full(5, 0.5))
    assert withhold(warehouse, [report], "run-1", "They are all alike.", NOW) == 5
    assert stored(warehouse) == [
        ("isolation_forest_v1", int(WINDOW.timestamp()), 5, 0.5, "They are all alike.", "run-1")
    ]
    with warehouse.read() as connection:
        moments = connection.execute("SELECT DISTINCT withheld_at FROM withheld_scores").fetchall()
        assert connection.execute("SELECT count(*) FROM model_scores").fetchone() == (0,)
    assert moments == [(NOW,)]


def test_withholding_a_window_again_replaces_only_what_was_of_that_family_and_window(warehouse: Warehouse) -> None:
    for family, window in ((FOREST, WINDOW), (FOREST, WINDOW - HOUR), ("statistical_baseline", WINDOW)):
        withhold(warehouse, [score_report(family, window, np.full(5, 0.5))], "run-1", "First.", NOW)
    withhold(warehouse, [score_report(FOREST, WINDOW, np.full(3, 0.7))], "run-2", "Second.", NOW)
    noon, eleven = int(WINDOW.timestamp()), int((WINDOW - HOUR).timestamp())
    assert stored(warehouse) == [
        ("isolation_forest_v1", eleven, 5, 0.5, "First.", "run-1"),
        ("isolation_forest_v1", noon, 3, 0.7, "Second.", "run-2"),
        ("statistical_baseline_v1", noon, 5, 0.5, "First.", "run-1"),
    ]


def test_a_score_that_is_none_breaks_the_contract_and_nothing_is_written(warehouse: Warehouse) -> None:
    withhold(warehouse, [score_report(FOREST, WINDOW, np.full(5, 0.5))], "run-1", "First.", NOW)
    with pytest.raises(ContractViolation, match="anomaly_score"):
        withhold(warehouse, [score_report(FOREST, WINDOW, np.array([0.5, np.nan]))], "run-2", "Second.", NOW)
    assert stored(warehouse)[0][-1] == "run-1"
