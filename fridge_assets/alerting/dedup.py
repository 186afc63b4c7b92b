"""Which alerts are told and which are kept for audit only (SPEC 5, 6, deduplication)."""

import pandas as pd

from fridge_assets.alerting.evidence import STREAMING
from fridge_assets.alerting.frames import TIMESTAMP, look_up
from fridge_assets.alerting.severity import BELOW_ALL
from fridge_assets.alerting.silences import held
from fridge_assets.contracts.device_features import sensors_of
from fridge_assets.settings import IncidentSettings


def told_in_span(known: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """Those of ``known`` that were told and whose deduplication span is not over yet; the stream has its own spans."""
    return known[~known["suppressed"] & (known["dedup_until"] > now) & (known["source"] != STREAMING)]


def suppress_repeats(
    drafts: pd.DataFrame, known: pd.DataFrame, now: pd.Timestamp, settings: IncidentSettings
) -> pd.DataFrame:
    """Add ``suppressed`` and ``dedup_until`` to ``drafts``.

    A span belongs to one problem (device and dominant contributor), begins with the first alert told about it
    and lasts a fixed time: an alert told in between because its severity rose does not prolong it. Within the
    span a draft is told only when its severity is above everything told in that span.
    """
    told = told_in_span(known, now).groupby("problem")
    told_rank = look_up(drafts["problem"], told["severity_rank"].max()).fillna(BELOW_ALL)
    span_end = look_up(drafts["problem"], told["dedup_until"].max())
    return drafts.assign(
        suppressed=drafts["severity_rank"] <= told_rank,
        dedup_until=span_end.fillna(now + settings.dedup),
    )


def hold_silenced(drafts: pd.DataFrame, known: pd.DataFrame, silences: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """Suppress those of ``drafts`` whose window a silence of the device or its site overlaps, whatever their severity.

    What daily models alone say, of an earlier window, is held by what silenced that one too. A stored row that was told
    before the silence stays as it is: its draft is left out.

    Returns:
        Drafts with ``held_because`` (kind of the silence, null where none holds) and ``held_note`` (which it is).
    """
    spans = drafts[["device_id", "site_id"]].assign(held_from=drafts["window_start"], held_to=drafts["window_end"])
    by = held(spans, silences)
    carried = drafts.index[~drafts["of_window"]]
    if len(carried):
        length, end = drafts["window_end"] - drafts["window_start"], drafts["carried_from"]
        by = by.fillna(held(spans.assign(held_from=end - length, held_to=end).loc[carried], silences))
    silenced = by["held_because"].notna()
    told_before = set(known.loc[~known["suppressed"], "alert_id"])
    marked = drafts.assign(
        **by, suppressed=drafts["suppressed"] | silenced, dedup_until=drafts["dedup_until"].mask(silenced, now)
    )
    return marked[~(silenced & drafts["alert_id"].isin(told_before))].reset_index(drop=True)


def leave_to_stream(drafts: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Suppress those of ``drafts`` that say what an active alert of the stream has told at least as urgently (SPEC 5).

    Both are about the same when the dominant contributor of the draft is a feature of the sensor that the stream's
    rule looks at. This holds for as long as the stream's alert is active, and ends with it. A stored row that was told
    before the stream spoke stays as it is: its draft is left out.

    Returns:
        Drafts with ``stream_alert`` (id of the stream's alert about the same, the oldest of several, null without one)
        and ``stream_since`` (when its anomaly was first detected).
    """
    told = known[known["active"] & ~known["suppressed"] & (known["source"] == STREAMING)]
    if told.empty or drafts.empty:
        never = pd.Series(pd.NaT, index=drafts.index, dtype=TIMESTAMP)
        return drafts.assign(stream_alert=None, stream_since=never)
    columns = ["alert_id", "first_detected_at", "severity_rank"]
    speaking = told.assign(sensor=_dominant_sensors(told)).explode("sensor").set_index(["device_id", "sensor"])[columns]
    about = drafts[["device_id"]].assign(sensor=_dominant_sensors(drafts), draft=drafts.index).explode("sensor")
    pairs = about.join(speaking, on=["device_id", "sensor"], how="inner").sort_values(["first_detected_at", "alert_id"])
    oldest = pairs.drop_duplicates("draft").set_index("draft")
    rank = pairs.groupby("draft")["severity_rank"].max().reindex(drafts.index).fillna(BELOW_ALL)
    left = drafts["severity_rank"] <= rank
    told_before = set(known.loc[~known["suppressed"], "alert_id"])
    marked = drafts.assign(
        suppressed=drafts["suppressed"] | left,
        stream_alert=oldest["alert_id"].reindex(drafts.index),
        stream_since=oldest["first_detected_at"].reindex(drafts.index),
    )
    return marked[~(left & drafts["alert_id"].isin(told_before))].reset_index(drop=True)


def _dominant_sensors(alerts: pd.DataFrame) -> pd.Series:
    sensors = [sensors_of(names[0]) if len(names) else () for names in alerts["top_contributors"]]
    return pd.Series(sensors, index=alerts.index, dtype="object")
