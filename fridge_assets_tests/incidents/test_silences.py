"""Expected work is told to nobody, is kept for audit, and what is still wrong after it is told (SPEC 6.1)."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from fridge_assets.core.errors import FridgeError
from fridge_assets.incidents.evidence_lists import HeldFilter, held_alerts, held_counts
from fridge_assets.incidents.observing import run
from fridge_assets.incidents.silences import Silence, add_silence, end_silence, list_silences, silences_between
from fridge_assets.settings import IncidentSettings, Settings
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.incidents.observing.fleet import BASELINE, EPOCH, Fleet, run_time, score, window
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
    return Silence(kind, device, site, hour(start), hour(end), "ann", "compressor replaced", hour(0))


def silence(fleet: Fleet, *made: Silence) -> None:
    """These are in force, too."""
    with fleet.operations.transaction() as connection:
        for one in made:
            add_silence(connection, one, SETTINGS)


@pytest.fixture
def fleet(operations: Operations) -> Fleet:
    return Fleet(operations)


def held(fleet: Fleet) -> list[str]:
    return list(fleet.alerts["suppressed_because"].fillna(""))


# --- what is held


@pytest.mark.parametrize("value", [0.65, 0.8, 0.99])
def test_whatever_the_severity_nothing_is_told_during_maintenance(fleet: Fleet, value: float) -> None:
    silence(fleet, maintenance(9, 12))
    fleet.run(score("d1", 10, value), score("d2", 10, 0.1))
    assert held(fleet) == ["silenced"]
    incident = fleet.incident()
    assert (incident.status, incident.told, incident.deadline) == ("OPEN", None, None)


@pytest.mark.parametrize(
    ("start", "end", "holds"),
    [
        pytest.param(8, 9.75, False, id="over when the window begins"),
        pytest.param(8, 9.76, True, id="over soon after the window began"),
        pytest.param(9.99, 11, True, id="begun just before the window ended"),
        pytest.param(10, 11, False, id="begun when the window ended"),
    ],
)
def test_a_window_is_held_by_any_overlap(fleet: Fleet, start: float, end: float, holds: bool) -> None:
    silence(fleet, maintenance(start, end))
    fleet.run(score("d1", 10, 0.97))
    assert held(fleet) == ["silenced" if holds else ""]


def test_what_a_daily_model_saw_during_maintenance_is_held_for_as_long_as_it_counts(fleet: Fleet) -> None:
    silence(fleet, maintenance(3, 4))
    fleet.run(score("d1", 10, 0.1), score("d1", 10, 0.97, BASELINE) | {"carried_from": window(3.25)})
    assert held(fleet) == ["silenced"]
    fleet.run(score("d1", 11, 0.1), score("d1", 11, 0.97, BASELINE) | {"carried_from": window(4.5)})
    assert held(fleet) == ["silenced", ""]


def test_what_is_still_wrong_after_the_silence_is_told_then(fleet: Fleet) -> None:
    silence(fleet, maintenance(9, 12))
    for at in (10, 11, 12.25):
        fleet.run(score("d1", at, 0.97))
    assert held(fleet) == ["silenced", "silenced", ""]
    incident = fleet.incident()
    assert incident.deadline == run_time(12.25) + SETTINGS.sla_critical
    assert incident.first_detected_at == hour(10)


def test_work_that_was_begun_before_the_silence_stays_as_it_is(fleet: Fleet) -> None:
    fleet.run(score("d1", 8, 0.9), score("d1", 8, 0.9, BASELINE))
    before = fleet.incident()
    silence(fleet, maintenance(9, 14))
    fleet.run(score("d1", 10, 0.99))
    after = fleet.incident()
    assert held(fleet) == ["", "silenced"]
    assert (after.told, after.deadline) == (before.told, before.deadline)


# --- the store


def test_a_silence_is_stored_once_and_found_by_the_spans_it_overlaps(operations: Operations) -> None:
    made = maintenance(9, 12)
    with operations.transaction() as connection:
        add_silence(connection, made, SETTINGS)
        add_silence(connection, made, SETTINGS)
    with operations.read() as connection:
        spans = ((8, 9), (8, 9.1), (11.9, 15), (12, 15))
        assert [len(silences_between(connection, hour(a), hour(b))) for a, b in spans] == [0, 1, 1, 0]
        assert silences_between(connection, hour(9), hour(10)) == [made]


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
        assert list_silences(connection) == []


def test_a_silence_that_is_ended_early_holds_nothing_from_then_on(operations: Operations) -> None:
    made = maintenance(9, 12)
    with operations.transaction() as connection:
        add_silence(connection, made, SETTINGS)
        ended = end_silence(connection, made.silence_id[:8], "bob", hour(10))
    assert ended == replace(made, ends_at=hour(10), ended_by="bob")
    with operations.read() as connection:
        assert silences_between(connection, hour(10), hour(12)) == []
        assert len(silences_between(connection, hour(9), hour(10))) == 1
        assert list_silences(connection, hour(10)) == []
        assert len(list_silences(connection)) == 1
    with pytest.raises(FridgeError, match="is over since 2026-06-01 10:00 UTC"), operations.transaction() as connection:
        end_silence(connection, made.silence_id, "bob", hour(11))


def test_a_silence_that_has_not_begun_is_taken_back(operations: Operations) -> None:
    made = maintenance(9, 12)
    with operations.transaction() as connection:
        add_silence(connection, made, SETTINGS)
        assert end_silence(connection, made.silence_id, "bob", hour(8)).ends_at == hour(9)
    with operations.read() as connection:
        assert silences_between(connection, hour(0), hour(24)) == []
        assert list_silences(connection, hour(8)) == []
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


def test_expected_work_tells_nobody_and_the_audit_shows_what_was_held_and_by_whom(shop: Shop) -> None:
    quiet(shop, "d1", NOON - HOUR, NOON + HOUR)
    shop.by_models(NOON, {"d1": 0.99, "d2": 0.65})
    assert stored(shop.operations) == {}, "nobody is told"
    shop.by_models(NOON + HOUR, {"d1": 0.99, "d2": 0.65})
    with shop.operations.read() as connection:
        assert held_counts(connection, HeldFilter()) == [
            {"suppressed_because": "silenced", "alerts": 2, "devices": 1},
            {"suppressed_because": "repeat", "alerts": 1, "devices": 1},
        ]
        (newest,) = held_alerts(connection, HeldFilter(because="silenced", limit=1))
        assert [row["alerts"] for row in held_counts(connection, HeldFilter(since=NOON + MINUTE))] == [1, 1]
        assert held_alerts(connection, HeldFilter(device_id="d3")) == []
        assert len(held_alerts(connection, HeldFilter(site_id="site of d1"))) == 2
    assert (newest["device_id"], newest["severity"], newest["window_end"]) == ("d1", "CRITICAL", NOON + HOUR)
    assert newest["why"] == "Held by maintenance of ann until 2026-06-01 13:00 UTC: door seal"
    shop.by_models(NOON + 2 * HOUR, {"d1": 0.99, "d2": 0.65})
    assert [message.title.split(":")[0] for message in stored(shop.operations).values()] == ["CRITICAL"]


def test_a_silence_that_is_added_while_words_are_made_holds(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    observed = run.observed_in

    def while_a_silence_is_added(*arguments: Any) -> Any:
        quiet(shop, "d1", NOON - HOUR, NOON + HOUR)
        return observed(*arguments)

    monkeypatch.setattr(run, "observed_in", while_a_silence_is_added)
    shop.by_models(NOON, {"d1": 0.99})
    assert list(shop.alerts()["suppressed_because"]) == ["silenced"]
    assert stored(shop.operations) == {}
