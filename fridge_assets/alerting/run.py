"""From the latest published scores to stored alerts (SPEC 6)."""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from fridge_assets.alerting.generate import GeneratedAlerts, generate_alerts
from fridge_assets.alerting.inputs import read_alert_inputs
from fridge_assets.alerting.store import apply, known_alerts
from fridge_assets.contracts import ALERT_EVENTS, DEVICE_ALERTS
from fridge_assets.contracts.validation import enforce
from fridge_assets.scoring.publish import latest_scored_window
from fridge_assets.settings import Settings
from fridge_assets.staleness.tiers import Tier, tier_of
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse

_TRUSTED_TIERS: tuple[Tier, ...] = ("fresh", "stale")


@dataclass(frozen=True)
class AlertReport:
    """What one run of alerting did.

    Args:
        window_end: the window the alerts are about; None when there was nothing to alert on.
        tier: age of its scores.
        generated: what was stored.
    """

    window_end: datetime | None
    tier: Tier
    generated: GeneratedAlerts


def raise_alerts(
    warehouse: Warehouse, operations: Operations, registry: pd.DataFrame, now: datetime, settings: Settings
) -> AlertReport:
    """Generate the alerts of the latest scored window and store them in one transaction.

    Args:
        warehouse: holds ``model_scores``.
        operations: where alerts and their events go.
        registry: DEVICE_REGISTRY rows with ``cohort``.
        now: the clock; scores that are very stale by it raise no alerts.
        settings: severity limits, deduplication, SLA.

    Raises:
        ContractViolation: an alert breaks its contract; nothing was stored.
    """
    nothing = GeneratedAlerts(DEVICE_ALERTS.empty(), DEVICE_ALERTS.empty(), ALERT_EVENTS.empty())
    with warehouse.read() as connection:
        window_end = latest_scored_window(connection, now)
        if window_end is None:
            return AlertReport(None, "expired", nothing)
        inputs = read_alert_inputs(connection, window_end, registry, settings)
    own = inputs.scores[inputs.scores["carried_from"].isna()]
    tier = tier_of(own["scored_at"].max().to_pydatetime(), now, settings.staleness)
    if tier not in _TRUSTED_TIERS:
        return AlertReport(window_end, tier, nothing)
    with operations.transaction() as connection:
        known = known_alerts(connection, now - settings.alerts.dedup, window_end)
        generated = generate_alerts(
            inputs.scores,
            inputs.previous_scores,
            known,
            registry,
            inputs.features,
            inputs.typical,
            now,
            settings.alerts,
        )
        enforce(DEVICE_ALERTS, generated.new)
        apply(connection, generated)
    return AlertReport(window_end, tier, generated)
