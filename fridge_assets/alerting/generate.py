"""From the scores of the latest window to alerts and their events (SPEC 6), as one sequence of pure steps.

A *problem* is a device and its dominant contributor. These rules keep "open alerts" meaningful:

- Every flagged device gets one row per window and source, so nothing that was seen is lost.
- A problem has at most one active alert. It is told again when its deduplication span is over or its
  severity rises, and the new alert then closes the older one. Without a rise the work goes on: the new alert
  takes over status, escalation level, work order and SLA deadline, so that a long anomaly cannot outrun its
  deadline. A rise in severity starts afresh, but for the work order: open, L1, a deadline of its own.
- A repeat within the span is an audit row: suppressed, stored as RESOLVED, never work for anybody. The alert
  it repeats stays active; where recovery had closed that one, it is opened again. What a person closed stays
  closed.
- A device that is scored and not flagged for two windows in a row has all its alerts closed as
  ANOMALY_RESOLVED.
- The same window again changes nothing, unless more models make it more severe: its row is then updated in
  place.
- What happens during a silence or maintenance window of the device or its site is an audit row too, however severe. It
  neither starts a span nor changes any other alert: one that was told before stays as it is.
- Every insertion and every change is an event.
- The models judge what the rules raised while they were silent (see ``after_fallback``): one window without a flag
  closes it, and their own alert of the device takes its place.

Alerts of the stream live beside these, and have repeats and spans of their own (SPEC 5):

- The models judge every active one first: a high score confirms it (ANOMALY_SUSTAINED), low scores of a window after
  its onset resolve it as transient. Two quiet windows do not close it, and no other alert does.
- For hours of overload an operator sees the CRITICAL of the stream, at once, and nothing more: as long as that alert is
  active, a row about the same sensor is an audit row, unless it is more severe, and its first_detected_at is that of
  the stream if that is earlier. The work is the stream's alert. Other sensors of the device are told as ever.
- Once the stream's alert is closed, by the models or by a person, the rules above hold as if it had never been: what
  the models still flag is told.
"""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from fridge_assets.alerting.after_fallback import judge_rules, take_over_from_rules
from fridge_assets.alerting.dedup import hold_silenced, leave_to_stream, suppress_repeats
from fridge_assets.alerting.drafts import assign_work, relate, select_news
from fridge_assets.alerting.events import events_of
from fridge_assets.alerting.evidence import gather_evidence, problems
from fridge_assets.alerting.frames import conform, look_up
from fridge_assets.alerting.reconcile import close_recovered, close_superseded, judge_streaming, reopen_returned
from fridge_assets.alerting.sentences import describe
from fridge_assets.alerting.severity import rank_of
from fridge_assets.contracts import ALERT_EVENTS, DEVICE_ALERTS
from fridge_assets.contracts.device_alerts import ACTIVE_STATUSES
from fridge_assets.contracts.device_registry import NO_SITE
from fridge_assets.diagnosis.causes import Knowledge
from fridge_assets.settings import IncidentSettings


@dataclass(frozen=True)
class GeneratedAlerts:
    """What one run has to store.

    Args:
        new: DEVICE_ALERTS rows to insert.
        updated: DEVICE_ALERTS rows that replace stored ones by id.
        events: ALERT_EVENTS rows, one for each row of ``new``, one or more for each of ``updated``.
    """

    new: pd.DataFrame
    updated: pd.DataFrame
    events: pd.DataFrame


