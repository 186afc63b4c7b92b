"""Severity by score and agreement, and the deadline that follows from it (SPEC 6)."""

from datetime import timedelta

import pandas as pd
import pytest

from fridge_assets.alerting.severity import name_of, rank_of, severity_rank
from fridge_assets.alerting.sla import sla_deadline
from fridge_assets.settings import AlertSettings


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
    ranks = severity_rank(pd.Series([score]), pd.Series([families]), AlertSettings())
    assert name_of(ranks).tolist() == [severity]


def test_limits_are_settings() -> None:
    settings = AlertSettings(critical_score=0.5, high_families=3)
    assert name_of(severity_rank(pd.Series([0.55]), pd.Series([1]), settings)).tolist() == ["CRITICAL"]


def test_deadlines_follow_from_severity() -> None:
    now = pd.Timestamp("2026-06-01T12:00:00Z")
    ranks = rank_of(pd.Series(["LOW", "MEDIUM", "HIGH", "CRITICAL"]))
    spans = sla_deadline(now, ranks, AlertSettings()) - now
    assert spans.tolist() == [
        timedelta(hours=24),
        timedelta(hours=4),
        timedelta(hours=2),
        timedelta(minutes=30),
    ]
