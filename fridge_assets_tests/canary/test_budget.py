"""A candidate that raises more alerts than operators can look into does not pass by itself (SPEC 2.2, 3.1)."""

from datetime import timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from fridge_assets.canary.gate import gate
from fridge_assets.canary.inputs import Scores
from fridge_assets.canary.report import CanaryReport, compare
from fridge_assets.canary.store import canary_reports, commit_comparisons
from fridge_assets.contracts import CANARY_REPORTS, CANARY_SCORES
from fridge_assets.settings import IncidentSettings, Settings
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.canary.given import WINDOW, given, healthy

PASSED = "All four metrics are within their limits, and so is production's own noise."


def lifted(devices: int) -> Scores:
    """Production's scores, but the lowest flagged ``devices`` are above the mark of MEDIUM, too."""
    scores = healthy()
    flagged = np.flatnonzero(scores > 0.6)
    scores[flagged[np.argsort(scores[flagged])][:devices]] = 0.75
    return scores


def report(devices: int, **alerts: int) -> CanaryReport:
    settings = Settings().model_copy(update={"alerts": IncidentSettings.model_validate(alerts)})
    return compare(given(lifted(devices)), settings)


def test_a_candidate_beyond_the_budget_is_reviewed_although_its_metrics_pass() -> None:
    found = report(3)
    assert all(metric.verdict == "pass" for metric in found.metrics)
    assert found.verdict == "review"
    assert found.reason == (
        f"{PASSED} The candidate predicts 168 alerts of MEDIUM or higher a day, beyond the budget of 144; production "
        "predicts 96."
    )


def test_a_candidate_at_the_budget_passes() -> None:
    assert (report(2).verdict, report(2).reason) == ("pass", PASSED)
    assert report(2).outlook == "MEDIUM or higher a day: 144 by the candidate, 96 by production; the budget is 144."


def test_more_operators_are_a_greater_budget() -> None:
    assert report(3, operators=2).verdict == "pass"


def test_a_candidate_is_not_blamed_for_what_production_does_already() -> None:
    assert report(3, alert_budget=95).verdict == "pass"
    assert report(3, alert_budget=96).verdict == "review"


def test_a_worse_verdict_stays_and_both_reasons_are_said() -> None:
    found = compare(given(1 - healthy()), Settings())
    assert found.verdict == "block"
    assert found.reason.startswith("Flagged share")
    assert found.reason.endswith("beyond the budget of 144; production predicts 96.")


def test_nothing_is_said_of_the_budget_where_nothing_can_be_concluded() -> None:
    few = compare(given(np.full(100, 0.9), np.full(100, 0.1)), Settings())
    assert (few.verdict, few.reason) == ("inconclusive", "100 devices were compared, fewer than 200.")


def test_the_gate_stays_shut_for_it() -> None:
    windows = [WINDOW + timedelta(hours=hour) for hour in range(3)]
    made = [compare(given(lifted(3 if window == WINDOW else 0), window_end=window), Settings()) for window in windows]
    proof = gate(made, 3)
    assert not proof.passed
    assert proof.said.startswith("window 2026-03-02 12:00 UTC needs a review: All four metrics")


@pytest.mark.parametrize("of_an_earlier_release", [False, True])
def test_the_budget_is_stored_also_in_a_folder_of_an_earlier_release(
    warehouse: Warehouse, of_an_earlier_release: bool
) -> None:
    if of_an_earlier_release:
        Path(warehouse.database).parent.mkdir()
        with duckdb.connect(warehouse.database) as connection:
            connection.execute(CANARY_REPORTS.create_table_sql())
            for later in ("alert_budget", "battery_verdict", "battery"):
                connection.execute(f"ALTER TABLE canary_reports DROP COLUMN {later}")
    commit_comparisons(warehouse, report(3).to_row(), CANARY_SCORES.empty())
    stored = canary_reports(warehouse)
    assert stored["alert_budget"].tolist() == [144]
    pd.testing.assert_frame_equal(stored, report(3).to_row(), check_dtype=False)
