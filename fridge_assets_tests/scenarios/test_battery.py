"""A candidate that alarms on defrosts or is blind to a fault is held back by name, with real stores (SPEC 3.1)."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from fridge_assets.automation.cycles import run_canary
from fridge_assets.canary.battery.recipe import simulated_cases
from fridge_assets.canary.battery.rules import Battery
from fridge_assets.canary.battery.run import battery_of
from fridge_assets.contracts import INCIDENTS, LABEL_EVENTS, MODEL_FEATURES, Contract
from fridge_assets.deployment.decide import Request
from fridge_assets.features.compute import compute_features
from fridge_assets.models.exclusions import known_spans
from fridge_assets.models.families import FAMILIES
from fridge_assets.models.selection import STATE, select_training_rows
from fridge_assets.models.training import train
from fridge_assets.readings.ingest import ingest
from fridge_assets.registry.devices import read_registry, with_cohort
from fridge_assets.settings import BatterySettings, CanarySettings
from fridge_assets.simulation import FaultShare, Fleet, simulate_registry, write_fleet
from fridge_assets.simulation.fault_plan import FaultTiming
from fridge_assets.simulation.machines import CYCLING_MODELS
from fridge_assets.stores.operations import metadata
from fridge_assets_tests.cli.typed import typed
from fridge_assets_tests.once import made_once
from fridge_assets_tests.scenarios.small_fleet import Place, copy_of, graph_of, hour, settings_of

FAMILY = "statistical_baseline"
DEVICES, LEARNED, END = 12, 24, 36
OWN = "the fleet's own windows"
DEFROST = f"defrost in {OWN}"
DOOR = f"door_left_open in {OWN} with it put in"
FAILURES = "confirmed failures in the fleet's labels"

Rows = pd.DataFrame


def make_coolers(folder: Path) -> None:
    """Coolers that defrost, the door of one of them left open in the end, and a release that has learned from them."""
    place = Place(settings_of(folder))
    models = tuple(model for model in CYCLING_MODELS if model.name == "counter_cooler")
    timing = FaultTiming(earliest_onset=30 / END, full_from=30.5 / END, full_to=31 / END)
    faults = [FaultShare("door_left_open", 1 / DEVICES)]
    fleet = Fleet(simulate_registry(DEVICES, 5, models), 5, hour(0), hour(END), faults, timing)
    registry = folder / "device_registry.csv"
    write_fleet(fleet, place.settings.landing_dir, registry, folder / "ground_truth.parquet")
    ingest(place.landing, place.warehouse, fleet.registry, hour(END), place.settings)
    compute_features(place.warehouse, hour(END), place.settings.features)
    introduce(place, lambda rows: rows)


def introduce(place: Place, change: Callable[[Rows], Rows]) -> str:
    """A version trained on what ``change`` leaves of the first day."""
    with place.warehouse.read() as connection:
        rows = select_training_rows(connection, fleet_of(place), hour(LEARNED), place.settings, "window")
    trained = train(FAMILIES[FAMILY], change(rows), place.settings, hour(LEARNED))
    return place.models.introduce(trained, Request("ann", hour(END), "a test")).version


def without_defrosts(rows: Rows) -> Rows:
    return rows[rows[STATE] != "defrost"]


def of_two_sensors(rows: Rows) -> Rows:
    seen = tuple(name for name in rows if name.startswith(("temp_ambient", "vibration")))
    return rows.assign(**dict.fromkeys((name for name in MODEL_FEATURES if name not in seen), float("nan")))


def fleet_of(place: Place) -> pd.DataFrame:
    registry = read_registry(place.root)
    assert registry is not None
    return with_cohort(registry)


def tried(place: Place, version: str, beside: str = "1.0.0") -> Battery:
    """The battery of ``version`` as the canary tries it."""
    devices, settings = fleet_of(place), place.settings
    with place.operations.read() as store:
        spans = known_spans(store, devices, hour(END), settings.training)
    versions = (place.models.registry.version(FAMILY, version), place.models.registry.version(FAMILY, beside))
    return battery_of(place.models, place.warehouse, versions, devices, spans, hour(END), settings)


def outcomes(battery: Battery) -> dict[str, str]:
    return {f"{result.case.name} in {result.case.where}": result.outcome for result in battery.results}


def label(place: Place, device: str, verdict: str, since: datetime, until: datetime) -> None:
    """An incident of ``device`` that is over, and what a technician said of it."""

    def stored(contract: Contract, **values: object) -> None:
        row = contract.to_arrow(contract.sample(1).assign(**{name: [value] for name, value in values.items()}))
        with place.operations.transaction() as connection:
            connection.execute(sa.insert(metadata.tables[contract.name]), row.to_pylist())

    incident = {"incident_id": f"incident-{device}", "device_id": device, "first_detected_at": since}
    stored(INCIDENTS, **incident, status="RESOLVED", closed_at=until)
    stored(LABEL_EVENTS, **incident, label_id=f"label-{device}", revision=1, label=verdict)


@pytest.fixture(scope="session")
def coolers_template(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Never change it, copy it."""
    return Place(settings_of(made_once("coolers", make_coolers, tmp_path_factory)))


