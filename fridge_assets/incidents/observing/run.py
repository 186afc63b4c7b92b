"""From the latest published scores to incidents, and from the rules while the scores are too old (SPEC 4, 6)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.contracts import DEVICE_ALERTS
from fridge_assets.contracts.validation import enforce
from fridge_assets.diagnosis.causes import knowledge_or_built_in
from fridge_assets.incidents.known import newest_incidents, pieces
from fridge_assets.incidents.observations import Observed, Seen
from fridge_assets.incidents.observing.flagged import FALLBACK, MODELS
from fridge_assets.incidents.observing.frames import conform
from fridge_assets.incidents.observing.inputs import AlertInputs, read_alert_inputs, read_fallback_inputs
from fridge_assets.incidents.observing.observed import RunSource, observed_in
from fridge_assets.incidents.state import Incident
from fridge_assets.incidents.store import Outcome, observe, watch
from fridge_assets.incidents.together import Fleet
from fridge_assets.notifications.watch import changed
from fridge_assets.registry.devices import site_sizes
from fridge_assets.scoring.publish import latest_scored_window
from fridge_assets.settings import Settings
from fridge_assets.staleness.ages import newest_scores, serving_since
from fridge_assets.staleness.fallback import newest_judged_window
from fridge_assets.staleness.tiers import MODELS_SPEAK, Tier, tier_of
from fridge_assets.stores.operations import Operations, device_alerts, incidents, is_open
from fridge_assets.stores.warehouse import Warehouse

_SUBJECT = "alerts"


@dataclass(frozen=True)
class AlertReport:
    """What one run of alerting did.

    Args:
        source: who spoke: ``models`` or ``rules_fallback``.
        window_end: the window that it was about; None when there was nothing to look at.
        tier: age of the models' scores.
        outcome: what became of what was observed.
        alerts: DEVICE_ALERTS rows of the evidence that it has stored.
        news: whether the last run had other scores, or verdicts of the rules, to look at.
    """

    source: RunSource
    window_end: datetime | None
    tier: Tier
    outcome: Outcome
    alerts: pd.DataFrame
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
    """Decide what the latest window means for incidents, and store it and what is said about it in one transaction.

    The models speak while their scores are fresh or stale; after that the rules do, for as long as they have judged a
    recent window.

    Args:
        warehouse: holds ``model_scores`` and what the rules said.
        operations: where incidents and messages go.
        registry: DEVICE_REGISTRY rows with ``cohort``.
        now: the clock.
        settings: severity limits, confirmation, deadlines.
        paused: families that do not count.
        run_id: Dagster run that the messages link to.
        wall_time: the actual time, from which messages wait; ``now`` where it is the same.

    Raises:
        ContractViolation: an alert breaks its contract; nothing was stored.
    """
    watch(operations, now, settings.alerts, wall_time)
    with warehouse.read() as connection:
        since = serving_since(newest_scores(connection, now, settings.features), paused)
        tier = tier_of(since, now, settings.staleness)
        source: RunSource = MODELS if tier in MODELS_SPEAK else FALLBACK
        found = _inputs(connection, source, registry, now, settings, paused)
    if found is None:
        return AlertReport(source, None, tier, Outcome(()), DEVICE_ALERTS.empty(), news=False)
    window_end, inputs = found
    with operations.read() as reading:
        known = _known(reading, inputs)
    # Nobody else can write while a transaction is open, so words are made before it.
    knowledge, provenance = knowledge_or_built_in(settings.root), _provenance(source, tier, since)
    observed = observed_in(inputs, source, known, registry, knowledge, settings.alerts, provenance)
    with operations.transaction() as writing:
        outcome = observe(
            writing,
            observed,
            Fleet(site_sizes(registry)),
            now,
            settings.alerts,
            run_id=run_id,
            wall_time=wall_time,
        )
        alerts = _alerts(writing, observed)
        enforce(DEVICE_ALERTS, alerts)
        made_of = f"{source}, scores of {since}, window {window_end.isoformat()}"
        news = changed(writing, _SUBJECT, made_of, now) is not None
    return AlertReport(source, window_end, tier, outcome, alerts, news)


def _known(connection: Connection, inputs: AlertInputs) -> dict[str, Incident]:
    """Device → its newest incident, of devices that are flagged or have one that is open."""
    flagged = inputs.scores.loc[inputs.scores["anomaly_flag"].astype(bool), "device_id"]
    open_ones = connection.scalars(sa.select(incidents.c.device_id).where(is_open))
    found, newest = newest_incidents(connection, {*flagged, *open_ones})
    return {device: found[identity] for device, identity in newest.items()}


def open_alerts(connection: Connection, most: int) -> pd.DataFrame:
    """Of each open incident that people were told of, newest first, the DEVICE_ALERTS row that says it best."""
    columns = incidents.c
    newest = sa.select(columns.evidence_id).where(is_open, columns.told.is_not(None))
    ids = connection.scalars(newest.order_by(columns.opened_at.desc(), columns.incident_id).limit(most)).all()
    return _alerts_by_id(connection, ids)


def _alerts(connection: Connection, observed: Collection[Observed]) -> pd.DataFrame:
    """DEVICE_ALERTS rows of evidence, as they are stored."""
    return _alerts_by_id(
        connection, [one.observation.evidence_id for one in observed if isinstance(one.observation, Seen)]
    )


def _alerts_by_id(connection: Connection, ids: Collection[str]) -> pd.DataFrame:
    columns = device_alerts.c
    rows = [
        row
        for piece in pieces(ids)
        for row in connection.execute(sa.select(device_alerts).where(columns.alert_id.in_(piece)))
    ]
    return conform([pd.DataFrame(rows, columns=list(DEVICE_ALERTS.column_names))], DEVICE_ALERTS)


def _provenance(source: RunSource, tier: Tier, since: datetime | None) -> str:
    made = f"of {since:%Y-%m-%d %H:%M} UTC" if since else "of no model"
    scores = f"scores {made}, {tier.replace('_', ' ')} at the time"
    return f"Made by the rules instead of {scores}" if source == FALLBACK else f"Made of {scores}"


def _inputs(
    connection: duckdb.DuckDBPyConnection,
    source: RunSource,
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
