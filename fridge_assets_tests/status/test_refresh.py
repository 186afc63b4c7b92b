"""The status follows the incidents between two runs, writes no more than has changed, and is checked against them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import dagster as dg
import pandas as pd
import pytest
import sqlalchemy as sa

from fridge_assets.contracts import DEVICE_STATUS, SITE_STATUS, Contract
from fridge_assets.incidents.acting import act
from fridge_assets.incidents.known import incidents_by_id
from fridge_assets.incidents.observations import Act, Seen
from fridge_assets.incidents.queries import histories_of, open_ids
from fridge_assets.incidents.silences import Silence, add_silence
from fridge_assets.registry.devices import complete_registry
from fridge_assets.settings import IncidentSettings, Settings
from fridge_assets.status.assets import agrees_with_alerts
from fridge_assets.status.compute import device_status, site_status
from fridge_assets.status.reconcile import compare_histories, compare_published
from fridge_assets.status.refresh import due_events, is_due, open_incidents, refresh_status, store_status
from fridge_assets.stores.frames import query
from fridge_assets.stores.operations import Operations, incidents
from fridge_assets.stores.published import Published
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.incidents.device import CRITICAL, EPOCH, LOW, MEDIUM, at, run_time, seen
from fridge_assets_tests.incidents.given import see

NOW = run_time(0)
REGISTRY = complete_registry(
    pd.DataFrame({"device_id": ["d1", "d2", "d3", "d4"], "site_id": ["s1", "s1", "s2", "s3"], "region": ["north"] * 4}),
    "registry.csv",
)


class Place:
    """A fleet of four devices in three sites whose status was made at ``NOW``, before there was any incident."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.warehouse = Warehouse.from_settings(settings)
        self.operations = Operations(settings.operations_database)
        self.published = Published(settings.published_dir)
        moments = pd.Series([EPOCH] * 4).astype("datetime64[us, UTC]")
        activity = pd.DataFrame({
            "device_id": REGISTRY["device_id"], "last_reading_at": moments, "temp_evaporator_mean_24h": -25.0,
            "current_compressor_mean_24h": 12.0, "reading_count_24h": 1440,
        })  # fmt: skip
        scores = pd.DataFrame({
            "device_id": REGISTRY["device_id"], "latest_anomaly_score": 0.5, "scored_at": moments, "score_change": 0.2,
        })  # fmt: skip
        nothing = pd.DataFrame({"device_id": [], "open_alerts": [], "worst_severity": []}, dtype="object")
        devices = device_status(REGISTRY, activity[:3], scores, nothing, NOW, settings)
        store_status(self.warehouse, self.published, DEVICE_STATUS, devices)
        store_status(self.warehouse, self.published, SITE_STATUS, site_status(devices))

    def trouble(self, *found: Seen, now: datetime = NOW) -> None:
        see(self.operations, now, *found)

    def resolve(self, device: str) -> None:
        act(self.operations, device, Act("resolve", "ann"), NOW, IncidentSettings())

    def refresh(self, after: timedelta = timedelta(0)) -> dict[str, int]:
        done = refresh_status(self.warehouse, self.operations, self.published, NOW + after, self.settings.staleness)
        return done.changed

    def stored(self, contract: Contract) -> pd.DataFrame:
        with self.warehouse.read() as connection:
            rows = query(connection, f"SELECT * FROM {contract.name} ORDER BY ALL")
        return rows.set_index(contract.key[0])

    def shown(self, device: str, names: Sequence[str] = ("open_alerts", "worst_severity", "health_status")) -> list:
        row = self.stored(DEVICE_STATUS).loc[device, list(names)]
        return [None if pd.isna(value) else value for value in row]

    def execute(self, sql: str) -> None:
        with self.warehouse.transaction() as connection:
            connection.execute(sql)

    def check(self) -> dg.AssetCheckResult:
        return agrees_with_alerts(
            settings=self.settings, warehouse=self.warehouse, operations=self.operations, published=self.published
        )