@pytest.fixture
def coolers(coolers_template: Place, tmp_path: Path) -> Place:
    """A folder with coolers and a release."""
    return copy_of(coolers_template, tmp_path / "data")


def test_a_candidate_that_learned_what_the_release_did_passes_and_what_is_not_known_is_said(coolers: Place) -> None:
    found = tried(coolers, introduce(coolers, lambda rows: rows.iloc[::-1]))
    assert (found.verdict, outcomes(found)[DEFROST], outcomes(found)[DOOR]) == ("pass", "passed", "passed")
    assert outcomes(found)[FAILURES] == "not judged"
    assert f"not judged: {FAILURES}: no failure was confirmed in the last 28 d" in found.lines
    assert "all states and faults in simulated machines: FRIDGE_CANARY__BATTERY__SIMULATED_DEVICES is 0" in str(
        found.lines
    )


def test_a_candidate_that_alarms_on_defrosts_is_refused_with_the_state_its_share_and_the_limit(coolers: Place) -> None:
    version = introduce(coolers, without_defrosts)
    coolers.models.stage(FAMILY, version, Request("ann", hour(END), ""))
    with graph_of(coolers.settings) as instance:
        outcome = run_canary(instance, hour(END), in_process=True)
    assert outcome.success, outcome.failures
    code, _, error = typed(coolers.root, "models", "promote", FAMILY, version)
    assert code == 1
    said = " ".join(error.split())
    assert f"was blocked: {DEVICES} devices were compared, fewer than 200. The battery failed: {DEFROST}: " in said
    assert "windows flagged, at most 5.0% may be" in said
    assert "raise FRIDGE_TRAINING__MIN_STATE_ROWS" in said
    for words in (("canary", FAMILY), ("card", FAMILY, version)):
        code, said, _ = typed(coolers.root, "models", *words)
        assert code == 0
        assert "defrost in the fleet's own windows" in " ".join(said.split())
    code, said, _ = typed(coolers.root, "models", "canary", FAMILY, "--json")
    assert (code, json.loads(said)[0]["battery_verdict"]) == (0, "block")
    shown = outcome.metadata["canary_reports"]
    assert f"- failed: {DEFROST}" in shown[f"{FAMILY} {version} with 1.0.0: block"]