def generate_alerts(
    scores: pd.DataFrame,
    previous_scores: pd.DataFrame,
    known_alerts: pd.DataFrame,
    registry: pd.DataFrame,
    features: pd.DataFrame,
    typical: pd.DataFrame,
    comparisons: pd.DataFrame,
    silences: pd.DataFrame,
    knowledge: Knowledge,
    now: datetime,
    settings: IncidentSettings,
    source: str = "models",
    provenance: str = "",
) -> GeneratedAlerts:
    """Decide what the scores of one window mean for operators.

    Args:
        scores: MODEL_SCORES rows of one window by all released, unpaused models, flagged or not,
            ``carried_from``: the window that a daily model scored instead, null where it is this one, and
            ``provisional``: what little the version has seen, empty where that is enough.
        previous_scores: ``device_id``, ``window_end``, ``flagged`` (by any model) of the scored windows
            before it, for each device at least its last ``settings.resolve_after_windows - 1``.
        known_alerts: DEVICE_ALERTS rows that are active, were created within ``settings.dedup``, or are about
            this window.
        registry: ``device_id``, ``site_id`` and ``refrigerant`` of the fleet; the last may be missing.
        features: DEVICE_FEATURES rows of this window.
        typical: ``device_id`` and what its features usually are.
        comparisons: what the models expected of the contributors of flagged scores, as of
            :func:`fridge_assets.scoring.comparisons.compared`; scores may lack it.
        silences: SILENCES rows that overlap this window, or the ones that ``carried_from`` names.
        knowledge: the causes that may be probable.
        now: when this happens, timezone-aware.
        settings: severity limits, deduplication span, SLA spans.
        source: what raises the alerts.
        provenance: how old the scores are that they are made of; becomes the note of new alerts.

    Raises:
        ValueError: ``scores`` are of more than one window.
    """
    windows = scores["window_end"].unique()
    if len(windows) > 1:
        raise ValueError(f"scores are of {len(windows)} windows; alerts are made of one window")
    moment = pd.Timestamp(now).tz_convert("UTC").as_unit("us")
    book = _Book(_understand(known_alerts), source, moment)

    book.change(judge_streaming(scores, book.known, moment, settings, source))
    book.change(judge_rules(scores, book.known, moment, source))
    drafts = _locate(select_news(gather_evidence(scores, source, settings), book.known), registry)
    drafts = suppress_repeats(drafts, book.known, moment, settings)
    drafts = hold_silenced(drafts, book.known, silences, moment)
    book.change(reopen_returned(drafts[drafts["held_because"].isna()], book.known, moment, settings))
    drafts = leave_to_stream(drafts, book.known)
    drafts = take_over_from_rules(drafts, book.known, source)
    drafts = relate(drafts, book.known)
    drafts = assign_work(drafts, book.known, moment, settings, provenance)
    drafts = describe(drafts, features, typical, comparisons, knowledge)
    book.change(close_superseded(drafts, book.known, moment))
    book.change(close_recovered(scores, previous_scores, book.known, moment, settings.resolve_after_windows, source))
    return book.with_drafts(drafts)


class _Book:
    """The known alerts as one step after another changes them, and the events of these changes."""

    def __init__(self, known: pd.DataFrame, actor: str, now: pd.Timestamp) -> None:
        self.known = known
        self._actor = actor
        self._now = now
        self._changed: set[str] = set()
        self._events: list[pd.DataFrame] = []

    def change(self, changed: pd.DataFrame) -> None:
        """Take over changed rows of ``known`` that have ``from_status``, ``action`` and ``event_note``."""
        if changed.empty:
            return
        still_open = changed["status"] == "OPEN"
        changed = changed.assign(
            revision=changed["revision"] + 1, next_escalation_at=changed["next_escalation_at"].where(still_open)
        )
        before = self.known.loc[changed.index]
        self._events.append(events_of(changed, before, self._actor, self._now))
        self._changed |= set(changed["alert_id"])
        self.known = pd.concat([self.known.drop(changed.index), changed[self.known.columns]]).sort_index()

    def with_drafts(self, drafts: pd.DataFrame) -> GeneratedAlerts:
        """Everything that is to be stored: new drafts, and changed alerts, those that became more severe included."""
        new, raised = drafts[~drafts["stored"]], drafts[drafts["stored"]]
        events = [*self._events, *(events_of(rows, self.known, self._actor, self._now) for rows in (new, raised))]
        changed = self.known[self.known["alert_id"].isin(self._changed - set(raised["alert_id"]))]
        return GeneratedAlerts(
            new=conform([new], DEVICE_ALERTS),
            updated=conform([raised, changed], DEVICE_ALERTS),
            events=conform(events, ALERT_EVENTS),
        )


def _understand(alerts: pd.DataFrame) -> pd.DataFrame:
    return alerts.assign(
        severity_rank=rank_of(alerts["severity"]),
        active=alerts["status"].isin(ACTIVE_STATUSES),
        suppressed=alerts["suppressed"].astype(bool),
        problem=problems(alerts),
    ).reset_index(drop=True)


def _locate(drafts: pd.DataFrame, registry: pd.DataFrame) -> pd.DataFrame:
    known = registry.drop_duplicates("device_id").set_index("device_id")
    refrigerants = known.get("refrigerant", pd.Series(index=known.index, dtype="str"))
    return drafts.assign(
        site_id=look_up(drafts["device_id"], known["site_id"]).fillna(NO_SITE),
        refrigerant=look_up(drafts["device_id"], refrigerants).fillna(""),
    )
