"""Messages as Slack takes them: its limits, its escapes, and what tells a resend."""

import html
from typing import Any

import pytest

from fridge_assets.notifications.blocks import MAX_TEXT, blocks_of, escaped, metadata_of, text_of
from fridge_assets.notifications.message import Message
from fridge_assets_tests.notifications.given import message

UI = "http://127.0.0.1:3000/"


def sections(said: Message) -> list[str]:
    return [block["text"]["text"] for block in blocks_of(said, UI, False) if block["type"] == "section"]


def notes(said: Message, resend: bool = False) -> str:
    return "\n".join(element["text"] for element in blocks_of(said, UI, resend)[-1]["elements"])


def test_a_message_has_a_header_its_text_and_where_it_comes_from() -> None:
    said = message(lines=("First.", "Second."), run_id="run/1")
    header, section, context = blocks_of(said, UI, False)
    assert header == {"type": "header", "text": {"type": "plain_text", "text": said.title}}
    assert section == {"type": "section", "text": {"type": "mrkdwn", "text": "First.\nSecond."}}
    assert [e["text"] for e in context["elements"]] == [
        "<http://127.0.0.1:3000/runs/run%2F1|Open the run>",
        f"2026-06-01 12:00 UTC · anomaly · key {said.short_id}",
    ]


def test_without_a_run_there_is_no_link() -> None:
    assert "<" not in notes(message())
    assert "<" not in text_of(message(), UI, False)


def test_texts_cannot_mention_or_link() -> None:
    said = message(title="a < b", lines=("<!channel> & <http://x|y>",))
    assert sections(said) == ["&lt;!channel&gt; &amp; &lt;http://x|y&gt;"]
    assert blocks_of(said, UI, False)[0]["text"]["text"] == "a &lt; b"
    assert "<!channel>" not in text_of(said, UI, False)


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
        elements = block.get("elements") or [block["text"]]
        assert 1 <= len(elements) <= 10
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
    assert f"`fridge-assets messages show {said.short_id}`" in notes(said)


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
