"""What the stream has found, into the operations store: onsets, their alerts and what is said, in one transaction."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.alerting.events import events_of
from fridge_assets.alerting.frames import conform
from fridge_assets.alerting.generate import GeneratedAlerts
from fridge_assets.alerting.silences import held, silences_between
from fridge_assets.alerting.store import apply
from fridge_assets.contracts import ALERT_EVENTS, DEVICE_ALERTS
from fridge_assets.contracts.device_alerts import ACTIVE_STATUSES
from fridge_assets.contracts.device_features import sensors_of
from fridge_assets.contracts.device_registry import NO_SITE
from fridge_assets.contracts.silences import SILENCE_KINDS
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import device_alerts, insert_missing, stream_onsets
from fridge_assets.streaming.engine import Onset, OnsetKey
from fridge_assets.streaming.onsets import SOURCE, alert_id_of, alert_of, told
from fridge_assets.streaming.rules import RULES
from fridge_assets.work_orders.rules import order_id_of

_PIECE = 500
"""Devices or alerts that one query names."""

_WORK = (
    "status",
    "escalation_level",
    "ontology_action_id",
    "sla_deadline",
    "sla_breached",
    "next_escalation_at",
)
"""What an alert takes over from the one in whose place it comes."""

TOLD_AGAIN = "told_again"
"""Beside the columns of an alert that is told a second time: why, as part of the key of its message."""

_Problem = tuple[str, str]
"""A device and a rule."""

_Held = Mapping[OnsetKey, tuple[str, str]]
"""Onset → kind of the silence that it falls into, and which silence that is."""

_TOLD = (None, None)
"""In place of a silence."""

_MOMENT = timedelta(microseconds=1)


@dataclass
class _Known:
    """What is stored of one problem: onset → whether it is told, of those that stand; and all that ever were."""

    standing: dict[datetime, bool] = field(default_factory=dict)
    stored: set[datetime] = field(default_factory=set)


def store_changes(
    connection: Connection,
    new: Sequence[Onset],
    withdrawn: Sequence[OnsetKey],
    sites: Mapping[str, str],
    now: datetime,
    settings: Settings,
) -> list[dict[str, Any]]:
    """Store what a batch has shown, and decide which onsets are told and which are repeats.

    The outcome depends on the set of onsets that stand alone, not on the order in which they were found. An onset that
    falls into a silence of its device or site is told to nobody, and is no part of anything else: it starts no span and
    opens nothing again. A silence that is made or ended later changes nothing about an onset that is stored.

    Args:
        connection: of the transaction that also notes how far the source was taken.
        new: onsets that were found.
        withdrawn: onsets that late readings have disproved.
        sites: device → site.
        now: the actual time.
        settings: deduplication, deadline, window.

    Returns:
        The DEVICE_ALERTS rows that people are to be told about, with ``TOLD_AGAIN`` where they were before.
    """
    if not new and not withdrawn:
        return []
    found: dict[_Problem, list[Onset]] = defaultdict(list)
    gone: dict[_Problem, set[datetime]] = defaultdict(set)
    for onset in new:
        found[onset.device_id, onset.rule].append(onset)
    for key in withdrawn:
        gone[key.device_id, key.rule].add(key.at)
    problems = sorted({*found, *gone})
    earliest = min([*(o.at for o in new), *(o.at for o in withdrawn)])
    devices = {device for device, _ in problems}
    known = _known_onsets(connection, devices, earliest - settings.alerts.dedup)
    alerts: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for alert_id, row in _alerts_of(connection, devices, earliest - settings.alerts.dedup).items():
        alerts[row["device_id"]][alert_id] = row
    held_by = _held(connection, new, sites)
    outcome = _Outcome(now)
    for problem in problems:
        own = alerts[problem[0]]
        _settle(problem, found[problem], gone[problem], known[problem], own, sites, held_by, settings, outcome)
    outcome.write(connection)
    return outcome.news


def _settle(
    problem: _Problem,
    found: Sequence[Onset],
    gone: Collection[datetime],
    known: _Known,
    alerts: Mapping[str, dict[str, Any]],
    sites: Mapping[str, str],
    held_by: _Held,
    settings: Settings,
    outcome: "_Outcome",
) -> None:
    """One problem: which of its onsets stand now, which are told, and what becomes of their alerts."""
    device, rule = problem
    first = min([*(o.at for o in found), *gone])
    standing = (known.standing.keys() - gone) | {o.at for o in found}
    before = max((at for at, is_told in known.standing.items() if is_told and at < first), default=None)
    silent = {at for at in standing if _is_held(OnsetKey(device, rule, at), known, alerts, held_by)}
    verdicts = told([at for at in standing - silent if at >= first], before, settings.alerts)
    verdicts |= dict.fromkeys([at for at in silent if at >= first], False)
    freed = {
        at: alerts[alert_id]
        for at, was_told in known.standing.items()
        if was_told and not verdicts.get(at, at < first) and (alert_id := alert_id_of(device, rule, at)) in alerts
    }
    onsets = {o.at: o for o in found}
    last_told = before
    for at in sorted(verdicts):
        last_told = at if verdicts[at] else last_told
        is_new = at in onsets and at not in known.standing
        if not is_new and known.standing.get(at) == verdicts[at]:
            continue
        alert_id = alert_id_of(device, rule, at)
        held_because, held_note = held_by.get(OnsetKey(device, rule, at), _TOLD) if at in silent else _TOLD
        outcome.onsets.append(_row(alert_id, problem, at, stands=True, is_told=verdicts[at]))
        if is_new and at not in known.stored:
            row = alert_of(
                onsets[at],
                sites.get(device, NO_SITE),
                _first_detected(onsets[at], alerts),
                None if verdicts[at] or held_because else last_told,
                outcome.now,
                settings,
                held_because,
            )
            # It comes in the place of one that was told before, if that was about the same failure.
            before_it = [gone_at for gone_at in freed if verdicts[at] and abs(gone_at - at) < settings.alerts.dedup]
            predecessor = freed.pop(min(before_it)) if before_it else None
            goes_on = predecessor is not None and predecessor["status"] in ACTIVE_STATUSES
            if predecessor is not None and goes_on:
                row |= {name: predecessor[name] for name in _WORK}
            young = outcome.now - at <= settings.streaming.told_within
            # Where the one before was closed, this is work again, and people must know.
            outcome.add(row, announce=verdicts[at] and not goes_on and young, held_note=held_note)
            if not verdicts[at] and not held_because and last_told is not None:
                outcome.reopen(alerts.get(alert_id_of(device, rule, last_told)), at, settings)
        elif alert_id in alerts and verdicts[at]:
            outcome.tell(alerts[alert_id])
        elif alert_id in alerts:
            because, note = held_because or "repeat", held_note or _repeat_note(settings)
            outcome.close(alerts[alert_id], "suppress", because, note, "ANOMALY_DETECTED")
    for at in sorted(gone):
        alert_id = alert_id_of(device, rule, at)
        outcome.onsets.append(_row(alert_id, problem, at, stands=False, is_told=False))
        if alert_id in alerts:
            said = "Withdrawn: readings that came late show that it did not begin then"
            outcome.close(alerts[alert_id], "withdraw", "withdrawn", said, "ANOMALY_RESOLVED")


def _repeat_note(settings: Settings) -> str:
    return f"Repeat within {settings.alerts.dedup.total_seconds() / 3600:g} h, kept for audit"


class _Outcome:
    """What is to be written, collected problem by problem."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.onsets: list[dict[str, Any]] = []
        self.news: list[dict[str, Any]] = []
        self._new: list[dict[str, Any]] = []
        self._changed: list[dict[str, Any]] = []
        self._before: list[dict[str, Any]] = []

    def add(self, row: dict[str, Any], *, announce: bool, held_note: str | None) -> None:
        note = "Told as CRITICAL" if not row["suppressed"] else held_note or "Repeat, kept for audit"
        taken_over = row["status"] in ACTIVE_STATUSES and row["status"] != "OPEN"
        action = "suppress" if row["suppressed"] else "continue" if taken_over else "detect"
        self._new.append(row | {"from_status": None, "action": action, "event_note": note})
        if announce:
            self.news.append(row)

    def close(self, row: dict[str, Any], action: str, because: str, note: str, alert_type: str) -> None:
        """Keep it for audit from now on; what a person closed stays closed by that person."""
        closing = {"status": "RESOLVED", "resolved_at": self.now} if row["status"] in ACTIVE_STATUSES else {}
        kept = {"suppressed": True, "suppressed_because": because, "alert_type": alert_type}
        self._change(row, action, note, closing | kept | {"next_escalation_at": None})

    def tell(self, row: dict[str, Any]) -> None:
        """What was a repeat is none: late readings have shown it after all."""
        told = {"suppressed": False, "suppressed_because": None, "status": "OPEN", "resolved_at": None}
        told["ontology_action_id"] = row["ontology_action_id"] or order_id_of(row["alert_id"])
        closed_by_person = row["status"] != "RESOLVED"
        self._change(
            row,
            "raise" if closed_by_person else "tell",
            "Late readings have shown it after all",
            told | {"alert_type": "ANOMALY_DETECTED", "next_escalation_at": row["sla_deadline"]},
        )

    def reopen(self, row: dict[str, Any] | None, at: datetime, settings: Settings) -> None:
        """Where the batch path took the alert for over, the failure is back and people are told again."""
        if row is None or row["suppressed"] or (row["status"], row["alert_type"]) != ("RESOLVED", "ANOMALY_RESOLVED"):
            return
        deadline = self.now + settings.alerts.sla_critical
        back = {
            "status": "OPEN",
            "alert_type": "ANOMALY_SUSTAINED",
            "resolved_at": None,
            "suppressed": False,
            "escalation_level": "L1",
            "sla_deadline": deadline,
            "sla_breached": False,
            "next_escalation_at": deadline,
        }
        self._change(row, "reopen", f"The failure is back at {at:%Y-%m-%d %H:%M:%S} UTC", back)
        self.news.append(row | {TOLD_AGAIN: at.isoformat()})

    def _change(self, row: dict[str, Any], action: str, note: str, values: Mapping[str, object]) -> None:
        before = dict(row)
        row |= {**values, "revision": row["revision"] + 1}
        self._changed.append(row | {"from_status": before["status"], "action": action, "event_note": note})
        self._before.append(before)

    def write(self, connection: Connection) -> None:
        insert_missing(connection, stream_onsets, self.onsets)
        statement = (
            sa.update(stream_onsets)
            .where(stream_onsets.c.alert_id == sa.bindparam("key"))
            .values(stands=sa.bindparam("now_stands"), told=sa.bindparam("now_told"))
        )
        updates = [{"key": r["alert_id"], "now_stands": r["stands"], "now_told": r["told"]} for r in self.onsets]
        if updates:
            connection.execute(statement, updates)
        moment = pd.Timestamp(self.now)
        frames = [pd.DataFrame(rows) for rows in (self._new, self._changed)]
        new, changed = (conform([frame], DEVICE_ALERTS) for frame in frames)
        before = conform([pd.DataFrame(self._before)], DEVICE_ALERTS)
        events = [events_of(frame, before, SOURCE, moment) for frame in frames if len(frame)]
        apply(connection, GeneratedAlerts(new, changed, conform(events, ALERT_EVENTS)))


