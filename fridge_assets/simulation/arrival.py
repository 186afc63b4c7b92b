"""Cutting a fleet's readings into landing files by the time they arrive (SPEC 1.2, 10)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from fridge_assets.simulation.fleet import Fleet
from fridge_assets.simulation.reading_table import READINGS_SCHEMA

FILE_MINUTES = (60, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1)
"""Spans a landing file may cover: whole parts of an hour, so that files begin on round times."""


@dataclass
class Arrivals:
    """Readings in the order they arrive; what is late waits in ``in_transit`` for the file of its arrival.

    Spans are asked for one after another.
    """

    fleet: Fleet
    in_transit: pa.Table = field(default_factory=READINGS_SCHEMA.empty_table)

    def between(self, start: datetime, end: datetime) -> pa.Table:
        """Readings that arrive from ``start`` to ``end``: those measured in the span, then the late ones."""
        measured = self.fleet.readings(start, end)
        readings = pa.concat_tables([measured, self.in_transit])
        arrived = pc.less(readings["timestamp_ingested"], pa.scalar(end, pa.timestamp("us", tz="UTC")))
        self.in_transit = readings.filter(pc.invert(arrived))
        return readings.filter(arrived)


def file_spans(start: datetime, end: datetime, devices: int, rows_per_file: int) -> Iterator[tuple[datetime, datetime]]:
    """Cut the span into files of up to an hour and about ``rows_per_file`` readings, at round times.

    A file never covers less than a minute, however large the fleet.
    """
    minutes = next((m for m in FILE_MINUTES if m * devices <= rows_per_file), 1)
    length = timedelta(minutes=minutes)
    while start < end:
        round_end = start - timedelta(minutes=start.minute % minutes) + length
        yield start, min(round_end, end)
        start = round_end
