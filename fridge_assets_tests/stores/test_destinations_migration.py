"""An outbox from before there were several destinations keeps what became of each message."""

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from fridge_assets.notifications.outbox import OutboxFilter, list_messages
from fridge_assets.settings import Settings
from fridge_assets.stores.migrations import FOLDER
from fridge_assets.stores.operations import Operations

_OLD = (
    "INSERT INTO outbox (message_id, number, channel, kind, key, title, lines, run_id, occurred_at, created_at, "
    "status, attempts, maybe_sent, last_error, sent_at, sent_to, summarised_by) VALUES (:id, :number, 'ml', 'model', "
    ":id, 'T', '[\"L\"]', '', '2026-06-01 12:00:00', '2026-06-01 12:00:00', :status, :attempts, :maybe_sent, :error, "
    ":sent_at, :sent_to, '')"
)


def test_older_messages_keep_what_became_of_them(settings: Settings) -> None:
    settings.root.mkdir(parents=True)
    engine = sa.create_engine(settings.operations_database)
    at = "2026-06-01 12:01:00"
    states = {
        "sent": ("sent", 2, True, "", at, "1780000000.1"),
        "logged": ("sent", 1, True, "", at, "log"),
        "failing": ("pending", 3, True, "not_in_channel", None, ""),
        "new": ("pending", 0, False, "", None, ""),
    }
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(FOLDER))
        command.upgrade(config, "0006")
        for number, (name, state) in enumerate(states.items(), 1):
            named = dict(zip(("status", "attempts", "maybe_sent", "error", "sent_at", "sent_to"), state, strict=True))
            connection.execute(sa.text(_OLD), {"id": name, "number": number} | named)
    engine.dispose()
    operations = Operations(settings.operations_database)
    with operations.read() as connection:
        messages = {m.key: m for m in list_messages(connection, OutboxFilter())}
    assert {key: m.status for key, m in messages.items()} == {name: state[0] for name, state in states.items()}
    became = {
        key: [(d.destination, d.status, d.attempts, d.maybe_sent, d.reason, d.sent_to) for d in m.deliveries]
        for key, m in messages.items()
    }
    assert became == {
        "sent": [("slack", "sent", 2, True, "", "1780000000.1")],
        "logged": [("log", "sent", 1, True, "", "log")],
        "failing": [("slack", "pending", 3, True, "not_in_channel", "")],
        "new": [],
    }
    assert messages["new"].lines == ("L",)
    assert (messages["new"].commands, messages["new"].only_to) == ((), "")
