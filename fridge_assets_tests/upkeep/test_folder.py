"""Export and overview, on an empty data folder and on a filled one."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

from fridge_assets.contracts import DEVICE_STATUS, MODEL_SCORES
from fridge_assets.core.errors import FridgeError
from fridge_assets.features.compute import compute_features
from fridge_assets.incidents.observations import Measured, Observed
from fridge_assets.incidents.store import observe
from fridge_assets.incidents.together import Fleet
from fridge_assets.readings.ingest import ingest
from fridge_assets.settings import Settings
from fridge_assets.stores.landing import Landing
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse, store_changed
from fridge_assets.streaming.status import StreamStatus, beat
from fridge_assets.upkeep.doctor.check import Finding, examine
from fridge_assets.upkeep.doctor.checks import checks
from fridge_assets.upkeep.export import export_dataset
from fridge_assets.upkeep.overview import Overview, fleet_overview
from fridge_assets_tests.conftest import landing_of, settings_of
from fridge_assets_tests.incidents.device import HIGH, run_time, seen
from fridge_assets_tests.readings.deliveries import moment, reading, write
from fridge_assets_tests.staleness.given import MINUTE, store_run


class Folder(NamedTuple):
    """A data folder and its stores."""

    settings: Settings
    warehouse: Warehouse
    operations: Operations
    landing: Landing

    def export(self, dataset: str, to: Path, since: datetime | None = None) -> int:
        return export_dataset(dataset, to, since, self.warehouse, self.operations, self.settings)

    def overview(self, as_of: str = "") -> Overview:
        return fleet_overview(self.warehouse, self.operations, self.landing, as_of, self.settings)

    def findings(self) -> dict[str, Finding]:
        return {finding.what: finding for finding in examine(checks(self.settings))}


def folder_at(path: Path) -> Folder:
    settings = settings_of(path)
    operations = Operations(settings.operations_database)
    return Folder(settings, Warehouse.from_settings(settings), operations, landing_of(settings, operations))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return folder_at(tmp_path_factory.mktemp("empty"))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Two devices, one hour, one refused file, scores of one family, one open alert."""
    folder = folder_at(tmp_path_factory.mktemp("filled"))
    settings, warehouse, operations, landing = folder
    write(settings.landing_dir / "a.csv", [reading(m, device) for m in (0, 20, 40) for device in ("d1", "d2")])
    (settings.landing_dir / "torn.csv").write_text("")
    ingest(landing, warehouse, None, moment(50), settings)
    compute_features(warehouse, moment(60), settings.features)
    with warehouse.transaction() as connection:
        store_changed(connection, MODEL_SCORES, MODEL_SCORES.to_arrow(MODEL_SCORES.sample(3)))
        scored_at = pd.Timestamp(moment(48))
        status = DEVICE_STATUS.sample(2).assign(
            device_id=["d1", "d2"], health_status=["critical", "healthy"], score_source="models", scored_at=scored_at
        )
        store_changed(connection, DEVICE_STATUS, DEVICE_STATUS.to_arrow(status))
        for run, scored_at, family, version, scored in (
            ("old", moment(-60), "isolation_forest", "2.0.0", 4),
            ("new", moment(48), "isolation_forest", "2.0.0", 2),
            ("new", moment(48), "isolation_forest", "2.1.0", 1),
            ("daily", moment(-20 * 60), "autoencoder", "1.0.0", 4),
        ):
            connection.execute(
                "INSERT INTO score_runs BY NAME SELECT $run || $version AS score_run_id, $family AS family, "
                "$family || '_v2' AS model_id, $version AS model_version, $end AS window_end, "
                "$scored_at AS scored_at, $scored AS rows, 1 AS flagged, 2 AS active_devices, '' AS left_out, "
                "$run AS run_id, true AS published",
                {
                    "run": run,
                    "family": family,
                    "version": version,
                    "end": scored_at - timedelta(minutes=3),
                    "scored_at": scored_at,
                    "scored": scored,
                },
            )
    measured = Measured("Low side low", "It was low.", "isolation_forest_v2", 0.9, ())
    with operations.transaction() as connection:
        observe(connection, [Observed("d1", seen(1, HIGH), measured)], Fleet({}), run_time(1), settings.alerts)
    return folder


# --- export

