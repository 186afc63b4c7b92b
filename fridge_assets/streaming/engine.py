"""The state of the stream and what one batch of readings does to it: DuckDB in memory, every step one statement.

State, all of it a function of the readings that were accepted, never of how they were cut into batches:

- ``devices``: a number for every device, and the time of its newest reading. A device's *watermark* is that time less
  the allowed lateness: nothing before it changes any more. Every device has its own, so that one wrong clock, or one
  site that was offline, cannot make the readings of others late.
- ``recent``: readings from ``lookback`` before the watermark on, one row per device and moment, and beside each what
  was usual of its device.
- ``history``: vibration, bands and interval of devices in buckets, of the readings that the watermark has passed (see
  ``history``). What is usual at the time of a reading is taken from the span that ends with the last bucket the
  watermark must have passed by then; it is known for good when the reading comes, and no failure that it shows is in
  there yet.
- ``open_onsets``: onsets after the watermark, which a late reading may still change.

An onset is told at once. If a late reading shows that it began earlier, or was none, the change is told, too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from fridge_assets.core.exact_sums import FEATURE_PARTS, parts_sql
from fridge_assets.settings import StreamingSettings
from fridge_assets.stores.frames import registered
from fridge_assets.streaming.history import HISTORY_COLUMNS, USUAL, USUAL_COLUMNS, buckets_sql, looked_back, usual_sql
from fridge_assets.streaming.rules import MILLISECOND, RULES, microseconds, onsets_sql, screen_sql

STATE: Mapping[str, str] = {
    "devices": "device_no INTEGER, device_id VARCHAR, part VARCHAR, newest BIGINT, coarse BOOLEAN",
    "recent": "device_no INTEGER, ts BIGINT, current_compressor DOUBLE, vibration_compressor DOUBLE, "
    f"pressure_low_side DOUBLE, temperature_evaporator DOUBLE, defrost BOOLEAN, {USUAL_COLUMNS}",
    "history": HISTORY_COLUMNS,
    "open_onsets": "device_no INTEGER, rule VARCHAR, onset BIGINT",
}
"""Tables of the state, which a checkpoint saves."""

_FOREVER = 1 << 62
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_DENSE = timedelta(seconds=75)
"""A device that sends every minute is less often seen than that when a fifth of its readings are lost."""
_PUBLISHED_LATER = ("pressure_floor", "evaporator_ceiling", "interval_seconds")
_TIDY_FACTOR, _TIDY_ROWS = 1.25, 200_000
"""A table that has grown by this since its last tidying is worth tidying again."""


@dataclass(frozen=True, order=True)
class Onset:
    """The first reading of a row of readings that meet a rule.

    Args:
        device_id: the device.
        rule: name of the rule.
        at: when it was measured.
        value: what the sensor read.
        reference: what the rule held it against.
        threshold: of the device at that time.
    """

    device_id: str
    rule: str
    at: datetime
    value: float = field(compare=False)
    reference: float = field(compare=False)
    threshold: float = field(compare=False)


@dataclass(frozen=True)
class OnsetKey:
    """An onset that was told before."""

    device_id: str
    rule: str
    at: datetime


@dataclass(frozen=True)
class Changes:
    """What a batch has shown.

    Args:
        new: onsets that were not known.
        withdrawn: onsets that were told and are none, now that late readings are there.
        readings: readings that were taken in.
        repeated: readings that were known.
        too_late: readings that came later than is allowed.
    """

    new: Sequence[Onset] = ()
    withdrawn: Sequence[OnsetKey] = ()
    readings: int = 0
    repeated: int = 0
    too_late: int = 0


class Engine:
    """The sliding window and the rules over it.

    Args:
        settings: spans and limits.
        threads: of DuckDB.
        memory_limit: of DuckDB; beyond it statements fail, since nothing is swapped out to a disk.
    """

    def __init__(self, settings: StreamingSettings, *, threads: int = 2, memory_limit: str = "4GB") -> None:
        self.settings = settings
        self.connection = duckdb.connect(
            config={"threads": str(threads), "memory_limit": memory_limit, "temp_directory": ""}
        )
        for statement in ("SET TimeZone = 'UTC'", "SET enable_progress_bar = false"):
            self.connection.execute(statement)
        for table, columns in STATE.items():
            self.connection.execute(f"CREATE TABLE {table} ({columns})")
        self.connection.execute(
            "CREATE TABLE thresholds (device_no INTEGER, rule VARCHAR, since BIGINT, until BIGINT, value DOUBLE)"
        )
        # What can be made of the rest at any time, and is kept because it is asked for often.
        self.connection.execute(f"CREATE TABLE usual (device_no INTEGER, until BIGINT, {USUAL_COLUMNS})")
        self._tidied = {"recent": 0, "history": 0}
        self._summarise_thresholds()

    def close(self) -> None:
        """Release the memory."""
        self.connection.close()

    @contextmanager
    def atomically(self) -> Iterator[None]:
        """What the block does to the state happens whole, or not at all when it raises."""
        self.connection.begin()
        try:
            yield
        except BaseException:
            self.connection.rollback()
            raise
        self.connection.commit()

    def know_thresholds(self, history: pd.DataFrame) -> None:
        """Use these thresholds from now on.

        Args:
            history: ``device_id``, ``rule``, ``since`` and ``until`` (null for open) in microseconds, ``value``; only
                what differs from the rules' defaults.
        """
        with self.atomically(), registered(self.connection, history=history):
            self._number("SELECT device_id, '' AS part FROM history")
            self.connection.execute(
                "CREATE OR REPLACE TABLE thresholds AS SELECT device_no, rule, since, "
                f"coalesce(until, {_FOREVER}) AS until, value FROM history JOIN devices USING (device_id)"
            )
            self._summarise_thresholds()

    def take(self, readings: str) -> Changes:
        """Take readings in and say what they show.

        Args:
            readings: SELECT of ``device_id``, ``timestamp_utc``, ``timestamp_ingested``, the four sensors of the rules
                and ``defrost_cycle``; ``part``, the part of the source that owns the device; ``delivery`` and
                ``arrival`` (unique), which with ``timestamp_ingested`` between them order the readings as they arrived.

        Returns:
            What is new; the state has changed with it.
        """
        with self.atomically():
            self._arrive(readings)
            received, too_late = self._accept()
            if not received:
                return Changes(too_late=too_late)
            repeated = self._merge()
            self._advance()
            self._remember()
            new, withdrawn = self._judge()
        self._tidy()
        return Changes(new, withdrawn, received, repeated, too_late)

    def know_usual(self, history: pa.Table) -> None:
        """Start from what the features know of vibration, bands and intervals, for devices without their own history.

        Args:
            history: ``device_id``, ``window_start``, ``mean`` of vibration in mm/s and ``readings`` of whole hours;
                ``pressure_floor`` in kPa, ``evaporator_ceiling`` in °C and ``interval_seconds`` where they are known.
        """
        bucket = microseconds(self.settings.vibration_bucket)
        parts = max(_HOUR // self.settings.vibration_bucket, 1)
        # What was published by an earlier version has no bands.
        absent = [name for name in _PUBLISHED_LATER if name not in history.column_names]
        for name in absent:
            history = history.append_column(name, pa.nulls(len(history), pa.float64()))
        readings = f"greatest(readings // {parts}, 1)"  # of a bucket
        vibration = parts_sql(f"mean * {readings}", FEATURE_PARTS)
        with self.atomically(), registered(self.connection, published=history):
            self._number("SELECT device_id, '' AS part FROM published")
            self.connection.execute(
                "INSERT INTO history "
                f"SELECT device_no, epoch_us(window_start) // {bucket} * {bucket} + unnest(range({parts})) * {bucket}, "
                f"coalesce({vibration}, 0), "
                f"CASE WHEN mean IS NULL THEN 0 ELSE {readings} END, "
                "pressure_floor, evaporator_ceiling, "
                f"coalesce(interval_seconds * 1000 * {readings}, 0), "
                f"CASE WHEN interval_seconds IS NULL THEN 0 ELSE {readings} END "
                "FROM published JOIN devices USING (device_id) "
                "WHERE device_no NOT IN (SELECT device_no FROM history)"
            )

    def forget(self, parts: Iterable[str]) -> None:
        """Forget the devices of parts of the source that now belong to another process."""
        chosen = list(parts)
        with self.atomically():
            for table in ("recent", "history", "open_onsets"):
                self.connection.execute(
                    f"DELETE FROM {table} WHERE device_no IN "
                    "(SELECT device_no FROM devices WHERE part IN (SELECT unnest(?)))",
                    [chosen],
                )
            self.connection.execute(
                "UPDATE devices SET newest = NULL, part = '', coarse = NULL WHERE part IN (SELECT unnest(?))", [chosen]
            )

    def newest(self) -> datetime | None:
        """Time of the newest reading of any device; None before the first."""
        newest = self._one("SELECT max(newest) FROM devices")
        return None if newest is None else moment_of(newest)

    def rows(self) -> dict[str, int]:
        """Rows of each table of the state."""
        return {table: self._one(f"SELECT count(*) FROM {table}") for table in STATE}

    # What one batch does, step by step.

    def _arrive(self, readings: str) -> None:
        """Number the devices, and note of each reading the newest one of its device before the batch."""
        # A clock that runs ahead must not make the readings of a right one late: time is at most that of the arrival.
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE delivered AS {readings}")
        self._number("SELECT DISTINCT device_id, part FROM delivered")
        if self._one("SELECT count(*) FROM delivered WHERE part <> ''"):
            self.connection.execute("""
