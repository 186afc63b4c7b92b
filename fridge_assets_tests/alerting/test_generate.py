"""From scores to alerts, one situation at a time (SPEC 6)."""

from datetime import timedelta

import pandas as pd
import pytest

from fridge_assets.alerting.generate import generate_alerts
from fridge_assets.contracts import ALERT_EVENTS, DEVICE_ALERTS, SILENCES
from fridge_assets.core.identity import deterministic_id
from fridge_assets.diagnosis.causes import built_in
from fridge_assets.scoring.comparisons import no_comparisons
from fridge_assets.settings import IncidentSettings
from fridge_assets.work_orders.rules import order_id_of
from fridge_assets_tests.alerting.fleet import (
    BASELINE,
    FOREST,
    LOW_SIDE,
    SUPERHEAT,
    Fleet,
    frame,
    run_time,
    score,
    window,
)


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


def test_new_anomaly_becomes_one_open_alert_with_everything_an_operator_needs(fleet: Fleet) -> None:
    generated = fleet.run(
        score("d1", 10, 0.91, FOREST, [LOW_SIDE, SUPERHEAT]),
        score("d1", 10, 0.72, BASELINE, [SUPERHEAT]),
        score("d2", 10, 0.10),
    )
    assert len(generated.new) == 1
    alert = generated.new.iloc[0].to_dict()
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
    assert alert.pop("ontology_action_id") == order_id_of(str(alert["alert_id"])), "HIGH asks for work"
    assert pd.isna(alert.pop("suppressed_because"))
    now = pd.Timestamp(run_time(10))
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
        "status": "OPEN",
        "escalation_level": "L1",
        "sla_deadline": now + timedelta(hours=2),
        "sla_breached": False,
        "next_escalation_at": now + timedelta(hours=2),
        "source": "models",
        "models_flagging": 2,
        "window_end": window(10),
        "dedup_until": now + timedelta(hours=4),
        "note": "",
        "revision": 1,
    }
    event = generated.events.iloc[0]
    assert (event["actor"], event["action"], event["to_status"]) == ("models", "detect", "OPEN")
    assert pd.isna(event["from_status"])
    assert event["occurred_at"] == now


def test_frames_keep_their_contracts_also_when_there_is_nothing_to_tell(fleet: Fleet) -> None:
    quiet, loud = fleet.run(score("d1", 0, 0.1)), fleet.run(score("d1", 1, 0.9))
    for generated in (quiet, loud):
        assert DEVICE_ALERTS.to_arrow(generated.new).schema == DEVICE_ALERTS.arrow_schema
        assert DEVICE_ALERTS.to_arrow(generated.updated).schema == DEVICE_ALERTS.arrow_schema
        assert ALERT_EVENTS.to_arrow(generated.events).schema == ALERT_EVENTS.arrow_schema
    assert quiet.new.empty
    assert quiet.events.empty


def test_models_of_one_family_count_once(fleet: Fleet) -> None:
    alert = fleet.run(score("d1", 0, 0.9, "isolation_forest_v2"), score("d1", 0, 0.88, "isolation_forest_v3")).new
    assert alert["models_flagging"].tolist() == [1]
    assert alert["severity"].tolist() == ["MEDIUM"]


def test_a_provisional_version_alone_is_medium_at_most_and_its_alert_says_why(fleet: Fleet) -> None:
    little = {"provisional": "trained on 14 h of one device"}
    alerts = fleet.run(
        score("d1", 0, 0.97) | little,
        score("d2", 0, 0.90) | little,
        score("d2", 0, 0.90, BASELINE) | little,
        score("d3", 0, 0.90) | little,
        score("d3", 0, 0.96, BASELINE),
        score("d4", 0, 0.65) | little,
    ).new
    assert alerts["severity"].tolist() == ["MEDIUM", "MEDIUM", "CRITICAL", "LOW"]
    said = "Provisional, MEDIUM at most: its model was trained on 14 h of one device."
    assert [said in description for description in alerts["description"]] == [True, True, False, True]