COUNTS = {
    "clean_sensor_readings": 6, "quarantined_readings": 0, "device_registry": 2, "device_features": 6,
    "model_scores": 3, "device_alerts": 1, "incidents": 1, "incident_events": 1, "device_status": 2, "site_status": 0,
}  # fmt: skip


@pytest.mark.parametrize("dataset", COUNTS)
def test_every_dataset_goes_to_parquet_and_csv(dataset: str, filled: Folder, tmp_path: Path) -> None:
    parquet, csv = tmp_path / "new" / "x.parquet", tmp_path / "new" / "x.csv"
    assert filled.export(dataset, parquet) == filled.export(dataset, csv) == COUNTS[dataset]
    rows, text = pd.read_parquet(parquet), pd.read_csv(csv)
    assert len(rows) == len(text) == COUNTS[dataset]
    assert list(rows.columns) == list(text.columns)
    assert [path.name for path in sorted(parquet.parent.iterdir())] == ["x.csv", "x.parquet"]


@pytest.mark.parametrize(("dataset", "since", "rows"), [("clean_sensor_readings", 20, 4), ("device_features", 30, 4)])
def test_since_keeps_only_rows_from_then_on(
    dataset: str, since: float, rows: int, filled: Folder, tmp_path: Path
) -> None:
    assert filled.export(dataset, tmp_path / "x.parquet", moment(since)) == rows


def test_export_that_cannot_be_is_refused_with_what_can(filled: Folder, empty: Folder, tmp_path: Path) -> None:
    with pytest.raises(FridgeError, match=r"x\.xls ends in \.xls\. Name a file that ends in \.parquet or \.csv"):
        filled.export("model_scores", tmp_path / "x.xls")
    with pytest.raises(FridgeError, match="device_status shows the present and has no time to filter by"):
        filled.export("device_status", tmp_path / "x.csv", moment(0))
    with pytest.raises(FridgeError, match="no clean readings to export"):
        empty.export("clean_sensor_readings", tmp_path / "x.csv")
    (tmp_path / "file").write_text("")
    with pytest.raises(FridgeError, match="cannot be written"):
        filled.export("model_scores", tmp_path / "file" / "x.csv")


@pytest.mark.parametrize("dataset", sorted(set(COUNTS) - {"clean_sensor_readings"}))
def test_empty_folder_exports_headers(dataset: str, empty: Folder, tmp_path: Path) -> None:
    assert empty.export(dataset, tmp_path / "x.csv") == 0
    assert {"device_id", "site_id", "incident_id"} & set((tmp_path / "x.csv").read_text().strip().split(","))


# --- overview


def test_overview_of_an_empty_folder_has_nothing(empty: Folder) -> None:
    overview = empty.overview("2026-06-01T12:00:00Z")
    assert overview.now == moment(0)
    assert (overview.newest_reading, overview.newest_features) == (None, None)
    assert all(frame.empty for frame in (overview.scores, overview.health, overview.open_alerts, overview.files))
    assert overview.as_dict()["scores"] == []
    assert overview.as_dict()["stream"] == "not running: `fridge-assets stream`"


def test_overview_of_a_filled_folder_has_ages_tiers_coverage_health_alerts_and_files(filled: Folder) -> None:
    overview = filled.overview(moment(48 + 60).isoformat())
    assert (overview.newest_reading, overview.newest_features) == (moment(40), moment(45))
    daily, run = overview.scores.to_dict(orient="records")
    assert (run["family"], run["version"], run["tier"]) == ("isolation_forest", "2.0.0, 2.1.0", "stale")
    assert (run["devices"], run["coverage"], run["flagged"], run["age"]) == (3, 0.75, 2, "1 h")
    assert (daily["family"], daily["tier"]) == ("autoencoder", "fresh")
    shown = overview.as_dict()
    assert shown["health"] == [{"health": "critical", "devices": 1}, {"health": "healthy", "devices": 1}]
    assert shown["open_alerts"] == [{"severity": "HIGH", "devices": 1}]
    assert {row["status"]: row["files"] for row in shown["files"]} == {"ingested": 1, "refused": 1}


def test_devices_that_were_healthy_by_scores_that_have_expired_since_are_unknown(filled: Folder) -> None:
    shown = filled.overview(moment(48 + 4 * 60).isoformat()).as_dict()
    assert shown["health"] == [{"health": "critical", "devices": 1}, {"health": "unknown", "devices": 1}]


