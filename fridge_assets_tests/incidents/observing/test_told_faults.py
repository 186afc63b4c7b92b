"""What alerts say of every simulated fault: the number that they name is unusual, or they say what is (SPEC 6)."""

from datetime import UTC, datetime

import pandas as pd
import pytest

from fridge_assets.diagnosis.causes import built_in
from fridge_assets.incidents.observing.inputs import read_alert_inputs
from fridge_assets.incidents.observing.judged import UNUSUAL, Judged, judged_by_score
from fridge_assets.incidents.observing.observed import observed_in
from fridge_assets.incidents.observing.wording import alike, words_for
from fridge_assets.incidents.store import observe
from fridge_assets.incidents.together import Fleet as Sites
from fridge_assets.registry.devices import with_cohort
from fridge_assets.settings import AutoencoderSettings, ForestSettings, Settings
from fridge_assets.simulation import FaultShare, FaultTiming, Fleet, simulate_registry
from fridge_assets.simulation.faults import FAULT_KINDS
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.benchmarks.diagnosis import CAUSE_OF
from fridge_assets_tests.benchmarks.shortcuts import (
    DELIVERY,
    HOUR,
    append_features,
    score_families,
    simulated_features,
    train_families,
)
from fridge_assets_tests.incidents.observing.stored import stored_alerts

START = datetime(2026, 3, 2, tzinfo=UTC)
TRAINED_ON, HOURS = 49, 59
DEVICES_EACH = 8
TITLES = {cause.name: cause.title for cause in built_in().causes}
PLAIN = ("Unusual combination of readings", "Unusual behaviour")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Alerts of a fleet whose devices all fail: DEVICE_ALERTS columns, ``fault``, ``sensor`` and ``judged``."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("faults"),
        autoencoder=AutoencoderSettings(max_epochs=8),
        forest=ForestSettings(trees=300),
    )
    warehouse = Warehouse.from_settings(settings)
    devices = DEVICES_EACH * len(FAULT_KINDS)
    registry = with_cohort(simulate_registry(devices, 5))
    shares = [FaultShare(fault, DEVICES_EACH / devices) for fault in FAULT_KINDS]
    timing = FaultTiming(earliest_onset=TRAINED_ON / HOURS)
    fleet = Fleet(registry, 5, START, START + HOURS * HOUR, shares, timing, DELIVERY)
    append_features(warehouse, simulated_features(warehouse, fleet, START, START + HOURS * HOUR))
    versions = train_families(warehouse, registry, START + TRAINED_ON * HOUR, settings)
    operations = Operations(settings.operations_database)
    found = []
    for hour in (HOURS - 5, HOURS):
        end = START + hour * HOUR
        score_families(warehouse, versions, end, registry, settings)
        with warehouse.read() as connection:
            given = read_alert_inputs(connection, end, registry, settings)
        observed = observed_in(given, "models", {}, registry, built_in(), settings.alerts, "")
        with operations.transaction() as transaction:
            observe(transaction, observed, Sites({}), end, settings.alerts)
        alerts = stored_alerts(operations)
        alerts = alerts[alerts["window_end"] == end]
        judged = judged_by_score(given.comparisons)
        found.append(alerts.assign(judged=[judged.get(ids[0], {}) for ids in alerts["score_ids"]]))
    truth = fleet.ground_truth[["device_id", "fault", "sensor", "onset"]]
    alerts = pd.concat(found).merge(truth, on="device_id")
    return alerts[alerts["window_end"] > alerts["onset"]]


def leading(row: pd.Series) -> tuple[str, Judged | None]:
    """The contributor that an alert is about, and what its model expected; None where no sensor could have read that.

    A title that says a probable cause leaves the contributor to the description.
    """
    said = row["description"] if row["title"].startswith("Probable ") else row["title"]
    names = (name for name in row["top_contributors"] if said.startswith(words_for(name).title_label))
    name = next(names)
    return name, row["judged"].get(name)


def test_every_fault_is_alerted(told: pd.DataFrame) -> None:
    assert set(told["fault"]) == set(FAULT_KINDS)


def test_the_number_that_an_alert_names_is_unusual_beside_the_one_that_it_is_compared_with(told: pd.DataFrame) -> None:
    for _, row in told[~told["title"].isin(PLAIN)].iterrows():
        name, judged = leading(row)
        words, said = words_for(name), row["description"]
        assert "close to" not in said
        if judged is None:
            continue
        assert judged.deviation is not None
        assert abs(judged.deviation) >= UNUSUAL, said
        assert not alike(words, judged.value, judged.expected), said
        assert words.expected(judged) in said
        assert row["title"] != f"{words.title_label} unusual"


def test_a_probable_cause_is_the_one_that_the_fault_is_of(told: pd.DataFrame) -> None:
    said = told[told["description"].str.contains("Probable cause: ") & told["fault"].isin(CAUSE_OF)]
    right = [f"Probable cause: {TITLES[CAUSE_OF[row.fault]]} (" in row.description for row in said.itertuples()]
    assert len(right) >= 40
    assert sum(right) >= 0.9 * len(right), said.loc[[not fine for fine in right], "description"].tolist()


def test_an_ambient_sensor_that_drifts_is_named(told: pd.DataFrame) -> None:
    drifting = told[(told["fault"] == "drifting_sensor") & (told["sensor"] == "temperature_ambient")]
    assert len(drifting)
    for _, row in drifting.iterrows():
        name, _ = leading(row)
        assert name == "temp_ambient_mean" or "mbient temperature" in row["description"], row["description"]


def test_a_number_that_looks_usual_says_so(told: pd.DataFrame) -> None:
    beside = told[told["title"].str.contains(" for ")]
    assert len(beside)
    assert beside["description"].str.contains("The device usually reads").all()
