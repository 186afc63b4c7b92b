"""A release needs the newest compared windows to pass, all of them (SPEC 3.1)."""

from datetime import timedelta

import pandas as pd

from fridge_assets.canary.battery.rules import Case, judge
from fridge_assets.canary.gate import StoredReport, gate, stored_reports
from fridge_assets.canary.report import compare
from fridge_assets.contracts import CANARY_REPORTS
from fridge_assets.settings import Settings
from fridge_assets_tests.canary.given import NOW, WINDOW, given, healthy

HOUR = timedelta(hours=1)


def report(hour: int, verdict: str = "pass", reason: str = "All is well.", later: timedelta = HOUR) -> StoredReport:
    return StoredReport(WINDOW + hour * HOUR, verdict, reason, WINDOW + hour * HOUR + later)


def test_three_windows_that_passed_are_enough_in_any_order() -> None:
    decision = gate([report(2), report(0), report(1)], 3)
    assert decision.passed
    assert decision.said == "the newest 3 compared windows all passed, the last one 2026-03-02 14:00 UTC"


def test_two_windows_are_not_and_none_is_not() -> None:
    assert gate([report(0), report(1)], 3) == gate([report(1), report(0), report(0)], 3)
    assert gate([report(0), report(1)], 3).said == "2 of 3 windows compared so far"
    assert gate([], 3).said == "0 of 3 windows compared so far"
    assert not gate([], 1).passed


def test_one_window_that_did_not_pass_is_named_with_its_reason() -> None:
    decision = gate([report(0), report(1, "block", "KL divergence 0.31 over 0.1 (noise 0.002)."), report(2)], 3)
    assert not decision.passed
    assert decision.said == "window 2026-03-02 13:00 UTC was blocked: KL divergence 0.31 over 0.1 (noise 0.002)"


def test_every_verdict_but_pass_keeps_it_shut() -> None:
    for verdict in ("inconclusive", "investigate", "review", "block", "", "PASS"):
        assert not gate([report(0, verdict), report(1), report(2)], 3).passed


def test_a_window_older_than_the_newest_needed_is_forgotten() -> None:
    assert gate([report(0, "block"), report(1), report(2), report(3)], 3).passed


def test_of_two_comparisons_of_a_window_the_later_counts() -> None:
    others = [report(1), report(2)]
    assert gate([*others, report(0, "block"), report(0, later=2 * HOUR)], 3).passed
    assert not gate([*others, report(0), report(0, "block", later=2 * HOUR)], 3).passed


def test_what_is_missing_is_said_together() -> None:
    assert gate([report(0, "review", "Few in common.")], 2).said == (
        "1 of 2 windows compared so far; window 2026-03-02 12:00 UTC needs a review: Few in common"
    )


def test_stored_reports_say_what_the_comparisons_said() -> None:
    battery = judge([Case("quiet", "defrost", "the fleet's own windows", 100, 1, 1)], Settings().canary.battery)
    windows = [given(healthy(), window_end=WINDOW + hour * HOUR) for hour in range(3)]
    made = [compare(window, Settings(), battery) for window in windows]
    assert gate(made, 3).passed
    stored = stored_reports(pd.concat([one.to_row() for one in made]))
    assert gate(stored, 3) == gate(made, 3)
    assert {one.created_at for one in stored} == {NOW}
    assert stored_reports(CANARY_REPORTS.empty()) == []


def test_a_stored_comparison_without_the_battery_is_no_pass() -> None:
    (stored,) = stored_reports(compare(given(healthy()), Settings()).to_row())
    assert gate([stored], 1).said == (
        "window 2026-03-02 12:00 UTC was inconclusive: "
        "it was not tried on healthy states and known faults, as in an earlier release"
    )
