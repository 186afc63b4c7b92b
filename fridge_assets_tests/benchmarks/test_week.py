"""The benchmark of a week counts what people were told and what was true, and its crew acts as people do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from fridge_assets.incidents.observations import Measured, Observed
from fridge_assets.incidents.store import observe
from fridge_assets.incidents.together import Fleet
from fridge_assets.settings import IncidentSettings, Settings
from fridge_assets.stores.operations import Operations, incidents
from fridge_assets_tests.benchmarks.week_crew import Crew
from fridge_assets_tests.benchmarks.week_report import Week, by_fault, by_severity, load, summary
from fridge_assets_tests.incidents.device import CRITICAL, LOW, MEDIUM, seen

START = datetime(2026, 3, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


FLEET = pd.Series("continuous", index=["found", "missed", *"abcdefgh"], name="kind")


def told(device: str, hour: float, severity: str = "MEDIUM", *, suppressed: bool = False) -> dict[str, object]:
    at = START + hour * HOUR
    return {
        "device_id": device,
        "severity": severity,
        "suppressed": suppressed,
        "window_end": at,
        "alert_created_at": at + timedelta(minutes=3),
    }


def truth(**onsets: float) -> pd.DataFrame:
    rows = [
        {
            "device_id": device,
            "fault": "refrigerant_leak",
            "acute": False,
            "onset": START + hour * HOUR,
            "full_severity_at": START + (hour + 20) * HOUR,
            "failure_at": START + (hour + 32) * HOUR,
        }
        for device, hour in onsets.items()
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def week() -> Week:
    """Two leaks: one is found 22 hours before it fails, the other is told of before it begins and after it failed."""
    alerts = pd.DataFrame(
        [
            told("found", 15),
            told("found", 20, "HIGH"),
            told("found", 16, suppressed=True),
            told("missed", 4),
            told("missed", 50),
            told("missed", 20, "LOW"),
            told("healthy", 30),
        ]
    )
    return Week(truth(found=5, missed=10), alerts, (), FLEET, START, START + 48 * HOUR, 48, IncidentSettings())


def test_a_fault_is_found_by_an_alert_between_its_onset_and_its_failure(week: Week) -> None:
    (row,) = by_fault(week).to_dict(orient="records")
    assert (row["devices"], row["found"], row["told"]) == (2, 1, 4)
    assert row["lead"] == pytest.approx(37 - 15.05)
    assert row["lead_to_full"] == pytest.approx(25 - 15.05)
    assert row["precision"] == pytest.approx(3 / 4)


def test_a_fault_that_fails_after_the_week_does_not_count(week: Week) -> None:
    late = Week(**vars(week) | {"truth": truth(found=5, missed=20)})
    assert by_fault(late)["devices"].tolist() == [1]


def test_precision_and_load_are_of_what_people_were_told(week: Week) -> None:
    assert by_severity(week)[["severity", "told", "real"]].to_numpy().tolist() == [
        ["CRITICAL", 0, 0],
        ["HIGH", 1, 1],
        ["MEDIUM", 4, 2],
    ]
    figures = summary(week)
    assert (figures["gradual_recall"], figures["precision"], figures["urgent_precision"]) == (0.5, 0.6, 1.0)
    assert load(week)["told_per_device_day"] == pytest.approx(5 / 20)
    assert load(week)["suppressed_share"] == pytest.approx(1 / 7)


def test_the_crew_takes_the_most_urgent_first_and_calls_healthy_devices_false_positives(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    operations = Operations(settings.operations_database)
    evidence = [
        replace(seen(0, severity, device=device, families=2), at=START)
        for device, severity in (("real", MEDIUM), ("healthy", CRITICAL), ("quiet", LOW))
    ]
    measured = Measured("Low side low", "It was low.", "isolation_forest_v2", 0.9, ())
    with operations.transaction() as connection:
        observed = [Observed(one.device_id, one, measured) for one in evidence]
        observe(connection, observed, Fleet({}), START, settings.alerts)
    crew = Crew(operations, settings, truth(real=-5), seed=1)
    crew.work_until(START + 3 * HOUR)
    assert statuses(operations) == {"real": "ACKNOWLEDGED", "healthy": "ACKNOWLEDGED", "quiet": "OPEN"}
    crew.work_until(START + 9 * HOUR)
    assert statuses(operations) == {"real": "IN_PROGRESS", "healthy": "FALSE_POSITIVE", "quiet": "OPEN"}
    crew.work_until(START + 40 * HOUR)
    assert statuses(operations)["real"] == "RESOLVED"


def statuses(operations: Operations) -> dict[str, str]:
    with operations.read() as connection:
        return dict(connection.execute(sa.select(incidents.c.device_id, incidents.c.status)).all())
