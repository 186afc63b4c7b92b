"""Which scores are held against those before them, and may pause their model (SPEC 4)."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from fridge_assets.scoring.distribution import DistributionVerdict
from fridge_assets.scoring.serve import ScoreTarget, ServedScores, judge_scores
from fridge_assets.settings import Settings
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.scoring.stored import score_report, store_scores

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FAMILY = "isolation_forest"
BROKEN = np.ones(200)


@pytest.fixture
def warehouse(warehouse: Warehouse) -> Warehouse:
    """Five good windows of a family up to noon."""
    rng = np.random.default_rng(0)
    for back in range(5):
        store_scores(warehouse, FAMILY, NOON - back * HOUR, rng.random(200) * 0.3)
    store_scores(warehouse, "autoencoder", NOON + 9 * HOUR, rng.random(200) * 0.3)
    return warehouse


def judged(
    warehouse: Warehouse,
    settings: Settings,
    window_end: datetime,
    devices: tuple[str, ...] = (),
    resumed_at: datetime | None = None,
) -> DistributionVerdict:
    served = ServedScores((score_report(FAMILY, window_end, BROKEN),), ())
    return judge_scores(served, ScoreTarget(FAMILY, devices, window_end), warehouse, resumed_at, settings.monitoring)


@pytest.mark.parametrize("window_end", [NOON, NOON + HOUR])
def test_scores_of_the_newest_window_and_of_a_later_one_are_judged(
    warehouse: Warehouse, settings: Settings, window_end: datetime
) -> None:
    verdict = judged(warehouse, settings, window_end)
    assert verdict.anomalous
    assert "KL divergence" in verdict.said


def test_a_backfill_never_pauses_a_model(warehouse: Warehouse, settings: Settings) -> None:
    verdict = judged(warehouse, settings, NOON - HOUR)
    assert (verdict.kl, verdict.anomalous) == (None, False)
    assert verdict.said == "a later window has been scored already"


def test_scores_of_some_devices_say_nothing_of_the_model(warehouse: Warehouse, settings: Settings) -> None:
    verdict = judged(warehouse, settings, NOON + HOUR, devices=("device-000001",))
    assert (verdict.anomalous, verdict.said) == (False, "only some devices were scored")


def test_after_a_resumption_there_is_nothing_yet_to_hold_scores_against(
    warehouse: Warehouse, settings: Settings
) -> None:
    verdict = judged(warehouse, settings, NOON + HOUR, resumed_at=NOON + HOUR / 2)
    assert not verdict.anomalous
    assert "0 runs before" in verdict.said
