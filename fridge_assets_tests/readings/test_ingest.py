"""Landing files into the warehouse: exactly once, each batch whole or not at all, nothing lost."""

import multiprocessing
import os
import resource
import shutil
import signal
import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from fridge_assets.contracts import QUARANTINED_READINGS
from fridge_assets.core.errors import FridgeError
from fridge_assets.features.compute import compute_features
from fridge_assets.readings.ingest import IngestReport, ingest
from fridge_assets.settings import ReadingSettings, Settings
from fridge_assets.sources.source import Source
from fridge_assets.stores.landing import Landing, LedgerEntry, sidecar_of
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.reading_files import clean_readings_sql
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.conftest import landing_of, settings_of
from fridge_assets_tests.readings.deliveries import (
    NO_SENSOR,
    at,
    moment,
    reading,
    registry_of,
    rows_of,
    state_hash,
    stored_readings,
    write,
)

NOW = datetime(2026, 6, 1, 18, tzinfo=UTC)


def run(settings: Settings, registry: pd.DataFrame | None = None) -> IngestReport:
    return ingest(landing_of(settings), Warehouse.from_settings(settings), registry, NOW, settings)


def is_balanced(report: IngestReport) -> bool:
    return report.rows == report.clean + report.quarantined + report.duplicates


# --- one folder with everything in it


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, IngestReport]:
    """A landing folder of good, odd, damaged and foreign files, ingested once."""
    settings = settings_of(tmp_path_factory.mktemp("mixed") / "o'brien's data")
    folder = settings.landing_dir
    write(folder / "good.parquet", [reading(i) for i in range(20)])
    write(folder / "same shape.parquet", [reading(i, device="d2") for i in range(20)])
    write(folder / "odd.csv", [reading(30), {**reading(31), **NO_SENSOR}, reading(32, device="stranger"), reading(30)])
    write(folder / "extra.jsonl", [{**reading(40), "colour": "red"}])
    write(folder / "zoneless.csv", [reading(timestamp="2026-06-01 12:50:00"), reading(51)])
    write(folder / "torn.parquet", [reading(i) for i in range(500)])
    torn = folder / "torn.parquet"
    torn.write_bytes(torn.read_bytes()[:-100])
    # A footer that is whole over pages that are not: only reading the rows shows it.
    write(folder / "rotten.parquet", [reading(i, device=f"d{i}", humidity=i / 7) for i in range(40)])
    rotten = folder / "rotten.parquet"
    content = rotten.read_bytes()
    rotten.write_bytes(content[:8] + b"\xff" * 600 + content[608:])
    (folder / "empty.csv").write_text("")
    (folder / "header only.csv").write_text("device_id,timestamp,humidity\n")
    (folder / "notes.txt").write_text("hello")
    (folder / "foreign.csv").write_text("thing,when\n1,2\n")
    write(folder / "bad sidecar.csv", [reading(60)])
    sidecar_of(folder / "bad sidecar.csv").write_text("{")
    report = run(settings, registry_of("d1", "d2"))
    return settings, report


def test_good_files_are_ingested_beside_damaged_ones(mixed: tuple[Settings, IngestReport]) -> None:
    settings, report = mixed
    stored = stored_readings(Warehouse.from_settings(settings))
    assert stored.groupby("device_id").size().to_dict() == {"d1": 20 + 1 + 1 + 2, "d2": 20}
    assert (report.clean, report.quarantined, report.duplicates) == (44, 2, 1)


def test_counts_balance_in_the_report_and_in_the_ledger(mixed: tuple[Settings, IngestReport]) -> None:
    settings, report = mixed
    assert is_balanced(report)
    entries = [e for e in landing_of(settings).ledger().values() if e.status == "ingested"]
    assert sum(e.rows or 0 for e in entries) == report.rows
    assert all(e.rows == (e.clean or 0) + (e.quarantined or 0) + (e.duplicates or 0) for e in entries)
    odd = landing_of(settings).ledger()["odd.csv"]
    assert (odd.rows, odd.clean, odd.quarantined, odd.duplicates) == (4, 1, 2, 1)
    assert (odd.first_timestamp, odd.last_timestamp) == (moment(30), moment(30))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("torn.parquet", "torn.parquet cannot be read"),
        ("rotten.parquet", "rotten.parquet cannot be read"),
        ("empty.csv", "empty.csv is empty (0 bytes)"),
        ("notes.txt", "notes.txt is not a readings file"),
        ("foreign.csv", "foreign.csv has no column device_id; columns are thing, when"),
        ("bad sidecar.csv", "bad sidecar.csv"),
    ],
)
def test_refused_file_is_recorded_with_its_reason_and_kept_where_it_is(
    name: str, message: str, mixed: tuple[Settings, IngestReport]
) -> None:
    settings, report = mixed
    entry = landing_of(settings).ledger()[name]
    assert entry.status == "refused"
    assert message in report.refused[name]
    assert entry.reason == report.refused[name]
    assert (settings.landing_dir / name).exists()


