"""Messages of a broker as lines of a file of their source."""

import json
from datetime import UTC, datetime

import pytest

from fridge_assets.sources.messages import Message, has_time, lines_of
from fridge_assets.sources.source import Source
from fridge_assets.sources.topics import fits, is_topic

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ABOUT = {"mqtt_topic": "a/b c", "mqtt_received_at": "2026-06-01T12:00:00+00:00"}


def records(payload: str, *, values: bool = False) -> list[object]:
    message = Message("a/b c", payload.encode(), NOON)
    return [json.loads(line) for line in lines_of(message, "jsonl", values=values)]


def test_objects_lists_and_lists_under_names_become_records_with_topic_and_time_of_arrival() -> None:
    assert records('{"t": 1}') == [{"t": 1, **ABOUT}]
    assert records('[{"t": 1}, [{"t": 2}]]') == [{"t": 1, **ABOUT}, {"t": 2, **ABOUT}]
    telemetry = '{"case 1": [{"ts": 1, "values": {"t": 3}}], "case 2": [{"ts": 2}]}'
    assert records(telemetry) == [
        {"key": "case 1", "ts": 1, "values": {"t": 3}, **ABOUT},
        {"key": "case 2", "ts": 2, **ABOUT},
    ]


def test_what_is_beside_a_list_of_records_is_said_of_each() -> None:
    gateway = '{"device": "f1", "ts": 1, "readings": [{"t": 2}, {"t": 3, "ts": 4}]}'
    assert records(gateway) == [
        {"device": "f1", "ts": 1, "key": "readings", "t": 2, **ABOUT},
        {"device": "f1", "ts": 4, "key": "readings", "t": 3, **ABOUT},
    ]


@pytest.mark.parametrize("payload", ["-20.50", "open", "", "true"])
def test_a_single_value_is_a_record_where_the_source_takes_values(payload: str) -> None:
    assert records(payload, values=True) == [{"value": payload, **ABOUT}]
    assert records(payload) == [payload], "a text, which is no record"


def test_what_is_too_long_or_no_text_is_no_record() -> None:
    assert records("x" * 20_000, values=True) == ["x" * 10_000]
    message = Message("a", b"\xff", NOON)
    assert lines_of(message, "jsonl", values=True) == ['"\\\\xff"']


def test_what_is_too_deep_is_no_record_at_whatever_depth_that_is_noticed() -> None:
    for depth in range(900, 1100):
        assert records('{"a":' * depth + "1" + "}" * depth)


@pytest.mark.parametrize(
    ("said", "is_known"),
    [
        ({"time": {"columns": ["mqtt_received_at"]}}, False),
        ({"columns": {"mqtt_received_at": "timestamp"}}, False),
        ({"columns": {"mqtt_received_at": "timestamp", "ts": "sequence_number"}, "time": {"columns": ["ts"]}}, True),
        ({"columns": {"mqtt_received_at": "timestamp_ingested", "ts": "timestamp"}}, True),
    ],
)
def test_what_a_broker_has_kept_has_no_time_but_its_own(said: dict[str, object], is_known: bool) -> None:
    source = Source.model_validate({"format": "jsonl", "topics": ["a/#"], **said})
    assert has_time(Message("a/b", b"1", NOON, is_retained=True), source) is is_known
    assert has_time(Message("a/b", b"1", NOON), source)


def test_lines_of_the_protocol_have_topic_and_time_of_arrival_as_tags() -> None:
    message = Message("a/b c", b"# comment\nfridge\\ 1,host=x temp=1 5\ntemp=1\n", NOON)
    received = "2026-06-01T12:00:00+00:00"
    assert lines_of(message, "line_protocol", values=False) == [
        f"fridge\\ 1,mqtt_topic=a/b\\ c,mqtt_received_at={received},host=x temp=1 5",
        f"temp=1,mqtt_topic=a/b\\ c,mqtt_received_at={received}",
    ]


def test_a_line_break_in_a_topic_ends_no_line() -> None:
    (line,) = lines_of(Message("a\nb", b"fridge temp=1", NOON), "line_protocol", values=False)
    assert line.startswith("fridge,mqtt_topic=a\\ b,")


@pytest.mark.parametrize(
    ("wanted", "topic", "does"),
    [
        ("a/b", "a/b", True), ("a/+", "a/b", True), ("a/+", "a/b/c", False), ("a/#", "a/b/c", True), ("a/#", "a", True),
        ("#", "a/b", True), ("#", "$SYS/x", False), ("+/b", "$SYS/b", False), ("$share/g/a/+", "a/b", True),
        ("a/+/c", "a/b/d", False), ("+/+", "/b", True),
    ],
)  # fmt: skip
def test_a_topic_fits_as_the_protocol_says(wanted: str, topic: str, does: bool) -> None:
    assert fits(wanted, topic) is does


@pytest.mark.parametrize(
    ("text", "is_one"), [("a/b", True), ("+/#", True), ("", False), ("a/#/b", False), ("a+/b", False)]
)
def test_wildcards_are_whole_levels(text: str, is_one: bool) -> None:
    assert is_topic(text) is is_one
