"""What new evidence means for the alerts that are already stored.

Each function returns the stored alerts it changes, as they are to be from now on, with the columns
``from_status``, ``action`` and ``event_note`` that their events need.
"""

import pandas as pd

from fridge_assets.alerting.after_fallback import superseded_rules
from fridge_assets.alerting.dedup import told_in_span
from fridge_assets.alerting.evidence import FALLBACK, STREAMING
from fridge_assets.alerting.frames import TIMESTAMP, look_up
from fridge_assets.alerting.sla import sla_deadline
from fridge_assets.alerting.verdicts import over_or_confirmed
from fridge_assets.settings import IncidentSettings


def judge_streaming(
    scores: pd.DataFrame, known: pd.DataFrame, now: pd.Timestamp, settings: IncidentSettings, source: str
) -> pd.DataFrame:
    """Active alerts of the stream that the models confirm, or know to be over (SPEC 5).

    A high score of the device makes its alert ANOMALY_SUSTAINED, once. Scores that are all below their threshold
    resolve it as transient; anything between leaves it as it is. What a model said of a window before the one with the
    onset does not count. To resolve an alert, some score must be of the latest window and not carried over from an
    earlier one, and that window must come after the one with the onset, or with its last repeat: nobody can see in
    there whether it is over. The fixed limits of the fallback know nothing of either.

    Args:
        scores: MODEL_SCORES rows of the latest window with ``carried_from``, flagged or not.
        known: stored alerts.
        now: when they are resolved.
        settings: what a high score is.
        source: whose verdicts the scores are.
    """
    acute = known[known["source"] == STREAMING]
    open_alerts = acute[acute["active"] & ~acute["suppressed"]]
    if source == FALLBACK or open_alerts.empty or scores.empty:
        return open_alerts.iloc[:0]
    verdicts = _verdicts(scores, open_alerts, _last_onset_window(acute))
    over = verdicts["quiet"].eq(True) & verdicts["later"].eq(True)
    confirmed = (verdicts["highest"] > settings.high_score) & (open_alerts["alert_type"] != "ANOMALY_SUSTAINED")
    judged = open_alerts[over | confirmed]
    over, highest = over[judged.index], verdicts.loc[judged.index, "highest"]
    words = ("It was transient", "The models confirm it")
    changed = over_or_confirmed(judged, over, highest, words, scores, now)
    notes = zip(changed["note"], changed["event_note"], over, strict=True)
    return changed.assign(note=[". ".join(filter(None, (note, why))) if gone else note for note, why, gone in notes])


def _last_onset_window(acute: pd.DataFrame) -> pd.Series:
    """Problem → end of the window with its last onset; those that the stream has withdrawn are none."""
    withdrawn = acute["suppressed"] & (acute["alert_type"] == "ANOMALY_RESOLVED")
    return acute[~withdrawn].groupby("problem")["window_end"].max()


def _verdicts(scores: pd.DataFrame, open_alerts: pd.DataFrame, last_onset: pd.Series) -> pd.DataFrame:
    """For each alert the ``highest`` score that counts, whether all are ``quiet``, and any is of a ``later`` window."""
    alerts = open_alerts[["alert_id", "device_id", "window_end"]].rename(columns={"window_end": "onset_window"})
    alerts = alerts.assign(last_onset=look_up(open_alerts["problem"], last_onset))
    rows = scores.merge(alerts, on="device_id")
    own = rows["carried_from"].isna()
    scored = rows["window_end"].where(own, rows["carried_from"])
    rows = rows.assign(
        quiet=rows["anomaly_score"] < rows["threshold_used"], later=own & (rows["window_end"] > rows["last_onset"])
    )[scored >= rows["onset_window"]]
    by_alert = rows.groupby("alert_id").agg(
        highest=("anomaly_score", "max"), quiet=("quiet", "all"), later=("later", "any")
    )
    return by_alert.reindex(open_alerts["alert_id"]).set_axis(open_alerts.index)


def reopen_returned(
    drafts: pd.DataFrame, known: pd.DataFrame, now: pd.Timestamp, settings: IncidentSettings
) -> pd.DataFrame:
    """Alerts that recovery had closed and whose problem is back within its deduplication span.

    The repeat itself stays suppressed, so without this a device would be anomalous with nothing open. What a
    person closed stays closed. People have their time again, since the old deadline passed while all was well.
    """
    repeats = set(drafts.loc[drafts["suppressed"], "problem"]) - set(known.loc[known["active"], "problem"])
    newest = (
        told_in_span(known, now)
        .sort_values(["alert_created_at", "severity_rank"])
        .drop_duplicates("problem", keep="last")
    )
    recovered = (newest["status"] == "RESOLVED") & (newest["alert_type"] == "ANOMALY_RESOLVED")
    back = newest[recovered & newest["problem"].isin(repeats)]
    deadline = sla_deadline(now, back["severity_rank"], settings)
    return back.assign(
        from_status=back["status"],
        action="reopen",
        sla_deadline=deadline,
        next_escalation_at=deadline,
        sla_breached=False,
        escalation_level="L1",
        status="OPEN",
        active=True,
        alert_type="ANOMALY_SUSTAINED",
        resolved_at=pd.Series(pd.NaT, index=back.index, dtype=TIMESTAMP),
        event_note="The anomaly is back",
    )


def close_superseded(drafts: pd.DataFrame, known: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """Active alerts whose problem is told anew by one of ``drafts``, or of the rules where the models speak now."""
    told = drafts.loc[~drafts["suppressed"]].set_index("problem")["alert_id"]
    successor = look_up(known["problem"], told).astype("object").fillna(superseded_rules(drafts, known))
    replaced = known["active"] & successor.notna() & (successor != known["alert_id"])
    old = known[replaced & (known["source"] != STREAMING)]
    return old.assign(
        from_status=old["status"],
        action="supersede",
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
        action="recover",
        status="RESOLVED",
        alert_type="ANOMALY_RESOLVED",
        resolved_at=now,
        event_note=f"Not flagged for {windows} window{'s' if windows > 1 else ''} in a row",
    )
