"""Agreement of the families' flags, of the newest window they have in common (SPEC 8)."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from fridge_assets.monitoring.agreement import Agreement, agreement_metrics, agreements
from fridge_assets.settings import Settings
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.scoring.stored import store_scores

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NIGHT = NOON - timedelta(hours=9)
FOREST, BASELINE, AUTOENCODER = "isolation_forest", "statistical_baseline", "autoencoder"


def flagging(*positions: int, number: int = 1000) -> np.ndarray:
    return np.where(np.isin(np.arange(number), positions), 0.9, 0.1)


def test_hourly_families_are_compared_now_and_daily_ones_where_all_scored(
    warehouse: Warehouse, settings: Settings
) -> None:
    store_scores(warehouse, FOREST, NIGHT, flagging(1, 2))
    store_scores(warehouse, BASELINE, NIGHT, flagging(2, 3))
    store_scores(warehouse, AUTOENCODER, NIGHT, flagging(2, number=900))
    store_scores(warehouse, FOREST, NOON, flagging(1))
    store_scores(warehouse, BASELINE, NOON, flagging(1))
    with warehouse.read() as connection:
        found = agreements(connection, {FOREST: NOON, BASELINE: NOON, AUTOENCODER: NIGHT}, settings.staleness)
    assert found == [
        Agreement((FOREST, BASELINE), NOON, 1000, 1000),
        Agreement((FOREST, AUTOENCODER), NIGHT, 900, 899),
        Agreement((BASELINE, AUTOENCODER), NIGHT, 900, 899),
        Agreement((FOREST, BASELINE, AUTOENCODER), NIGHT, 900, 898),
    ]


def test_families_without_a_window_in_common_are_not_compared(warehouse: Warehouse, settings: Settings) -> None:
    store_scores(warehouse, FOREST, NOON, flagging(1))
    store_scores(warehouse, BASELINE, NIGHT, flagging(1))
    with warehouse.read() as connection:
        assert agreements(connection, {FOREST: NOON, BASELINE: NIGHT}, settings.staleness) == []


@pytest.mark.parametrize(
    ("alike", "devices", "pairwise", "unanimous"),
    [
        (850, 1000, "ok", "ok"),
        (849, 1000, "warn", "ok"),
        (750, 1000, "warn", "ok"),
        (749, 1000, "warn", "warn"),
        (0, 199, "not enough data", "not enough data"),
        (0, 0, "not enough data", "not enough data"),
    ],
)
def test_two_families_must_agree_on_85_percent_and_all_on_75(
    alike: int, devices: int, pairwise: str, unanimous: str
) -> None:
    found = agreement_metrics([Agreement((FOREST, BASELINE), NOON, devices, alike)], Settings().monitoring)
    assert [(family, metric.name, metric.subject, metric.verdict) for family, _, metric in found] == [
        (FOREST, "agreement", BASELINE, pairwise),
        ("all", "unanimous_agreement", "", unanimous),
    ]


def test_with_more_families_the_agreement_of_all_is_that_of_all() -> None:
    pairs = [Agreement((FOREST, BASELINE), NOON, 1000, 900), Agreement((FOREST, AUTOENCODER), NIGHT, 1000, 900)]
    found = agreement_metrics(
        [*pairs, Agreement((FOREST, BASELINE, AUTOENCODER), NIGHT, 1000, 700)], Settings().monitoring
    )
    assert [(family, window, metric.name, metric.value) for family, window, metric in found] == [
        (FOREST, NOON, "agreement", 0.9),
        (FOREST, NIGHT, "agreement", 0.9),
        ("all", NIGHT, "unanimous_agreement", 0.7),
    ]
