"""What holds for every history: nothing lost, few repeats told, recovery complete, events that add up."""

import pandas as pd
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from fridge_assets.alerting.severity import rank_of
from fridge_assets.contracts import DEVICE_ALERTS
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

WINDOWS = 10
DEVICES = 20

scored = st.tuples(
    st.sampled_from([0.1, 0.1, 0.65, 0.75, 0.9, 0.97]), st.booleans(), st.sampled_from([LOW_SIDE, SUPERHEAT])
)
device_history = st.lists(st.one_of(scored, scored, scored, st.none()), min_size=WINDOWS, max_size=WINDOWS)
fleet_history = st.lists(device_history, min_size=DEVICES, max_size=DEVICES)
person = st.tuples(st.integers(0, WINDOWS - 1), st.sampled_from(["ACKNOWLEDGED", "IN_PROGRESS", "RESOLVED"]))


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
@settings(max_examples=6, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
@given(
    history=fleet_history,
    actions=st.lists(person, max_size=3, unique_by=lambda action: action[0]),
    repeated=st.integers(0, WINDOWS - 1),
)
def test_invariants_of_alerting(
    history: list[list[tuple[float, bool, str] | None]], actions: list[tuple[int, str]], repeated: int
) -> None:
    fleet = Fleet()
    closed_by_people: set[str] = set()
    for hour in range(WINDOWS):
        rows = rows_of(history, hour)
        if not rows:
            continue
        fleet.run(*rows)
        if hour == repeated:
            again = fleet.run(*rows, now=run_time(hour + 0.25))
            assert (len(again.new), len(again.updated), len(again.events)) == (0, 0, 0)
        every_flag_has_an_alert_and_open_work(fleet, rows, hour, closed_by_people)
        recovered_devices_have_no_work(fleet, history, hour)
        for when, status in actions:
            open_alerts = fleet.active[fleet.active["status"] == "OPEN"]
            if when == hour and len(open_alerts):
                chosen = open_alerts.iloc[0]
                fleet.person_sets(chosen["alert_id"], status, run_time(hour + 0.5))
                if status == "RESOLVED":
                    closed_by_people.add(f"{chosen['device_id']} {chosen['top_contributors'][0]}")
    stored_alerts_are_sound(fleet)


def every_flag_has_an_alert_and_open_work(
    fleet: Fleet, rows: list[dict[str, object]], hour: int, closed_by_people: set[str]
) -> None:
    flagged = {str(row["device_id"]) for row in rows if row["anomaly_flag"]}
    in_window = fleet.alerts[fleet.alerts["window_end"] == window(hour)]
    assert sorted(in_window["device_id"]) == sorted(flagged)
    working = set(problem_of(fleet.active))
    assert set(problem_of(in_window)) <= working | closed_by_people


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
        dedup_bound_holds(told.sort_values("alert_created_at"))
    for alert_id, events in fleet.events.groupby("alert_id", sort=False):
        assert pd.isna(events["from_status"].iloc[0])
        assert events["from_status"].tolist()[1:] == events["to_status"].tolist()[:-1]
        assert events["to_status"].iloc[-1] == alerts.set_index("alert_id").loc[alert_id, "status"]
    assert set(fleet.events["alert_id"]) == set(alerts["alert_id"])
    assert fleet.events["event_id"].is_unique


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