def test_highest_score_decides_model_and_dominant_contributor_whatever_the_row_order(fleet: Fleet) -> None:
    rows = [score("d1", 0, 0.65, BASELINE, [SUPERHEAT]), score("d1", 0, 0.95, FOREST, [LOW_SIDE])]
    alert = fleet.run(*rows).new.iloc[0]
    again = Fleet().run(*reversed(rows)).new.iloc[0]
    assert (alert["model_id"], list(alert["top_contributors"])) == (FOREST, [LOW_SIDE])
    assert list(alert["score_ids"]) == list(again["score_ids"])


def test_device_that_left_the_registry_still_gets_its_alert(fleet: Fleet) -> None:
    assert fleet.run(score("gone", 0, 0.9)).new["site_id"].tolist() == ["unassigned"]


def test_alert_without_contributors_is_still_an_alert(fleet: Fleet) -> None:
    fleet.run(score("d1", 0, 0.9, contributors=[]))
    fleet.run(score("d1", 1, 0.9, contributors=[]))
    assert fleet.alerts["suppressed"].tolist() == [False, True]
    assert fleet.alerts["title"].tolist() == ["Unusual behaviour"] * 2


def test_scores_of_two_windows_are_refused() -> None:
    scores = frame([score("d1", 0, 0.9), score("d1", 1, 0.9)])
    empty = pd.DataFrame({"device_id": [], "window_end": [], "flagged": [], "site_id": []})
    with pytest.raises(ValueError, match="2 windows"):
        generate_alerts(
            scores,
            previous_scores=empty,
            known_alerts=DEVICE_ALERTS.empty(),
            registry=empty,
            features=empty,
            typical=empty,
            comparisons=no_comparisons(),
            silences=SILENCES.empty(),
            knowledge=built_in(),
            now=run_time(1),
            settings=IncidentSettings(),
        )


# --- deduplication


def test_repeats_within_four_hours_of_the_first_are_audit_rows_and_then_it_is_told_again(
    fleet: Fleet,
) -> None:
    for hour in range(9):
        fleet.run(score("d1", hour, 0.9))
    assert fleet.alerts["suppressed"].tolist() == [False, True, True, True, False, True, True, True, False]
    assert fleet.alerts["alert_type"].tolist() == ["ANOMALY_DETECTED"] + ["ANOMALY_SUSTAINED"] * 8
    assert fleet.active["window_end"].tolist() == [window(8)]
    assert set(fleet.alerts["first_detected_at"]) == {window(0)}


def test_suppressed_rows_are_never_work(fleet: Fleet) -> None:
    fleet.run(score("d1", 0, 0.9))
    repeat = fleet.run(score("d1", 1, 0.9)).new.iloc[0]
    assert (repeat["suppressed"], repeat["status"]) == (True, "RESOLVED")
    assert repeat["resolved_at"] == pd.Timestamp(run_time(1))


def test_rise_in_severity_is_told_and_does_not_prolong_the_span(fleet: Fleet) -> None:
    values = [0.65, 0.65, 0.75, 0.75, 0.75]
    for hour, value in enumerate(values):
        fleet.run(score("d1", hour, value))
    assert fleet.alerts["suppressed"].tolist() == [False, True, False, True, False]
    assert fleet.alerts["alert_type"].tolist()[2] == "ANOMALY_ESCALATED"


def test_return_to_a_severity_that_was_already_told_is_a_repeat(fleet: Fleet) -> None:
    for hour, value in enumerate([0.75, 0.65, 0.75, 0.97]):
        fleet.run(score("d1", hour, value))
    assert fleet.alerts["suppressed"].tolist() == [False, True, True, False]


def test_another_dominant_contributor_is_another_problem(fleet: Fleet) -> None:
    fleet.run(score("d1", 0, 0.9))
    fleet.run(score("d1", 1, 0.9, contributors=[SUPERHEAT]))
    assert fleet.alerts["suppressed"].tolist() == [False, False]
    assert fleet.alerts["alert_type"].tolist() == ["ANOMALY_DETECTED", "ANOMALY_SUSTAINED"]
    assert fleet.alerts["first_detected_at"].tolist() == [window(0), window(1)]
    assert len(fleet.active) == 2