def test_a_candidate_that_sees_too_little_loses_the_fault_and_the_failure_that_a_technician_confirmed(
    coolers: Place,
) -> None:
    blind = introduce(coolers, of_two_sensors)
    assert outcomes(tried(coolers, blind))[DOOR] == "failed"
    (device,) = pd.read_parquet(coolers.root / "ground_truth.parquet")["device_id"]
    label(coolers, device, "confirmed", hour(31), hour(END))
    found = tried(coolers, blind)
    assert (found.verdict, outcomes(found)[FAILURES]) == ("block", "failed")
    assert f"{FAILURES}: 0.0% of 1 failures found, at least 90.0% must be (100.0% by production)" in found.reason
    assert f"{DOOR}: " in found.reason


def test_windows_that_a_technician_calls_a_false_alarm_are_judged_too(coolers: Place) -> None:
    defrosts = coolers.query(
        "SELECT device_id, min(window_start), max(window_end) FROM device_features "
        "WHERE operating_state = 'defrost' AND window_start >= ? GROUP BY device_id",
        hour(END - 6),
    )
    for device, begun, ended in defrosts:
        label(coolers, str(device), "false_positive", *(pd.Timestamp(str(moment)) for moment in (begun, ended)))
    found = tried(coolers, introduce(coolers, without_defrosts))
    assert outcomes(found)["false alarms in the fleet's labels"] == "failed"


def test_a_fault_of_a_sensor_that_no_device_has_is_not_judged_and_says_so(coolers: Place) -> None:
    with coolers.warehouse.transaction() as connection:
        connection.execute("UPDATE device_features SET vibration_compressor_mean = NULL")
    found = tried(coolers, introduce(coolers, lambda rows: rows))
    assert (
        f"not judged: bearing_wear in {OWN} with it put in: no window has vibration_compressor_mean, which tells it"
        in found.lines
    )


def test_a_battery_that_fails_itself_is_no_pass(coolers: Place) -> None:
    version = introduce(coolers, lambda rows: rows)
    coolers.artifact(FAMILY, "calibration.json").write_text("{}")
    found = tried(coolers, version)
    assert found.verdict == "inconclusive"
    assert found.reason.startswith(
        "The battery could judge nothing: ArtifactRefused: calibration.json of model version"
    )


def test_simulated_machines_are_made_once_and_judge_how_a_version_was_trained(
    coolers: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = BatterySettings.model_validate(
        {"simulated_devices": 5, "simulated_faulty": 1, "simulated_learning": "PT12H"}
    )
    settings = coolers.settings.model_copy(update={"canary": CanarySettings(battery=small)})
    release = coolers.models.registry.version(FAMILY, "1.0.0").metadata
    folder = coolers.root / "battery-test"
    first = simulated_cases(folder, release, release, settings)
    assert {case.where for case in first} == {"simulated continuous machines", "simulated cycling machines"}
    assert {case.name for case in first if case.kind == "quiet"} >= {"running", "off", "defrost"}
    assert {case.name for case in first if case.kind == "fault"} >= {"refrigerant_leak", "condenser_fouling"}
    assert all(case.candidate == case.production and not case.missing for case in first)
    made = {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()}
    monkeypatch.setattr("fridge_assets.canary.battery.simulated._simulate", None)  # would fail
    assert simulated_cases(folder, release, release, settings) == first
    # Another way to train is another version of the simulated machines, on the same windows.
    recorded = release.training.settings | {"baseline": release.training.settings["baseline"] | {"strongest": 40}}
    other = release.model_copy(update={"training": release.training.model_copy(update={"settings": recorded})})
    second = simulated_cases(folder, other, release, settings)
    assert [case.production for case in second] == [case.production for case in first]
    assert [case.candidate for case in second] != [case.candidate for case in first]
    assert made.items() <= {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()}.items()


def test_a_family_of_days_is_judged_by_the_fleet_alone_and_says_so(coolers: Place) -> None:
    release = coolers.models.registry.version(FAMILY, "1.0.0").metadata.model_copy(update={"family": "dbscan_cohort"})
    (case,) = simulated_cases(coolers.root, release, release, coolers.settings)
    assert case.missing == "this family looks at whole days, and too few are simulated"