@pytest.fixture
def place(settings: Settings) -> Place:
    return Place(settings)


def test_status_follows_a_new_incident_and_its_end_without_another_run(place: Place) -> None:
    place.trouble(seen(0, CRITICAL), seen(0, LOW, device="d3", site_id="s2"))
    assert place.shown("d1") == [0, None, "healthy"]
    assert place.refresh() == {"device_status": 2, "site_status": 2}
    assert place.shown("d1") == [1, "CRITICAL", "critical"]
    assert place.shown("d2") == [0, None, "healthy"]
    sites = place.stored(SITE_STATUS)
    counts = sites[["devices_in_alert", "open_alerts", "worst_severity", "health_status"]]
    assert counts.loc[["s1", "s2"]].to_numpy().tolist() == [[1, 1, "CRITICAL", "critical"], [1, 1, "LOW", "warning"]]
    place.resolve("d1")
    assert place.refresh() == {"device_status": 1, "site_status": 1}
    assert place.shown("d1") == [0, None, "healthy"]
    assert place.stored(SITE_STATUS).loc["s1", "open_alerts"] == 0
    for contract in (DEVICE_STATUS, SITE_STATUS):
        published = place.published.read(contract)
        assert published is not None
        pd.testing.assert_frame_equal(published.set_index(contract.key[0]), place.stored(contract))


def test_a_refresh_keeps_scores_trend_and_ages_until_the_scores_expire(place: Place) -> None:
    names = ("latest_anomaly_score", "anomaly_trend", "score_status", "score_source", "scored_at", "reading_count_24h")
    place.trouble(seen(0, CRITICAL))
    place.refresh(timedelta(minutes=90))
    assert place.shown("d1", names) == [0.5, "increasing", "stale", "models", EPOCH, 1440]
    assert place.shown("d3", names)[2] == "fresh", "no incident of its site has changed"
    place.resolve("d1")
    place.refresh(timedelta(hours=5))
    assert place.shown("d1", names) == [None, None, "expired", None, EPOCH, 1440]


def test_an_offline_device_stays_offline_whatever_its_incidents(place: Place) -> None:
    place.operations.migrate()
    place.trouble(seen(0, CRITICAL, device="d3", site_id="s2"))
    place.execute("UPDATE device_status SET health_status = 'offline' WHERE device_id = 'd3'")
    place.refresh()
    assert place.shown("d3") == [1, "CRITICAL", "offline"]


def test_a_change_during_the_refresh_is_left_to_the_next_one(place: Place) -> None:
    place.trouble(seen(0, CRITICAL))
    with place.operations.read() as connection:
        before = due_events(connection)
    place.refresh()
    place.trouble(seen(0, CRITICAL, device="d3", site_id="s2"))
    with place.operations.read() as connection:
        left = due_events(connection)
        assert is_due(connection)
    assert (before["device_id"].tolist(), left["device_id"].tolist()) == (["d1"], ["d3"])
    place.refresh()
    with place.operations.read() as connection:
        assert not is_due(connection)


def test_rows_that_did_not_change_are_not_written_again_and_rows_that_are_gone_go(place: Place) -> None:
    devices = place.stored(DEVICE_STATUS).reset_index()
    file = place.published.path(DEVICE_STATUS)
    before = file.stat().st_ino
    assert store_status(place.warehouse, place.published, DEVICE_STATUS, devices) == 0
    assert file.stat().st_ino == before
    devices.loc[0, "open_alerts"] = 7
    assert store_status(place.warehouse, place.published, DEVICE_STATUS, devices.iloc[:3]) == 2
    assert place.stored(DEVICE_STATUS)["open_alerts"].tolist() == [7, 0, 0]
    file.unlink()
    assert store_status(place.warehouse, place.published, DEVICE_STATUS, devices.iloc[:3]) == 0
    assert len(pd.read_parquet(file)) == 3


