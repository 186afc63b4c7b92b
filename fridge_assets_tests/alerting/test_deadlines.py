"""Whoever looks at deadlines, whenever and however often, what is stored and told is the same (SPEC 6)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy.pool import StaticPool

from fridge_assets.alerting.actions import ActionRequest, acted_on
from fridge_assets.alerting.deadlines import advance_deadlines, watch_deadlines
from fridge_assets.alerting.events import LIFE, add_up, events_of
from fridge_assets.alerting.frames import conform
from fridge_assets.alerting.generate import GeneratedAlerts
from fridge_assets.alerting.lifecycle import IllegalTransition
from fridge_assets.alerting.listing import AlertFilter, rows_as_of, urgent_rows
from fridge_assets.alerting.sla import as_of
from fridge_assets.alerting.store import apply
from fridge_assets.contracts import ALERT_EVENTS, DEVICE_ALERTS
from fridge_assets.notifications.outbox import OutboxFilter, StoredMessage, list_messages
from fridge_assets.settings import IncidentSettings
from fridge_assets.stores.operations import Operations, alert_events, device_alerts, metadata
from fridge_assets_tests.alerting.fleet import SETTINGS, Fleet, run_time, score

MINUTE = timedelta(minutes=1)
SHORT = IncidentSettings(sla_medium=timedelta(minutes=50), sla_low=timedelta(minutes=77))
CRITICAL, MEDIUM, LOW = 0.97, 0.75, 0.65
TOLD = run_time(0)


def after(minutes: float) -> datetime:
    return TOLD + minutes * MINUTE


class Desk:
    """Alerts in a store, people who act on them, and somebody who looks at deadlines."""

    def __init__(self, engine: sa.Engine, settings: IncidentSettings = SETTINGS) -> None:
        self._engine, self._settings = engine, settings

    def tell(self, *values: float) -> None:
        """Devices d1, d2, … are told of at ``TOLD``."""
        self.store(Fleet(self._settings).run(*(score(f"d{n}", 0, value) for n, value in enumerate(values, 1))))

    def store(self, generated: GeneratedAlerts) -> None:
        with self._engine.begin() as connection:
            apply(connection, generated)

    def look(self, minutes: float) -> int:
        """How many alerts somebody who looks then finds to have become due."""
        with self._engine.begin() as connection:
            return len(advance_deadlines(connection, after(minutes), self._settings, after(minutes)))

    def act(self, device: str, action: str, minutes: float) -> None:
        """Ann acts, and what was due before is stored before."""
        self.look(minutes)
        before = self.alerts()
        alert = before[before["device_id"] == device].reset_index(drop=True)
        changed = acted_on(alert, action, ActionRequest("ann", after(minutes)))
        event = events_of(changed, alert, "ann", after(minutes))
        self.store(
            GeneratedAlerts(DEVICE_ALERTS.empty(), conform([changed], DEVICE_ALERTS), conform([event], ALERT_EVENTS))
        )

    def alerts(self) -> pd.DataFrame:
        return self._frame(sa.select(device_alerts).order_by(device_alerts.c.device_id))

    def rows(self, now: datetime) -> list[dict[str, Any]]:
        with self._engine.connect() as connection:
            return urgent_rows(connection, AlertFilter(), now)

    def events(self) -> pd.DataFrame:
        columns = alert_events.c
        query = sa.select(alert_events).order_by(columns.alert_id, columns.revision)
        with self._engine.connect() as connection:
            return conform([pd.DataFrame(connection.execute(query).mappings())], ALERT_EVENTS)

    def steps(self, device: str) -> list[tuple[str, str, float]]:
        """Action, actor and minute of the events of a device after its first."""
        own = self.alerts().set_index("device_id").loc[device, "alert_id"]
        events = self.events()
        minutes = (events["occurred_at"] - pd.Timestamp(TOLD)) / pd.Timedelta(minutes=1)
        chosen = (events["alert_id"] == own) & (events["revision"] > 1)
        rows = zip(events["action"], events["actor"], minutes, strict=True)
        return [row for row, wanted in zip(rows, chosen, strict=True) if wanted]

    def messages(self) -> list[StoredMessage]:
        """In the order in which they were stored."""
        with self._engine.connect() as connection:
            return list_messages(connection, OutboxFilter(limit=100_000))[::-1]

    def stands(self, device: str) -> tuple[str, str, bool]:
        row = self.alerts().set_index("device_id").loc[device]
        return row["status"], row["escalation_level"], bool(row["sla_breached"])

    def _frame(self, query: sa.Select[tuple[object, ...]]) -> pd.DataFrame:
        with self._engine.connect() as connection:
            return conform([pd.DataFrame(connection.execute(query).mappings())], DEVICE_ALERTS)


@contextmanager
def desk_in_memory(settings: IncidentSettings = SETTINGS) -> Iterator[Desk]:
    """A store of its own that leaves nothing behind."""
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    metadata.create_all(engine)
    try:
        yield Desk(engine, settings)
    finally:
        engine.dispose()


@pytest.fixture
def desk() -> Iterator[Desk]:
    with desk_in_memory() as desk:
        yield desk


BOTH = [("breach", "sla", 30.0), ("escalate", "sla", 60.0)]


def test_after_an_hour_in_which_nobody_looked_all_is_as_if_somebody_had(desk: Desk) -> None:
    desk.tell(CRITICAL)
    assert desk.look(61) == 1
    assert desk.stands("d1") == ("OPEN", "L3", True)
    assert desk.steps("d1") == BOTH
    messages = desk.messages()
    assert [(m.channel, m.kind, m.occurred_at, m.created_at) for m in messages] == [
        ("everyone", "deadline", after(30), after(61)),
        ("everyone", "deadline", after(60), after(61)),
    ]
    identity = desk.alerts()["alert_id"].iloc[0]
    assert messages[0].title == "CRITICAL, nobody has taken it: d1 in s1: Low-side pressure unusually low"
    assert messages[0].lines == (
        "It was to be taken by 2026-06-01 00:34 UTC and went to L2; the anomaly was first seen 2026-06-01 00:00 UTC.",
    )
    assert messages[0].commands == (f"fridge-assets alerts ack {identity[:8]}",)
    assert "went to L3" in messages[1].lines[0]
    assert desk.look(61) == desk.look(500) == 0, "a second look finds nothing"
    assert len(desk.messages()) == 2


def test_every_step_goes_to_the_next_channel(desk: Desk) -> None:
    desk.tell(MEDIUM, LOW)
    desk.look(10_000)
    by_device = {device: [m.channel for m in desk.messages() if f" {device} in" in m.title] for device in ("d1", "d2")}
    assert by_device == {"d1": ["operations", "on_call"], "d2": ["site_digest", "operations"]}


def test_the_story_adds_up_to_the_alert_and_the_overlay_to_what_a_look_stores(desk: Desk) -> None:
    desk.tell(CRITICAL, MEDIUM, LOW)
    expected = as_of(desk.alerts(), after(250), SETTINGS)
    rows = rows_as_of(desk.rows(after(250)), after(250), SETTINGS)
    assert desk.look(250) == 2
    pd.testing.assert_frame_equal(desk.alerts(), expected)
    assert rows == desk.rows(after(250))
    told = add_up(desk.events()).set_index("alert_id")[list(LIFE)]
    stored = desk.alerts().set_index("alert_id").loc[told.index, list(LIFE)]
    pd.testing.assert_frame_equal(told.astype(stored.dtypes), stored)


def test_acknowledged_exactly_at_the_deadline_is_in_time(desk: Desk) -> None:
    desk.tell(CRITICAL, CRITICAL)
    desk.act("d1", "acknowledge", 30)
    desk.act("d2", "acknowledge", 30 + 1 / 60)
    assert desk.stands("d1") == ("ACKNOWLEDGED", "L1", False)
    assert desk.stands("d2") == ("ACKNOWLEDGED", "L2", True)
    assert len(desk.messages()) == 1


@pytest.mark.parametrize("action", ["acknowledge", "start", "maintain", "resolve", "false_positive"])
def test_what_somebody_has_taken_or_closed_is_never_escalated(desk: Desk, action: str) -> None:
    desk.tell(CRITICAL)
    desk.act("d1", action, 29)
    assert desk.look(10_000) == 0
    assert desk.stands("d1")[1:] == ("L1", False)
    assert desk.messages() == []


def test_an_alert_that_is_taken_between_two_steps_stays_at_its_level(desk: Desk) -> None:
    desk.tell(CRITICAL)
    desk.act("d1", "acknowledge", 45)
    assert desk.look(10_000) == 0
    assert desk.stands("d1") == ("ACKNOWLEDGED", "L2", True)
    assert desk.steps("d1") == [("breach", "sla", 30.0), ("acknowledge", "ann", 45.0)]


def test_a_clock_that_jumps_back_breaches_nothing_twice(desk: Desk) -> None:
    desk.tell(CRITICAL)
    assert [desk.look(minutes) for minutes in (31, -29, 31, 61, 1, 61)] == [1, 0, 0, 1, 0, 0]
    assert desk.steps("d1") == BOTH
    assert len(desk.messages()) == 2


def test_escalated_by_hand_before_its_deadline_it_goes_on_from_there(desk: Desk) -> None:
    desk.tell(CRITICAL, CRITICAL)
    desk.act("d1", "escalate", 5)
    desk.act("d2", "escalate", 5)
    desk.act("d2", "escalate", 6)
    desk.look(500)
    assert desk.stands("d1") == desk.stands("d2") == ("OPEN", "L3", True)
    assert desk.steps("d1") == [("escalate", "ann", 5.0), ("breach", "sla", 30.0)]
    assert desk.steps("d2") == [("escalate", "ann", 5.0), ("escalate", "ann", 6.0), ("breach", "sla", 30.0)]
    events = desk.events()
    notes = set(events.loc[events["action"] == "breach", "note"])
    begins = "Nobody had taken it by 2026-06-01 00:34 UTC"
    assert notes == {f"{begins}: L2 to L3", f"{begins}: it stays at L3"}


def test_an_alert_that_continues_another_keeps_its_deadline_and_goes_on_from_its_level(desk: Desk) -> None:
    fleet = Fleet()
    desk.store(fleet.run(score("d1", 0, MEDIUM)))
    desk.store(fleet.run(score("d1", 4, MEDIUM)))
    assert desk.look(240) == 0
    assert desk.look(241) == 1
    newest = desk.alerts().sort_values("window_end").iloc[-1]
    assert (newest["status"], newest["escalation_level"], newest["sla_breached"]) == ("OPEN", "L2", True)
    assert newest["sla_deadline"] == newest["next_escalation_at"] - SETTINGS.sla_medium == pd.Timestamp(after(240))
    assert desk.look(481) == 1
    assert len(desk.messages()) == 2


def test_an_alert_that_is_opened_again_has_its_time_again_and_is_told_again() -> None:
    with desk_in_memory(SHORT) as desk:
        opened_again(desk)


def opened_again(desk: Desk) -> None:
    fleet = Fleet(SHORT)
    desk.store(fleet.run(score("d1", 0, MEDIUM)))
    desk.look(59)
    assert desk.stands("d1") == ("OPEN", "L2", True)
    fleet.alerts, fleet.events = desk.alerts(), desk.events()
    for hour, value in ((1, 0.1), (2, 0.1), (3, MEDIUM)):
        desk.store(fleet.run(score("d1", hour, value)))
    told = desk.alerts().query("not suppressed").iloc[0]
    assert (told["status"], told["escalation_level"], told["sla_breached"]) == ("OPEN", "L1", False)
    assert desk.look(231) == 1
    assert [m.occurred_at for m in desk.messages()] == [after(50), after(230)]


def test_many_alerts_of_one_step_are_told_as_a_list() -> None:
    with desk_in_memory(IncidentSettings(single_messages=2, listed_alerts=2)) as desk:
        desk.tell(CRITICAL, CRITICAL, CRITICAL, MEDIUM, MEDIUM)
        desk.look(31)
        desk.look(241)
        first, second, *others = desk.messages()
    assert first.title == second.title == "Nobody has taken 3 CRITICAL alerts in 2 sites"
    assert first.lines[0] == "They went to L2."
    assert [line.split(" ")[0] for line in first.lines[1:3]] == ["d1", "d2"]
    assert first.lines[3:] == ("and 1 more",)
    assert first.commands == ("fridge-assets alerts list --min-severity CRITICAL",)
    assert second.lines[0] == "They went to L3."
    assert [m.title.split(":")[0] for m in others] == ["MEDIUM, nobody has taken it"] * 2


def test_thousands_of_alerts_that_are_due_at_once_take_seconds_and_are_told_in_lists(operations: Operations) -> None:
    fleet = Fleet()
    one = fleet.run(score("d1", 0, CRITICAL))
    names = [f"a{n:05}" for n in range(3_000)]
    many = pd.concat([one.new] * 3_000, ignore_index=True).assign(alert_id=names)
    events = pd.concat([one.events] * 3_000, ignore_index=True).assign(alert_id=names, event_id=names)
    with operations.transaction() as connection:
        apply(connection, GeneratedAlerts(many, one.updated, events))
    began = time.process_time()  # whatever else the machine does
    assert watch_deadlines(operations, after(61), SETTINGS, after(61)) == 3_000
    assert time.process_time() - began < 6
    with operations.read() as connection:
        assert len(list_messages(connection, OutboxFilter())) == 2 * 3, "two steps of a thousand alerts each"
        levels = connection.scalars(sa.select(device_alerts.c.escalation_level).distinct()).all()
    assert levels == ["L3"]


def test_a_look_that_finds_nothing_reads_by_an_index_and_writes_nothing(operations: Operations) -> None:
    asked: list[str] = []
    with operations.transaction() as connection:
        sa.event.listen(connection, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))
        assert advance_deadlines(connection, TOLD, SETTINGS, TOLD).empty
        (statement,) = asked
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", (str(TOLD), 1, 0)).fetchall()
    assert "ix_device_alerts_next_escalation_at" in str(plan)


# --- every minute, or once


VALUES = st.lists(st.sampled_from([CRITICAL, MEDIUM, LOW]), min_size=1, max_size=3)
ACTION = st.tuples(
    st.integers(1, 3),
    st.sampled_from(["acknowledge", "start", "resolve", "false_positive", "escalate", "escalate"]),
    st.sampled_from([5, 30, 31, 45, 50, 51, 60, 61, 77, 78, 100, 101, 154, 155]),
)


def lived(values: list[float], actions: list[tuple[int, str, int]], looks: list[float]) -> tuple[pd.DataFrame, ...]:
    """What is stored at last when people act and somebody looks at these moments."""
    with desk_in_memory(SHORT) as desk:
        desk.tell(*values)
        moments = [(minute, 1, n) for n, (_, _, minute) in enumerate(actions)] + [(look, 0, -1) for look in looks]
        for minute, is_action, number in sorted(moments):
            if not is_action:
                desk.look(minute)
                continue
            device, action, _ = actions[number]
            if device <= len(values):
                try:
                    desk.act(f"d{device}", action, minute)
                except IllegalTransition:
                    continue
        messages = pd.DataFrame([(m.channel, m.key, m.title, m.lines) for m in desk.messages()])
        ordered = messages.sort_values([0, 1], ignore_index=True) if len(messages) else messages
        return desk.alerts(), desk.events(), ordered


@examples(max_examples=5, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
@given(
    values=VALUES,
    actions=st.lists(ACTION, max_size=4, unique_by=lambda action: action[2]),
    looks=st.lists(st.floats(0, 200), max_size=8),
)
def test_looking_often_is_the_same_as_looking_once(
    values: list[float], actions: list[tuple[int, str, int]], looks: list[float]
) -> None:
    same_life(lived(values, actions, [200.0]), lived(values, actions, [*looks, 200.0]))


def test_looking_every_minute_is_the_same_as_looking_once() -> None:
    values, actions = [CRITICAL, MEDIUM, LOW], [(2, "escalate", 51), (3, "acknowledge", 78), (1, "resolve", 45)]
    same_life(lived(values, actions, [200.0]), lived(values, actions, [float(minute) for minute in range(201)]))


def same_life(one: tuple[pd.DataFrame, ...], other: tuple[pd.DataFrame, ...]) -> None:
    for frame, twin in zip(one, other, strict=True):
        pd.testing.assert_frame_equal(frame, twin)
