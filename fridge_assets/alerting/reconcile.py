"""What new evidence means for the alerts that are already stored.

Each function returns the stored alerts it changes, as they are to be from now on, with the columns
``from_status`` and ``event_note`` that their events need.
"""

import pandas as pd

from fridge_assets.alerting.dedup import told_in_span
from fridge_assets.alerting.evidence import FALLBACK
from fridge_assets.alerting.frames import TIMESTAMP, look_up

STREAMING = "streaming"
"""Alerts from this source are closed by rules of their own (SPEC 5)."""


def reopen_returned(drafts: pd.DataFrame, known: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """Alerts that recovery had closed and whose problem is back within its deduplication span.

    The repeat itself stays suppressed, so without this a device would be anomalous with nothing open. What a
    person closed stays closed.
    """
    repeats = set(drafts.loc[drafts["suppressed"], "problem"]) - set(known.loc[known["active"], "problem"])
    newest = (
        told_in_span(known, now)
        .sort_values(["alert_created_at", "severity_rank"])
        .drop_duplicates("problem", keep="last")
    )
    recovered = (newest["status"] == "RESOLVED") & (newest["alert_type"] == "ANOMALY_RESOLVED")
    back = newest[recovered & newest["problem"].isin(repeats) & (newest["source"] != STREAMING)]
    return back.assign(
        from_status=back["status"],
        status="OPEN",
        active=True,
        alert_type="ANOMALY_SUSTAINED",
        resolved_at=pd.Series(pd.NaT, index=back.index, dtype=TIMESTAMP),
        event_note="The anomaly is back",
    )


def close_superseded(drafts: pd.DataFrame, known: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """Active alerts whose problem is told anew by one of ``drafts``, which takes their place."""
    told = drafts.loc[~drafts["suppressed"]].set_index("problem")["alert_id"]
    successor = look_up(known["problem"], told)
    replaced = known["active"] & successor.notna() & (successor != known["alert_id"])
    old = known[replaced & (known["source"] != STREAMING)]
    return old.assign(
        from_status=old["status"],
        status="RESOLVED",
        resolved_at=now,
        event_note=[f"Continued by alert {alert_id}" for alert_id in successor[old.index]],
    )


def close_recovered(
    scores: pd.DataFrame,
    previous_scores: pd.DataFrame,
    known: pd.DataFrame,
    now: pd.Timestamp,
    windows: int,
    source: str,
) -> pd.DataFrame:
    """Active alerts of devices that were scored and not flagged for ``windows`` windows in a row (SPEC 6).

    Only windows with score rows count, and only those after the device's newest alert. The fallback closes its own
    alerts only: its few limits cannot tell that what a model saw is over.

    Args:
        scores: MODEL_SCORES rows of the latest window.
        previous_scores: ``device_id``, ``window_end``, ``flagged`` of the scored windows before it.
        known: stored alerts.
        now: when they are closed.
        windows: how many quiet windows make a recovery.
        source: whose verdicts the scores are.
    """
    working = known.loc[known["active"], "device_id"].unique()
    now_scored = scores[scores["device_id"].isin(working)].rename(columns={"anomaly_flag": "flagged"})
    latest = now_scored.groupby("device_id", as_index=False).agg({"window_end": "max", "flagged": "any"})
    earlier = previous_scores[previous_scores["device_id"].isin(latest["device_id"])]
    history = pd.concat([latest, earlier[latest.columns]]).drop_duplicates(["device_id", "window_end"])
    newest = history.sort_values("window_end", ascending=False).groupby("device_id").head(windows)
    last_alert = look_up(newest["device_id"], known.groupby("device_id")["window_end"].max())
    quiet = ~newest["flagged"].astype(bool) & (newest["window_end"] > last_alert)
    quiet_windows = quiet.groupby(newest["device_id"]).sum()
    recovered = quiet_windows.index[quiet_windows >= windows]
    closable = known["source"] == FALLBACK if source == FALLBACK else known["source"] != STREAMING
    over = known[known["active"] & known["device_id"].isin(recovered) & closable]
    return over.assign(
        from_status=over["status"],
        status="RESOLVED",
        alert_type="ANOMALY_RESOLVED",
        resolved_at=now,
        event_note=f"Not flagged for {windows} window{'s' if windows > 1 else ''} in a row",
    )