def test_span_ends_exactly_four_hours_after_the_first(fleet: Fleet) -> None:
    fleet.run(score("d1", 0, 0.9))
    before_end = run_time(0) + timedelta(hours=4) - timedelta(seconds=1)
    fleet.run(score("d1", 3.75, 0.9), now=before_end)
    fleet.run(score("d1", 4, 0.9), now=run_time(0) + timedelta(hours=4))
    assert fleet.alerts["suppressed"].tolist() == [False, True, False]


# --- what becomes of the older alert


def test_new_telling_takes_over_the_work_of_the_older_alert(fleet: Fleet) -> None:
    first = fleet.run(score("d1", 0, 0.9)).new.iloc[0]
    fleet.person_sets(first["alert_id"], "ACKNOWLEDGED", run_time(0.5))
    generated = fleet.run(score("d1", 4, 0.9))
    told, old = generated.new.iloc[0], generated.updated.iloc[0]
    assert told["status"] == "ACKNOWLEDGED"
    assert told["sla_deadline"] == first["sla_deadline"]
    assert (old["alert_id"], old["status"], old["alert_type"]) == (
        first["alert_id"],
        "RESOLVED",
        "ANOMALY_DETECTED",
    )
    notes = generated.events.set_index("alert_id")["note"]
    assert notes[old["alert_id"]] == f"Continued by alert {told['alert_id']}"


def test_long_anomaly_cannot_outrun_its_deadline(fleet: Fleet) -> None:
    for hour in range(0, 26, 4):
        fleet.run(score("d1", hour, 0.65))
    assert not fleet.alerts["suppressed"].any()
    assert fleet.active["sla_deadline"].tolist() == [pd.Timestamp(run_time(0)) + timedelta(hours=24)]


def test_rise_in_severity_starts_the_work_afresh(fleet: Fleet) -> None:
    first = fleet.run(score("d1", 0, 0.65)).new.iloc[0]
    fleet.person_sets(first["alert_id"], "IN_PROGRESS", run_time(0.5))
    told = fleet.run(score("d1", 1, 0.99)).new.iloc[0]
    assert (told["severity"], told["status"], told["escalation_level"]) == ("CRITICAL", "OPEN", "L1")
    assert told["sla_deadline"] == pd.Timestamp(run_time(1)) + timedelta(minutes=30)
    assert told["first_detected_at"] == window(0)
    assert fleet.active["alert_id"].tolist() == [told["alert_id"]]


def test_alert_that_a_person_closed_is_not_continued(fleet: Fleet) -> None:
    first = fleet.run(score("d1", 0, 0.9)).new.iloc[0]
    fleet.person_sets(first["alert_id"], "FALSE_POSITIVE", run_time(0.5))
    fleet.run(score("d1", 1, 0.9))
    assert fleet.active.empty
    told = fleet.run(score("d1", 4, 0.9)).new.iloc[0]
    assert (told["alert_type"], told["first_detected_at"]) == ("ANOMALY_DETECTED", window(4))


# --- recovery


def test_two_quiet_windows_resolve_every_alert_of_the_device(fleet: Fleet) -> None:
    fleet.run(score("d1", 0, 0.9), score("d2", 0, 0.9))
    fleet.run(score("d1", 1, 0.9, contributors=[SUPERHEAT]), score("d2", 1, 0.9))
    assert fleet.run(score("d1", 2, 0.1), score("d2", 2, 0.9)).updated.empty
    generated = fleet.run(score("d1", 3, 0.1), score("d2", 3, 0.9))
    assert generated.updated["device_id"].tolist() == ["d1", "d1"]
    assert set(generated.updated["alert_type"]) == {"ANOMALY_RESOLVED"}
    assert set(generated.updated["resolved_at"]) == {pd.Timestamp(run_time(3))}
    assert set(fleet.active["device_id"]) == {"d2"}
    assert "Not flagged for 2 windows in a row" in set(generated.events["note"])


def test_one_quiet_window_between_flags_resolves_nothing(fleet: Fleet) -> None:
    for hour, value in enumerate([0.9, 0.1, 0.9, 0.1]):
        fleet.run(score("d1", hour, value))
    assert len(fleet.active) == 1


def test_window_without_a_score_is_not_a_quiet_window(fleet: Fleet) -> None:
    fleet.run(score("d1", 0, 0.9))
    for hour in (1, 2, 3):
        fleet.run(score("d2", hour, 0.1))
    assert len(fleet.active) == 1
    fleet.run(score("d1", 4, 0.1))
    assert len(fleet.active) == 1
    fleet.run(score("d1", 6, 0.1))
    assert fleet.active.empty


