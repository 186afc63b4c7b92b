"""What was flagged, worked on or known to fail is not learned from; healthy windows are (SPEC 2.1)."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
import sqlalchemy as sa

from fridge_assets.contracts import (
    DEVICE_FEATURES,
    INCIDENT_EVENTS,
    INCIDENTS,
    LABEL_EVENTS,
    MODEL_SCORES,
    SILENCES,
    Contract,
)
from fridge_assets.models.exclusions import after_maintenance, confirmed_failures, flagged_windows, known_spans
from fridge_assets.settings import Settings
from fridge_assets.stores.frames import registered
from fridge_assets.stores.operations import Operations, metadata
from fridge_assets.stores.warehouse import Warehouse

NOW = datetime(2026, 3, 10, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)
DEVICES = pd.DataFrame({"device_id": ["d1", "d2", "d3"], "site_id": ["s1", "s1", "s2"]})


def known(settings: Settings) -> pd.DataFrame:
    """What the operations store knows of the devices' past."""
    with Operations(settings.operations_database).read() as connection:
        return known_spans(connection, DEVICES, NOW, settings.training)


def left_out(warehouse: Warehouse, settings: Settings, scores: pd.DataFrame, family: str) -> list[str]:
    """The devices whose windows are left out when ``scores`` are stored."""
    with warehouse.transaction() as connection, registered(connection, scores=scores):
        columns = ", ".join(MODEL_SCORES.column_names)
        connection.execute(f"INSERT INTO model_scores ({columns}) SELECT {columns} FROM scores")
    with warehouse.read() as connection:
        return list(flagged_windows(connection, family, known(settings), NOW, settings)["device_id"])


def scored(flagged: int, of: int, model: str = "isolation_forest_v1", window: datetime = NOW) -> pd.DataFrame:
    """Scores of ``of`` devices in one window, the first ``flagged`` of them flagged and the first the strangest."""
    numbers = range(of)
    return MODEL_SCORES.sample(of).assign(
        device_id=[f"d{n:03}" for n in numbers],
        model_id=model,
        window_end=window,
        anomaly_flag=[n < flagged for n in numbers],
        anomaly_score=[1 - n / of for n in numbers],
    )


def test_flagged_windows_of_the_family_and_history_are_left_out(warehouse: Warehouse, settings: Settings) -> None:
    scores = pd.concat(
        [
            scored(3, 100),
            scored(5, 100, model="statistical_baseline_v1"),
            scored(1, 100, window=NOW - settings.training.history),
            scored(1, 100, window=NOW + timedelta(hours=1)),
        ]
    )
    assert left_out(warehouse, settings, scores, "isolation_forest") == ["d000", "d001", "d002"]


def test_of_a_fleet_that_has_changed_only_the_strangest_tenth_is_left_out(
    warehouse: Warehouse, settings: Settings
) -> None:
    assert left_out(warehouse, settings, scored(60, 100), "isolation_forest") == [f"d{n:03}" for n in range(10)]


def test_without_scores_nothing_is_left_out(warehouse: Warehouse, settings: Settings) -> None:
    assert left_out(warehouse, settings, scored(2, 50), "autoencoder") == []


# --- what people know


def stored(operations: Operations, contract: Contract, **values: object) -> None:
    """A row of ``contract``; columns that are not named do not matter here."""
    row = contract.to_arrow(contract.sample(1).assign(**{name: [value] for name, value in values.items()}))
    with operations.transaction() as connection:
        connection.execute(sa.insert(metadata.tables[contract.name]), row.to_pylist())


def maintained(
    operations: Operations, start: datetime, end: datetime, device: str | None = "d1", kind: str = "maintenance"
) -> None:
    site = None if device else "s1"
    stored(operations, SILENCES, kind=kind, device_id=device, site_id=site, starts_at=start, ends_at=end)


def incident(operations: Operations, status: str, closed: datetime | None, *labels: str) -> None:
    """An incident of d1, detected 10 hours ago, in which work began 8 hours ago if there are no labels."""
    life = {"status": status, "closed_at": closed, "first_detected_at": NOW - 10 * HOUR}
    stored(operations, INCIDENTS, incident_id="i", device_id="d1", **life)
    for revision, label in enumerate(labels, 1):
        said = {"label_id": str(revision), "incident_id": "i", "revision": revision, "label": label, "device_id": "d1"}
        stored(operations, LABEL_EVENTS, first_detected_at=NOW - 10 * HOUR, **said)
    if not labels:
        work = {"incident_id": "i", "to_status": "IN_PROGRESS", "action": "start", "occurred_at": NOW - 8 * HOUR}
        stored(operations, INCIDENT_EVENTS, revision=2, **work)


