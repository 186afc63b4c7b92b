"""What is said is true when it is said: while a message waits, people act (SPEC 7)."""

from datetime import timedelta

import pytest

from fridge_assets.core.moments import with_local_times
from fridge_assets.incidents.acting import act
from fridge_assets.incidents.observations import Act
from fridge_assets.incidents.store import watch
from fridge_assets.incidents.terms import PersonsAction
from fridge_assets.notifications.deliver import DeliveryReport, deliver_due
from fridge_assets.notifications.outbox import messages_about
from fridge_assets.notifications.senders import senders_of
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations
from fridge_assets_tests.cli.typed import typed
from fridge_assets_tests.incidents.device import CRITICAL, SETTINGS, run_time, seen
from fridge_assets_tests.incidents.given import incident_id, see
from fridge_assets_tests.notifications.given import (
    NOON,
    ON_CALL,
    WallClock,
    at,
    delivered,
    message,
    notification_settings,
    store,
    stored,
)
from fridge_assets_tests.notifications.slack_server import SlackServer, refused

MINUTE = timedelta(minutes=1)
TOLD = run_time(0)
EVERYONE = "#fridge-everyone"


def told(operations: Operations, *devices: str) -> list[str]:
    """Critical incidents that are stored with their messages; their ids."""
    see(operations, TOLD, *(seen(0, CRITICAL, device=device) for device in devices))
    return [incident_id(operations, device) for device in devices]


def acts(operations: Operations, identity: str, action: PersonsAction, minutes: float) -> None:
    act(operations, identity, Act(action, "ann", "seen"), TOLD + minutes * MINUTE, SETTINGS)


def test_nobody_has_taken_it_is_not_said_once_somebody_has(
    operations: Operations, settings: Settings, slack: SlackServer, clock: WallClock
) -> None:
    (identity,) = told(operations, "d1")
    clock.now = TOLD
    delivered(operations, slack, clock)
    slack.then(refused("not_in_channel"), channel=EVERYONE)
    watch(operations, TOLD + 31 * MINUTE, SETTINGS)
    clock.now = TOLD + 31 * MINUTE
    assert delivered(operations, slack, clock) == DeliveryReport(failed=1, waiting=1)
    acts(operations, identity, "acknowledge", 33)
    clock.now = TOLD + 40 * MINUTE
    assert delivered(operations, slack, clock) == DeliveryReport(superseded=1)
    assert slack.posted(EVERYONE) == []
    with operations.read() as connection:
        first, deadline = messages_about(connection, identity)
    assert (first.status, deadline.status) == ("sent", "superseded")
    assert deadline.deliveries[0].reason == f"not sent: acknowledged by ann at {TOLD + 33 * MINUTE:%Y-%m-%d %H:%M} UTC"
    assert "nobody has taken it" in deadline.title, "the audit keeps it"
    code, said, error = typed(settings.root, "incidents", "show", identity)
    assert code == 0, error
    people_were_told, not_told = said.split("Not told any more")
    assert "nobody has taken it" not in people_were_told
    assert "deadline" not in people_were_told.partition("People were told")[2]
    assert "acknowledged" in not_told


def test_the_story_tells_what_was_sent_from_what_waits(
    operations: Operations, settings: Settings, slack: SlackServer, clock: WallClock
) -> None:
    (identity,) = told(operations, "d1")
    code, said, error = typed(settings.root, "incidents", "show", identity)
    assert (code, error) == (0, "")
    assert "nobody has been told yet" in said
    assert "People were told: none" in said
    assert "Waits to be told" in said
    clock.now = TOLD
    delivered(operations, slack, clock)
    said = typed(settings.root, "incidents", "show", identity)[1]
    assert "Waits to be told" not in said
    assert "slack" in said.partition("People were told")[2]


@pytest.mark.parametrize(
    ("action", "word"),
    [
        ("acknowledge", "acknowledged"),
        ("resolve", "resolved"),
        ("false_positive", "called a false positive"),
    ],
)
def test_a_message_about_an_incident_says_what_became_of_it_while_it_waited(
    operations: Operations, settings: Settings, slack: SlackServer, clock: WallClock, action: PersonsAction, word: str
) -> None:
    (identity,) = told(operations, "d1")
    acts(operations, identity, "acknowledge", 5)
    if action != "acknowledge":
        acts(operations, identity, action, 6)
    clock.now = TOLD + 20 * MINUTE
    delivered(operations, slack, clock)
    (post,) = slack.posted(ON_CALL)
    first = post.text.splitlines()[0]
    assert first.endswith(f"({word} since)")
    assert f"Since then: {word} by ann at" in post.text
    assert "It has waited 20 min to be delivered" in post.text
    (key,) = stored(operations)
    assert at(operations, key).said == first


