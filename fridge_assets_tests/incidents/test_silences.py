"""Expected work raises nothing, is kept for audit, and what is still anomalous after it is told (SPEC 6)."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from fridge_assets.alerting import run
from fridge_assets.alerting.audit import AuditFilter, held_alerts, held_counts
from fridge_assets.alerting.silences import Silence, add_silence, end_silence, list_silences, silences_between
from fridge_assets.contracts import SILENCES
from fridge_assets.core.errors import FridgeError
from fridge_assets.settings import IncidentSettings, Settings
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.alerting.fleet import EPOCH, SUPERHEAT, Fleet, run_time, score, window
from fridge_assets_tests.alerting.test_streaming import ONSET, carried, of, streamed
from fridge_assets_tests.notifications.given import stored
from fridge_assets_tests.staleness.given import MINUTE, NOON
from fridge_assets_tests.staleness.test_fallback import HOUR, Shop

SETTINGS = IncidentSettings()


def hour(number: float) -> datetime:
    return (EPOCH + timedelta(hours=number)).to_pydatetime()


def maintenance(
    start: float, end: float, device: str | None = "d1", site: str | None = None, kind: str = "maintenance"
) -> Silence:
    """Work of ann on a device or a site between two hours."""
    return Silence(kind, device, site, hour(start), hour(end), "ann", "compressor replaced", hour(start))


def silence(fleet: Fleet, *made: Silence) -> None:
    """These and no others are in force."""
    rows = pd.DataFrame([{"silence_id": one.silence_id, **vars(one)} for one in made])
    fleet.silences = SILENCES.to_arrow(rows).to_pandas() if made else SILENCES.empty()


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


# --- what is held


@pytest.mark.parametrize("value", [0.65, 0.8, 0.99])
def test_whatever_the_severity_nothing_is_told_during_maintenance(fleet: Fleet, value: float) -> None:
    silence(fleet, maintenance(9, 12))
    (alert,) = fleet.run(score("d1", 10, value), score("d2", 10, 0.1)).new.to_dict("records")
    assert (alert["suppressed"], alert["suppressed_because"], alert["status"]) == (True, "maintenance", "RESOLVED")
    assert pd.isna(alert["next_escalation_at"])
    (event,) = fleet.events.to_dict("records")
    assert (event["action"], event["note"]) == (
        "suppress", "Held by maintenance of ann until 2026-06-01 12:00 UTC: compressor replaced",
    )  # fmt: skip


def test_a_silence_of_a_site_holds_all_its_devices_and_no_others(fleet: Fleet) -> None:
    silence(fleet, maintenance(9, 12, None, "s1", kind="silence"))
    new = fleet.run(*(score(device, 10, 0.8) for device in ("d1", "d2", "d3"))).new.set_index("device_id")
    assert new["suppressed"].to_dict() == {"d1": True, "d2": True, "d3": False}
    assert new["suppressed_because"].dropna().to_dict() == {"d1": "silence", "d2": "silence"}


@pytest.mark.parametrize(
    ("start", "end", "holds"),
    [
        pytest.param(8, 9.75, False, id="over when the window begins"),
        pytest.param(8, 9.76, True, id="over soon after the window began"),
        pytest.param(9.99, 11, True, id="begun just before the window ended"),
        pytest.param(10, 11, False, id="begun when the window ended"),
        pytest.param(9.9, 9.9, False, id="taken back before it began"),
    ],
)
def test_a_window_is_held_by_any_overlap(fleet: Fleet, start: float, end: float, holds: bool) -> None:
    silence(fleet, maintenance(start, end))
    assert fleet.run(score("d1", 10, 0.8)).new["suppressed"].tolist() == [holds]


def test_of_several_silences_the_one_that_ends_last_is_named(fleet: Fleet) -> None:
    silence(fleet, maintenance(9, 12), maintenance(9, 11), maintenance(9, 13, None, "s1", kind="silence"))
    new = fleet.run(score("d1", 10, 0.8)).new
    assert new["suppressed_because"].tolist() == ["silence"]
    assert fleet.events["note"].str.contains("until 2026-06-01 13:00 UTC").all()


def test_what_a_daily_model_saw_during_maintenance_is_held_for_as_long_as_it_counts(fleet: Fleet) -> None:
    silence(fleet, maintenance(3, 4))
    assert fleet.run(score("d1", 10, 0.1), carried(0.8, 3.25, 10)).new["suppressed"].tolist() == [True]
    assert fleet.run(score("d1", 11, 0.1), carried(0.8, 4.5, 11)).new["suppressed"].tolist() == [False]
    own = fleet.run(score("d1", 20, 0.9), carried(0.8, 3.25, 20)).new
    assert own["suppressed"].tolist() == [False], "the hourly model says it of this window"


# --- before, during and after


def test_the_run_after_the_silence_tells(fleet: Fleet) -> None:
    silence(fleet, maintenance(9, 12))
    fleet.run(score("d1", 10, 0.8))
    fleet.run(score("d1", 11, 0.8))
    (alert,) = fleet.run(score("d1", 12.25, 0.8)).new.to_dict("records")
    assert (alert["suppressed"], alert["status"], alert["alert_type"]) == (False, "OPEN", "ANOMALY_DETECTED")
    assert alert["dedup_until"] == pd.Timestamp(run_time(12.25)) + SETTINGS.dedup


def test_an_alert_that_was_open_before_keeps_its_work(fleet: Fleet) -> None:
    before = fleet.run(score("d1", 8, 0.75)).new["alert_id"].iloc[0]
    fleet.person_sets(before, "IN_PROGRESS", run_time(8.5))
    was = of(fleet, before)
    silence(fleet, maintenance(9, 14))
    during = [fleet.run(score("d1", at, 0.99)).new for at in (10, 13)]
    assert [new["suppressed_because"].tolist() for new in during] == [["maintenance"], ["maintenance"]]
    assert str(of(fleet, before)) == str(was)


def test_the_same_window_that_becomes_more_severe_changes_no_alert_that_was_told(fleet: Fleet) -> None:
    fleet.run(score("d1", 10, 0.65))
    silence(fleet, maintenance(9, 12))
    again = fleet.run(score("d1", 10, 0.99))
    assert (len(again.new), len(again.updated)) == (0, 0)
    assert fleet.active["severity"].tolist() == ["LOW"]


def test_what_recovery_had_closed_stays_closed_during_maintenance(fleet: Fleet) -> None:
    fleet.run(score("d1", 8, 0.8))
    for quiet in (8.25, 8.5):
        fleet.run(score("d1", quiet, 0.1))
    silence(fleet, maintenance(9, 12))
    fleet.run(score("d1", 9.5, 0.8))
    assert fleet.active.empty
    fleet.run(score("d1", 11.5, 0.8, contributors=[SUPERHEAT]))
    silence(fleet)
    fleet.run(score("d1", 11.75, 0.8))
    assert fleet.active["window_end"].tolist() == [window(8)], "after it the rules hold as ever"


def test_an_acute_alert_of_before_is_judged_as_ever(fleet: Fleet) -> None:
    acute = streamed(fleet)
    silence(fleet, maintenance(ONSET + 0.1, 12))
    fleet.run(score("d1", 10, 0.9, contributors=["current_compressor_mean"]))
    assert (of(fleet, acute)["status"], of(fleet, acute)["alert_type"]) == ("OPEN", "ANOMALY_SUSTAINED")
    held = fleet.alerts[fleet.alerts["source"] == "models"]
    assert held["suppressed_because"].tolist() == ["maintenance"]


# --- the store


def test_a_silence_is_stored_once_and_found_by_the_spans_it_overlaps(operations: Operations) -> None:
    made = maintenance(9, 12)
    with operations.transaction() as connection:
        add_silence(connection, made, SETTINGS)
        add_silence(connection, made, SETTINGS)
    with operations.read() as connection:
        spans = ((8, 9), (8, 9.1), (11.9, 15), (12, 15))
        assert [len(silences_between(connection, hour(a), hour(b))) for a, b in spans] == [0, 1, 1, 0]
        (row,) = silences_between(connection, hour(9), hour(10)).to_dict("records")
    assert (row["silence_id"], row["device_id"], row["ends_at"]) == (made.silence_id, "d1", pd.Timestamp(hour(12)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ends_at": hour(9)}, "a silence from 2026-06-01 09:00 to 2026-06-01 09:00 UTC ends before it begins"),
        ({"device_id": None}, "a silence is of neither a device and a site. Name one of them"),
        ({"site_id": "s1"}, "a silence is of both a device and a site"),
        ({"ends_at": hour(9) + timedelta(days=30, minutes=1)}, "a silence of 30 d is longer than 30 d. Make a shorter"),
        ({"reason": " "}, "a silence without a reason. Say why"),
        ({"kind": "holiday"}, "there is no kind of silence 'holiday'. Choose one of maintenance, silence"),
    ],
)
def test_an_unsound_silence_is_refused(operations: Operations, change: dict[str, Any], said: str) -> None:
    with pytest.raises(FridgeError, match=said), operations.transaction() as connection:
        add_silence(connection, replace(maintenance(9, 12), **change), SETTINGS)
    with operations.read() as connection:
        assert list_silences(connection).empty


def test_a_silence_that_is_ended_early_holds_nothing_from_then_on(operations: Operations) -> None:
    made = maintenance(9, 12)
    with operations.transaction() as connection:
        add_silence(connection, made, SETTINGS)
        ended = end_silence(connection, made.silence_id[:8], "bob", hour(10))
    assert ended == replace(made, ends_at=hour(10), ended_by="bob")
    with operations.read() as connection:
        assert silences_between(connection, hour(10), hour(12)).empty
        assert len(silences_between(connection, hour(9), hour(10))) == 1
        assert list_silences(connection, hour(10)).empty
        assert len(list_silences(connection)) == 1
    with pytest.raises(FridgeError, match="is over since 2026-06-01 10:00 UTC"), operations.transaction() as connection:
        end_silence(connection, made.silence_id, "bob", hour(11))


def test_a_silence_that_has_not_begun_is_taken_back(operations: Operations) -> None:
    made = maintenance(9, 12)
    with operations.transaction() as connection:
        add_silence(connection, made, SETTINGS)
        assert end_silence(connection, made.silence_id, "bob", hour(8)).ends_at == hour(9)
    with operations.read() as connection:
        assert silences_between(connection, hour(0), hour(24)).empty
        assert list_silences(connection, hour(8)).empty
    with pytest.raises(FridgeError, match="is over since"), operations.transaction() as connection:
        end_silence(connection, made.silence_id, "bob", hour(8))


def test_only_a_silence_that_is_known_can_be_ended(operations: Operations) -> None:
    with operations.transaction() as connection:
        add_silence(connection, maintenance(9, 12), SETTINGS)
        add_silence(connection, maintenance(9, 12, "d2"), SETTINGS)
    with pytest.raises(FridgeError, match="no silence begins with 'xxxx'"), operations.transaction() as connection:
        end_silence(connection, "xxxx", "bob", hour(10))
    with pytest.raises(FridgeError, match="'' is too short for a silence"), operations.transaction() as connection:
        end_silence(connection, "", "bob", hour(10))


# --- one run, and the audit


@pytest.fixture
def shop(warehouse: Warehouse, operations: Operations, settings: Settings) -> Shop:
    return Shop(warehouse, operations, settings)


def quiet(shop: Shop, device: str, start: datetime, end: datetime) -> None:
    made = Silence("maintenance", device, None, start, end, "ann", "door seal", start)
    with shop.operations.transaction() as connection:
        add_silence(connection, made, SETTINGS)


def test_expected_work_raises_nothing_and_the_audit_shows_what_was_held(shop: Shop) -> None:
    quiet(shop, "d1", NOON - HOUR, NOON + HOUR)
    shop.by_models(NOON, {"d1": 0.99, "d2": 0.65})
    assert stored(shop.operations) == {}, "nobody is told"
    assert list(shop.alerts()["device_id"]) == ["d2"]
    shop.by_models(NOON + HOUR, {"d1": 0.99, "d2": 0.65})
    with shop.operations.read() as connection:
        assert held_counts(connection, AuditFilter()).to_dict("records") == [
            {"suppressed_because": "maintenance", "alerts": 2, "devices": 1},
            {"suppressed_because": "repeat", "alerts": 1, "devices": 1},
        ]
        wanted = AuditFilter(because="maintenance", limit=1)
        (newest,) = held_alerts(connection, wanted).to_dict("records")
        assert held_counts(connection, AuditFilter(since=NOON + MINUTE))["alerts"].tolist() == [1, 1]
        assert held_alerts(connection, AuditFilter(device_id="d3")).empty
        assert len(held_alerts(connection, AuditFilter(site_id="site of d1"))) == 2
    assert (newest["device_id"], newest["severity"], newest["window_end"]) == (
        "d1", "CRITICAL", pd.Timestamp(NOON + HOUR),
    )  # fmt: skip
    assert newest["event_note"] == "Held by maintenance of ann until 2026-06-01 13:00 UTC: door seal"
    shop.by_models(NOON + 2 * HOUR, {"d1": 0.99, "d2": 0.65})
    assert [message.title.split(":")[0] for message in stored(shop.operations).values()] == ["CRITICAL"]


def test_a_silence_that_is_added_while_alerts_are_generated_holds(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    generate, times = run.generate_alerts, list[int]()

    def while_a_silence_is_added(*arguments: Any) -> Any:
        if not times:
            quiet(shop, "d1", NOON - HOUR, NOON + HOUR)
        times.append(len(times))
        return generate(*arguments)

    monkeypatch.setattr(run, "generate_alerts", while_a_silence_is_added)
    shop.by_models(NOON, {"d1": 0.99})
    assert len(times) == 2
    assert list(shop.alerts(active=False)["suppressed_because"]) == ["maintenance"]
    assert stored(shop.operations) == {}
