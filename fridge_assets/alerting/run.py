"""From the latest published scores to stored alerts, and from the rules while the scores are too old (SPEC 4, 6)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pandas as pd

from fridge_assets.alerting.announce import announcements, worth_telling
from fridge_assets.alerting.deadlines import watch_deadlines
from fridge_assets.alerting.evidence import FALLBACK, MODELS, STREAMING
from fridge_assets.alerting.generate import GeneratedAlerts, generate_alerts
from fridge_assets.alerting.inputs import AlertInputs, read_alert_inputs, read_fallback_inputs
from fridge_assets.alerting.silences import silences_between
from fridge_assets.alerting.sites import site_sizes, tell_sites
from fridge_assets.alerting.store import apply, known_alerts, known_revisions
from fridge_assets.contracts import ALERT_EVENTS, DEVICE_ALERTS
from fridge_assets.contracts.validation import enforce
from fridge_assets.core.errors import FridgeError
from fridge_assets.diagnosis.causes import knowledge_or_built_in
from fridge_assets.notifications.outbox import enqueue
from fridge_assets.notifications.watch import changed
from fridge_assets.scoring.publish import latest_scored_window
from fridge_assets.settings import Settings
from fridge_assets.staleness.ages import newest_scores, serving_since
from fridge_assets.staleness.fallback import newest_judged_window
from fridge_assets.staleness.tiers import MODELS_SPEAK, Tier, tier_of
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse

_SUBJECT = "alerts"
_ATTEMPTS = 5
"""How often alerts are made again because somebody changed one, or a silence, meanwhile."""


@dataclass(frozen=True)
class AlertReport:
    """What one run of alerting did.

    Args:
        source: who spoke: ``models`` or ``rules_fallback``.
        window_end: the window the alerts are about; None when there was nothing to alert on.
        tier: age of the models' scores.
        generated: what was stored.
        news: whether the last run had other scores, or verdicts of the rules, to make alerts of.
    """

    source: str
    window_end: datetime | None
    tier: Tier
    generated: GeneratedAlerts
    news: bool


def raise_alerts(
    warehouse: Warehouse,
    operations: Operations,
    registry: pd.DataFrame,
    now: datetime,
    settings: Settings,
    *,
    paused: Collection[str] = (),
    run_id: str = "",
    wall_time: datetime | None = None,
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
        wall_time: the actual time, from which messages wait; ``now`` where it is the same.

    Raises:
        ContractViolation: an alert breaks its contract; nothing was stored.
        FridgeError: somebody else went on changing alerts; nothing was stored.
    """
    watch_deadlines(operations, now, settings.alerts, wall_time or now)
    with warehouse.read() as connection:
        since = serving_since(newest_scores(connection, now, settings.features), paused)
        tier = tier_of(since, now, settings.staleness)
        source = MODELS if tier in MODELS_SPEAK else FALLBACK
        found = _inputs(connection, source, registry, now, settings, paused)
    if found is None:
        nothing = GeneratedAlerts(DEVICE_ALERTS.empty(), DEVICE_ALERTS.empty(), ALERT_EVENTS.empty())
        return AlertReport(source, None, tier, nothing, news=False)
    window_end, inputs = found
    provenance, sizes = _provenance(source, tier, since), site_sizes(registry)
    knowledge = knowledge_or_built_in(settings.root)
    span = (_first_window_end(inputs.scores, window_end) - settings.features.window, window_end)
    for _ in range(_ATTEMPTS):
        # Nobody else can write while a transaction is open, so nothing is computed in it.
        with operations.read() as connection:
            known = known_alerts(connection, now - settings.alerts.dedup, window_end)
            silences = silences_between(connection, *span)
        generated = generate_alerts(
            inputs.scores,
            inputs.previous_scores,
            known,
            registry,
            inputs.features,
            inputs.typical,
            inputs.comparisons,
            silences,
            knowledge,
            now,
            settings.alerts,
            source,
            provenance,
        )
        enforce(DEVICE_ALERTS, generated.new)
        fresh = worth_telling(generated, window_end)
        with operations.transaction() as connection:
            if _differ(known, known_revisions(connection, now - settings.alerts.dedup, window_end)):
                continue
            if not silences.equals(silences_between(connection, *span)):
                continue
            apply(connection, generated)
            sites = tell_sites(connection, fresh, sizes, run_id, now, settings.alerts)
            single = announcements(fresh[~fresh["alert_id"].isin(sites.alert_ids)], run_id, now, settings.alerts)
            enqueue(connection, [*sites.messages, *single], wall_time or now)
            made_of = f"{source}, scores of {since}, window {window_end.isoformat()}"
            news = changed(connection, _SUBJECT, made_of, now) is not None
        return AlertReport(source, window_end, tier, generated, news)
    raise FridgeError(
        f"alerts were changed by somebody else {_ATTEMPTS} times while new ones were made of the window ending "
        f"{window_end:%Y-%m-%d %H:%M} UTC",
        "Nothing was stored; the next run makes them.",
    )


def _differ(known: pd.DataFrame, stored: Mapping[str, tuple[int, str]]) -> bool:
    """Whether somebody changed an alert since ``known`` was read, or stored one."""
    before = dict(zip(known["alert_id"], known["revision"], strict=True))
    # In a storm the stream adds alerts all the time: those that it added meanwhile are left to the next run.
    counts = {name: revision for name, (revision, source) in stored.items() if name in before or source != STREAMING}
    return counts != before


def _first_window_end(scores: pd.DataFrame, window_end: datetime) -> datetime:
    """End of the earliest window that ``scores`` are of: daily models may have scored an earlier one."""
    carried = scores["carried_from"].min()
    return window_end if pd.isna(carried) else carried.to_pydatetime()


def _provenance(source: str, tier: Tier, since: datetime | None) -> str:
    made = f"of {since:%Y-%m-%d %H:%M} UTC" if since else "of no model"
    scores = f"scores {made}, {tier.replace('_', ' ')} at the time"
    return f"Made by the rules instead of {scores}" if source == FALLBACK else f"Made of {scores}"


def _inputs(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    registry: pd.DataFrame,
    now: datetime,
    settings: Settings,
    paused: Collection[str],
) -> tuple[datetime, AlertInputs] | None:
    if source == FALLBACK:
        judged = newest_judged_window(connection, now, settings.features)
        return None if judged is None else (judged, read_fallback_inputs(connection, judged, registry, settings))
    scored = latest_scored_window(connection, now, paused)
    return None if scored is None else (scored, read_alert_inputs(connection, scored, registry, settings, paused))
