"""What holds for every history: nothing lost, few repeats told, recovery complete, events that add up."""

import json
from datetime import datetime, timedelta

import pandas as pd
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from fridge_assets.alerting.actions import PEOPLES_ACTIONS
from fridge_assets.alerting.events import LIFE, add_up
from fridge_assets.alerting.frames import conform
from fridge_assets.alerting.lifecycle import TRANSITIONS, IllegalTransition
from fridge_assets.alerting.severity import rank_of
from fridge_assets.alerting.silences import Silence
from fridge_assets.contracts import DEVICE_ALERTS, SILENCES
from fridge_assets.contracts.device_alerts import SEVERITIES
from fridge_assets_tests.alerting.fleet import (
    BASELINE,
    LOW_SIDE,
    SETTINGS,
    SUPERHEAT,
    Fleet,
    run_time,
    score,
    window,
)

SLA_SPANS = dict(
    zip(SEVERITIES, (SETTINGS.sla_low, SETTINGS.sla_medium, SETTINGS.sla_high, SETTINGS.sla_critical), strict=True)
)
WINDOWS = 10
DEVICES = 20

scored = st.tuples(
    st.sampled_from([0.1, 0.1, 0.65, 0.75, 0.9, 0.97]), st.booleans(), st.sampled_from([LOW_SIDE, SUPERHEAT])
)
device_history = st.lists(st.one_of(scored, scored, scored, st.none()), min_size=WINDOWS, max_size=WINDOWS)
fleet_history = st.lists(device_history, min_size=DEVICES, max_size=DEVICES)
deed = st.tuples(st.integers(0, WINDOWS - 1), st.integers(0, 1000), st.sampled_from(PEOPLES_ACTIONS))
"""A person does something about some alert, after the run of a window; it may be refused."""
quiet_span = st.tuples(st.integers(0, DEVICES - 1), st.integers(0, WINDOWS - 1), st.integers(1, 3))
"""A device is not to be told of for some windows."""


def rows_of(history: list[list[tuple[float, bool, str] | None]], hour: int) -> list[dict[str, object]]:
    """Score rows of one window; a flagged device may be flagged by a second model too."""
    rows = []
    for number, cells in enumerate(history):
        if (cell := cells[hour]) is None:
            continue
        value, agreed, contributor = cell
        rows.append(score(f"d{number}", hour, value, contributors=[contributor]))
        rows.append(score(f"d{number}", hour, 0.62 if agreed and value > 0.6 else 0.2, BASELINE, [SUPERHEAT]))
    return rows


