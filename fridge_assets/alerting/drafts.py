"""From evidence to alerts: what is news, how it relates to what is known, whose work it is (SPEC 6)."""

import pandas as pd

from fridge_assets.alerting.after_fallback import superseded_rules
from fridge_assets.alerting.evidence import STREAMING
from fridge_assets.alerting.frames import TIMESTAMP, look_up
from fridge_assets.alerting.severity import BELOW_ALL, name_of
from fridge_assets.alerting.sla import sla_deadline
from fridge_assets.settings import IncidentSettings
from fridge_assets.work_orders.rules import orders_for

_STORED = (
    "severity_rank",
    "status",
    "alert_type",
    "first_detected_at",
    "alert_created_at",
    "ontology_action_id",
    "note",
    "revision",
)
_TAKEN_OVER = (
    "status",
    "sla_deadline",
    "sla_breached",
    "escalation_level",
    "next_escalation_at",
)


def select_news(evidence: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Those rows of ``evidence`` that are not stored yet, or stored with a lower severity.

    Returns:
        Drafts: the evidence with ``stored`` and, for stored ones, what is stored as ``stored_…``.
    """
    stored = known.set_index("alert_id")[list(_STORED)].add_prefix("stored_")
    drafts = evidence.join(stored, on="alert_id")
    before = drafts["stored_severity_rank"].astype("float64")
    drafts = drafts.assign(stored=before.notna())
    return drafts[drafts["severity_rank"] > before.fillna(BELOW_ALL)].reset_index(drop=True)


def relate(drafts: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Add ``alert_type`` and ``first_detected_at``: how each draft continues what is active of its device.

    The moment of detection is that of the oldest active alert about the same problem or, if the stream raised it, about
    the same sensor; of one of the rules whose place it takes whatever that was about.
    """
    active = known[known["active"]]
    before = look_up(drafts["device_id"], active.groupby("device_id")["severity_rank"].max())
    lasting = before.notna() | drafts["stored"]
    risen = lasting & ~drafts["suppressed"] & (drafts["severity_rank"] > before.fillna(BELOW_ALL))
    alert_type = pd.Series("ANOMALY_DETECTED", index=drafts.index, dtype="object")
    alert_type = alert_type.mask(lasting, "ANOMALY_SUSTAINED").mask(risen, "ANOMALY_ESCALATED")
    alert_type = alert_type.mask(drafts["stored"] & drafts["suppressed"], drafts["stored_alert_type"])

    first = drafts["window_end"].astype(TIMESTAMP)
    since = look_up(drafts["problem"], active.groupby("problem")["first_detected_at"].min())
    for earlier in (
        since,
        drafts["stream_since"],
        drafts["rules_since"],
        drafts["stored_first_detected_at"].astype(TIMESTAMP),
    ):
        first = first.mask(earlier < first, earlier)
    return drafts.assign(alert_type=alert_type, first_detected_at=first)


def assign_work(
    drafts: pd.DataFrame, known: pd.DataFrame, now: pd.Timestamp, settings: IncidentSettings, note: str
) -> pd.DataFrame:
    """Add severity, status, deadline, escalation, work order and ``note``.

    Work that goes on without a rise is taken over; its order also where severity rises.
    """
    deadline = sla_deadline(now, drafts["severity_rank"], settings)
    work = drafts.assign(
        severity=name_of(drafts["severity_rank"]),
        status=drafts["suppressed"].map({True: "RESOLVED", False: "OPEN"}).astype("object"),
        resolved_at=pd.Series(now, index=drafts.index).astype(TIMESTAMP).where(drafts["suppressed"]),
        alert_created_at=drafts["stored_alert_created_at"].astype(TIMESTAMP).fillna(now),
        # From now, also for a stored row that has become more severe: nobody could act on that before.
        sla_deadline=deadline,
        next_escalation_at=deadline.where(~drafts["suppressed"]),
        suppressed_because=_reasons(drafts),
        sla_breached=False,
        escalation_level="L1",
        note=drafts["stored_note"].astype("object").fillna(note),
    )
    mine = known["active"] & (known["source"] != STREAMING) & ~known["alert_id"].isin(drafts["alert_id"])
    before = _continued(work, known[mine])
    goes_on = before["severity_rank"] >= work["severity_rank"]
    takers = work.index[goes_on & ~work["suppressed"]]
    for column in _TAKEN_OVER if len(takers) else ():
        work[column] = work[column].astype("object")
        work.loc[takers, column] = before.loc[takers, column].astype("object")
    continued = before["ontology_action_id"].astype("object").where(~work["suppressed"])
    own = work["stored_ontology_action_id"].astype("object")
    action = pd.Series("detect", index=work.index, dtype="object").mask(work.index.isin(takers), "continue")
    return work.assign(
        ontology_action_id=orders_for(work, own.where(own.notna(), continued)),
        from_status=work["stored_status"],
        revision=work["stored_revision"].fillna(0).astype("int64") + 1,
        action=action.mask(work["stored"], "raise").mask(work["suppressed"], "suppress"),
        event_note=_notes(work, settings),
    )


def _continued(work: pd.DataFrame, active: pd.DataFrame) -> pd.DataFrame:
    """For each draft the active alert that it continues: of its problem, else the one of the rules that it replaces."""
    columns = ["severity_rank", "ontology_action_id", *_TAKEN_OVER]
    by_problem = active.drop_duplicates("problem").set_index("problem")[columns]
    replaced = active[superseded_rules(work, active).notna()].sort_values("severity_rank", ascending=False)
    by_device = replaced.drop_duplicates("device_id").set_index("device_id")[columns]
    own = by_problem.reindex(work["problem"]).set_axis(work.index)
    rules = by_device.reindex(work["device_id"]).set_axis(work.index)
    return own.where(work["problem"].isin(by_problem.index), rules)


def _reasons(drafts: pd.DataFrame) -> pd.Series:
    """Why each draft is kept for audit; null where it is told."""
    reason = pd.Series("repeat", index=drafts.index, dtype="object").mask(
        drafts["stream_alert"].notna(), "told_by_stream"
    )
    return drafts["held_because"].fillna(reason).where(drafts["suppressed"], None)


def _notes(work: pd.DataFrame, settings: IncidentSettings) -> list[str]:
    repeat = f"Repeat within {settings.dedup.total_seconds() / 3600:g} h, kept for audit"
    columns = ("suppressed", "held_note", "stream_alert", "alert_type", "severity")
    rows = zip(*(work[name] for name in columns), strict=True)
    return [
        held
        if pd.notna(held)
        else f"The stream told of it as alert {streamed}, kept for audit: {severity}"
        if suppressed and pd.notna(streamed)
        else f"{repeat}: {severity}"
        if suppressed
        else f"Severity rose to {severity}"
        if alert_type == "ANOMALY_ESCALATED"
        else f"Told as {severity}"
        for suppressed, held, streamed, alert_type, severity in rows
    ]
