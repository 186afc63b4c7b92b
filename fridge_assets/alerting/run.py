"""From the latest published scores to stored alerts, and from the rules while the scores are too old (SPEC 4, 6)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pandas as pd

from fridge_assets.alerting.announce import announcements
from fridge_assets.alerting.evidence import FALLBACK
from fridge_assets.alerting.generate import GeneratedAlerts, generate_alerts
from fridge_assets.alerting.inputs import AlertInputs, read_alert_inputs, read_fallback_inputs
from fridge_assets.alerting.store import apply, known_alerts
from fridge_assets.contracts import ALERT_EVENTS, DEVICE_ALERTS
from fridge_assets.contracts.validation import enforce
from fridge_assets.notifications.outbox import enqueue
from fridge_assets.scoring.publish import latest_scored_window
from fridge_assets.settings import Settings
from fridge_assets.staleness.ages import newest_scores, serving_tier
from fridge_assets.staleness.fallback import newest_judged_window
from fridge_assets.staleness.tiers import MODELS_SPEAK, Tier
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse

_MODELS = "models"


@dataclass(frozen=True)
class AlertReport:
    """What one run of alerting did.

    Args:
        source: who spoke: ``models`` or ``rules_fallback``.
        window_end: the window the alerts are about; None when there was nothing to alert on.
        tier: age of the models' scores.
        generated: what was stored.
    """

    source: str
    window_end: datetime | None
    tier: Tier
    generated: GeneratedAlerts


def raise_alerts(
    warehouse: Warehouse,
    operations: Operations,
    registry: pd.DataFrame,
    now: datetime,
    settings: Settings,
    *,
    paused: Collection[str] = (),
    run_id: str = "",
) -> AlertReport:
    """Generate the alerts of the latest window and store them, and what is said about them, in one transaction.

    The models speak while their scores are fresh or stale; after that the rules do, for as long as they have judged a
    recent window.

    Args:
        warehouse: holds ``model_scores`` and what the rules said.
        operations: where alerts, their events and messages go.
        registry: DEVICE_REGISTRY rows with ``cohort``.
        now: the clock.
        settings: severity limits, deduplication, SLA.
        paused: families that do not count.
        run_id: Dagster run that the messages link to.

    Raises:
        ContractViolation: an alert breaks its contract; nothing was stored.
    """
    with warehouse.read() as connection:
        tier = serving_tier(newest_scores(connection, now), paused, now, settings)
        source = _MODELS if tier in MODELS_SPEAK else FALLBACK
        found = _inputs(connection, source, registry, now, settings, paused)
    if found is None:
        nothing = GeneratedAlerts(DEVICE_ALERTS.empty(), DEVICE_ALERTS.empty(), ALERT_EVENTS.empty())
        return AlertReport(source, None, tier, nothing)
    window_end, inputs = found
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
            source,
        )
        enforce(DEVICE_ALERTS, generated.new)
        apply(connection, generated)
        enqueue(connection, announcements(generated, run_id, now, settings.alerts), now)
    return AlertReport(source, window_end, tier, generated)


def _inputs(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    registry: pd.DataFrame,
    now: datetime,
    settings: Settings,
    paused: Collection[str],
) -> tuple[datetime, AlertInputs] | None:
    if source == FALLBACK:
        judged = newest_judged_window(connection, now, settings)
        return None if judged is None else (judged, read_fallback_inputs(connection, judged, registry, settings))
    scored = latest_scored_window(connection, now, paused)
    return None if scored is None else (scored, read_alert_inputs(connection, scored, registry, settings, paused))