UPDATE devices SET part = d.part FROM (SELECT DISTINCT device_id, part FROM delivered) d
WHERE d.device_id = devices.device_id AND d.part <> devices.part""")
        self.connection.execute("""
CREATE OR REPLACE TEMP TABLE arrived AS
SELECT device_no, newest, delivery, arrival, epoch_us(timestamp_utc) AS ts,
  epoch_us(timestamp_ingested) AS ingested_at, least(ts, ingested_at) AS clock,
  current_compressor, vibration_compressor, pressure_low_side, temperature_evaporator,
  coalesce(defrost_cycle, false) AS defrost
FROM delivered JOIN devices USING (device_id)""")

    def _accept(self) -> tuple[int, int]:
        """Leave out what is too late: readings that are taken, and readings that are not."""
        # Only where the readings of a device span more than is allowed does their order within the batch matter.
        self.connection.execute(f"""
CREATE OR REPLACE TEMP TABLE too_late AS
WITH doubtful AS (
  SELECT device_no FROM arrived GROUP BY device_no
  HAVING min(ts) < greatest(max(clock), any_value(newest)) - {self._lateness}
),
in_order AS (
  SELECT arrival, ts, greatest(newest, max(clock) OVER (
    PARTITION BY device_no ORDER BY delivery, ingested_at, arrival
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
  )) AS newest_before
  FROM arrived SEMI JOIN doubtful USING (device_no)
)
SELECT arrival FROM in_order WHERE ts < newest_before - {self._lateness};
CREATE OR REPLACE TEMP TABLE accepted AS SELECT * FROM arrived ANTI JOIN too_late USING (arrival)""")
        return self._one("SELECT count(*) FROM accepted"), self._one("SELECT count(*) FROM too_late")

    def _merge(self) -> int:
        """Add the readings to the window, those of one moment as one; returns how many brought nothing new."""
        self.connection.execute(f"""
