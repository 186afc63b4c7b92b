"""Made-up comparisons: production's scores, a twin with a little noise, and whatever a candidate says."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from fridge_assets.canary.inputs import CanaryInput, Scores

WINDOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOW = WINDOW + timedelta(minutes=5)
DEVICES = 2000


def devices(number: int) -> list[str]:
    return [f"device-{position:05d}" for position in range(number)]


def frame(scores: object, names: list[str] | None = None) -> pd.DataFrame:
    values = np.asarray(scores)
    return pd.DataFrame({"device_id": names or devices(len(values)), "score": values})


def healthy(number: int = DEVICES, seed: int = 0) -> Scores:
    """Scores as a calibrated model gives them: 1 % above 0.60."""
    probability = np.random.default_rng(seed).permutation((np.arange(number) + 0.5) / number)
    body = 0.6 * np.log(probability) / np.log(0.01)
    return np.where(body > 0.6, 1 - 0.4 * np.log(0.01) / np.log(probability), body)


def near(scores: Scores, by: float = 0.002, seed: int = 1) -> Scores:
    """``scores`` as the same model gives them under another seed."""
    return np.clip(scores + np.random.default_rng(seed).normal(0, by, len(scores)), 0, 1)


def given(
    candidate: pd.DataFrame | Scores,
    production: pd.DataFrame | Scores | None = None,
    twin: pd.DataFrame | Scores | None = None,
    window_end: datetime = WINDOW,
) -> CanaryInput:
    """A comparison with :func:`healthy` production and a twin :func:`near` it, where they are not given."""
    held = healthy() if production is None else production
    if twin is None:
        twin = near(held) if isinstance(held, np.ndarray) else held
    frames = [scores if isinstance(scores, pd.DataFrame) else frame(scores) for scores in (candidate, held, twin)]
    return CanaryInput("isolation_forest", "1.1.0", "1.0.0", window_end, *frames, 0.6, 0.6, 24, NOW)
