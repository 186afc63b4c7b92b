"""Whether this machine's clock agrees with what is stored."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from fridge_assets.core.moments import spoken
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations, pulse, stream_status
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets.upkeep.doctor.check import Check, State, note, ok

_LEEWAY = timedelta(minutes=5)

_PULSES = (
    ("the last pulse of the automation was felt", pulse.c.beaten_at),
    ("the last pulse of the stream was felt", stream_status.c.beaten_at),
)
"""Moments that this machine, or one that shares the store, took from its own clock."""


def clock_checks(settings: Settings, warehouse: Warehouse, operations: Operations) -> list[Check]:
    """Whether a clock was set, here or where the readings are made."""
    files = (settings.warehouse_file, settings.root / "operations.db")

    def look() -> State:
        with warehouse.read() as connection:
            newest = connection.execute("SELECT epoch(max(last_reading_at)) FROM device_last_seen").fetchall()[0][0]
        with operations.read() as connection:
            written = [(what, connection.scalar(sa.select(sa.func.max(column)))) for what, column in _PULSES]
        written += [(f"{file.name} was written", _written_at(file)) for file in files if file.exists()]
        reading = None if newest is None else datetime.fromtimestamp(newest, UTC)
        return clock_state(reading, written, datetime.now(UTC))

    return [Check("clock", look, needs=("warehouse", "operations store"))]


def clock_state(
    newest_reading: datetime | None, written: Sequence[tuple[str, datetime | None]], now: datetime
) -> State:
    """What the clock is worth.

    Args:
        newest_reading: its own time; None without readings.
        written: what was written last, in words, and the moment that was noted with it.
        now: what the clock says.
    """
    ahead = [f"{what} {spoken(at - now)} from now" for what, at in written if at is not None and at - now > _LEEWAY]
    if ahead:
        return note(
            f"{now:%Y-%m-%d %H:%M} UTC, but {ahead[0]}: this clock was set back, or another machine's is ahead; "
            "set one clock (`timedatectl` shows whether it follows a time server)"
        )
    if newest_reading is None:
        return ok(f"{now:%Y-%m-%d %H:%M} UTC; there are no readings to hold it against")
    if newest_reading - now > _LEEWAY:
        return note(f"the newest reading is {spoken(newest_reading - now)} ahead of this machine; set one clock")
    return ok(f"the newest reading is {spoken(now - newest_reading)} old")


def _written_at(file: Path) -> datetime:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)