def test_file_with_a_header_only_is_ingested_with_no_rows(mixed: tuple[Settings, IngestReport]) -> None:
    settings, _ = mixed
    entry = landing_of(settings).ledger()["header only.csv"]
    assert (entry.status, entry.rows, entry.first_timestamp) == ("ingested", 0, None)


def test_unknown_columns_and_times_without_zone_are_warned_about_once_a_file(
    mixed: tuple[Settings, IngestReport],
) -> None:
    _, report = mixed
    assert [w for w in report.warnings if "extra.jsonl" in w] == ["extra.jsonl: columns colour are unknown and ignored"]
    zoneless = [w for w in report.warnings if "zone" in w.removeprefix("zoneless.csv")]
    assert zoneless == ["zoneless.csv: 1 timestamps name no time zone and are read as UTC"]


def test_quarantined_rows_keep_their_contract_file_row_and_raw_text(mixed: tuple[Settings, IngestReport]) -> None:
    settings, report = mixed
    assert dict(report.reasons) == {"ALL_SENSORS_NULL": 1, "DEVICE_UNKNOWN": 1}
    warehouse = Warehouse.from_settings(settings)
    columns = ", ".join(QUARANTINED_READINGS.column_names)
    rows = rows_of(warehouse, f"SELECT {columns} FROM quarantined_readings ORDER BY row_number")
    described = [(row[1:4], row[5], "timestamp" in str(row[6]), row[7]) for row in rows]
    assert described == [
        (("odd.csv", 2, "ALL_SENSORS_NULL"), "d1", True, NOW),
        (("odd.csv", 3, "DEVICE_UNKNOWN"), "stranger", True, NOW),
    ]


def test_ingesting_again_changes_no_row_and_reads_no_file(mixed: tuple[Settings, IngestReport]) -> None:
    settings, _ = mixed
    warehouse = Warehouse.from_settings(settings)
    before = state_hash(warehouse), landing_of(settings).ledger()
    report = run(settings, registry_of("d1", "d2"))
    assert (report.files, report.rows, report.refused) == (0, 0, {})
    assert (state_hash(warehouse), landing_of(settings).ledger()) == before


def test_features_of_a_folder_with_quotes_in_its_name_are_computed(mixed: tuple[Settings, IngestReport]) -> None:
    settings, _ = mixed
    report = compute_features(Warehouse.from_settings(settings), NOW, settings.features)
    assert (report.windows, report.rows) == (4, 6)


# --- what changes between runs


def test_changed_file_is_warned_about_and_not_read_again_and_a_mended_one_is_read(settings: Settings) -> None:
    warehouse = Warehouse.from_settings(settings)
    good = write(settings.landing_dir / "good.csv", [reading(0)])
    mended = settings.landing_dir / "mended.csv"
    mended.write_text("")
    assert run(settings).refused.keys() == {"mended.csv"}
    write(good, [reading(0), reading(1)])
    write(mended, [reading(2)])
    report = run(settings)
    assert "good.csv changed after it was ingested and is not read again" in report.warnings[0]
    assert stored_readings(warehouse)["timestamp_utc"].tolist() == [moment(0), moment(2)]
    assert landing_of(settings).ledger()["mended.csv"].status == "ingested"


def test_repeats_across_batches_are_removed_and_show_in_the_flags_of_their_window(settings: Settings) -> None:
    warehouse = Warehouse.from_settings(settings)
    write(settings.landing_dir / "a.csv", [reading(0, event_id="e0"), reading(1, event_id="e1")])
    run(settings)
    compute_features(warehouse, NOW, settings.features)
    write(settings.landing_dir / "b.csv", [reading(1, event_id="e1", humidity=99), reading(2, event_id="e2")])
    report = run(settings)
    assert (report.clean, report.duplicates, is_balanced(report)) == (1, 1, True)
    stored = stored_readings(warehouse)
    assert stored["event_id"].tolist() == ["e0", "e1", "e2"]
    assert stored["humidity"].tolist() == [45, 45, 45]
    compute_features(warehouse, NOW, settings.features)
    flags = rows_of(warehouse, "SELECT reading_count, quality_flag_count FROM device_features")
    assert flags == [(3, 1)]


