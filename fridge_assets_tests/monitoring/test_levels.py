"""The limits of SPEC 8 on scores, each at its boundary."""

from datetime import UTC, datetime

import numpy as np
import pytest

from fridge_assets.monitoring.levels import ScoredWindow, judge_flagged, level_metrics
from fridge_assets.monitoring.metrics import Metric
from fridge_assets.scoring.distribution import TrailingScores, Values
from fridge_assets.settings import MonitoringSettings, Settings
from fridge_assets_tests.canary.given import healthy

SETTINGS = Settings()
LIMITS = MonitoringSettings()
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def levels(
    scores: Values,
    before: Values | None = None,
    runs: int = 24,
    active: int | None = None,
    seconds: float | None = None,
) -> dict[str, Metric]:
    """Metrics by name, of ``scores`` after runs that gave ``before``."""
    past = TrailingScores(np.sort(scores if before is None else before), runs)
    flagged = int((scores > 0.6).sum())
    active = len(scores) if active is None else active
    window = ScoredWindow("isolation_forest", NOON, np.sort(scores), flagged, active, seconds, past, past)
    return {metric.name: metric for metric in level_metrics(window, SETTINGS)}


def verdicts(metrics: dict[str, Metric]) -> set[str]:
    return {metric.verdict for metric in metrics.values()}


def test_a_healthy_window_is_ok_in_every_figure() -> None:
    metrics = levels(healthy(2000), healthy(2000, seed=1), seconds=4.0)
    assert verdicts(metrics) == {"ok"}
    assert metrics["throughput"].value == 500
    assert metrics["flagged_share"].value == 0.01
    assert metrics["p95"].value == pytest.approx(np.quantile(healthy(2000), 0.95))


def test_figures_without_a_limit_are_recorded_only() -> None:
    metrics = levels(np.linspace(0, 1, 1000), np.zeros(1000))
    for name in ("std", "p50", "p90", "p99"):
        assert (metrics[name].verdict, metrics[name].low, metrics[name].high) == ("ok", None, None)


@pytest.mark.parametrize(
    ("shift", "verdict"), [(0.049, "ok"), (0.051, "warn"), (-0.049, "ok"), (-0.051, "warn")]
)  # fmt: skip
def test_the_mean_may_be_five_hundredths_from_that_of_the_week(shift: float, verdict: str) -> None:
    mean = levels(np.full(500, 0.3 + shift), np.full(500, 0.3))["mean"]
    assert (mean.verdict, mean.reference) == (verdict, pytest.approx(0.3))
    assert (mean.low, mean.high) == (pytest.approx(0.25), pytest.approx(0.35))


@pytest.mark.parametrize(("shift", "verdict"), [(0.099, "ok"), (0.101, "warn"), (-0.099, "ok"), (-0.101, "warn")])
def test_the_95th_percentile_may_be_a_tenth_from_that_of_the_week(shift: float, verdict: str) -> None:
    base = np.where(np.arange(1000) < 900, 0.2, 0.5)
    assert levels(np.where(base == 0.5, 0.5 + shift, base), base)["p95"].verdict == verdict


@pytest.mark.parametrize(
    ("flagged", "rows", "verdict"),
    [
        (1000, 100_000, "ok"),
        (3000, 100_000, "ok"),  # a factor of three exactly, which is nearer than three points
        (3001, 100_000, "warn"),
        (334, 100_000, "ok"),
        (333, 100_000, "warn"),
        (0, 100_000, "warn"),
        (7, 200, "ok"),  # 3.5 %, which chance gives 4 times in 1000
        (9, 200, "warn"),
        (0, 200, "ok"),  # none at all is no surprise among so few
        (0, 687, "ok"),
        (0, 688, "warn"),
        (150, 199, "not enough data"),
        (0, 0, "not enough data"),
    ],
)
def test_the_flagged_share_warns_beyond_its_limits_unless_chance_explains_it(
    flagged: int, rows: int, verdict: str
) -> None:
    assert judge_flagged(flagged, rows, 0.01, LIMITS).verdict == verdict


@pytest.mark.parametrize(("flagged", "verdict"), [(13_000, "ok"), (13_001, "warn"), (7000, "ok"), (6999, "warn")])
def test_points_limit_the_share_where_they_are_nearer_than_the_factor(flagged: int, verdict: str) -> None:
    assert judge_flagged(flagged, 100_000, 0.10, LIMITS).verdict == verdict


@pytest.mark.parametrize(
    ("scored", "active", "verdict"),
    [(990, 1000, "ok"), (989, 1000, "warn"), (10, 1000, "warn"), (0, 1000, "warn"), (100, 199, "not enough data")],
)
def test_coverage_counts_the_devices_that_should_have_been_scored(scored: int, active: int, verdict: str) -> None:
    assert levels(np.full(scored, 0.3), np.full(500, 0.3), active=active)["coverage"].verdict == verdict


def test_a_distribution_unlike_that_of_the_last_runs_warns() -> None:
    assert levels(1 - healthy(), healthy())["kl_trailing"].verdict == "warn"


@pytest.mark.parametrize("scores", [np.full(199, 0.9), np.empty(0)], ids=["199 rows", "no rows"])
def test_too_few_rows_are_neither_ok_nor_a_warning(scores: Values) -> None:
    assert verdicts(levels(scores, healthy(), seconds=1.0)) == {"not enough data"}


def test_with_too_few_runs_before_only_what_needs_them_lacks_data() -> None:
    metrics = levels(healthy(), np.empty(0), runs=2, seconds=1.0)
    lacking = {name for name, metric in metrics.items() if metric.verdict == "not enough data"}
    assert lacking == {"mean", "p95", "kl_trailing"}
    assert metrics["mean"].value is not None


def test_throughput_lacks_data_where_no_time_was_recorded() -> None:
    throughput = levels(healthy())["throughput"]
    assert (throughput.value, throughput.verdict) == (None, "not enough data")
