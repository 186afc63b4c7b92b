"""Windows that a model must not learn from: flagged before, after work on the device, in a known failure (SPEC 2.1)."""

from collections.abc import Iterator
from datetime import datetime

import duckdb
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.models.families import FAMILY_SQL
from fridge_assets.settings import Settings, TrainingSettings
from fridge_assets.stores.frames import query, registered
from fridge_assets.stores.operations import incident_events, incidents, label_events, silences

_Span = tuple[str, datetime, datetime, str]
"""Device, first and last moment, and what it was."""

WORK, FAILURE, HEALTHY = "work", "failure", "healthy"
"""What a span of :func:`known_spans` may be."""

_TIMES = {"since": "datetime64[us, UTC]", "until": "datetime64[us, UTC]"}
TOUCHES = "f.device_id = s.device_id AND f.window_end >= s.since AND f.window_start < s.until"
"""SQL of whether a window ``f`` and a span ``s`` touch."""


def known_spans(
    connection: Connection, devices: pd.DataFrame, now: datetime, settings: TrainingSettings
) -> pd.DataFrame:
    """What people know of the devices' past.

    Args:
        connection: of the operations store.
        devices: ``device_id`` and ``site_id``; maintenance of a site is work on each of its devices.
        now: what is not over yet lasts until then.
        settings: how long after maintenance a device is not learned from.

    Returns:
        ``device_id``, ``since``, ``until`` and ``what``: ``work``, from its start until a device runs as ever again,
        ``failure`` or ``healthy``, as a person labelled what was flagged.
    """
    spans = [*_maintenance(connection, devices, settings), *_work(connection, now, settings), *_labels(connection, now)]
    return pd.DataFrame(spans, columns=["device_id", "since", "until", "what"]).astype({"device_id": "str", **_TIMES})


def after_maintenance(connection: duckdb.DuckDBPyConnection, spans: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """``device_id`` and ``window_end`` of the windows during and soon after work on the device.

    Args:
        connection: an open warehouse connection.
        spans: of :func:`known_spans`.
        now: windows that end later are not looked at.
    """
    return _windows_in(connection, spans[spans["what"] == WORK], now)


def confirmed_failures(connection: duckdb.DuckDBPyConnection, spans: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """The same of the windows in which a failure was real, as a person says."""
    return _windows_in(connection, spans[spans["what"] == FAILURE], now)


def flagged_windows(
    connection: duckdb.DuckDBPyConnection, family: str, spans: pd.DataFrame, now: datetime, settings: Settings
) -> pd.DataFrame:
    """``device_id`` and ``window_end`` that ``family`` flagged within the training history, strangest first.

    Where a device sends so seldom that an earlier window spoke for it, it is that one.

    They are at most ``training.max_self_cleaning`` of what it scored: where it flags more, the fleet has changed,
    and a model that left all of that out would never learn it. What people call a false positive is healthy, and is
    learned from.

    Args:
        connection: an open warehouse connection.
        family: model family.
        spans: of :func:`known_spans`.
        now: windows that end later are not looked at.
        settings: how far back training looks, how much of it may be left out, and the longest interval.
    """
    with registered(connection, healthy_spans=spans[spans["what"] == HEALTHY]):
        return query(
            connection,
            f"""
WITH scored AS (
  SELECT device_id, window_start, window_end, anomaly_score, anomaly_flag FROM model_scores
  WHERE {FAMILY_SQL} = $family AND window_end > $since AND window_end <= $now
),
flagged AS (
  SELECT device_id, window_end, anomaly_score FROM scored f
  WHERE anomaly_flag AND NOT EXISTS (FROM healthy_spans s WHERE {TOUCHES})
  QUALIFY row_number() OVER (ORDER BY anomaly_score DESC, device_id, window_end)
    <= $share * (SELECT count(*) FROM scored)
),
-- Only of these few are windows looked for that ended before the run's.
without AS (FROM flagged ANTI JOIN device_features USING (device_id, window_end)),
earlier AS (SELECT device_id, window_end FROM device_features SEMI JOIN without USING (device_id)),
spoken_for AS (
  SELECT w.device_id, w.window_end, e.window_end AS spoke
  FROM without w ASOF JOIN earlier e ON w.device_id = e.device_id AND w.window_end >= e.window_end
  WHERE e.window_end >= w.window_end - $longest
)
SELECT device_id, coalesce(spoke, window_end) AS window_end
FROM flagged LEFT JOIN spoken_for USING (device_id, window_end)
ORDER BY anomaly_score DESC, device_id, window_end
""",
            {
                "family": family,
                "since": now - settings.training.history,
                "now": now,
                "share": settings.training.max_self_cleaning,
                "longest": settings.features.longest_interval,
            },
        )


def _windows_in(connection: duckdb.DuckDBPyConnection, spans: pd.DataFrame, now: datetime) -> pd.DataFrame:
    with registered(connection, excluded_spans=spans):
        return query(
            connection,
            f"SELECT DISTINCT f.device_id, f.window_end FROM device_features f JOIN excluded_spans s ON {TOUCHES} "
            "WHERE f.window_end <= $now ORDER BY f.device_id, f.window_end",
            {"now": now},
        )


def _maintenance(connection: Connection, devices: pd.DataFrame, settings: TrainingSettings) -> Iterator[_Span]:
    """Planned work: windows of maintenance that were not taken back."""
    columns = silences.c
    at_site = devices.groupby("site_id")["device_id"].agg(list)
    planned = sa.and_(columns.kind == "maintenance", columns.starts_at < columns.ends_at)
    for row in connection.execute(sa.select(silences).where(planned)):
        touched = at_site.get(row.site_id, []) if row.device_id is None else [row.device_id]
        for device in touched:
            yield device, row.starts_at, row.ends_at + settings.after_maintenance, WORK


def _work(connection: Connection, now: datetime, settings: TrainingSettings) -> Iterator[_Span]:
    """Work on incidents, from when somebody started it; not where that was taken back."""
    events, of, later = incident_events.c, incidents.c, incident_events.alias("later")
    taken_back = sa.exists().where(
        later.c.incident_id == events.incident_id,
        later.c.revision > events.revision,
        later.c.action == "undo",
        later.c.from_status == "IN_PROGRESS",
        later.c.to_status.in_(("OPEN", "ACKNOWLEDGED")),
    )
    began = (
        sa.select(of.device_id, sa.func.min(events.occurred_at).label("began"), of.closed_at)
        .join_from(incident_events, incidents)
        .where(events.to_status == "IN_PROGRESS", ~taken_back)
        .group_by(of.incident_id, of.device_id, of.closed_at)
    )
    for row in connection.execute(began):
        yield row.device_id, row.began, (row.closed_at or now) + settings.after_maintenance, WORK


def _labels(connection: Connection, now: datetime) -> Iterator[_Span]:
    """What the newest label of each incident says of its time."""
    labels, of = label_events.c, incidents.c
    newest = sa.select(labels.incident_id, sa.func.max(labels.revision).label("revision")).group_by(labels.incident_id)
    last = newest.subquery()
    is_last = sa.and_(labels.incident_id == last.c.incident_id, labels.revision == last.c.revision)
    said = (
        sa.select(labels.device_id, labels.first_detected_at, labels.label, of.closed_at)
        .join_from(label_events, last, is_last)
        .join(incidents, of.incident_id == labels.incident_id)
    )
    for row in connection.execute(said):
        what = FAILURE if row.label == "confirmed" else HEALTHY
        yield row.device_id, row.first_detected_at, row.closed_at or now, what
