"""The clock of a run: one moment for all its steps, settable so that recorded data runs at its own time."""

from datetime import UTC, datetime

import dagster as dg
from pydantic import Field, PrivateAttr

from fridge_assets.core.errors import FridgeError
from fridge_assets.core.moments import LATEST, parse_moment
from fridge_assets.settings import Settings
from fridge_assets.stores.warehouse import Warehouse


class Clock(dg.ConfigurableResource):  # type: ignore[type-arg]
    """What time it is for a run.

    By default the moment the run started, the same in all its processes.
    """

    warehouse: dg.ResourceDependency[Warehouse]
    settings: dg.ResourceDependency[Settings]
    as_of: str = Field(
        default="", description="ISO 8601 moment to run at, or 'latest'; empty means the start of the run"
    )

    _started_at: datetime | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Remember when the run started."""
        if context.instance is not None and context.run is not None:
            record = context.instance.get_run_record_by_id(context.run.run_id)
            if record is not None and record.start_time is not None:
                self._started_at = datetime.fromtimestamp(record.start_time, UTC)

    def now(self) -> datetime:
        """The moment of the run, timezone-aware UTC.

        Raises:
            FridgeError: ``as_of`` is 'latest' and there are no readings, or it is not a moment with a zone.
        """
        if self.as_of == LATEST:
            return self._newest_window_closed()
        if self.as_of:
            return parse_moment(self.as_of, "as_of")
        return self._started_at or datetime.now(UTC)

    @staticmethod
    def wall_time() -> datetime:
        """The actual time, for what is recorded about the run itself and not about its data."""
        return datetime.now(UTC)

    def _newest_window_closed(self) -> datetime:
        """When the window of the newest reading is closed, so that it is the one that is scored.

        However seldom readings come, it is then never too old to be.
        """
        with self.warehouse.read() as connection:
            newest = connection.execute("SELECT epoch(max(last_reading_at)) FROM device_last_seen").fetchall()[0][0]
        if newest is None:
            raise FridgeError(
                "as_of is 'latest' but there are no readings yet",
                "Bring some: files in the landing folder, or `fridge-assets ingest FILE`.",
            )
        length = self.settings.features.window.total_seconds()
        window_end = datetime.fromtimestamp((newest // length + 1) * length, UTC)
        return window_end + self.settings.readings.allowed_lateness