# --- the daily check


def test_what_agrees_passes_and_a_device_whose_incidents_just_changed_is_left_out(place: Place) -> None:
    place.trouble(seen(0, CRITICAL))
    assert place.check().passed
    place.refresh()
    result = place.check()
    assert result.passed, result.description
    assert result.metadata["mismatch rate"].value == 0


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE device_status SET open_alerts = 2 WHERE device_id = 'd1'", "open alerts of devices: 1 of 4"),
        ("UPDATE device_status SET worst_severity = 'LOW' WHERE device_id = 'd1'", "open alerts of devices: 1 of 4"),
        ("UPDATE site_status SET devices_in_alert = 0 WHERE site_id = 's1'", "counts of sites: 1 of 3"),
        ("DELETE FROM site_status WHERE site_id = 's2'", "counts of sites: 1 of 3"),
        ("UPDATE device_status SET reading_count_24h = 1 WHERE device_id = 'd2'", "published device status: 1 of 4"),
    ],
)
def test_a_status_that_was_tampered_with_is_found(place: Place, sql: str, said: str) -> None:
    place.trouble(seen(0, CRITICAL))
    place.refresh()
    place.execute(sql)
    result = place.check()
    assert not result.passed
    assert said in (result.description or "")
    assert result.severity == dg.AssetCheckSeverity.ERROR


def test_one_wrong_row_in_many_is_a_warning(place: Place) -> None:
    generous = place.settings.fleet.model_copy(update={"mismatch_error": 0.5})
    place.settings = place.settings.model_copy(update={"fleet": generous})
    place.execute("UPDATE device_status SET open_alerts = 1 WHERE device_id = 'd1'")
    result = place.check()
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert result.metadata["mismatch rate"].value == 0.25


def test_an_incident_that_its_events_do_not_add_up_to_is_found(place: Place) -> None:
    place.trouble(seen(0, CRITICAL), seen(0, LOW, device="d3", site_id="s2"))
    place.refresh()
    assert place.check().passed
    with place.operations.transaction() as connection:
        connection.execute(sa.update(incidents).values(owner="?").where(incidents.c.device_id == "d1"))
        ids = open_ids(connection, 10)
        found = compare_histories(incidents_by_id(connection, ids), histories_of(connection, ids))
        assert open_incidents(connection)["device_id"].tolist() == ["d1", "d3"]
    assert (found.compared, found.mismatches, found.differences["column"].tolist()) == (2, 1, ["owner"])
    assert "incidents and their events: 1 of 2" in (place.check().description or "")


def test_what_waits_to_be_told_is_shown_as_urgent_as_it_was_seen_to_be(place: Place) -> None:
    place.trouble(seen(0, LOW), seen(0, MEDIUM, device="d3", site_id="s2"))
    place.refresh()
    assert place.shown("d3") == [1, "MEDIUM", "warning"]
    assert place.check().passed
    act(place.operations, "d3", Act("take", "ann"), NOW, IncidentSettings())
    place.refresh()
    assert place.shown("d3") == [1, "MEDIUM", "warning"]


def test_what_a_silence_holds_is_no_open_alert_until_it_is_seen_after_the_silence(place: Place) -> None:
    maintenance = Silence("silence", "d1", None, at(0), at(1), "ann", "painting", at(0))
    with place.operations.transaction() as connection:
        add_silence(connection, maintenance, IncidentSettings())
    place.trouble(seen(0.75, MEDIUM))
    place.refresh()
    assert place.shown("d1") == [0, None, "healthy"]
    place.trouble(seen(1.75, MEDIUM), now=run_time(1.75))
    place.refresh()
    assert place.shown("d1") == [1, "MEDIUM", "warning"]
    assert place.check().passed


def test_a_snapshot_that_is_missing_differs_in_every_row() -> None:
    assert compare_published(SITE_STATUS, None, SITE_STATUS.sample(3)).rate == 1