CREATE OR REPLACE TEMP TABLE touched AS
SELECT device_no, coalesce(any_value(newest), min(ts)) - {self._lateness} AS watermark_before,
  greatest(max(clock), any_value(newest)) - {self._lateness} AS watermark,
  greatest(max(clock), any_value(newest)) AS newest, min(ts) AS first_new
FROM accepted GROUP BY device_no""")
        # What is younger than everything before cannot be known; of a clock that runs ahead nobody can tell.
        old = "ts <= newest OR ts > clock"
        first = self._one(f"SELECT coalesce(min(ts), 0) FROM accepted WHERE {old}")
        self.connection.execute(f"""
CREATE OR REPLACE TEMP TABLE known AS
SELECT * EXCLUDE ({", ".join(USUAL)}) FROM recent
SEMI JOIN (SELECT device_no, ts FROM accepted WHERE {old}) USING (device_no, ts)
WHERE ts >= {first};
CREATE OR REPLACE TEMP TABLE moments AS
SELECT device_no, ts, max(current_compressor) AS current_compressor, max(vibration_compressor) AS vibration_compressor,
  min(pressure_low_side) AS pressure_low_side, max(temperature_evaporator) AS temperature_evaporator,
  bool_or(defrost) AS defrost, coalesce(min(clock), ts) AS clock
