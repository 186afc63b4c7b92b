"""Which alerts are told to whom, and which are not told again (SPEC 6, 7)."""

import pandas as pd

from fridge_assets.alerting.announce import announcements, single_message, worth_telling
from fridge_assets.alerting.generate import GeneratedAlerts
from fridge_assets.notifications.message import Message
from fridge_assets.settings import IncidentSettings
from fridge_assets_tests.alerting.fleet import BASELINE, FOREST, SUPERHEAT, Fleet, run_time, score, window


def said(
    generated: GeneratedAlerts, hour: float, settings: IncidentSettings | None = None, run_id: str = ""
) -> list[Message]:
    moment = pd.Timestamp(window(hour)).to_pydatetime()
    return announcements(worth_telling(generated, moment), run_id, run_time(hour), settings or IncidentSettings())


def channels(messages: list[Message]) -> list[str]:
    return [message.channel for message in messages]


def test_each_severity_has_its_channel_and_low_has_none() -> None:
    both = [score("d1", 0, 0.9, FOREST), score("d1", 0, 0.88, BASELINE)]
    for rows, channel in (
        ([score("d1", 0, 0.96)], ["on_call"]),
        (both, ["operations"]),
        ([score("d1", 0, 0.75)], ["site_digest"]),
        ([score("d1", 0, 0.65)], []),
        ([score("d1", 0, 0.10)], []),
    ):
        assert channels(said(Fleet().run(*rows), 0)) == channel


def test_a_single_alert_names_device_site_finding_deadline_and_the_next_step() -> None:
    (message,) = said(Fleet().run(score("d1", 0, 0.97)), 0, run_id="run-7")
    assert message.title == "CRITICAL: d1 in s1: Low-side pressure unusually low"
    assert "Low-side pressure averaged 141 kPa" in message.lines[0]
    assert message.lines[1] == "Act by 2026-06-01 00:34 UTC."
    assert message.commands[0].startswith("fridge-assets alerts show ")
    assert message.run_id == "run-7"


def test_an_alert_is_put_into_the_same_words_whether_it_is_a_row_of_a_frame_or_a_dictionary() -> None:
    row = Fleet().run(score("d1", 0, 0.97)).new.iloc[0]
    stored = {name: value.to_pydatetime() if isinstance(value, pd.Timestamp) else value for name, value in row.items()}
    message = single_message({str(name): value for name, value in stored.items()}, "on_call", "", run_time(0))
    assert [message] == said(Fleet().run(score("d1", 0, 0.97)), 0)
    assert message.key == f"alert/{row['alert_id']}/CRITICAL"


def test_a_repeat_within_its_span_is_not_told_and_a_rise_is() -> None:
    fleet = Fleet()
    assert len(said(fleet.run(score("d1", 0, 0.75)), 0)) == 1
    assert said(fleet.run(score("d1", 1, 0.76)), 1) == []
    assert channels(said(fleet.run(score("d1", 2, 0.97)), 2)) == ["on_call"]


def test_the_same_window_again_is_told_only_where_another_model_makes_it_worse() -> None:
    fleet = Fleet()
    first = said(fleet.run(score("d1", 0, 0.88)), 0)
    assert channels(first) == ["site_digest"]
    assert said(fleet.run(score("d1", 0, 0.88)), 0) == []
    risen = said(fleet.run(score("d1", 0, 0.88), score("d1", 0, 0.7, BASELINE)), 0)
    assert channels(risen) == ["operations"]
    assert {m.key for m in first}.isdisjoint(m.key for m in risen)


def test_an_alert_that_is_opened_again_within_its_span_is_not_told_again() -> None:
    fleet = Fleet()
    assert channels(said(fleet.run(score("d1", 0, 0.75)), 0)) == ["site_digest"]
    fleet.run(score("d1", 1, 0.1))
    fleet.run(score("d1", 2, 0.1))
    assert fleet.active.empty
    back = fleet.run(score("d1", 3, 0.75))
    assert list(fleet.active["status"]) == ["OPEN"], "it is work again"
    assert said(back, 3) == []


def test_an_end_is_not_told_as_an_alert() -> None:
    fleet = Fleet()
    fleet.run(score("d1", 0, 0.97))
    fleet.run(score("d1", 1, 0.1))
    over = fleet.run(score("d1", 2, 0.1))
    assert len(over.updated) == 1
    assert said(over, 2) == []


def test_many_alerts_of_one_severity_come_as_one_list_with_the_worst_first() -> None:
    few = IncidentSettings(single_messages=1, listed_alerts=2)
    generated = Fleet().run(*(score(device, 0, value) for device, value in (("d1", 0.96), ("d2", 0.99), ("d3", 0.97))))
    (message,) = said(generated, 0, few)
    assert message.channel == "on_call"
    assert message.title == "3 new CRITICAL alerts in 2 sites"
    assert [line.split(" ")[0] for line in message.lines[:2]] == ["d2", "d3"]
    assert message.lines[2:] == ("and 1 more",)
    assert message.commands == ("fridge-assets alerts list --min-severity CRITICAL",)


def test_medium_alerts_come_as_a_digest_by_site() -> None:
    generated = Fleet().run(*(score(device, 0, 0.75, contributors=[SUPERHEAT]) for device in ("d1", "d2", "d3")))
    (message,) = said(generated, 0)
    assert message.title == "3 new MEDIUM alerts in 2 sites"
    assert message.lines[:2] == ("s1: 2 devices", "s2: 1 device")
    (short,) = said(generated, 0, IncidentSettings(listed_alerts=1))
    assert short.lines[:2] == ("s1: 2 devices", "and 1 more sites")
