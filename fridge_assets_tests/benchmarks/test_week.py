"""The benchmark of a week counts what people were told and what was true, and its crew acts as people do."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa

from fridge_assets.incidents.observations import Act, Measured, Observed
from fridge_assets.incidents.store import observe
from fridge_assets.incidents.together import Fleet
from fridge_assets.settings import IncidentSettings, Settings
from fridge_assets.stores.operations import Operations, incidents
from fridge_assets_tests.benchmarks.week import of_those_in_service
from fridge_assets_tests.benchmarks.week_crew import Crew
from fridge_assets_tests.benchmarks.week_old_rules import told_by_old_rules
from fridge_assets_tests.benchmarks.week_report import Week, by_fault, by_severity, leads, load, told_before, told_now
from fridge_assets_tests.benchmarks.week_targets import targets_of
from fridge_assets_tests.benchmarks.week_told import Told, told_since
from fridge_assets_tests.incidents.device import CRITICAL, LOW, MEDIUM, at, run_time, seen
from fridge_assets_tests.incidents.given import see

START = datetime(2026, 3, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


FLEET = pd.Series("continuous", index=["found", "missed", "healthy", *"abcdefg"], name="kind")


def told(device: str, hour: float, severity: str = "MEDIUM", *, suppressed: bool = False) -> dict[str, object]:
    at = START + hour * HOUR
    return {
        "alert_id": f"{device} {hour}",
        "device_id": device,
        "severity": severity,
        "top_contributors": ["pressure_low_mean"],
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
    incidents = (
        Told("found", "HIGH", (START + 15 * HOUR, START + 20 * HOUR), ("opened", "severity_rose"), 1, 12 * HOUR),
        Told("healthy", "MEDIUM", (START + 30 * HOUR, START + 31 * HOUR), ("opened", "reminder"), 0, 0 * HOUR),
    )
    return Week(
        truth(found=5, missed=10), alerts, (), incidents, FLEET, START, START + 48 * HOUR, 48, IncidentSettings()
    )


def test_a_fault_is_found_by_an_alert_between_its_onset_and_its_failure(week: Week) -> None:
    (row,) = by_fault(week, told_now(week)).to_dict(orient="records")
    assert (row["devices"], row["found"], row["told"]) == (2, 1, 4)
    assert row["lead"] == pytest.approx(37 - 15.05)
    assert row["lead_to_full"] == pytest.approx(25 - 15.05)
    assert row["precision"] == pytest.approx(3 / 4)


def test_a_fault_that_fails_after_the_week_does_not_count(week: Week) -> None:
    late = Week(**vars(week) | {"truth": truth(found=5, missed=20)})
    assert by_fault(late, told_now(late))["devices"].tolist() == [1]


def test_precision_and_load_are_of_what_people_were_told(week: Week) -> None:
    assert by_severity(week)[["severity", "told", "real"]].to_numpy().tolist() == [
        ["CRITICAL", 0, 0],
        ["HIGH", 1, 1],
        ["MEDIUM", 4, 2],
    ]
    assert load(week)["told_per_device_day"] == pytest.approx(5 / 20)
    assert load(week)["suppressed_share"] == pytest.approx(1 / 7)


def test_every_figure_stands_beside_its_target(week: Week) -> None:
    found = {one.name: (round(one.value, 3), one.met) for one in targets_of(week) if not math.isnan(one.value)}
    assert found == {
        "gradual faults alerted before failure": (0.5, False),
        "hours of lead lost, of the fault that lost most": (0.0, True),
        "precision of told incidents, MEDIUM or higher": (0.5, False),
        "precision of told incidents, HIGH and CRITICAL": (1.0, True),
        "first tellings a faulty device": (0.5, True),
        "messages a faulty device": (1.0, True),
        "messages a day about a device somebody works on": (2.0, False),
        "healthy devices bothered a day, in percent": (6.25, False),
    }


def test_the_old_rules_tell_of_a_problem_every_four_hours_and_when_it_rises(week: Week) -> None:
    alerts = pd.DataFrame(
        [
            told("d1", 0, suppressed=True),
            told("d1", 1),
            told("d1", 2, "HIGH", suppressed=True),
            told("d1", 3, "HIGH"),
            told("d1", 4, suppressed=True),
            told("d1", 4.5) | {"top_contributors": ["superheat_mean"]},
            told("d2", 1),
        ]
    )
    assert list(told_by_old_rules(alerts)["alert_id"]) == ["d1 0", "d2 1", "d1 2", "d1 4", "d1 4.5"]
    assert len(told_before(week)) == 5
    assert leads(week)["lead_before"].tolist() == leads(week)["lead"].tolist()


def test_messages_are_counted_by_incident_and_by_whether_somebody_is_at_work(tmp_path: Path) -> None:
    operations = Operations(Settings(data_dir=tmp_path).operations_database)
    see(operations, run_time(1), seen(1, MEDIUM, families=2), seen(1, LOW, device="d2"))
    see(operations, run_time(2), Act("acknowledge", "ann"))
    see(operations, run_time(3), seen(3, CRITICAL))
    see(operations, run_time(5), Act("resolve", "ann"))
    with operations.read() as connection:
        (one,) = told_since(connection, at(0))
        assert told_since(connection, at(9)) == []
    assert (one.device_id, one.severity, one.reasons) == ("d1", "CRITICAL", ("opened", "severity_rose"))
    assert (one.while_taken, one.taken) == (1, 3 * HOUR)


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
    assert crew.out_of_service == {"real": START + 27 * HOUR}


def test_a_device_out_of_service_sends_nothing_more() -> None:
    times = [START + minute * timedelta(minutes=1) for minute in (0, 1)] * 2
    moments = pa.array(times, pa.timestamp("us", tz="UTC"))
    readings = pa.table({"device_id": ["d1", "d1", "d2", "d2"], "timestamp_ingested": moments})
    kept = of_those_in_service(readings, {"d1": START + timedelta(minutes=1)})
    assert kept["device_id"].to_pylist() == ["d1", "d2", "d2"]


def statuses(operations: Operations) -> dict[str, str]:
    with operations.read() as connection:
        return dict(connection.execute(sa.select(incidents.c.device_id, incidents.c.status)).all())
