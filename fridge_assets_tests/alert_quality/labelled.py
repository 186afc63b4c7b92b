"""Alerts of one month, and what people have said of them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import sqlalchemy as sa

from fridge_assets.contracts import DEVICE_ALERTS, INCIDENTS, LABEL_EVENTS
from fridge_assets.contracts.device_alerts import OF_THE_INCIDENT
from fridge_assets.core.identity import deterministic_id
from fridge_assets.stores.operations import Operations, alert_evidence, incidents

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def alert(
    device: str,
    *,
    created: datetime = NOW - HOUR,
    detected: datetime | None = None,
    severity: str = "HIGH",
    score: float = 0.9,
    source: str = "models",
    model: str = "isolation_forest_v2",
    score_ids: Sequence[str] = (),
    **other: object,
) -> dict[str, Any]:
    """One DEVICE_ALERTS row; what was first seen at the same moment is of one incident."""
    return {
        **dict.fromkeys(DEVICE_ALERTS.column_names),
        "alert_id": deterministic_id(device, created.isoformat(), source),
        "incident_id": deterministic_id(device, (detected or created).isoformat()),
        "device_id": device,
        "site_id": "s1",
        "alert_type": "ANOMALY_DETECTED",
        "severity": severity,
        "title": "t",
        "description": "d",
        "model_id": model,
        "anomaly_score": score,
        "top_contributors": ["pressure_low_mean"],
        "first_detected_at": detected or created,
        "alert_created_at": created,
        "suppressed": False,
        "status": "OPEN",
        "escalation_level": "L1",
        "sla_deadline": created,
        "sla_breached": False,
        "score_ids": list(score_ids),
        "source": source,
        "models_flagging": 2,
        "window_end": created,
        "note": "",
        **other,
    }


def label(of: dict[str, Any], said: str, at: datetime = NOW, revision: int = 2) -> dict[str, Any]:
    """One LABEL_EVENTS row about the incident of an alert."""
    copied = {name: of[name] for name in LABEL_EVENTS.column_names if name in of}
    return {
        **copied,
        "label_id": deterministic_id(of["incident_id"], revision),
        "revision": revision,
        "label": said,
        "labelled_at": at,
        "actor": "ann",
        "note": "",
    }


def told(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    frame: pd.DataFrame = DEVICE_ALERTS.to_arrow(
        pd.DataFrame(rows, columns=list(DEVICE_ALERTS.column_names))
    ).to_pandas()
    return frame


def labels(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    frame: pd.DataFrame = LABEL_EVENTS.to_arrow(pd.DataFrame(rows, columns=list(LABEL_EVENTS.column_names))).to_pandas()
    return frame


def judged(scores: Sequence[float], real: Sequence[float], **same: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Alerts with ``scores``, labelled; those with scores among ``real`` are confirmed."""
    rows = [alert(f"d{number}", score=score, **same) for number, score in enumerate(scores)]
    said = [label(row, "confirmed" if row["anomaly_score"] in real else "false_positive") for row in rows]
    return told(rows), labels(said)


def store(operations: Operations, rows: Sequence[dict[str, Any]]) -> None:
    """Store alerts as evidence of incidents of their own."""
    unclear: dict[str, Any] = {"number": 1, "probable_cause": "", "signs_for": [], "signs_against": []}
    evidence = [{**unclear, **{name: row[name] for name in row if name not in OF_THE_INCIDENT}} for row in rows]
    with operations.transaction() as connection:
        for row in rows:
            (incident,) = INCIDENTS.to_arrow(INCIDENTS.sample(1)).to_pylist()
            named = {name: row[name] for name in ("incident_id", "device_id", "site_id", "severity")}
            unset = dict.fromkeys(("undoable", "next_escalation_at", "remind_at", "snoozed_until", "labelled_at"))
            connection.execute(sa.insert(incidents), [incident | named | unset | {"evidence_id": row["alert_id"]}])
        connection.execute(sa.insert(alert_evidence), evidence)