@pytest.mark.parametrize("at_once", [True, False], ids=["in the same run", "in a later run"])
def test_a_file_dropped_twice_under_two_names_is_read_once(settings: Settings, at_once: bool) -> None:
    landing = landing_of(settings)
    file = write(settings.landing_dir / "june.csv", [reading(m) for m in range(5)])
    reports = [] if at_once else [run(settings)]
    shutil.copy(file, settings.landing_dir / "june-copy.csv")
    write(settings.landing_dir / "july.csv", [reading(m) for m in range(5, 10)])
    reports += [run(settings), run(settings)]
    assert [report.rows for report in reports] == ([10, 0] if at_once else [5, 5, 0])
    statuses = {name: entry.status for name, entry in landing.ledger().items()}
    kept, twin = ("june-copy.csv", "june.csv") if at_once else ("june.csv", "june-copy.csv")
    assert statuses == {kept: "ingested", twin: "repeated", "july.csv": "ingested"}
    assert landing.ledger()[twin].reason == f"{twin} holds the same as {kept} and is not read again"
    assert all(report.duplicates == 0 for report in reports)


def test_event_id_is_stored_only_where_the_reading_brought_one_and_shown_everywhere(settings: Settings) -> None:
    warehouse = Warehouse.from_settings(settings)
    write(settings.landing_dir / "a.csv", [reading(0, event_id="e0"), reading(1, event_id="")])
    run(settings)
    (file,) = warehouse.clean_readings_folder().rglob("*.parquet")
    assert pq.read_table(file).sort_by("timestamp_utc")["event_id"].to_pylist() == ["e0", None]
    shown = stored_readings(warehouse)["event_id"].tolist()
    assert shown[0] == "e0"
    assert uuid.UUID(shown[1]).version == 5


def test_readings_that_an_earlier_release_stored_with_their_ids_are_recognised_when_they_come_again(
    settings: Settings,
) -> None:
    warehouse = Warehouse.from_settings(settings)
    write(settings.landing_dir / "a.csv", [reading(0), reading(1)])
    run(settings)
    shown = stored_readings(warehouse)
    (file,) = warehouse.clean_readings_folder().rglob("*.parquet")
    with warehouse.engine() as engine:
        engine.execute(f"COPY (FROM {clean_readings_sql([file])}) TO '{file}.new' (FORMAT parquet)")
    file.with_suffix(".parquet.new").replace(file)
    assert pd.read_parquet(file)["event_id"].notna().all()
    write(settings.landing_dir / "b.csv", [reading(1), reading(2)])
    report = run(settings)
    assert (report.clean, report.duplicates) == (1, 1)
    assert stored_readings(warehouse)["event_id"].tolist()[:2] == shown["event_id"].tolist()


def test_readings_that_come_again_with_the_id_they_were_shown_with_are_recognised(settings: Settings) -> None:
    warehouse = Warehouse.from_settings(settings)
    write(settings.landing_dir / "a.csv", [reading(0), reading(1)])
    run(settings)
    shown = stored_readings(warehouse)["event_id"].tolist()
    write(settings.landing_dir / "b.csv", [reading(1, event_id=shown[1], humidity=99), reading(1, event_id="other")])
    report = run(settings)
    assert (report.clean, report.duplicates) == (1, 1)
    assert stored_readings(warehouse)["humidity"].tolist() == [45, 45, 45]
    compute_features(warehouse, NOW, settings.features)
    assert rows_of(warehouse, "SELECT reading_count, quality_flag_count FROM device_features") == [(3, 1)]


def test_event_that_comes_again_at_another_time_shows_in_the_window_where_it_is_stored(settings: Settings) -> None:
    warehouse = Warehouse.from_settings(settings)
    write(settings.landing_dir / "a.csv", [reading(0, event_id="e0"), reading(20, event_id="e1")])
    run(settings)
    compute_features(warehouse, NOW, settings.features)
    write(settings.landing_dir / "b.csv", [reading(20, event_id="e0")])
    assert run(settings).duplicates == 1
    compute_features(warehouse, NOW, settings.features)
    flags = rows_of(warehouse, "SELECT reading_count, quality_flag_count FROM device_features ORDER BY window_start")
    assert flags == [(1, 1), (1, 0)]


