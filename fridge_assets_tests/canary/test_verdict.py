"""Pass, a consequence, or inconclusive: each rule at its boundary (SPEC 3.1)."""

import numpy as np
import pytest

from fridge_assets.canary.inputs import Compared, Scores
from fridge_assets.canary.metrics import top_overlap
from fridge_assets.canary.verdict import MetricResult, judge, worst
from fridge_assets.settings import CanarySettings
from fridge_assets_tests.canary.given import DEVICES, devices, healthy, near

SETTINGS = CanarySettings()


def judged(candidate: Scores, production: Scores, twin: Scores) -> dict[str, MetricResult]:
    names = np.array(devices(len(production)), dtype=object)
    compared = Compared(names, candidate, production, twin, refused="", missing="")
    return {result.name: result for result in judge(compared, 0.6, 0.6, SETTINGS)}


def shifted(by: float) -> Scores:
    """Production's constant 0.3, moved."""
    return np.full(DEVICES, 0.3 + by)


@pytest.mark.parametrize(
    ("candidate", "noise", "verdict"),
    [
        (0.049, 0.01, "pass"),
        (0.051, 0.01, "investigate"),
        (0.051, 0.026, "inconclusive"),  # less than twice the noise
        (0.053, 0.026, "investigate"),
        (0.01, 0.051, "inconclusive"),  # noise alone is beyond the limit
        (0.06, 0.051, "inconclusive"),
        (0.12, 0.051, "investigate"),
    ],
)
def test_score_difference(candidate: float, noise: float, verdict: str) -> None:
    result = judged(shifted(candidate), shifted(0), shifted(noise))["score_difference"]
    assert (result.verdict, result.value, result.noise) == (verdict, pytest.approx(candidate), pytest.approx(noise))


def flagging(number: int, rows: int = 20_000) -> Scores:
    """The first ``number`` of the devices are flagged."""
    return np.where(np.arange(rows) < number, 0.7, 0.3)


@pytest.mark.parametrize(
    ("candidate", "production", "twin", "verdict"),
    [
        (400, 200, 200, "pass"),  # a factor of two exactly
        (401, 200, 200, "block"),
        (100, 200, 200, "pass"),
        (99, 200, 200, "block"),
        (2400, 2000, 2000, "pass"),  # two points exactly
        (2401, 2000, 2000, "block"),
        (1599, 2000, 2000, "block"),
        (2, 1, 1, "pass"),
        (5, 2, 2, "inconclusive"),  # more than twice as many, by chance
        (9, 0, 0, "inconclusive"),
        (10, 0, 0, "block"),  # 1 in 1024
        (401, 200, 310, "inconclusive"),  # under twice what another seed does
        (401, 200, 300, "block"),
        (200, 200, 401, "inconclusive"),  # noise alone is beyond the limit
        (0, 0, 0, "pass"),
    ],
)
def test_flagged_share(candidate: int, production: int, twin: int, verdict: str) -> None:
    result = judged(flagging(candidate), flagging(production), flagging(twin))["flagged_share"]
    assert result.verdict == verdict


def losing(number: int, rows: int = DEVICES) -> Scores:
    """Ascending scores in which ``number`` of the 100 highest are replaced by low ones."""
    scores = np.linspace(0, 0.5, rows)
    scores[rows - number :] = 0.0
    scores[:number] = 0.55
    return scores


@pytest.mark.parametrize(
    ("lost", "lost_by_twin", "verdict"),
    [
        (20, 5, "pass"),  # 80 % exactly
        (21, 5, "review"),
        (21, 15, "inconclusive"),
        (40, 15, "review"),
        (10, 21, "inconclusive"),  # noise alone is beyond the limit
        (50, 40, "inconclusive"),
        (95, 50, "review"),  # random order, against a twin that loses half
    ],
)
def test_top_overlap(lost: int, lost_by_twin: int, verdict: str) -> None:
    production, candidate, twin = losing(0), losing(lost), losing(lost_by_twin)
    result = judged(candidate, production, twin)["top_overlap"]
    assert top_overlap(candidate, production, SETTINGS) == result.value == (100 - lost) / 100
    assert result.verdict == verdict


@pytest.mark.parametrize(
    ("factor", "factor_of_twin", "verdict"),
    [
        (1.02, 1.01, "pass"),
        (2.0, 1.01, "block"),
        (2.0, 1.95, "inconclusive"),
        (1.01, 2.0, "inconclusive"),
        (4.0, 1.6, "block"),
    ],
)
def test_kl_divergence(factor: float, factor_of_twin: float, verdict: str) -> None:
    production = healthy()
    result = judged(np.minimum(factor * production, 1), production, np.minimum(factor_of_twin * production, 1))
    assert result["kl_divergence"].verdict == verdict


def test_whatever_is_not_a_pass_says_why() -> None:
    for result in judged(near(healthy(), 0.3), healthy(), near(healthy())).values():
        assert bool(result.sentence) == (result.verdict != "pass")


def test_the_worst_verdict_decides() -> None:
    assert worst(["pass", "inconclusive"]) == "inconclusive"
    assert worst(["inconclusive", "investigate", "pass"]) == "investigate"
    assert worst(["investigate", "review", "inconclusive"]) == "review"
    assert worst(["pass", "block", "review"]) == "block"
