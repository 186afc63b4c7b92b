"""What is too old goes, what is young or still needed stays, and what cannot go keeps nothing else."""

import fcntl
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from fridge_assets.contracts import DEVICE_ALERTS, INCIDENT_EVENTS, INCIDENTS, MODEL_MONITORING, MODEL_SCORES, Contract
from fridge_assets.contracts.device_alerts import OF_THE_INCIDENT
from fridge_assets.core.errors import FridgeError
from fridge_assets.notifications.message import Message
from fridge_assets.notifications.outbox import enqueue
from fridge_assets.readings.ingest import IngestReport, ingest
from fridge_assets.sources.source import Source
from fridge_assets.stores.landing import Landing, sidecar_of
from fridge_assets.stores.operations import alert_evidence, incident_events, incidents, insert_missing, outbox
from fridge_assets.stores.reading_files import ingested_files
from fridge_assets.upkeep.retention import files, tables
from fridge_assets_tests.readings.deliveries import reading, write
from fridge_assets_tests.upkeep.retention.given import NOW, Folder, aged, days


def store(folder: Folder, contract: Contract, column: str, *moments: datetime) -> None:
    """A row per moment in the warehouse table of ``contract``."""
    rows = contract.to_arrow(contract.sample(len(moments)).assign(**{column: list(moments)}))
    with folder.warehouse.transaction() as connection:
        connection.register("rows", rows)
        connection.execute(f"INSERT INTO {contract.name} SELECT {', '.join(contract.column_names)} FROM rows")


def landed(folder: Folder, name: str, at: datetime, device: str = "d1") -> Path:
    """A landing file of one reading, delivered at its own time."""
    folder.settings.landing_dir.mkdir(parents=True, exist_ok=True)
    path = write(folder.settings.landing_dir / name, [reading(device=device, timestamp=at.isoformat())])
    return aged(path, at)


def ingested(folder: Folder, now: datetime) -> IngestReport:
    landing = Landing(folder.settings.landing_dir, folder.operations)
    return ingest(landing, folder.warehouse, None, now, folder.settings)


def parquet(folder: Folder) -> list[Path]:
    return sorted(folder.warehouse.clean_readings_folder().rglob("*.parquet"))


# --- warehouse


def test_rows_go_by_their_age_a_day_at_a_time_and_the_limit_itself_stays(folder: Folder) -> None:
    store(folder, MODEL_SCORES, "window_end", days(300), days(200), days(90.01), days(90), days(1))
    store(folder, MODEL_MONITORING, "window_end", days(399), days(401))
    report = folder.sweep()
    assert (report["model_scores"].rows, folder.count("model_scores")) == (3, 2)
    assert (report["model_monitoring"].rows, folder.count("model_monitoring")) == (1, 1)
    assert not any(swept.rows for swept in folder.sweep().values()), "again removes nothing more"


def test_a_dry_run_counts_the_same_and_removes_nothing(folder: Folder) -> None:
    store(folder, MODEL_SCORES, "window_end", days(200), days(1))
    landed(folder, "a.csv", days(100))
    ingested(folder, days(100))
    folder.runs.ended = {"old": days(91), "new": days(1)}
    looked = folder.sweep(dry=True)
    assert (folder.count("model_scores"), len(parquet(folder)), len(folder.runs.ended)) == (2, 1, 2)
    done = folder.sweep()
    for subject in ("model_scores", "landing", "warehouse/clean_sensor_readings", "dagster/history"):
        assert (looked[subject].rows, looked[subject].files) == (done[subject].rows, done[subject].files), subject
        assert looked[subject].rows or looked[subject].files, subject


def test_recorded_data_of_last_year_is_as_old_as_its_newest_reading_says(folder: Folder) -> None:
    folder.heard_from(days(365))
    store(folder, MODEL_SCORES, "window_end", days(365 + 80), days(365 + 100))
    assert folder.sweep()["model_scores"].rows == 1


def test_a_moment_in_the_future_is_refused_unless_one_only_looks(folder: Folder) -> None:
    store(folder, MODEL_SCORES, "window_end", days(1))
    with pytest.raises(FridgeError, match="lies in the future"):
        folder.sweep(NOW + timedelta(days=1), wall_time=NOW)
    assert folder.sweep(NOW + timedelta(days=200), wall_time=NOW, dry=True)["model_scores"].rows == 0, (
        "data has an age of its own"
    )


# --- landing, its ledger and clean readings


