"""What a replay says: told alerts a day, how many were real as far as anybody knows, and which faults were found."""

from datetime import timedelta

import pandas as pd

from fridge_assets.replay.report import (
    WORK,
    faults_found,
    judged_alerts,
    most_told,
    side_by_side,
    told_by_severity,
)
from fridge_assets_tests.replay.given import at, labelled, told, truth_of

NEAR = timedelta(hours=4)
HOURS = [at(number) for number in range(1, 13)]


def by_severity(judged: pd.DataFrame, *, with_truth: bool = False) -> dict[str, dict[str, object]]:
    table = told_by_severity(judged, HOURS, with_truth=with_truth)
    return {str(row["severity"]): row for row in table.to_dict(orient="records")}


def test_told_alerts_are_counted_by_severity_and_for_a_day() -> None:
    rows = by_severity(
        judged_alerts(told(("a", 1, "MEDIUM"), ("a", 6, "HIGH"), ("b", 2, "LOW")), labelled(), None, NEAR)
    )
    assert list(rows) == ["CRITICAL", "HIGH", "MEDIUM", WORK, "LOW"]
    assert {name: (row["told"], row["a day"]) for name, row in rows.items()} == {
        "CRITICAL": (0, 0), "HIGH": (1, 2), "MEDIUM": (1, 2), WORK: (2, 4), "LOW": (1, 2),
    }  # fmt: skip
    assert "labelled" not in rows[WORK]
    assert "on faults" not in rows[WORK]


def test_an_alert_is_on_a_fault_once_that_has_begun() -> None:
    alerts = told(("leaks", 2, "HIGH"), ("leaks", 6, "HIGH"), ("healthy", 6, "HIGH"), ("healthy", 7, "MEDIUM"))
    judged = judged_alerts(alerts, labelled(), truth_of(leaks=5, other=1), NEAR)
    assert [fault if pd.notna(fault) else None for fault in judged["fault"]] == [None, "leak", None, None]
    rows = by_severity(judged, with_truth=True)
    assert (rows["HIGH"]["on faults"], rows[WORK]["on faults"]) == (0.333, 0.25)
    assert pd.isna(rows["CRITICAL"]["on faults"]), "nothing was told"


def test_what_people_said_of_the_same_trouble_judges_an_alert_and_the_newest_word_counts() -> None:
    alerts = told(("a", 5, "HIGH"), ("a", 20, "HIGH"), ("b", 5, "HIGH"), ("c", 1, "HIGH"))
    labels = labelled(
        ("a", 3, 6, "false_positive"), ("a", 3, 6, "confirmed"), ("b", 8, 9, "false_positive"), ("c", 6, 7, "confirmed")
    )
    judged = judged_alerts(alerts, labels, None, NEAR)
    assert [label if pd.notna(label) else None for label in judged["label"]] == [
        "confirmed", None, "false_positive", None,
    ]  # fmt: skip
    row = by_severity(judged)["HIGH"]
    assert (row["labelled"], row["confirmed"]) == (2, 0.5)


def test_faults_are_found_by_alerts_of_medium_or_higher_since_their_onset() -> None:
    truth = truth_of(found=2, late=40, missed=3, only_low=1)
    alerts = told(("found", 1, "HIGH"), ("found", 5, "MEDIUM"), ("found", 6, "HIGH"), ("only_low", 4, "LOW"))
    (row,) = faults_found(judged_alerts(alerts, labelled(), truth, NEAR), truth, at(12)).to_dict(orient="records")
    assert row == {"fault": "leak", "begun": 3, "found": 1, "hours until told": 3.0}


def test_what_is_told_most_comes_first() -> None:
    judged = judged_alerts(
        told(("a", 1, "HIGH"), ("b", 1, "HIGH"), ("b", 7, "HIGH"), ("c", 1, "LOW")), labelled(), None, NEAR
    )
    assert most_told(judged).to_dict(orient="list") == {
        "what it says": ["b is unusual", "a is unusual"], "told": [2, 1],
    }  # fmt: skip


def test_a_replay_in_which_nothing_was_told_has_its_tables_too() -> None:
    truth = truth_of(leaks=1)
    judged = judged_alerts(told(), labelled(("a", 1, 2, "confirmed")), truth, NEAR)
    assert by_severity(judged, with_truth=True)[WORK]["told"] == 0
    assert most_told(judged).empty
    assert list(faults_found(judged, truth, at(12))["found"]) == [0]


def test_two_replays_stand_side_by_side_and_what_only_one_has_counts_as_none_of_the_other() -> None:
    tables = {
        "now": pd.DataFrame({"what it says": ["a", "b"], "told": [2, 1]}),
        "compared": pd.DataFrame({"what it says": ["c", "a"], "told": [3, 1]}),
    }
    both = side_by_side(tables, "what it says")
    assert both.to_dict(orient="list") == {
        "what it says": ["a", "b", "c"], "now: told": [2, 1, 0], "compared: told": [1, 0, 3],
    }  # fmt: skip
    assert side_by_side({"now": tables["now"]}, "what it says") is tables["now"]
