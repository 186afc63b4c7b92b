"""`messages` and what `doctor` says of Slack and of messages that wait."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from fridge_assets.notifications.senders import senders_of
from fridge_assets.settings import NotificationSettings, Settings
from fridge_assets.stores.operations import Operations
from fridge_assets.upkeep.doctor.check import Finding, examine
from fridge_assets.upkeep.doctor.checks import checks
from fridge_assets_tests.cli.typed import refused as refused_command
from fridge_assets_tests.cli.typed import typed
from fridge_assets_tests.notifications.given import (
    WallClock,
    at,
    deliver,
    message,
    notification_settings,
    store,
    stored,
)
from fridge_assets_tests.notifications.slack_server import TOKEN, SlackServer, refused


@pytest.fixture
def messages(operations: Operations) -> Operations:
    """Three messages of just now."""
    now = datetime.now(UTC)
    texts = {"a": "[bold]45 A[/bold]", "b": "Text", "c": "Text"}
    store(
        operations,
        [message(key, "ml" if key == "c" else "on_call", now, lines=(text,)) for key, text in texts.items()],
        now,
    )
    return operations


@pytest.fixture
def _with_token(slack: SlackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRIDGE_NOTIFICATIONS__TOKEN", TOKEN)
    monkeypatch.setenv("FRIDGE_NOTIFICATIONS__API_URL", slack.url)
    monkeypatch.setenv("FRIDGE_NOTIFICATIONS__PAUSE_BETWEEN", "PT0S")


def test_list_shows_the_newest_first_and_filters(messages: Operations, settings: Settings) -> None:
    code, said, _ = typed(settings.root, "messages", "list")
    assert code == 0
    assert said.index("Title of c") < said.index("Title of a")
    assert message("a").short_id in said
    found = json.loads(typed(settings.root, "messages", "list", "--channel", "ml", "--status", "pending", "--json")[1])
    assert [m["key"] for m in found] == ["c"]
    assert json.loads(typed(settings.root, "messages", "list", "--limit", "2", "--json")[1])[-1]["key"] == "b"


def test_list_of_an_empty_outbox_says_so(operations: Operations, settings: Settings) -> None:
    operations.migrate()
    assert typed(settings.root, "messages", "list") == (0, "Messages: none\n", "")


def test_show_prints_the_whole_text_as_it_is(messages: Operations, settings: Settings) -> None:
    code, said, _ = typed(settings.root, "messages", "show", message("a").short_id)
    assert code == 0
    assert "[bold]45 A[/bold]" in said
    assert "pending" in said
    assert json.loads(typed(settings.root, "messages", "show", message("a").short_id, "--json")[1])["key"] == "a"


def test_show_of_an_unknown_id_says_where_the_ids_are(messages: Operations, settings: Settings) -> None:
    assert "fridge-assets messages list" in refused_command(settings.root, "messages", "show", "nothing")


def test_deliver_without_a_token_sends_to_the_log(messages: Operations, settings: Settings) -> None:
    messages_before = stored(messages)
    code, said, _ = typed(settings.root, "messages", "deliver", "--json")
    assert code == 0
    # One a second per channel: the log keeps Slack's pace.
    assert json.loads(said) == {"sent": 3, "failed": 0, "summarised": 0, "superseded": 0, "waiting": 0}
    assert {at(messages, key, "log").sent_to for key in "abc"} == {"log"}
    assert set(stored(messages)) == set(messages_before)


@pytest.mark.usefixtures("_with_token")
def test_deliver_posts_to_slack_and_names_what_could_not_be_sent(
    messages: Operations, settings: Settings, slack: SlackServer
) -> None:
    slack.then(refused("not_in_channel"), channel="#fridge-on-call")
    code, said, error = typed(settings.root, "messages", "deliver")
    assert code == 1
    assert said.startswith("1 sent, 1 failed, 0 summarised, 2 waiting.")
    assert "type /invite in #fridge-on-call" in error
    assert [post.key for post in slack.posts] == ["c"]


# --- doctor


def findings(settings: Settings, **notifications: object) -> dict[str, Finding]:
    changed = settings.model_copy(update={"notifications": NotificationSettings.model_validate(notifications)})
    return {finding.what: finding for finding in examine(checks(changed))}


def test_doctor_notes_that_without_a_token_messages_reach_nobody(settings: Settings) -> None:
    found = findings(settings)
    assert found["channels"].verdict == "note"
    assert "log and the outbox only" in found["channels"].detail
    assert found["messages"] == Finding("messages", "ok", "0 wait to be sent")


def test_doctor_tries_the_token(settings: Settings, slack: SlackServer) -> None:
    good = findings(settings, token=SecretStr(TOKEN), api_url=slack.url)["channels"]
    assert (good.verdict, "fridge in Test" in good.detail) == ("ok", True)
    wrong = findings(settings, token=SecretStr("xoxb-wrong"), api_url=slack.url)["channels"]
    assert wrong.verdict == "broken"
    assert "invalid_auth" in wrong.detail
    assert "FRIDGE_NOTIFICATIONS__TOKEN" in wrong.detail
    assert "xoxb-wrong" not in wrong.detail
    slack.refuse()
    away = findings(settings, token=SecretStr(TOKEN), api_url=slack.url)["channels"]
    assert (away.verdict, "cannot be reached" in away.detail) == ("broken", True)


def test_doctor_tries_every_channel_and_leaves_nothing_behind(settings: Settings, slack: SlackServer) -> None:
    slack.closed = {"#fridge-ml": "channel_not_found", "#fridge-sites": "not_in_channel"}
    found = findings(settings, token=SecretStr(TOKEN), api_url=slack.url)["channels"]
    assert found.verdict == "broken"
    assert "Slack says channel_not_found for #fridge-ml. Create #fridge-ml, or name another one" in found.detail
    assert "type /invite in #fridge-sites" in found.detail
    assert "#fridge-on-call" not in found.detail
    assert slack.scheduled == []
    assert slack.posts == []


def test_doctor_warns_of_messages_that_wait_for_long(
    operations: Operations, settings: Settings, slack: SlackServer
) -> None:
    slack.always = refused("not_in_channel")
    long_ago = datetime.now(UTC) - timedelta(minutes=20)
    store(operations, [message(occurred_at=long_ago)], long_ago)
    given = notification_settings(slack)
    deliver(operations, senders_of(given), given, WallClock(datetime.now(UTC)))
    found = findings(settings)["messages"]
    assert found.verdict == "note"
    assert "1 wait to be sent, the oldest for 20 min" in found.detail
    assert "/invite" in found.detail