FROM (
  SELECT device_no, ts, current_compressor, vibration_compressor, pressure_low_side, temperature_evaporator, defrost,
    clock
  FROM accepted UNION ALL SELECT *, NULL AS clock FROM known
)
GROUP BY device_no, ts""")
        known = self._one("SELECT count(*) FROM known")
        if known:
            self.connection.execute(
                "DELETE FROM recent USING known "
                f"WHERE recent.ts >= {first} AND recent.device_no = known.device_no AND recent.ts = known.ts"
            )
        received, kept = (self._one(f"SELECT count(*) FROM {table}") for table in ("accepted", "moments"))
        return int(received + known - kept)

    def _advance(self) -> None:
        """Move the watermarks on, and sum up every bucket that they have left behind."""
        bucket = self._bucket
        self.connection.execute(f"""
UPDATE devices SET newest = touched.newest FROM touched WHERE touched.device_no = devices.device_no;
CREATE OR REPLACE TEMP TABLE moved AS
SELECT device_no, watermark_before // {bucket} * {bucket} AS since, watermark // {bucket} * {bucket} AS until
FROM touched WHERE watermark // {bucket} > watermark_before // {bucket}""")
        if not self._one("SELECT count(*) FROM moved"):
            return
        before = microseconds(looked_back(self.settings))
        first = self._one("SELECT min(since) FROM moved") - before
        sensors = ", ".join(rule.sensor for rule in RULES.values())
        readings = f"device_no, ts, {sensors}, defrost"
        self.connection.execute(f"""
INSERT INTO history
WITH passed AS (
  SELECT r.* FROM (
    SELECT {readings} FROM recent WHERE ts >= {first} UNION ALL SELECT {readings} FROM moments
  ) r JOIN moved m USING (device_no) WHERE r.ts >= m.since - {before} AND r.ts < m.until
) FROM ({buckets_sql(self.settings)})""")

    def _remember(self) -> None:
        """Put the readings into the window, beside each what was usual of its device at that time."""
        self.connection.execute(f"""
CREATE OR REPLACE TEMP TABLE timed AS
SELECT * EXCLUDE (clock), (clock - {self._lateness}) // {self._bucket} * {self._bucket} AS until FROM moments;
CREATE OR REPLACE TEMP TABLE wanted AS
SELECT DISTINCT device_no, until FROM timed ANTI JOIN usual USING (device_no, until)""")
        if self._one("SELECT count(*) FROM wanted"):
            self.connection.execute(f"""
INSERT INTO usual {usual_sql(self.settings)};
UPDATE devices SET coarse = true FROM (
  SELECT DISTINCT device_no FROM usual SEMI JOIN wanted USING (device_no, until)
  WHERE interval_ms > {_DENSE // MILLISECOND}
) rare WHERE rare.device_no = devices.device_no AND coarse IS NOT true""")
        self.connection.execute("""
INSERT INTO recent BY NAME
SELECT timed.* EXCLUDE (until), usual.* EXCLUDE (device_no, until)
FROM timed LEFT JOIN usual USING (device_no, until)""")

    def _judge(self) -> tuple[list[Onset], list[OnsetKey]]:
        """Ask the rules about the devices that have new readings: onsets that are new, and those that are none.

        A rule looks back only, so nothing before the first new reading of a device can have changed.
        """
        self.connection.execute(f"""
CREATE OR REPLACE TEMP TABLE asked AS
WITH watched AS ({self._watched("touched", self.settings.screened, self.settings.coarse_screened)}),
changed AS (SELECT device_no, rule FROM open_onsets JOIN touched USING (device_no) WHERE onset >= first_new)
SELECT device_no, rule, first_new FROM ({screen_sql(self.settings)} UNION FROM changed)
JOIN touched USING (device_no)""")
        if not self._one("SELECT count(*) FROM asked"):
            return [], []
        self.connection.execute(
            "CREATE OR REPLACE TEMP TABLE suspects AS SELECT DISTINCT device_no, first_new FROM asked"
        )
        self.connection.execute(f"""
CREATE OR REPLACE TEMP TABLE found AS
WITH watched AS ({self._watched("suspects", self.settings.lookback, self.settings.coarse_lookback)})
SELECT o.* FROM ({onsets_sql(self.settings)}) o JOIN asked USING (device_no, rule)
WHERE o.onset >= asked.first_new;
CREATE OR REPLACE TEMP TABLE were_open AS
SELECT open_onsets.* FROM open_onsets JOIN asked USING (device_no, rule) WHERE onset >= first_new""")
        new = self.connection.execute(
            "SELECT device_id, rule, onset, value, reference, threshold FROM found "
            "ANTI JOIN were_open USING (device_no, rule, onset) JOIN devices USING (device_no) "
            "ORDER BY onset, device_id, rule"
        ).fetchall()
        withdrawn = self.connection.execute(
            "SELECT device_id, rule, onset FROM were_open ANTI JOIN found USING (device_no, rule, onset) "
            "JOIN devices USING (device_no) ORDER BY onset, device_id, rule"
        ).fetchall()
        self.connection.execute("""
DELETE FROM open_onsets o USING were_open w
WHERE (o.device_no, o.rule, o.onset) = (w.device_no, w.rule, w.onset);
INSERT INTO open_onsets SELECT device_no, rule, onset FROM found""")
        return (
            [Onset(device, rule, moment_of(onset), *values) for device, rule, onset, *values in new],
            [OnsetKey(device, rule, moment_of(onset)) for device, rule, onset in withdrawn],
        )

    def _watched(self, devices: str, before: timedelta, before_coarse: timedelta) -> str:
        """SELECT of the readings of some devices from so long before their first new one on."""
        selects = []
        # Apart, so that a few devices that send rarely do not make a search through all readings longer.
        for span, coarse in ((before, "coarse IS NOT true"), (before_coarse, "coarse")):
            chosen = f"(SELECT d.device_no, first_new FROM {devices} d JOIN devices USING (device_no) WHERE {coarse})"
            first = self._one(f"SELECT min(first_new) FROM {chosen}")
            if first is not None:
                selects.append(
                    f"SELECT r.* FROM recent r JOIN {chosen} d USING (device_no) "
                    f"WHERE r.ts >= {first - microseconds(span)} AND r.ts >= d.first_new - {microseconds(span)}"
                )
        return " UNION ALL ".join(selects)

    def _tidy(self) -> None:
        """Drop what no rule can ask for any more, once it is a fair share of what is kept."""
        self.connection.execute(
            "DELETE FROM open_onsets USING devices "
            f"WHERE open_onsets.device_no = devices.device_no AND onset < newest - {self._lateness}"
        )
        span = microseconds(self.settings.vibration_span) + 2 * self._bucket
        summed_up = self._bucket + microseconds(looked_back(self.settings))
        dense, coarse = (
            self._lateness + max(microseconds(span), summed_up)
            for span in (self.settings.lookback, self.settings.coarse_lookback)
        )
        keep = {
            "recent": f"ts >= newest - CASE WHEN coarse THEN {coarse} ELSE {dense} END",
            "history": f"bucket >= newest - {self._lateness + span}",
        }
        for table, condition in keep.items():
            rows = self._one(f"SELECT count(*) FROM {table}")
            if rows > self._tidied[table] * _TIDY_FACTOR + _TIDY_ROWS:
                with self.atomically():
                    self.connection.execute(
                        f"CREATE OR REPLACE TABLE {table} AS SELECT {table}.* FROM {table} "
                        f"JOIN devices USING (device_no) WHERE newest IS NULL OR {condition}"
                    )
                    self.connection.execute(
                        f"DELETE FROM usual WHERE until < (SELECT max(until) FROM usual) - {2 * self._bucket}"
                    )
                self._tidied[table] = self._one(f"SELECT count(*) FROM {table}")

    def _summarise_thresholds(self) -> None:
        # The default is in force wherever no piece says otherwise, so it is one of the values.
        least = ", ".join(
            f"least({rule.default!r}, min(value) FILTER (rule = '{name}')) AS {name}" for name, rule in RULES.items()
        )
        self.connection.execute(
            f"CREATE OR REPLACE TABLE lowest_thresholds AS SELECT device_no, {least} FROM thresholds GROUP BY device_no"
        )

    def _number(self, devices: str) -> None:
        """Give the devices of a SELECT of ``device_id`` and ``part`` their numbers."""
        self.connection.execute(
            "INSERT INTO devices "
            "SELECT (SELECT count(*) FROM devices) + row_number() OVER (), device_id, part, NULL, NULL "
            f"FROM (SELECT device_id, any_value(part) AS part FROM ({devices}) GROUP BY device_id) "
            "ANTI JOIN devices USING (device_id)"
        )

    @property
    def _lateness(self) -> int:
        return microseconds(self.settings.allowed_lateness)

    @property
    def _bucket(self) -> int:
        return microseconds(self.settings.vibration_bucket)

    def _one(self, query: str) -> Any:
        return self.connection.execute(query).fetchall()[0][0]


def moment_of(microseconds_since_1970: int) -> datetime:
    """The moment that the engine calls by a number."""
    return _EPOCH + timedelta(microseconds=microseconds_since_1970)
