"""What a source of readings does for the stream."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import duckdb
from sqlalchemy.engine import Connection

Positions = Mapping[str, int]
"""Part of the source → how far it was taken: the number of the last landing file, or the next offset of a partition."""


@dataclass(frozen=True)
class Batch:
    """Readings that were put into the table ``staged``, as ``readings.staging`` makes it.

    Args:
        positions: how far the source was taken with them, for the parts that they come from.
        answered: what they show was stored before; they only bring the state up to date.
        deliveries: ``source_file`` of ``staged`` → the part of the source, in the order of delivery.
        refused: why a delivery could not be read at all, by name.
        received: when a delivery came, by name; no reading in it is younger than that.
    """

    positions: Positions
    answered: bool
    deliveries: Mapping[str, str]
    refused: Mapping[str, str] = field(default_factory=dict)
    received: Mapping[str, datetime] = field(default_factory=dict)


class Source(Protocol):
    """A source of readings. Each device belongs to one part of it, and one process owns that part."""

    name: str
    """As in stored positions and in metrics."""

    def resume(self, positions: Positions | None) -> None:
        """Go on after ``positions``, those of the checkpoint; without one replay what the state may need.

        What was stored between the checkpoint and the end of the last process comes as answered batches.
        """

    def poll(self, engine: duckdb.DuckDBPyConnection) -> Batch | None:
        """Put the next readings into ``staged``; None when there are none at the moment."""

    def record(self, connection: Connection, batch: Batch, now: datetime) -> None:
        """Write down that ``batch`` is answered, in the transaction that stores what it has shown."""

    def saved(self, positions: Positions) -> None:
        """The state up to ``positions`` is safe on disk."""

    def lost_parts(self) -> Sequence[str]:
        """Parts that were taken over by another process since the last call; their devices are to be forgotten."""

    def behind(self) -> int:
        """Files or messages that wait to be taken, as far as is known."""

    def close(self) -> None:
        """Let go of connections and of the parts."""