def features(warehouse: Warehouse, *ages: float) -> None:
    """Windows of every device that end so many hours ago."""
    rows = DEVICE_FEATURES.sample(len(ages) * len(DEVICES)).assign(
        device_id=[device for device in DEVICES["device_id"] for _ in ages],
        window_end=[NOW - age * HOUR for age in ages] * len(DEVICES),
    )
    rows["window_start"] = rows["window_end"] - HOUR / 4
    with warehouse.transaction() as connection, registered(connection, rows=DEVICE_FEATURES.to_arrow(rows)):
        columns = ", ".join(DEVICE_FEATURES.column_names)
        connection.execute(f"INSERT INTO device_features ({columns}) SELECT {columns} FROM rows")


def ages_of(windows: pd.DataFrame) -> dict[str, list[float]]:
    """Device → how many hours ago its windows ended."""
    ages = (NOW - windows["window_end"]) / HOUR
    return ages.groupby(windows["device_id"]).agg(sorted).to_dict()


def worked_on(warehouse: Warehouse, settings: Settings) -> dict[str, list[float]]:
    with warehouse.read() as connection:
        return ages_of(after_maintenance(connection, known(settings), NOW))


def test_windows_from_the_start_of_maintenance_until_48_hours_after_it_are_left_out(
    warehouse: Warehouse, operations: Operations, settings: Settings
) -> None:
    end = NOW - 60 * HOUR
    features(warehouse, 64, 61, 60 - 1, 60 - 47, 60 - 49, 0)
    maintained(operations, end - 3 * HOUR, end)
    assert worked_on(warehouse, settings) == {"d1": [13, 59, 61]}


def test_maintenance_of_a_site_is_work_on_all_its_devices(
    warehouse: Warehouse, operations: Operations, settings: Settings
) -> None:
    features(warehouse, 30)
    maintained(operations, NOW - 33 * HOUR, NOW - 32 * HOUR, device=None)
    assert worked_on(warehouse, settings) == {"d1": [30], "d2": [30]}


@pytest.mark.parametrize(
    ("kind", "end"),
    [pytest.param("silence", NOW, id="only silenced"), pytest.param("maintenance", NOW - 9 * HOUR, id="taken back")],
)
def test_where_nobody_worked_nothing_is_left_out(
    warehouse: Warehouse, operations: Operations, settings: Settings, kind: str, end: datetime
) -> None:
    features(warehouse, 8)
    maintained(operations, NOW - 9 * HOUR, end, kind=kind)
    assert worked_on(warehouse, settings) == {}


@pytest.mark.parametrize(
    ("closed", "expected"),
    [
        pytest.param(None, [0, 1, 8], id="still at work"),
        pytest.param(NOW - 7 * HOUR, [0, 1, 8], id="closed lately"),
    ],
)
def test_work_on_an_incident_is_left_out_from_its_start(
    warehouse: Warehouse, operations: Operations, settings: Settings, closed: datetime | None, expected: list[float]
) -> None:
    features(warehouse, 9, 8, 1, 0)
    incident(operations, "RESOLVED" if closed else "IN_PROGRESS", closed)
    assert worked_on(warehouse, settings) == {"d1": expected}


def test_work_on_an_incident_counts_until_48_hours_after_it_was_closed(
    warehouse: Warehouse, operations: Operations, settings: Settings
) -> None:
    features(warehouse, 7, 1)
    incident(operations, "RESOLVED", NOW - 6 * HOUR)
    soon = settings.training.model_copy(update={"after_maintenance": 2 * HOUR})
    assert worked_on(warehouse, settings.model_copy(update={"training": soon})) == {"d1": [7]}


def test_work_that_was_taken_back_is_none(warehouse: Warehouse, operations: Operations, settings: Settings) -> None:
    features(warehouse, 8, 1)
    incident(operations, "OPEN", None)
    back = {"incident_id": "i", "event_id": "undo", "revision": 3, "action": "undo", "occurred_at": NOW - 7 * HOUR}
    stored(operations, INCIDENT_EVENTS, from_status="IN_PROGRESS", to_status="OPEN", **back)
    assert worked_on(warehouse, settings) == {}


def test_a_confirmed_failure_is_left_out_from_its_detection_until_the_incident_was_closed(
    warehouse: Warehouse, operations: Operations, settings: Settings
) -> None:
    features(warehouse, 10.5, 10, 5, 1.5)
    incident(operations, "RESOLVED", NOW - 2 * HOUR, "false_positive", "confirmed")
    with warehouse.read() as connection:
        assert ages_of(confirmed_failures(connection, known(settings), NOW)) == {"d1": [5, 10]}


def test_a_false_positive_is_learned_from(warehouse: Warehouse, operations: Operations, settings: Settings) -> None:
    incident(operations, "FALSE_POSITIVE", NOW - 2 * HOUR, "confirmed", "false_positive")
    scores = scored(2, 100, window=NOW - 5 * HOUR)
    scores["window_start"] = scores["window_end"] - HOUR / 4
    scores["device_id"] = scores["device_id"].replace("d000", "d1")
    assert left_out(warehouse, settings, scores, "isolation_forest") == ["d001"]
    with warehouse.read() as connection:
        assert confirmed_failures(connection, known(settings), NOW).empty
