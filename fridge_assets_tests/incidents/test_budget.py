"""Whether people can look into as many alerts as there are: figures, sentence and the check of the asset (SPEC 6)."""

from datetime import datetime, timedelta

import dagster as dg
import pytest

from fridge_assets.incidents.assets import device_alerts as device_alerts_asset
from fridge_assets.incidents.budget import AlertLoad, alert_load, expected_load
from fridge_assets.settings import IncidentSettings, Settings
from fridge_assets.steps.clock import Clock
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.alert_quality.labelled import NOW, alert, store

DAY = timedelta(days=1)


def load(operations: Operations, now: datetime = NOW, devices: int = 10, **alerts: object) -> AlertLoad:
    settings = Settings().model_copy(update={"alerts": IncidentSettings.model_validate(alerts)})
    with operations.read() as connection:
        return alert_load(connection, devices, now, settings)


@pytest.fixture
def told(operations: Operations) -> Operations:
    """Two that count, and five that do not: LOW, suppressed, a day old, of the future."""
    rows = [
        alert("d1", severity="MEDIUM"),
        alert("d2", severity="CRITICAL", created=NOW),
        alert("d3", severity="LOW"),
        alert("d4", suppressed=True),
        alert("d5", created=NOW - DAY),
        alert("d6", created=NOW + timedelta(seconds=1)),
    ]
    store(operations, rows)
    return operations


def test_told_alerts_of_medium_or_higher_of_the_last_day_count(told: Operations) -> None:
    found = load(told)
    assert (found.observed, found.budget, found.within) == (2, 144, True)
    assert "Raise" not in found.sentence


def test_more_than_the_operators_can_look_into_is_beyond_the_budget_and_equal_is_not(told: Operations) -> None:
    assert load(told, alert_budget=1, operators=2).within
    found = load(told, alert_budget=1)
    assert not found.within
    assert found.sentence == (
        "2 alerts of MEDIUM or higher were told in the last 24 hours; the budget is 1 a day. A calibrated healthy "
        "fleet of this size has about 0 scores above the mark of MEDIUM a day, before repeats are suppressed. Raise "
        "FRIDGE_ALERTS__OPERATORS, or the medium threshold: alert_quality says which."
    )


def test_a_fleet_whose_thresholds_alone_cost_more_than_the_budget_is_beyond_it_before_anything_is_told(
    told: Operations,
) -> None:
    assert load(told, devices=9_500).within
    found = load(told, devices=9_700)
    assert (found.observed, found.within) == (2, False)
    assert "about 146 scores above the mark" in found.sentence


def test_the_expected_load_is_devices_times_50_runs_a_day_times_the_probability() -> None:
    assert expected_load(100_000, Settings()) == pytest.approx(1500)


def check_of(warehouse: Warehouse, operations: Operations, settings: Settings) -> dg.AssetCheckEvaluation:
    """What the asset says of the budget; its materialization is there whatever it says."""
    clock = Clock(warehouse=warehouse, settings=settings, as_of=NOW.isoformat())
    resources = {"settings": settings, "warehouse": warehouse, "operations": operations, "clock": clock}
    done = dg.materialize([device_alerts_asset], resources=resources)
    assert done.success
    (found,) = (each for each in done.get_asset_check_evaluations() if each.check_name == "within_alert_budget")
    return found


def test_the_asset_passes_within_the_budget_and_warns_beyond_it(
    warehouse: Warehouse, told: Operations, settings: Settings
) -> None:
    found = check_of(warehouse, told, settings)
    assert found.passed
    assert (found.metadata["told in 24 h"].value, found.metadata["budget"].value) == (2, 144)
    small = settings.model_copy(update={"alerts": IncidentSettings(alert_budget=1)})
    found = check_of(warehouse, told, small)
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert str(found.description).endswith("or the medium threshold: alert_quality says which.")
