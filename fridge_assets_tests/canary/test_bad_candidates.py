"""Candidates that must not be released, as scores (SPEC 3.1); the benchmark makes them of models."""

import numpy as np
import pytest

from fridge_assets.canary.inputs import Scores
from fridge_assets.canary.report import compare
from fridge_assets.settings import Settings
from fridge_assets_tests.canary.given import given, healthy, near

PRODUCTION = healthy(5000)
RNG = np.random.default_rng(9)


def one_in(number: int) -> np.ndarray:
    return np.arange(len(PRODUCTION)) % number == 0


BAD: dict[str, Scores] = {
    "constant score": np.full_like(PRODUCTION, 0.3),
    "inverted score": 1 - PRODUCTION,
    "NaN for one cohort": np.where(one_in(5), np.nan, PRODUCTION),
    "shifted scale": np.clip(PRODUCTION * 1.4 + 0.05, 0, 1),
    "trained on one cohort only": np.where(one_in(5), PRODUCTION, np.clip(PRODUCTION + 0.3, 0, 1)),
    "trained on faulty devices": np.where(PRODUCTION > 0.5, 0.5, PRODUCTION),  # what fails looks usual
    "features in another order": RNG.permutation(PRODUCTION),
    "7 of 10 devices multiplied": np.where(RNG.random(5000) < 0.7, np.clip(PRODUCTION * 1.5, 0, 1), PRODUCTION),
}


@pytest.mark.parametrize("candidate", BAD.values(), ids=BAD)
def test_a_bad_candidate_is_blocked_or_reviewed(candidate: Scores) -> None:
    report = compare(given(candidate, PRODUCTION, near(PRODUCTION)), Settings())
    assert report.verdict in {"block", "review"}, report.reason
