"""How many alerts were real failures, by what raised them, and what to change (SPEC 6)."""

from datetime import timedelta

import dagster as dg
import pandas as pd
import pytest

from fridge_assets.alert_quality.advice import RULE_THRESHOLDS
from fridge_assets.alert_quality.assets import alert_quality as alert_quality_asset
from fridge_assets.alert_quality.plots import precision_picture
from fridge_assets.alert_quality.precision import alert_quality, wilson
from fridge_assets.alert_quality.store import assess_alerts
from fridge_assets.contracts import ALERT_QUALITY, LABEL_EVENTS, MODEL_SCORES
from fridge_assets.contracts.validation import validate
from fridge_assets.settings import Settings
from fridge_assets.steps.clock import Clock
from fridge_assets.stores.frames import query, registered
from fridge_assets.stores.operations import Operations, label_events
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets.streaming.rules import RULES
from fridge_assets_tests.alert_quality.labelled import HOUR, NOW, alert, judged, label, labels, store, told
from fridge_assets_tests.incidents.observing.fleet import BASELINE, FOREST, frame, score

SETTINGS = Settings()
SWEPT = MODEL_SCORES.empty()
OF_20 = [0.86] * 4 + [0.88] * 4 + [0.92] * 12


def quality(
    alerts: pd.DataFrame, said: pd.DataFrame, scores: pd.DataFrame = SWEPT, settings: Settings = SETTINGS
) -> pd.DataFrame:
    rows = alert_quality(alerts, said, scores, NOW, settings)
    assert validate(ALERT_QUALITY, rows).passed
    return rows.set_index(["grouping", "name"])


def figures(rows: pd.DataFrame, *group: str) -> tuple[int, int, int, int]:
    row = rows.loc[group]
    return row["told"], row["labelled"], row["confirmed"], row["false_positives"]


def test_the_interval_is_wilsons() -> None:
    assert wilson(8, 10) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)
    assert wilson(0, 5) == pytest.approx((0, 0.4344825), abs=1e-6)
    assert wilson(5, 5) == pytest.approx((0.5655175, 1), abs=1e-6)


def test_precision_is_of_the_labelled_and_the_hit_rate_of_all_that_were_told() -> None:
    alerts = [alert(f"d{number}") for number in range(5)]
    said = [label(alerts[0], "confirmed"), label(alerts[1], "confirmed"), label(alerts[2], "false_positive")]
    row = quality(told(alerts), labels(said)).loc["severity", "HIGH"]
    assert (row["told"], row["labelled"], row["confirmed"], row["false_positives"]) == (5, 3, 2, 1)
    assert (row["precision"], row["hit_rate"]) == (pytest.approx(2 / 3), 0.4)
    assert (row["precision_low"], row["precision_high"]) == pytest.approx(wilson(2, 3))
    assert (row["window_from"], row["window_to"]) == (NOW - timedelta(days=30), NOW)


def test_without_labels_there_is_no_precision() -> None:
    row = quality(told([alert("d1")]), LABEL_EVENTS.empty()).loc["source", "models"]
    assert row[["precision", "precision_low", "precision_high"]].isna().all()
    assert (row["told"], row["hit_rate"], row["advice"]) == (1, 0.0, "")


def test_without_alerts_there_are_no_rows() -> None:
    assert quality(told([]), LABEL_EVENTS.empty()).empty


def test_the_newest_label_of_an_incident_counts() -> None:
    one = alert("d1")
    said = [label(one, "confirmed", NOW, 3), label(one, "false_positive", NOW - HOUR, 2)]
    assert figures(quality(told([one]), labels(said)), "severity", "HIGH") == (1, 1, 1, 0)


def test_every_alert_of_an_incident_has_its_label_and_that_of_no_other() -> None:
    began = NOW - 5 * HOUR
    first = alert("d1", created=began, detected=began, severity="MEDIUM")
    second, later = alert("d1", created=NOW - HOUR, detected=began), alert("d1", created=NOW, detected=NOW)
    other = alert("d2", created=began, detected=began)
    rows = quality(told([first, second, later, other]), labels([label(second, "confirmed")]))
    assert figures(rows, "severity", "MEDIUM") == (1, 1, 1, 0)
    assert figures(rows, "severity", "HIGH") == (3, 1, 1, 0)


def test_one_verdict_on_a_problem_that_was_told_twice_counts_once() -> None:
    began = NOW - 5 * HOUR
    first, again = alert("d1", created=began, detected=began), alert("d1", created=NOW - HOUR, detected=began)
    rows = quality(told([first, again]), labels([label(again, "confirmed")]))
    assert figures(rows, "severity", "HIGH") == (2, 1, 1, 0)
    assert figures(rows, "source", "models") == (2, 1, 1, 0)
    assert rows.loc[("source", "models"), "hit_rate"] == 1.0


