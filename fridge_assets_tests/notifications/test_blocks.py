"""Messages as Slack takes them: its limits, its escapes, and what tells a resend."""

import html
from typing import Any

import pytest

from fridge_assets.notifications.blocks import MAX_TEXT, blocks_of, content_of, escaped, metadata_of, text_of
from fridge_assets.notifications.message import Message
from fridge_assets.notifications.plain_text import Link, link_of
from fridge_assets.settings import NotificationSettings
from fridge_assets_tests.notifications.given import message

UI = NotificationSettings(ui_url="http://127.0.0.1:3000/")


def sections(said: Message) -> list[str]:
    return [block["text"]["text"] for block in blocks_of(said, UI, False) if block["type"] == "section"]


def notes(said: Message, resend: bool = False) -> str:
    return "\n".join(element["text"] for element in blocks_of(said, UI, resend)[-1]["elements"])


def test_a_message_has_a_header_its_text_and_where_it_comes_from() -> None:
    said = message(kind="run_failure", lines=("First.", "Second."), run_id="run/1", commands=("fridge-assets status",))
    header, section, more, context = blocks_of(said, UI, False)
    assert header == {"type": "header", "text": {"type": "plain_text", "text": said.title, "emoji": False}}
    text = {"type": "plain_text", "text": "First.\nSecond.", "emoji": False}
    assert section == {"type": "section", "text": text}
    assert [part["elements"] for part in more["elements"]] == [
        [{"type": "link", "url": "http://127.0.0.1:3000/runs/run%2F1", "text": "Open the run"}],
        [{"type": "text", "text": "fridge-assets status", "style": {"code": True}}],
    ]
    assert [e["text"] for e in context["elements"]] == [f"2026-06-01 12:00 UTC · run failure · key {said.short_id}"]


def test_a_message_about_an_alert_links_to_the_alert_and_never_to_the_run() -> None:
    page = NotificationSettings(alerts_url="https://fridges.example.com/alerts/")
    one, many = message(run_id="r", about=("4f1c",)), message(run_id="r", about=("4f1c", "5a2b"))
    assert link_of(one, page) == Link("Open the incident", "https://fridges.example.com/alerts/4f1c")
    assert link_of(many, page) == Link("Open the incidents", "https://fridges.example.com/alerts")
    assert link_of(one, UI) is None
    assert "runs/r" not in text_of(one, UI, False) + str(blocks_of(one, UI, False))


def test_without_a_page_or_a_command_there_is_nothing_to_follow() -> None:
    assert [block["type"] for block in blocks_of(message(), UI, False)] == ["header", "section", "context"]


@pytest.mark.parametrize(
    "text", ["*bold*", "_italics_", "`code`", "~strike~", ":fire:", "<!channel> & <http://x|y>", "@here", "> quoted"]
)
def test_nothing_of_a_text_is_read_as_markup_a_mention_or_a_link(text: str) -> None:
    said = message(title=text, lines=(text,), commands=(text,))
    shown = html.escape(text, quote=False)
    header, section, more, context = blocks_of(said, UI, False)
    assert header["text"] == {"type": "plain_text", "text": shown, "emoji": False}
    assert section["text"] == {"type": "plain_text", "text": shown, "emoji": False}
    assert {element["type"] for element in context["elements"]} == {"plain_text"}
    # Elements of rich text are shown as they are, whatever is in them.
    assert more["elements"][0]["elements"] == [{"type": "text", "text": text, "style": {"code": True}}]
    content = content_of(said, UI, False)
    assert content["text"].count(shown) == 3
    assert (content["mrkdwn"], content["parse"], content["link_names"]) == (False, "none", False)


@pytest.mark.parametrize("character", ["x", "&", "\n", "é"])
@pytest.mark.parametrize("length", [0, 1, 149, 150, 151, 2999, 3000, 3001, 3500, 40_000, 100_000])
def test_whatever_the_length_slacks_limits_hold_and_nothing_is_lost_unsaid(character: str, length: int) -> None:
    said = message(title=character * length, lines=(character * length, "end"), run_id="r")
    for resend in (False, True):
        blocks = blocks_of(said, UI, resend)
        check_limits(blocks)
        cut = "messages show" in notes(said, resend)
        assert cut or html.unescape("".join(sections(said)).replace("\n", "")).endswith("end")
        text = text_of(said, UI, resend)
        assert len(text) <= MAX_TEXT
        assert ("messages show" in text) or "end\n" in text


def check_limits(blocks: list[dict[str, Any]]) -> None:
    assert len(blocks) <= 50
    for block in blocks:
        elements = (block.get("elements") or [block["text"]]) if block["type"] != "rich_text" else []
        assert len(elements) <= 10
        for element in elements:
            limit = 150 if block["type"] == "header" else 3000
            assert 1 <= len(element["text"]) <= limit
            assert element["text"].strip()


def test_a_long_line_is_never_cut_within_an_escape() -> None:
    pieces = sections(message(lines=("x" + "&" * 2000,)))
    assert len(pieces) > 1
    assert all(set(piece.replace("&amp;", "")) <= {"x"} for piece in pieces)


def test_long_text_says_where_the_whole_of_it_is() -> None:
    said = message(lines=tuple(f"line {n}" for n in range(10_000)))
    assert f"fridge-assets messages show {said.short_id}" in notes(said)


def test_a_resend_says_so_in_blocks_text_and_metadata() -> None:
    said = message()
    marked = f"Sent again (key {said.short_id}); ignore it if you have seen it."
    assert marked in notes(said, resend=True)
    assert marked in text_of(said, UI, True)
    assert "Sent again" not in notes(said) + text_of(said, UI, False)
    payload = {"key": "a", "message_id": said.message_id, "resend": True}
    assert metadata_of(said, True)["event_payload"] == payload


def test_a_summary_that_is_sent_again_replaces_the_one_before() -> None:
    assert "it replaces an earlier one" in notes(message(kind="summary"), resend=True)


def test_escaping_leaves_other_characters_alone() -> None:
    assert escaped("25 °C > 4 °C") == "25 °C &gt; 4 °C"