def test_an_ingested_file_goes_with_its_sidecar_and_is_not_ingested_again_when_delivered_again(folder: Folder) -> None:
    file = landed(folder, "old.csv", days(40))
    sidecar = sidecar_of(file)
    sidecar.write_text(Source().to_json())
    landed(folder, "young.csv", days(20), "d2")
    ingested(folder, days(20))
    report = folder.sweep()
    assert report["landing"].files == 0, "ingested 20 days ago"
    ledger = Landing(folder.settings.landing_dir, folder.operations)
    with folder.operations.transaction() as connection:
        connection.execute(sa.text("UPDATE ingest_ledger SET recorded_at = :at"), {"at": f"{days(40):%F %T}.000000"})
    report = folder.sweep()
    assert (report["landing"].files, report["ingest_ledger"].rows) == (2, 0)
    assert not file.exists()
    assert not sidecar.exists()
    assert set(ledger.ledger()) == {"old.csv", "young.csv"}
    landed(folder, "old.csv", days(40))
    assert ingested(folder, NOW).rows == 0


def test_refused_files_and_files_nobody_has_looked_at_stay(folder: Folder) -> None:
    torn = landed(folder, "torn.csv", days(200))
    torn.write_text("")
    aged(torn, days(200))
    assert list(ingested(folder, days(200)).refused) == ["torn.csv"]
    landed(folder, "unseen.csv", days(200))
    assert folder.sweep()["landing"].files == 0


def test_a_forgotten_name_can_be_used_again(folder: Folder) -> None:
    landed(folder, "weekly.csv", days(100))
    ingested(folder, days(100))
    report = folder.sweep()
    assert (report["landing"].files, report["ingest_ledger"].rows) == (1, 1)
    landed(folder, "weekly.csv", days(1))
    assert ingested(folder, days(1)).clean == 1


def test_forgetting_files_does_not_hide_an_ingestion_that_committed_meanwhile(folder: Folder) -> None:
    landed(folder, "a.csv", days(100))
    ingested(folder, days(100))
    with folder.warehouse.read() as connection:
        before = ingested_files(connection)
    landed(folder, "b.csv", days(1))
    ingested(folder, days(1))
    for _ in range(2):
        folder.sweep()
        with folder.warehouse.read() as connection:
            assert ingested_files(connection) == before + 1 == 2
    assert folder.count("ingest_batches") == 2, "b.csv, and how many were forgotten"


def test_clean_readings_go_hour_by_hour_with_everything_said_about_them(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "BATCH", 2)
    for number in range(5):
        landed(folder, f"{number}.csv", days(100) + timedelta(hours=number))
    landed(folder, "young.csv", days(2))
    ingested(folder, NOW)
    assert folder.count("due_windows") == 6
    swept = folder.sweep()
    assert (swept["warehouse/clean_sensor_readings"].rows, swept["warehouse/clean_sensor_readings"].files) == (5, 5)
    assert swept["warehouse/clean_sensor_readings"].bytes > 1000
    assert swept["due_windows"].rows == 5
    assert len(parquet(folder)) == folder.count("clean_reading_files") == 1