def test_a_model_alert_counts_for_every_model_and_version_that_flagged_it() -> None:
    behind = [score("d1", 0, 0.9), score("d1", 0, 0.7, BASELINE), score("d2", 0, 0.8)]
    scores = frame(behind).assign(model_version=["2.0.0", "1.1.0", "2.1.0"])
    both = alert("d1", score_ids=scores["score_id"][:2].tolist())
    one, swept = alert("d2", score_ids=scores["score_id"][2:].tolist()), alert("d3", score_ids=["gone"])
    rows = quality(told([both, one, swept]), labels([label(both, "confirmed")]), scores)
    assert figures(rows, "model", FOREST) == (3, 1, 1, 0)
    assert figures(rows, "model", BASELINE) == (1, 1, 1, 0)
    assert rows.loc["version"]["told"].to_dict() == {
        f"{FOREST} 2.0.0": 1,
        f"{FOREST} 2.1.0": 1,
        f"{BASELINE} 1.1.0": 1,
    }


def test_rules_are_those_of_the_stream_and_the_conditions_of_the_fallback() -> None:
    streamed = alert("d1", source="streaming", model="streaming_vibration_spike", severity="CRITICAL")
    fallen_back = alert(
        "d2", source="rules_fallback", model="rules_based_fallback_v1", top_contributors=["pressure_low_mean", "x"]
    )
    rows = quality(told([streamed, fallen_back]), LABEL_EVENTS.empty())
    assert rows.loc["rule"]["told"].to_dict() == {"pressure_low_mean": 1, "vibration_spike": 1, "x": 1}
    assert rows.loc["source"]["told"].to_dict() == {"rules_fallback": 1, "streaming": 1}
    assert rows.loc["severity"].index.tolist() == ["CRITICAL", "HIGH"]
    assert "model" not in rows.index.get_level_values(0)


def test_the_smallest_threshold_that_leaves_few_enough_false_positives_is_advised() -> None:
    rows = quality(*judged(OF_20, [0.92]))
    row = rows.loc["severity", "HIGH"]
    # Above 0.86 four of sixteen are left, which is just what is allowed.
    assert row["advice"] == "HIGH threshold: 40 % false positives in 30 days (8 of 20 labelled), consider 0.86"
    assert row["threshold"] == 0.86
    strict = SETTINGS.model_copy(update={"quality": SETTINGS.quality.model_copy(update={"max_false_positives": 0.2})})
    assert quality(*judged(OF_20, [0.92]), settings=strict).loc["severity", "HIGH"]["threshold"] == 0.88


def test_nothing_is_advised_on_few_labels_or_few_false_positives() -> None:
    assert (quality(*judged(OF_20[1:], [0.92]))["advice"] == "").all()
    assert (quality(*judged([0.86] * 5 + [0.92] * 15, [0.92]))["advice"] == "").all()


def test_where_no_threshold_separates_them_that_is_said() -> None:
    mixed = [0.92 + 0.001 * (number % 10) for number in range(20)]
    real = [0.92 + 0.001 * number for number in range(0, 10, 2)]
    row = quality(*judged(mixed, real)).loc["severity", "HIGH"]
    assert row["advice"] == (
        "HIGH threshold: 50 % false positives in 30 days (10 of 20 labelled), no threshold separates them; "
        "look at the model"
    )
    assert pd.isna(row["threshold"])


def test_a_threshold_must_leave_half_as_many_labels_as_are_needed() -> None:
    assert "consider" in quality(*judged([0.86] * 10 + [0.92] * 10, [0.92])).loc["severity", "HIGH"]["advice"]
    few = quality(*judged([0.86] * 11 + [0.92] * 9, [0.92])).loc["severity", "HIGH"]["advice"]
    assert few.endswith("no threshold separates them; look at the model")


def test_medium_by_agreement_of_families_is_moved_by_no_threshold() -> None:
    low = [0.72] * 8 + [0.80] * 12
    agreed = quality(*judged(low, [0.80], severity="MEDIUM", models_flagging=2)).loc["severity", "MEDIUM"]
    assert agreed["advice"].endswith("no threshold separates them; look at the model")
    alone = quality(*judged(low, [0.80], severity="MEDIUM", models_flagging=1)).loc["severity", "MEDIUM"]
    assert alone["threshold"] == 0.72


def test_a_model_is_judged_by_its_own_scores() -> None:
    own = [score(f"d{n}", 0, 0.65 if n < 8 else 0.9, BASELINE) for n in range(20)]
    alerts = [alert(f"d{n}", score=0.99, score_ids=[str(row["score_id"])]) for n, row in enumerate(own)]
    said = [label(row, "false_positive" if n < 8 else "confirmed") for n, row in enumerate(alerts)]
    row = quality(told(alerts), labels(said), frame(own)).loc["model", BASELINE]
    assert row["advice"] == f"{BASELINE}: 40 % false positives in 30 days (8 of 20 labelled), consider 0.65"


