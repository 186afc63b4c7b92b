"""Severity by score and agreement, (SPEC 6)."""

import pandas as pd
import pytest

from fridge_assets.contracts import MODEL_SCORES
from fridge_assets.incidents.observing.flagged import MODELS, gather_evidence
from fridge_assets.incidents.observing.severity import (
    BELOW_ALL,
    CRITICAL,
    HIGH,
    LOW,
    MEDIUM,
    severity_rank,
    with_provisional,
)
from fridge_assets.incidents.terms import Severity
from fridge_assets.settings import IncidentSettings


@pytest.mark.parametrize(
    ("score", "families", "severity"),
    [
        (0.951, 1, "CRITICAL"),
        (0.95, 1, "MEDIUM"),
        (0.95, 2, "HIGH"),
        (0.851, 2, "HIGH"),
        (0.851, 1, "MEDIUM"),
        (0.85, 2, "MEDIUM"),
        (0.701, 1, "MEDIUM"),
        (0.70, 1, "LOW"),
        (0.70, 2, "MEDIUM"),
        (0.61, 4, "MEDIUM"),
        (0.61, 1, "LOW"),
    ],
)
def test_first_line_that_holds_decides(score: float, families: int, severity: str) -> None:
    ranks = severity_rank(pd.Series([score]), pd.Series([families]), IncidentSettings())
    assert ranks.tolist() == [Severity[severity]]


def test_limits_are_settings() -> None:
    settings = IncidentSettings(critical_score=0.5, high_families=3)
    assert severity_rank(pd.Series([0.55]), pd.Series([1]), settings).tolist() == [CRITICAL]


@pytest.mark.parametrize(
    ("by_all", "by_established", "rank"),
    [
        (CRITICAL, BELOW_ALL, MEDIUM),
        (HIGH, BELOW_ALL, MEDIUM),
        (LOW, BELOW_ALL, LOW),
        (HIGH, LOW, MEDIUM),
        (CRITICAL, HIGH, HIGH),
        (CRITICAL, CRITICAL, CRITICAL),
        (MEDIUM, LOW, MEDIUM),
    ],
)
def test_what_provisional_versions_say_counts_as_medium_at_most(by_all: int, by_established: int, rank: int) -> None:
    assert with_provisional(pd.Series([by_all]), pd.Series([by_established])).tolist() == [rank]


@pytest.mark.parametrize(
    ("contributors", "severity", "agreeing"),
    [
        pytest.param(["superheat_mean", "superheat_mean"], MEDIUM, 2, id="both know"),
        pytest.param(["operating_state", "superheat_mean"], LOW, 1, id="one knows the state"),
        pytest.param(["operating_state", "cohort"], LOW, 0, id="none knows"),
    ],
)
def test_models_that_do_not_know_what_a_device_does_agree_with_nobody(
    contributors: list[str], severity: int, agreeing: int
) -> None:
    scores = MODEL_SCORES.sample(2).assign(
        device_id="d1",
        model_id=["isolation_forest_v1", "statistical_baseline_v1"],
        anomaly_score=0.65,
        anomaly_flag=True,
        top_contributors=[[name] for name in contributors],
        carried_from=pd.Series([pd.NaT, pd.NaT], dtype="datetime64[us, UTC]"),
        provisional="",
    )
    (evidence,) = gather_evidence(scores, MODELS, IncidentSettings()).to_dict("records")
    assert (evidence["severity_rank"], evidence["agreeing"]) == (severity, agreeing)