def test_sensor_gap_is_seen_across_batches_hours_apart(settings: Settings) -> None:
    write(settings.landing_dir / "a.csv", [reading(0)])
    run(settings)
    write(settings.landing_dir / "b.csv", [reading(23 * 60, humidity=""), reading(25 * 60, superheat="")])
    assert dict(run(settings).flagged) == {"SENSOR_GAP": 2}
    flags = stored_readings(Warehouse.from_settings(settings))["quality_flags"].tolist()
    assert flags == ["", "SENSOR_GAP", "SENSOR_GAP"]


def test_file_that_is_still_being_written_waits_for_the_next_run(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "data", readings=ReadingSettings(settle=timedelta(seconds=30)))
    write(settings.landing_dir / "quiet.csv", [reading(0)])
    growing = write(settings.landing_dir / "growing.csv", [reading(1)])
    done = threading.Event()

    def go_on_writing() -> None:
        while not done.wait(0.05):
            growing.touch()

    writer = threading.Thread(target=go_on_writing)
    writer.start()
    report = run(settings)
    done.set()
    writer.join()
    assert report.waiting == {"growing.csv": "growing.csv is still being written; the next run looks again"}
    assert (report.clean, run(settings).clean) == (1, 1)


def test_sidecar_says_how_a_file_is_to_be_read(settings: Settings) -> None:
    folder = settings.landing_dir
    rows = [{"id": "d1", "t": "2026-06-01 14:00", "evap": -13.0}]
    path = write(folder / "a.csv", rows)
    source = Source(
        columns={"id": "device_id", "t": "timestamp_device", "evap": "temperature_evaporator"},
        units={"evap": "degF"},
        timezone="Europe/Berlin",
    )
    sidecar_of(path).write_text(source.to_json())
    report = run(settings)
    row = stored_readings(Warehouse.from_settings(settings)).iloc[0]
    assert (row["device_id"], row["timestamp_utc"]) == ("d1", moment(0))
    assert row["temperature_evaporator"] == pytest.approx(-25.0)
    assert report.warnings == []


def test_small_batches_give_the_same_rows_as_one_large_one(tmp_path: Path) -> None:
    stored = []
    for name, size in (("one", 10**9), ("many", 1)):
        settings = settings_of(tmp_path / name, readings=ReadingSettings(settle=timedelta(0), batch_bytes=size))
        for hour in range(2):
            rows = [reading(hour * 60 + i, event_id=f"e{hour}-{i}", humidity="" if i % 2 else 45) for i in range(4)]
            write(settings.landing_dir / f"{hour}.csv", rows)
        report = run(settings)
        stored.append(stored_readings(Warehouse.from_settings(settings)))
        batches = rows_of(Warehouse.from_settings(settings), "SELECT count(DISTINCT batch_id) FROM ingest_batches")
        assert (batches, report.clean) == ([(1 if name == "one" else 2,)], 8)
    pd.testing.assert_frame_equal(*stored)


# --- killed and beside others


class DyingLanding(Landing):
    """A landing folder whose process is killed just before the ledger learns of a status."""

    dies_before = "never"

    def record(self, entries: Iterable[LedgerEntry]) -> None:
        entries = list(entries)
        if self.dies_before in {entry.status for entry in entries}:
            os.kill(os.getpid(), signal.SIGKILL)
        super().record(entries)


class DyingWarehouse(Warehouse):
    """A warehouse whose process is killed with everything written and nothing committed."""

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with super().transaction() as connection:
            yield connection
            os.kill(os.getpid(), signal.SIGKILL)


class Elsewhere:
    """An ingestion in another process.

    Args:
        settings: the data folder.
        dies_before: ``committing``, or the status that it is killed before recording.
        largest_file: bytes that a file may grow to; beyond it a write fails as on a full disk.
    """

    def __init__(self, settings: Settings, dies_before: str = "never", largest_file: int | None = None) -> None:
        # Forked, with the seconds of its imports behind it.
        context = multiprocessing.get_context("fork")
        self._receiver, sender = context.Pipe(duplex=False)
        self._process = context.Process(target=self._ingest, args=(settings, dies_before, largest_file, sender))
        self._process.start()
        sender.close()

    @staticmethod
    def _ingest(settings: Settings, dies_before: str, largest_file: int | None, sender: Connection) -> None:
        landing = DyingLanding(settings.landing_dir, Operations(settings.operations_database))
        landing.dies_before = dies_before
        if largest_file is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
        try:
            kind = DyingWarehouse if dies_before == "committing" else Warehouse
            ingest(landing, kind.from_settings(settings), None, NOW, settings)
        except FridgeError as error:
            sender.send(str(error))
        else:
            sender.send("done")

    def outcome(self) -> str:
        """``done``, the sentence of its error, or ``killed``."""
        try:
            return str(self._receiver.recv())
        except EOFError:
            return "killed"
        finally:
            self._process.join()
            self._receiver.close()