def test_an_acute_rule_names_the_threshold_to_raise() -> None:
    stream = {"source": "streaming", "model": "streaming_vibration_spike", "severity": "CRITICAL"}
    rows = quality(*judged([1.0] * 12 + [0.99] * 8, [0.99], **stream))
    assert rows.loc["rule", "vibration_spike"]["advice"] == (
        "rule vibration_spike: 60 % false positives in 30 days (12 of 20 labelled), "
        "consider raising vibration_ratio_threshold"
    )
    assert rows.loc["severity", "CRITICAL"]["advice"] == "", "no threshold of the models decides on it"


def test_every_acute_rule_has_its_threshold() -> None:
    assert {name: rule.threshold for name, rule in RULES.items()} == RULE_THRESHOLDS


@pytest.fixture
def stored(warehouse: Warehouse, operations: Operations) -> Operations:
    """Twenty labelled alerts, one suppressed, one older than the span, one label of the future."""
    scores = frame([score("d0", 0, 0.86)])
    rows = [alert(f"d{n}", score=value, score_ids=scores["score_id"][n : n + 1]) for n, value in enumerate(OF_20)]
    said = [label(row, "confirmed" if row["anomaly_score"] > 0.9 else "false_positive") for row in rows]
    silent = alert("d30", suppressed=True, suppressed_because="repeat")
    old = alert("d31", created=NOW - SETTINGS.quality.span)
    unsaid = alert("d32")
    store(operations, [*rows, silent, old, unsaid])
    with operations.transaction() as connection:
        connection.execute(label_events.insert(), [*said, label(unsaid, "confirmed", NOW + HOUR)])
    with warehouse.transaction() as connection, registered(connection, made=MODEL_SCORES.to_arrow(scores)):
        connection.execute("INSERT INTO model_scores SELECT * FROM made")
    return operations


def asset_run(warehouse: Warehouse, operations: Operations, settings: Settings) -> dg.ExecuteInProcessResult:
    clock = Clock(warehouse=warehouse, settings=settings, as_of=NOW.isoformat())
    resources = {"settings": settings, "warehouse": warehouse, "operations": operations, "clock": clock}
    return dg.materialize([alert_quality_asset], resources=resources)


def test_what_was_told_and_labelled_by_now_counts(warehouse: Warehouse, stored: Operations, settings: Settings) -> None:
    rows = assess_alerts(warehouse, stored, NOW, settings).set_index(["grouping", "name"])
    assert figures(rows, "severity", "HIGH") == (21, 20, 12, 8)
    assert figures(rows, "version", f"{FOREST} 2.0.0") == (1, 1, 0, 1)
    assert figures(rows, "model", FOREST) == (21, 20, 12, 8)


def test_the_asset_stores_the_rows_shows_them_and_warns_of_advice(
    warehouse: Warehouse, stored: Operations, settings: Settings
) -> None:
    for _ in range(2):
        done = asset_run(warehouse, stored, settings)
    with warehouse.read() as connection:
        kept = query(connection, "SELECT grouping, name FROM alert_quality ORDER BY ALL")
    assert len(kept) == 4
    checks = {each.check_name: each for each in done.get_asset_check_evaluations()}
    assert checks["alarm_health_within_limits"].passed
    advised = checks["thresholds_hold"]
    assert (advised.passed, advised.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert advised.description is not None
    assert advised.description.startswith("HIGH threshold: 40 % false positives in 30 days (8 of 20 labelled)")
    (made,) = done.asset_materializations_for_node("alert_quality")
    assert str(made.metadata["precision"].value).startswith("![precision](data:image/png;base64,")
    assert "consider 0.86" in str(made.metadata["advice"].value)


def test_the_asset_says_nothing_before_the_first_alert(
    warehouse: Warehouse, operations: Operations, settings: Settings
) -> None:
    done = asset_run(warehouse, operations, settings)
    assert {each.check_name: each.description for each in done.get_asset_check_evaluations()} == {
        "contract": None,
        "thresholds_hold": "not made: nobody has said of an alert whether it was right",
        "alarm_health_within_limits": None,
    }


def test_there_is_a_picture_of_nothing_and_of_groups_without_labels() -> None:
    unlabelled = quality(told([alert("d1"), alert("d2", severity="LOW")]), LABEL_EVENTS.empty()).reset_index()
    for rows in (ALERT_QUALITY.empty(), unlabelled):
        assert precision_picture(rows, 0.25).startswith(b"\x89PNG")
