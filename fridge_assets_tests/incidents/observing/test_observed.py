"""What a run of the models or of the rules observes: severity, sensor, direction, words, and what is quiet (SPEC 6)."""

from datetime import timedelta

import pandas as pd
import pytest

from fridge_assets.contracts import DEVICE_ALERTS
from fridge_assets.core.identity import deterministic_id
from fridge_assets.incidents.acting import act
from fridge_assets.incidents.observations import Act, Observed, Quiet, Seen, Span
from fridge_assets.incidents.terms import Severity, Sign
from fridge_assets.settings import IncidentSettings
from fridge_assets.stores.operations import Operations
from fridge_assets.work_orders.rules import order_id_of
from fridge_assets_tests.incidents.observing.fleet import (
    BASELINE,
    FOREST,
    LOW_SIDE,
    SUPERHEAT,
    Fleet,
    run_time,
    score,
    window,
)


@pytest.fixture
def fleet(operations: Operations) -> Fleet:
    return Fleet(operations)


def seen_of(observed: list[Observed]) -> list[Seen]:
    return [one.observation for one in observed if isinstance(one.observation, Seen)]


def test_new_trouble_becomes_one_alert_with_everything_an_operator_needs(fleet: Fleet) -> None:
    fleet.run(
        score("d1", 10, 0.91, FOREST, [LOW_SIDE, SUPERHEAT]),
        score("d1", 10, 0.72, BASELINE, [SUPERHEAT]),
        score("d2", 10, 0.10),
    )
    (alert,) = fleet.alerts.to_dict("records")
    assert alert.pop("title") == "Low-side pressure unusually low"
    assert alert.pop("description") == (
        "Low-side pressure averaged 141 kPa between 09:45 and 10:00 UTC, 28 % below the usual 196 kPa. "
        "Also superheat 15 K (usual 8 K). First seen 10:00 UTC. Two of two models agree (score 0.91)."
    )
    assert list(alert.pop("top_contributors")) == [LOW_SIDE, SUPERHEAT]
    assert list(alert.pop("score_ids")) == [
        deterministic_id("d1", 10, FOREST),
        deterministic_id("d1", 10, BASELINE),
    ]
    assert pd.isna(alert.pop("resolved_at"))
    assert pd.isna(alert.pop("suppressed_because"))
    now = pd.Timestamp(run_time(10))
    incident = fleet.incident()
    assert alert == {
        "alert_id": deterministic_id("d1", "2026-06-01T10:00:00+00:00", "models"),
        "device_id": "d1",
        "site_id": "s1",
        "alert_type": "ANOMALY_DETECTED",
        "severity": "HIGH",
        "model_id": FOREST,
        "anomaly_score": 0.91,
        "first_detected_at": window(10),
        "alert_created_at": now,
        "suppressed": False,
        "ontology_action_id": order_id_of(incident.incident_id),
        "status": "OPEN",
        "escalation_level": "L1",
        "sla_deadline": now + timedelta(hours=2),
        "sla_breached": False,
        "incident_id": incident.incident_id,
        "source": "models",
        "models_flagging": 2,
        "window_end": window(10),
        "note": "",
    }
    assert DEVICE_ALERTS.to_arrow(fleet.alerts).schema == DEVICE_ALERTS.arrow_schema
    assert incident.named == (Sign("pressure_low_side", "low"),)


def test_models_of_one_family_count_once(fleet: Fleet) -> None:
    two = [score("d1", 0, 0.9, "isolation_forest_v2"), score("d1", 0, 0.88, "isolation_forest_v3")]
    (seen,) = seen_of(fleet.observed(*two))
    assert (seen.families, seen.severity) == (1, Severity.MEDIUM)


def test_a_provisional_version_alone_is_medium_at_most_and_its_alert_says_why(fleet: Fleet) -> None:
    little = {"provisional": "trained on 14 h of one device"}
    observed = fleet.observed(
        score("d1", 0, 0.97) | little,
        score("d2", 0, 0.90) | little,
        score("d2", 0, 0.90, BASELINE) | little,
        score("d3", 0, 0.90) | little,
        score("d3", 0, 0.96, BASELINE),
        score("d4", 0, 0.65) | little,
    )
    assert [seen.severity.name for seen in seen_of(observed)] == ["MEDIUM", "MEDIUM", "CRITICAL", "LOW"]
    said = "Provisional, MEDIUM at most: its model was trained on 14 h of one device."
    assert [said in one.measured.description for one in observed if one.measured] == [True, True, False, True]


def test_highest_score_decides_model_and_sensor_whatever_the_row_order(fleet: Fleet) -> None:
    rows = [score("d1", 0, 0.65, BASELINE, [SUPERHEAT]), score("d1", 0, 0.95, FOREST, [LOW_SIDE])]
    assert fleet.observed(*rows) == fleet.observed(*reversed(rows))
    (one,) = fleet.observed(*rows)
    assert one.measured is not None
    assert (one.measured.model_id, one.measured.top_contributors) == (FOREST, (LOW_SIDE,))