def test_a_crash_between_manifest_and_files_leaves_orphans_that_a_later_sweep_removes(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed(folder, "a.csv", days(100))
    ingested(folder, NOW)
    with monkeypatch.context() as patch:
        patch.setattr(files, "remove", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            folder.sweep()
    assert (folder.count("clean_reading_files"), len(parquet(folder))) == (0, 1)
    (orphan,) = parquet(folder)
    aged(orphan, days(0.5))
    folder.sweep()
    assert orphan.exists(), "an interrupted batch, or one under way"
    aged(orphan, days(2))
    assert folder.sweep()["clean readings of interrupted batches"].files == 1
    for empty in (orphan.parent, orphan.parent.parent):
        aged(empty, days(2))
    folder.sweep()
    assert not orphan.parent.exists()


def test_a_committed_file_is_no_orphan_however_old_it_is(folder: Folder) -> None:
    landed(folder, "a.csv", days(10))
    ingested(folder, NOW)
    aged(parquet(folder)[0], days(9))
    assert folder.sweep()["clean readings of interrupted batches"].files == 0
    assert len(parquet(folder)) == 1


def test_a_file_that_is_gone_is_none_and_one_that_cannot_go_is_said_and_keeps_no_other(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [landed(folder, f"{name}.csv", days(100), name) for name in ("a", "b", "c")]
    ingested(folder, days(100))
    parquet(folder)[0].unlink()
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.name == "b.csv":
            raise PermissionError(13, "Permission denied")
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    report = folder.sweep()
    assert report["landing"].files == 2
    assert report["landing"].problems == [f"{paths[1]} cannot be removed: Permission denied"]
    assert report["warehouse/clean_sensor_readings"].problems == []
    assert report["ingest_ledger"].rows == 2, "what could not be removed stays known"


def test_one_subject_that_fails_keeps_no_other_from_being_swept(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(folder, MODEL_SCORES, "window_end", days(100))
    spill = aged(folder.settings.warehouse_dir / "spill" / "duckdb_temp.tmp", days(2))
    with folder.operations.transaction() as connection:
        connection.execute(sa.text("DROP TABLE outbox"))
    report = folder.sweep()
    assert "outbox" in report["outbox"].problems[0]
    assert report["model_scores"].rows == 1
    assert not spill.exists()


# --- operations


def incident(status: str, closed: datetime | None, opened: datetime) -> dict[str, object]:
    changed = {"status": status, "closed_at": closed, "opened_at": opened}
    row = INCIDENTS.to_arrow(INCIDENTS.sample(1).assign(**changed)).to_pylist()[0]
    identity = f"{status}-{closed}-{opened}"
    return {**row, "incident_id": identity, "device_id": identity}


def test_closed_incidents_go_with_all_that_is_theirs_and_open_ones_never(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "ROWS", 1)
    gone = [incident("RESOLVED", days(401), days(402)), incident("FALSE_POSITIVE", days(450), days(500))]
    stay = [
        incident("RESOLVED", days(399), days(500)),
        *(incident(s, None, days(900)) for s in ("OPEN", "ACKNOWLEDGED")),
    ]
    event = INCIDENT_EVENTS.to_arrow(INCIDENT_EVENTS.sample(1)).to_pylist()[0]
    alert = DEVICE_ALERTS.to_arrow(DEVICE_ALERTS.sample(1)).to_pylist()[0]
    evidence = {name: value for name, value in alert.items() if name not in OF_THE_INCIDENT} | {
        "number": 1,
        "probable_cause": "",
        "signs_for": "[]",
        "signs_against": "[]",
    }
    with folder.operations.transaction() as connection:
        insert_missing(connection, incidents, [*gone, *stay])
        for row in (*gone, *stay):
            own = {"incident_id": row["incident_id"]}
            insert_missing(connection, incident_events, [{**event, "event_id": row["incident_id"], **own}])
            insert_missing(connection, alert_evidence, [{**evidence, "alert_id": row["incident_id"], **own}])
    assert folder.sweep()["incidents"].rows == 2
    kept = {row["incident_id"] for row in stay}
    with folder.operations.read() as connection:
        for table in (incidents, incident_events, alert_evidence):
            assert set(connection.scalars(sa.select(table.c.incident_id))) == kept, table.name


def test_messages_that_were_sent_go_and_pending_ones_wait_however_long(folder: Folder) -> None:
    with folder.operations.transaction() as connection:
        for name, at in (("sent", days(91)), ("summarised", days(91)), ("pending", days(900)), ("young", days(89))):
            enqueue(connection, [Message(name, "ml", "model", name, (), at)], at)
            status = "sent" if name == "young" else name
            connection.execute(sa.update(outbox).where(outbox.c.key == name).values(status=status))
    assert folder.sweep()["outbox"].rows == 2
    with folder.operations.read() as connection:
        assert set(connection.scalars(sa.select(outbox.c.key))) == {"pending", "young"}


# --- what programs leave behind


def test_leftovers_of_killed_programs_go_and_those_of_living_ones_stay(folder: Folder) -> None:
    root = folder.settings.root
    gone = [
        aged(root / "warehouse" / "spill" / "duckdb_temp_storage.tmp", days(2)),
        aged(root / "dagster" / "storage" / "run" / "compute_logs" / "a.err", days(91)),
        aged(root / "dagster" / "logs" / "event.log", days(91)),
        aged(root / "dagster" / "launches" / "dead.lock", days(2)),
        aged(root / "published" / ".device_status.parquet.123.tmp", days(2)),
    ]
    stay = [
        aged(root / "warehouse" / "spill" / "young.tmp", days(0.1)),
        aged(root / "dagster" / "storage" / "run2" / "compute_logs" / "a.err", days(89)),
        aged(root / "dagster" / "launches" / "young.lock", days(0.1)),
        aged(root / "published" / "device_status.parquet", days(300)),
        aged(root / "landing" / ".theirs.tmp", days(300)),
    ]
    running = aged(root / "dagster" / "launches" / "running.lock", days(2))
    with running.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder.sweep()
        assert running.exists()
    assert [path for path in gone if path.exists()] == []
    assert [path for path in stay if not path.exists()] == []


def test_the_folder_of_a_killed_replay_goes_and_that_of_one_under_way_stays_with_its_old_readings(
    folder: Folder,
) -> None:
    replays = folder.settings.replays_dir
    _, young, running = (
        [aged(replays / name / file, days(age)) for file in ("running.lock", "warehouse/old.parquet")]
        for name, age in (("killed", 2), ("young", 0.1), ("running", 2))
    )
    with running[0].open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert folder.sweep()["replays"].files == 1
    assert not (replays / "killed").exists()
    assert all(path.exists() for path in (*young, *running))