def test_overview_judges_ages_now_unless_told_otherwise(filled: Folder) -> None:
    assert abs(filled.overview().now - datetime.now(UTC)) < timedelta(minutes=1)
    with pytest.raises(FridgeError, match="--as-of is 'noon', not a moment"):
        filled.overview("noon")


def test_an_old_window_that_was_scored_again_leaves_ages_as_they_were_for_all_who_show_them(
    tmp_path: Path,
) -> None:
    folder, now = folder_at(tmp_path), datetime.now(UTC)
    for window, scored in ((75, 72), (70, 10)):  # minutes ago; the second was an hour old when it was scored
        store_run(folder.warehouse, "isolation_forest", now - window * MINUTE, now - scored * MINUTE)
    overview = folder.overview()
    (shown,) = overview.scores.to_dict(orient="records")
    assert (overview.tier, shown["tier"], shown["scored_at"]) == ("stale", "stale", now - 72 * MINUTE)
    assert folder.findings()["scores"].detail == "stale"


# --- doctor


def test_doctor_finds_nothing_broken_in_an_empty_folder_and_says_what_comes_next(empty: Folder) -> None:
    findings = empty.findings()
    assert {f.verdict for f in findings.values()} == {"ok", "note"}
    assert "fridge-assets ingest" in findings["readings"].detail
    assert "fridge-assets train" in findings["models"].detail
    assert "fridge-assets run hourly" in findings["scores"].detail
    assert "device_registry.csv" in findings["device registry"].detail


def test_doctor_shows_refused_files_and_old_scores(filled: Folder) -> None:
    findings = filled.findings()
    assert findings["landing files"].verdict == "note"
    assert "1 refused, for example: torn.csv is empty" in findings["landing files"].detail
    assert findings["warehouse"].detail == "opens; 6 feature rows"
    assert (findings["scores"].verdict, findings["scores"].detail) == ("note", "expired")
    assert findings["clock"].verdict == "ok"


def test_overview_and_doctor_tell_how_the_stream_is(tmp_path: Path) -> None:
    folder, now = folder_at(tmp_path), datetime.now(UTC)
    assert folder.findings()["stream"].verdict == "note"
    for beaten_at, stopped_at, verdict, said in (
        (now, None, "ok", "alive since"),
        (now - 2 * 24 * 60 * MINUTE, None, "broken", "dead, silent for 2 d"),
        (now, now, "note", "not running, stopped"),
    ):
        with folder.operations.transaction() as connection:
            beat(connection, StreamStatus("fridge/7", "landing", now - 5 * MINUTE, beaten_at, stopped_at))
        finding = folder.findings()["stream"]
        assert (finding.verdict, finding.detail) == (verdict, folder.overview(moment(0).isoformat()).stream)
        assert finding.detail.startswith(said)


def test_doctor_notes_readings_from_the_future(tmp_path: Path) -> None:
    folder = folder_at(tmp_path)
    with folder.warehouse.transaction() as connection:
        connection.execute(
            "INSERT INTO device_last_seen (device_id, last_reading_at) VALUES ('d1', now() + INTERVAL 1 HOUR)"
        )
    clock = folder.findings()["clock"]
    assert clock.verdict == "note"
    assert "ahead of this machine" in clock.detail


def test_doctor_names_what_is_broken_and_looks_at_everything_else(tmp_path: Path) -> None:
    folder = folder_at(tmp_path)
    (tmp_path / "device_registry.csv").write_text("device_id\nd1\n")
    folder.settings.warehouse_file.write_bytes(b"x" * 10_000)
    findings = folder.findings()
    broken = {name: f.detail for name, f in findings.items() if f.verdict == "broken"}
    assert any("has no column site_id" in detail for detail in broken.values())
    assert any("cannot be used" in detail for detail in broken.values())
    assert findings["data folder"].verdict == "ok"
    assert findings["landing files"].verdict == "ok"


def test_doctor_of_a_damaged_operations_store_names_it(tmp_path: Path) -> None:
    folder = folder_at(tmp_path)
    (tmp_path / "operations.db").write_bytes(b"not a database" * 100)
    assert any(
        "is damaged: file is not a database" in f.detail for f in folder.findings().values() if f.verdict == "broken"
    )
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(tmp_path / "operations.db").execute("SELECT 1 FROM x")
