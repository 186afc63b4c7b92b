"""Whether the automation is alive (SPEC 4)."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.stores.operations import insert_missing, pulse

AUTOMATION = "automation"
"""The daemon, the code that it loads and the operations store: their pulse needs all three."""


def beat(connection: Connection, name: str, at: datetime) -> None:
    """Note that ``name`` is alive, in the transaction of ``connection``."""
    insert_missing(connection, pulse, [{"name": name, "beaten_at": at}])
    connection.execute(sa.update(pulse).where(pulse.c.name == name).values(beaten_at=at))