def test_a_device_that_left_the_registry_is_still_seen(fleet: Fleet) -> None:
    assert [seen.site_id for seen in seen_of(fleet.observed(score("gone", 0, 0.9)))] == ["unassigned"]


def test_evidence_without_contributors_is_still_evidence(fleet: Fleet) -> None:
    fleet.run(score("d1", 0, 0.97, contributors=[]))
    fleet.run(score("d1", 1, 0.97, contributors=[]))
    assert fleet.alerts["suppressed"].tolist() == [False, True]
    assert fleet.alerts["title"].tolist() == ["Unusual behaviour"] * 2


def test_scores_of_two_windows_are_refused(fleet: Fleet) -> None:
    with pytest.raises(ValueError, match="2 windows"):
        fleet.observed(score("d1", 0, 0.9), score("d1", 1, 0.9))


def test_what_is_known_of_the_window_is_left_out_unless_it_is_more_severe(fleet: Fleet) -> None:
    fleet.run(score("d1", 0, 0.9))
    assert fleet.observed(score("d1", 0, 0.9)) == []
    (seen,) = seen_of(fleet.observed(score("d1", 0, 0.9), score("d1", 0, 0.99, BASELINE)))
    assert seen.severity == Severity.CRITICAL


def test_only_devices_with_an_open_incident_are_reported_quiet(fleet: Fleet) -> None:
    fleet.run(score("d1", 0, 0.97), score("d2", 0, 0.1))
    assert fleet.observed(score("d1", 1, 0.1), score("d2", 1, 0.1)) == [
        Observed("d1", Quiet("models", window(1).to_pydatetime()))
    ]


def test_a_window_without_a_score_of_its_own_is_not_a_quiet_one(fleet: Fleet) -> None:
    fleet.run(score("d1", 0, 0.97))
    carried = score("d1", 1, 0.1) | {"carried_from": window(0.5)}
    assert fleet.observed(score("d2", 1, 0.1)) == []
    assert fleet.observed(carried) == []


def test_two_quiet_windows_close_the_incident_and_one_between_flags_does_not(fleet: Fleet) -> None:
    fleet.run(score("d1", 0, 0.65))
    fleet.run(score("d1", 1, 0.1))
    fleet.run(score("d1", 2, 0.65))
    fleet.run(score("d1", 3, 0.1))
    assert fleet.incident().is_open
    fleet.run(score("d1", 4, 0.1))
    assert not fleet.incident().is_open
    assert fleet.events() == ["open", "quiet", "join", "quiet", "recover"]


def test_number_of_quiet_windows_is_a_setting(operations: Operations) -> None:
    fleet = Fleet(operations, IncidentSettings(resolve_after_windows=1))
    fleet.run(score("d1", 0, 0.97))
    fleet.run(score("d1", 1, 0.1))
    assert not fleet.incident().is_open


def test_medium_of_one_family_is_told_in_its_second_window(fleet: Fleet) -> None:
    for hour in (0, 1, 2):
        fleet.run(score("d1", hour, 0.8))
    assert list(fleet.alerts["suppressed_because"].fillna("")) == ["unconfirmed", "", "repeat"]


def test_what_a_daily_model_has_said_of_an_earlier_window_is_carried(fleet: Fleet) -> None:
    carried = score("d1", 1, 0.9) | {"carried_from": window(0.5)}
    (seen,) = seen_of(fleet.observed(carried))
    length = timedelta(minutes=15)
    end = window(0.5).to_pydatetime()
    assert (seen.families, seen.agreeing, seen.carried_from) == (1, 0, Span(end - length, end))
    (own,) = seen_of(fleet.observed(carried | {"model_id": BASELINE}, score("d1", 1, 0.65)))
    assert (own.families, own.agreeing, own.carried_from) == (2, 1, None)


def test_what_a_daily_model_has_said_before_the_incident_was_closed_opens_nothing_after_it(fleet: Fleet) -> None:
    fleet.run(score("d1", 0, 0.97))
    act(fleet.operations, "d1", Act("resolve", "ann"), run_time(1), fleet.settings)
    before, after = (score("d1", 5, 0.97) | {"carried_from": window(hour)} for hour in (0, 2))
    assert fleet.observed(before) == []
    (own,) = seen_of(fleet.observed(before, score("d1", 5, 0.65, BASELINE)))
    assert (own.severity.name, own.families) == ("LOW", 1)
    (seen,) = seen_of(fleet.observed(after))
    assert seen.severity.name == "CRITICAL"


def test_another_released_version_is_another_release(fleet: Fleet) -> None:
    (before,) = seen_of(fleet.observed(score("d1", 0, 0.9)))
    (after,) = seen_of(fleet.observed(score("d1", 0, 0.9) | {"model_version": "2.1.0"}))
    assert (before.release, after.release) == (f"{FOREST}@2.0.0", f"{FOREST}@2.1.0")


def test_words_say_since_when_the_incident_is_known(fleet: Fleet) -> None:
    fleet.run(score("d1", 0, 0.97))
    (one,) = fleet.observed(score("d1", 1, 0.97))
    assert one.measured is not None
    assert "First seen 00:00 UTC." in one.measured.description
