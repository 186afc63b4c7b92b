"""Messages of Kafka into staged rows: each is a row, a reading or a dead letter, and none harms another."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pandas as pd

from fridge_assets.contracts.sensor_readings import SENSOR_READINGS
from fridge_assets.core.errors import FridgeError
from fridge_assets.readings.landed import stage_files
from fridge_assets.settings import ReadingSettings
from fridge_assets.stores.files import atomic_write
from fridge_assets.stores.frames import registered
from fridge_assets.stores.landing import LandingFile
from fridge_assets.streaming.sources.kafka_client import KafkaMessage

_COLUMNS = SENSOR_READINGS.column_names
_LONGEST = 10_000
"""Characters that are kept of what is no reading."""
_FILE = "messages.jsonl"
_NO_READING = json.dumps(dict.fromkeys(_COLUMNS))
"""Ends the file, so that it can be read even when no message in it is a reading."""


def stage_messages(
    engine: duckdb.DuckDBPyConnection,
    deliveries: Mapping[str, Sequence[KafkaMessage]],
    folder: Path,
    settings: ReadingSettings,
) -> None:
    """Put messages into a new table ``staged``.

    Args:
        engine: holds ``known_devices`` where there is a registry.
        deliveries: ``source_file`` → its messages; ``row_number`` counts them from 1.
        folder: for a file that is there meanwhile.
        settings: cleaning rules.

    Raises:
        FridgeError: the folder cannot be written, or DuckDB cannot read what was written.
    """
    lines = [line_of(message) for messages in deliveries.values() for message in messages]
    path = folder / _FILE
    try:
        with atomic_write(path) as temporary:
            temporary.write_text("\n".join([*lines, _NO_READING]) + "\n", encoding="utf-8")
        # One file for all of them: what staging costs is mostly per file.
        file = LandingFile(path, path.stat().st_size, datetime.now(UTC))
        refused, _ = stage_files(engine, [file], settings, sources=folder)
    finally:
        path.unlink(missing_ok=True)
    if refused:
        raise FridgeError(
            f"messages of Kafka cannot be staged: {refused[_FILE]}", "They are read again at the next start."
        )
    _name_deliveries(engine, deliveries)
    # What is no reading went through the file as JSON text.
    engine.execute(
        "UPDATE staged SET raw = coalesce(raw ->> '$', raw) WHERE reason = 'ROW_MALFORMED' AND json_valid(raw)"
    )


def line_of(message: KafkaMessage) -> str:
    """One message as a line of JSON.

    Returns:
        An object with exactly the columns of a reading, so that no message adds a column that disturbs the others; or,
        for what is no JSON object, something else, which staging sets aside as ROW_MALFORMED.
    """
    if message.value is None:
        return "null"
    try:
        reading = json.loads(message.value.decode("utf-8-sig"))
        if isinstance(reading, dict):
            row = {column: reading.get(column) for column in _COLUMNS}
            row["timestamp_device"] = reading.get("timestamp") or row["timestamp_device"]
            row["timestamp_ingested"] = row["timestamp_ingested"] or _moment(message.sent_at)
            return json.dumps(row)
    except (ValueError, RecursionError):
        pass
    return json.dumps(message.value.decode(errors="backslashreplace")[:_LONGEST])


def _moment(milliseconds: int | None) -> str | None:
    try:
        return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None  # Senders may put anything there.


def _name_deliveries(engine: duckdb.DuckDBPyConnection, deliveries: Mapping[str, Sequence[KafkaMessage]]) -> None:
    """Say of each row which delivery it belongs to, and drop the one that belongs to none."""
    sizes = pd.DataFrame([(name, len(ms)) for name, ms in deliveries.items()], columns=["delivery", "size"])
    sizes["before"] = sizes["size"].cumsum() - sizes["size"]
    with registered(engine, sizes=sizes):
        engine.execute(
            "UPDATE staged SET source_file = delivery, row_number = row_number - before FROM sizes "
            "WHERE row_number > before AND row_number <= before + size"
        )
    engine.execute("DELETE FROM staged WHERE source_file = ?", [_FILE])