def test_quiet_means_that_no_model_flags(fleet: Fleet) -> None:
    fleet.run(score("d1", 0, 0.9))
    for hour in (1, 2, 3):
        fleet.run(score("d1", hour, 0.1, FOREST), score("d1", hour, 0.65, BASELINE))
    assert len(fleet.active) == 1


def test_number_of_quiet_windows_is_a_setting() -> None:
    for windows in (1, 3):
        fleet = Fleet(IncidentSettings(resolve_after_windows=windows))
        fleet.run(score("d1", 0, 0.9))
        for quiet in range(1, windows + 1):
            assert len(fleet.active) == 1
            fleet.run(score("d1", quiet, 0.1))
        assert fleet.active.empty


def test_anomaly_that_returns_within_the_span_opens_its_alert_again_silently(fleet: Fleet) -> None:
    first = fleet.run(score("d1", 0, 0.9)).new.iloc[0]
    fleet.run(score("d1", 1, 0.1))
    fleet.run(score("d1", 2, 0.1))
    assert fleet.active.empty
    generated = fleet.run(score("d1", 3, 0.9))
    assert generated.new["suppressed"].tolist() == [True]
    assert generated.updated["alert_id"].tolist() == [first["alert_id"]]
    assert fleet.active["alert_type"].tolist() == ["ANOMALY_SUSTAINED"]
    assert fleet.active["resolved_at"].isna().all()


# --- the same window again


def test_same_window_again_changes_nothing(fleet: Fleet) -> None:
    for hour, value in enumerate([0.9, 0.9, 0.99, 0.1, 0.1, 0.9]):
        row = score("d1", hour, value)
        fleet.run(row)
        again = fleet.run(row, now=run_time(hour + 0.5))
        assert (len(again.new), len(again.updated), len(again.events)) == (0, 0, 0)


def test_another_model_on_the_same_window_raises_the_stored_alert_in_place(fleet: Fleet) -> None:
    forest, autoencoder = score("d1", 0, 0.9), score("d1", 0, 0.96, "autoencoder_v1")
    fleet.run(forest)
    fleet.alerts["note"] = "called the site"
    later = run_time(0) + timedelta(minutes=10)
    generated = fleet.run(forest, autoencoder, now=later)
    assert generated.new.empty
    alert = fleet.alerts.iloc[0]
    assert (alert["severity"], alert["alert_type"], alert["status"]) == (
        "CRITICAL",
        "ANOMALY_ESCALATED",
        "OPEN",
    )
    assert (alert["models_flagging"], len(alert["score_ids"]), alert["note"]) == (2, 2, "called the site")
    assert alert["alert_created_at"] == pd.Timestamp(run_time(0))
    assert alert["sla_deadline"] == pd.Timestamp(later) + timedelta(minutes=30)
    assert generated.events["note"].tolist() == ["Severity rose to CRITICAL"]


def test_suppressed_row_that_rises_above_what_was_told_is_told(fleet: Fleet) -> None:
    fleet.run(score("d1", 0, 0.65))
    repeat = score("d1", 1, 0.65)
    fleet.run(repeat)
    generated = fleet.run(repeat, score("d1", 1, 0.62, BASELINE), now=run_time(1.1))
    told = generated.updated.set_index("window_end").loc[window(1)]
    assert (told["suppressed"], told["status"], told["severity"]) == (False, "OPEN", "MEDIUM")
    assert pd.isna(told["resolved_at"])
    assert fleet.active["window_end"].tolist() == [window(1)]


def test_suppressed_row_that_rises_to_what_was_told_stays_suppressed(fleet: Fleet) -> None:
    fleet.run(score("d1", 0, 0.75))
    repeat = score("d1", 1, 0.65)
    fleet.run(repeat)
    generated = fleet.run(repeat, score("d1", 1, 0.62, BASELINE), now=run_time(1.1))
    assert generated.updated["severity"].tolist() == ["MEDIUM"]
    assert generated.updated["status"].tolist() == ["RESOLVED"]
    assert fleet.active["window_end"].tolist() == [window(0)]
