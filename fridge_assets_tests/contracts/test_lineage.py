"""Where each column comes from: the sources exist, and nothing that a model judges is without one."""

import pytest

from fridge_assets import contracts
from fridge_assets.contracts import CLEAN_SENSOR_READINGS, DEVICE_FEATURES, MODEL_FEATURES, MODEL_SCORES, Contract
from fridge_assets.contracts.docs import DATASETS
from fridge_assets.contracts.lineage import LINEAGE, Lineage, published_lineage, scores_lineage

BY_NAME = {contract.name: contract for contract in DATASETS}
CASES = [
    *((BY_NAME[name], lineage) for name, lineage in LINEAGE.items()),
    (MODEL_SCORES, scores_lineage()),
]


@pytest.mark.parametrize(("contract", "lineage"), CASES, ids=[contract.name for contract, _ in CASES])
def test_columns_and_their_sources_are_in_their_contracts(contract: Contract, lineage: Lineage) -> None:
    assert set(lineage) <= set(contract.column_names)
    for sources in lineage.values():
        for dataset, column in sources:
            assert column in BY_NAME[dataset].column_names, f"{dataset} has no column {column}"


@pytest.mark.parametrize("feature", MODEL_FEATURES)
def test_each_feature_names_the_sensors_it_is_computed_from(feature: str) -> None:
    sources = LINEAGE[DEVICE_FEATURES.name][feature]
    assert sources
    assert {dataset for dataset, _ in sources} == {CLEAN_SENSOR_READINGS.name}


def test_a_slope_is_computed_from_its_sensor_and_the_time() -> None:
    assert LINEAGE[DEVICE_FEATURES.name]["temp_evaporator_slope"] == (
        ("clean_sensor_readings", "temperature_evaporator"),
        ("clean_sensor_readings", "timestamp_utc"),
    )


def test_published_scores_come_from_the_same_column_of_every_family() -> None:
    lineage = published_lineage(["isolation_forest_scores", "autoencoder_scores"])
    assert set(lineage) == set(MODEL_SCORES.column_names)
    assert lineage["anomaly_score"] == (
        ("isolation_forest_scores", "anomaly_score"),
        ("autoencoder_scores", "anomaly_score"),
    )


def test_every_dataset_of_the_pipeline_has_a_lineage() -> None:
    inputs = {contracts.SENSOR_READINGS.name, contracts.DEVICE_REGISTRY.name}
    made = {"clean_sensor_readings", "quarantined_readings", "device_features", "rules_based_fallback", "canary_scores"}
    assert {*made, "device_alerts", "device_status", "site_status"} == set(LINEAGE) - inputs