def _row(alert_id: str, problem: _Problem, onset: datetime, *, stands: bool, is_told: bool) -> dict[str, Any]:
    device, rule = problem
    return {
        "alert_id": alert_id,
        "device_id": device,
        "rule": rule,
        "onset": onset,
        "stands": stands,
        "told": is_told,
    }


def _held(connection: Connection, new: Sequence[Onset], sites: Mapping[str, str]) -> _Held:
    """Those of ``new`` that fall into a silence of their device or site."""
    if not new:
        return {}
    moments = [onset.at for onset in new]
    silences = silences_between(connection, min(moments), max(moments) + _MOMENT)
    if silences.empty:
        return {}
    spans = pd.DataFrame(
        [(o.device_id, sites.get(o.device_id, NO_SITE), o.at, o.at + _MOMENT) for o in new],
        columns=["device_id", "site_id", "held_from", "held_to"],
    )
    by = held(spans, silences).dropna()
    return {
        OnsetKey(new[place].device_id, new[place].rule, new[place].at): (because, note)
        for place, because, note in zip(by.index, by["held_because"], by["held_note"], strict=True)
    }


def _is_held(key: OnsetKey, known: _Known, alerts: Mapping[str, Mapping[str, Any]], held_by: _Held) -> bool:
    """Whether an onset that stands is held; of one that stood before its alert says so."""
    if key.at not in known.standing:
        return key in held_by
    alert = alerts.get(alert_id_of(key.device_id, key.rule, key.at))
    return alert is not None and alert["suppressed_because"] in SILENCE_KINDS


