"""What a batch has put into ``staged``: the readings for the engine, and the unusable ones (SPEC 1.3, 5)."""

from collections.abc import Iterator

import duckdb
import pandas as pd

from fridge_assets.stores.frames import registered
from fridge_assets.streaming.dead_letters import DeadLetter
from fridge_assets.streaming.engine import Changes, Engine
from fridge_assets.streaming.rules import RULES
from fridge_assets.streaming.sources.base import Batch

_SENSORS = ", ".join(rule.sensor for rule in RULES.values())


def take_delivered(engine: Engine, batch: Batch) -> Changes:
    """Let ``engine`` take the usable rows of ``staged``, which ``batch`` is about.

    A reading without a time of arrival has its own; it arrived with its delivery at the latest, and a clock that runs
    ahead must not hide that.
    """
    order = pd.DataFrame(
        [
            (name, part, number, batch.received.get(name))
            for number, (name, part) in enumerate(batch.deliveries.items())
        ],
        columns=["source_file", "part", "delivery", "received"],
    )
    order["received"] = pd.to_datetime(order["received"], utc=True)
    with registered(engine.connection, deliveries=order):
        return engine.take(
            "SELECT device_id, part, delivery, staged.rowid AS arrival, timestamp_utc, "
            "least(timestamp_ingested, received) AS timestamp_ingested, "
            f"{_SENSORS}, defrost_cycle FROM staged JOIN deliveries USING (source_file) WHERE reason IS NULL"
        )


def unusable(connection: duckdb.DuckDBPyConnection, batch: Batch, most: int) -> tuple[int, Iterator[DeadLetter]]:
    """How many readings of ``batch`` cannot be used, and up to ``most`` of them with the reason."""
    count = int(connection.execute("SELECT count(*) FROM staged WHERE reason IS NOT NULL").fetchall()[0][0])
    rows = connection.execute(
        "SELECT source_file, row_number, reason, detail, raw FROM staged WHERE reason IS NOT NULL "
        "ORDER BY source_file, row_number LIMIT ?",
        [most],
    ).fetchall()
    refused = [DeadLetter(name, 0, "DELIVERY_REFUSED", why, "") for name, why in batch.refused.items()]
    return count + len(refused), iter([*refused, *(DeadLetter(*row) for row in rows)])