def test_a_list_says_how_many_of_it_were_taken_and_goes_once_all_were(
    operations: Operations, settings: Settings, slack: SlackServer, clock: WallClock
) -> None:
    ids = told(operations, *(f"d{n}" for n in range(11)))
    clock.now = TOLD
    delivered(operations, slack, clock)
    watch(operations, TOLD + 31 * MINUTE, SETTINGS)
    acts(operations, ids[0], "acknowledge", 32)
    slack.then(refused("not_in_channel"), channel=EVERYONE)
    clock.now = TOLD + 33 * MINUTE
    delivered(operations, slack, clock)
    acts(operations, ids[1], "acknowledge", 34)
    clock.now = TOLD + 35 * MINUTE
    delivered(operations, slack, clock)
    (post,) = slack.posted(EVERYONE)
    assert post.text.startswith("Nobody has taken 11 CRITICAL incidents in")
    assert "(2 of 11 taken or resolved since)" in post.text.splitlines()[0]


def test_a_message_that_was_sent_at_once_is_as_it_was_stored(
    operations: Operations, settings: Settings, slack: SlackServer, clock: WallClock
) -> None:
    told(operations, "d1")
    clock.now = TOLD + MINUTE
    delivered(operations, slack, clock)
    (key,) = stored(operations)
    assert at(operations, key).said == stored(operations)[key].title
    assert "since" not in slack.posts[0].text.splitlines()[0]


# --- local times


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Act by 2026-06-01 12:30 UTC.", "Act by 2026-06-01 14:30 CEST (2026-06-01 12:30 UTC)."),
        ("from 2026-06-01 12:00 to 2026-06-01 23:10 UTC",
         "from 2026-06-01 14:00 to 2026-06-02 01:10 CEST (2026-06-01 12:00 to 2026-06-01 23:10 UTC)"),
        ("between 11:45 and 12:00 UTC.", "between 13:45 and 14:00 CEST (11:45 and 12:00 UTC)."),
        ("First seen 31 May 2026 23:45 UTC.", "First seen 2026-06-01 01:45 CEST (31 May 2026 23:45 UTC)."),
        ("since 2026-01-31 12:30 UTC", "since 2026-01-31 13:30 CET (2026-01-31 12:30 UTC)"),
        ("at 99:99 UTC, 2026-13-01 10:00 UTC", "at 99:99 UTC, 2026-13-01 10:00 UTC"),
        ("nothing at 12:30", "nothing at 12:30"),
        ("It rose at 11:05:10 UTC.", "It rose at 13:05:10 CEST (11:05:10 UTC)."),
        ("back at 2026-06-01 11:05:10 UTC", "back at 2026-06-01 13:05:10 CEST (2026-06-01 11:05:10 UTC)"),
    ],
)  # fmt: skip
def test_moments_in_a_text_have_the_local_time_beside_utc(text: str, shown: str) -> None:
    assert with_local_times(text, NOON, "Europe/Berlin") == shown
    assert with_local_times(text, NOON, "UTC") == text


def test_a_message_about_incidents_has_the_time_of_their_site(
    operations: Operations, settings: Settings, slack: SlackServer, clock: WallClock
) -> None:
    told(operations, "d1")
    store(operations, [message("other", occurred_at=TOLD, lines=("At 2026-06-01 12:30 UTC.",))], TOLD)
    chosen, clock.now = notification_settings(slack), TOLD
    asked = []

    def zone_of(sites: object) -> str:
        asked.append(sites)
        return "Asia/Kolkata" if sites else "UTC"

    deliver_due(operations, senders_of(chosen), chosen, clock, zone_of, clock.sleep)
    about_incident, other = slack.posted(ON_CALL)
    assert " IST (" in about_incident.text
    assert " IST (" in about_incident.text.splitlines()[-1]  # when it happened
    assert "At 2026-06-01 12:30 UTC." in other.text
    assert asked[1] == set()