@pytest.mark.parametrize("killed_before", ["committing", "ingested"])
def test_process_killed_while_ingesting_ingests_exactly_once(killed_before: str, settings: Settings) -> None:
    warehouse = Warehouse.from_settings(settings)
    write(settings.landing_dir / "a.csv", [reading(0), {**reading(1), **NO_SENSOR}, reading(2), reading(2)])
    assert Elsewhere(settings, killed_before).outcome() == "killed"
    committed = killed_before == "ingested"
    assert len(stored_readings(warehouse)) == (2 if committed else 0)
    write(settings.landing_dir / "b.csv", [reading(3)])
    report = run(settings)
    assert (report.files, report.duplicates) == ((1, 0) if committed else (2, 1))
    assert stored_readings(warehouse)["timestamp_utc"].tolist() == [moment(0), moment(2), moment(3)]
    assert rows_of(warehouse, "SELECT count(*) FROM quarantined_readings") == [(1,)]
    entry = landing_of(settings).ledger()["a.csv"]
    assert (entry.status, entry.rows, entry.clean, entry.quarantined, entry.duplicates) == ("ingested", 4, 2, 1, 1)


def test_two_ingestions_at_once_store_every_row_once(settings: Settings) -> None:
    for name in ("a.csv", "b.csv"):
        write(settings.landing_dir / name, [reading(i, device=name) for i in range(10)])
    landing_of(settings).ledger()
    outcomes = [process.outcome() for process in [Elsewhere(settings) for _ in range(3)]]
    assert "done" in outcomes
    assert all(o == "done" or "Another ingestion stored readings" in o for o in outcomes), outcomes
    run(settings)
    warehouse = Warehouse.from_settings(settings)
    assert stored_readings(warehouse).groupby("device_id").size().to_dict() == {"a.csv": 10, "b.csv": 10}
    assert rows_of(warehouse, "SELECT source_file, rows, clean FROM ingest_batches ORDER BY 1") == [
        ("a.csv", 10, 10),
        ("b.csv", 10, 10),
    ]
    assert {e.status for e in landing_of(settings).ledger().values()} == {"ingested"}
    assert rows_of(warehouse, "SELECT count(*) FROM repeated_events") == [(0,)]


def interrupted_once(settings: Settings) -> Warehouse:
    """A warehouse into which another ingestion commits while this one computes."""
    waiting = [settings.data_dir]

    class InterruptedWarehouse(Warehouse):
        def engine(self):  # type: ignore[no-untyped-def]
            if waiting:
                assert Elsewhere(settings_of(waiting.pop())).outcome() == "done"
            return super().engine()

    return InterruptedWarehouse.from_settings(settings)


def test_windows_that_become_due_while_features_are_computed_stay_due(settings: Settings) -> None:
    write(settings.landing_dir / "a.csv", [reading(0)])
    run(settings)
    write(settings.landing_dir / "b.csv", [reading(1)])
    compute_features(interrupted_once(settings), NOW, settings.features)
    warehouse = Warehouse.from_settings(settings)
    assert len(stored_readings(warehouse)) == 2
    compute_features(warehouse, NOW, settings.features)
    assert rows_of(warehouse, "SELECT reading_count FROM device_features") == [(2,)]


def test_full_disk_is_a_clear_error_and_the_next_run_ingests_everything(settings: Settings) -> None:
    warehouse = Warehouse.from_settings(settings)
    write(settings.landing_dir / "a.csv", [reading(0)])
    run(settings)
    before = state_hash(warehouse)
    write(
        settings.landing_dir / "b.csv",
        [reading(i % 1440, device=f"d{i}", humidity=i % 97 + i / 1e5) for i in range(20_000)],
    )
    outcome = Elsewhere(settings, largest_file=100_000).outcome()
    assert "space" in outcome
    assert state_hash(warehouse) == before
    assert run(settings).clean == 20_000


def test_report_of_an_empty_landing_folder_is_all_zero(
    landing: Landing, warehouse: Warehouse, settings: Settings
) -> None:
    report = ingest(landing, warehouse, None, NOW, settings)
    assert (report.files, report.rows, report.warnings) == (0, 0, [])
    assert at(0) == "2026-06-01T12:00:00+00:00"