def _known_onsets(connection: Connection, devices: Collection[str], since: datetime) -> dict[_Problem, _Known]:
    columns = stream_onsets.c
    known: dict[_Problem, _Known] = defaultdict(_Known)
    for piece in _pieces(devices):
        query = sa.select(stream_onsets).where(columns.device_id.in_(piece), columns.onset > since)
        for row in connection.execute(query):
            entry = known[row.device_id, row.rule]
            entry.stored.add(row.onset)
            if row.stands:
                entry.standing[row.onset] = row.told
    return known


def _alerts_of(connection: Connection, devices: Collection[str], since: datetime) -> dict[str, dict[str, Any]]:
    """The devices' alerts that are active, or of the stream and recent, by id."""
    columns = device_alerts.c
    relevant = sa.or_(
        columns.status.in_(ACTIVE_STATUSES), sa.and_(columns.source == SOURCE, columns.window_end > since)
    )
    found: dict[str, dict[str, Any]] = {}
    for piece in _pieces(devices):
        query = sa.select(device_alerts).where(columns.device_id.in_(piece), relevant).with_for_update()
        found |= {row["alert_id"]: dict(row) for row in connection.execute(query).mappings()}
    return found


def _first_detected(onset: Onset, alerts: Mapping[str, Mapping[str, Any]]) -> datetime:
    """When an anomaly of the same sensor was first seen, by whatever path, if it is not over yet; else the onset."""
    sensor = RULES[onset.rule].sensor
    earlier: list[datetime] = [
        alert["first_detected_at"]
        for alert in alerts.values()
        if alert["status"] in ACTIVE_STATUSES
        and alert["top_contributors"]
        and sensor in sensors_of(alert["top_contributors"][0])
    ]
    return min([onset.at, *earlier])


def _pieces(values: Collection[str]) -> Iterable[list[str]]:
    ordered = sorted(values)
    return (ordered[first : first + _PIECE] for first in range(0, len(ordered), _PIECE))