# A history takes a second to run, so a failing one is shown as it is instead of being shrunk for minutes.
@settings(max_examples=8, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
@given(
    history=fleet_history,
    deeds=st.lists(deed, max_size=12),
    quiet_spans=st.lists(quiet_span, max_size=3),
    repeated=st.integers(0, WINDOWS - 1),
    jumps_back=st.integers(1, WINDOWS - 1),
    looks=st.sets(st.integers(0, WINDOWS - 1), max_size=4),
)
def test_invariants_of_alerting(
    history: list[list[tuple[float, bool, str] | None]],
    deeds: list[tuple[int, int, str]],
    quiet_spans: list[tuple[int, int, int]],
    repeated: int,
    jumps_back: int,
    looks: set[int],
) -> None:
    fleet = Fleet()
    fleet.silences = silences_of(quiet_spans)
    closed_by_people: set[str] = set()
    for hour in range(WINDOWS):
        rows = rows_of(history, hour)
        if not rows:
            continue
        now = run_time(hour - 1 if hour == jumps_back else hour)
        fleet.watch(now)
        fleet.run(*rows, now=now)
        if hour == repeated:
            again = fleet.run(*rows, now=now)
            assert (len(again.new), len(again.updated), len(again.events)) == (0, 0, 0)
        every_flag_has_an_alert_and_open_work(fleet, rows, hour, closed_by_people)
        recovered_devices_have_no_work(fleet, history, hour)
        for _, which, action in [d for d in deeds if d[0] == hour]:
            closed_by_people |= do(fleet, which, action, run_time(hour + 0.5))
        if hour in looks:
            fleet.watch(run_time(hour + 0.75))
    end = run_time(WINDOWS)
    fleet.watch(end)
    stored_alerts_are_sound(fleet)
    deadlines_are_consistent(fleet, end)
    events_add_up(fleet)


def silences_of(spans: list[tuple[int, int, int]]) -> pd.DataFrame:
    """SILENCES rows of devices, each until the end of its last window."""
    made = [
        Silence(
            kind="maintenance",
            device_id=f"d{device}",
            site_id=None,
            starts_at=(window(first) - timedelta(minutes=15)).to_pydatetime(),
            ends_at=window(first + length - 1).to_pydatetime(),
            actor="ann",
            reason="compressor replaced",
            created_at=run_time(0),
        )
        for device, first, length in spans
    ]
    rows = [vars(silence) | {"silence_id": silence.silence_id} for silence in made]
    return conform([pd.DataFrame(rows)], SILENCES)


def do(fleet: Fleet, which: int, action: str, now: datetime) -> set[str]:
    """A person acts on one of the told alerts, or is refused; returns the problem if it is closed then."""
    told = fleet.alerts[~fleet.alerts["suppressed"].astype(bool)]
    if told.empty:
        return set()
    alert = told.iloc[[which % len(told)]]
    alert_id, before = alert["alert_id"].item(), alert["status"].item()
    fleet.watch(now)
    events = len(fleet.events)
    try:
        fleet.person(alert_id, action, now)
    except IllegalTransition:
        assert len(fleet.events) == events
        return set()
    after = fleet.alerts.set_index("alert_id").loc[alert_id, "status"]
    assert after in TRANSITIONS[action][before]
    return set(problem_of(alert)) if after in ("RESOLVED", "FALSE_POSITIVE") else set()


def every_flag_has_an_alert_and_open_work(
    fleet: Fleet, rows: list[dict[str, object]], hour: int, closed_by_people: set[str]
) -> None:
    flagged = {str(row["device_id"]) for row in rows if row["anomaly_flag"]}
    in_window = fleet.alerts[fleet.alerts["window_end"] == window(hour)]
    assert sorted(in_window["device_id"]) == sorted(flagged)
    working = set(problem_of(fleet.active))
    held = in_window["suppressed_because"] == "maintenance"
    assert set(problem_of(in_window[~held])) <= working | closed_by_people


def recovered_devices_have_no_work(
    fleet: Fleet, history: list[list[tuple[float, bool, str] | None]], hour: int
) -> None:
    for number, cells in enumerate(history):
        values = [cell[0] for cell in cells[: hour + 1] if cell is not None]
        if cells[hour] is not None and len(values) >= 2 and max(values[-2:]) < 0.6:
            assert f"d{number}" not in set(fleet.active["device_id"])


def stored_alerts_are_sound(fleet: Fleet) -> None:
    alerts = fleet.alerts.assign(rank=rank_of(fleet.alerts["severity"]), problem=problem_of(fleet.alerts))
    DEVICE_ALERTS.to_arrow(alerts)
    assert alerts["alert_id"].is_unique
    assert not fleet.active["suppressed"].any()
    assert problem_of(fleet.active).is_unique
    assert (alerts["first_detected_at"] <= alerts["window_end"]).all()
    for _, told in alerts[~alerts["suppressed"]].groupby("problem"):
        dedup_bound_holds(told.sort_values(["alert_created_at", "window_end"]))
    for alert_id, events in fleet.events.groupby("alert_id", sort=False):
        assert pd.isna(events["from_status"].iloc[0])
        assert events["from_status"].tolist()[1:] == events["to_status"].tolist()[:-1]
        assert events["to_status"].iloc[-1] == alerts.set_index("alert_id").loc[alert_id, "status"]
    assert set(fleet.events["alert_id"]) == set(alerts["alert_id"])
    assert fleet.events["event_id"].is_unique


def deadlines_are_consistent(fleet: Fleet, now: datetime) -> None:
    """What the columns say of deadlines agrees with each other, with the events and with the time."""
    alerts = fleet.alerts
    waits = alerts["next_escalation_at"].notna()
    assert (alerts.loc[waits, "status"] == "OPEN").all()
    assert (alerts.loc[waits, "next_escalation_at"] >= pd.Timestamp(now)).all()
    late = (alerts["status"] == "OPEN") & (alerts["sla_deadline"] < pd.Timestamp(now))
    assert alerts.loc[late, "sla_breached"].all()
    closed = alerts["status"].isin(["RESOLVED", "FALSE_POSITIVE"])
    assert (alerts["resolved_at"].notna() == closed).all()
    assert (alerts["suppressed_because"].notna() == alerts["suppressed"].astype(bool)).all()
    breaches = fleet.events[fleet.events["action"] == "breach"]
    deadlines = [pd.Timestamp(json.loads(changes)["next_escalation_at"]) for changes in breaches["changes"]]
    spans = [SLA_SPANS[severity] for severity in alerts.set_index("alert_id").loc[breaches["alert_id"], "severity"]]
    for moment, following, span in zip(breaches["occurred_at"], deadlines, spans, strict=True):
        assert pd.isna(following) or following == moment + span


def events_add_up(fleet: Fleet) -> None:
    """The events of every alert give the row that is stored."""
    added_up = add_up(fleet.events).set_index("alert_id")
    stored = fleet.alerts.set_index("alert_id")
    assert set(added_up.index) == set(stored.index)
    for name in ("revision", *LIFE):
        told, kept = added_up[name].reindex(stored.index), stored[name]
        assert ((told == kept) | (told.isna() & kept.isna())).all(), name


def dedup_bound_holds(told: pd.DataFrame) -> None:
    """Within a span, which begins with the first alert told, every further one is more severe than before."""
    began, highest = None, -1
    for alert in told.itertuples():
        if began is None or alert.alert_created_at >= began + SETTINGS.dedup:
            began, highest = alert.alert_created_at, alert.rank
            continue
        assert alert.rank > highest
        highest = alert.rank


def problem_of(alerts: pd.DataFrame) -> pd.Series:
    """Device and dominant contributor."""
    return alerts["device_id"] + " " + alerts["top_contributors"].str[0]
