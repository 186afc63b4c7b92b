"""Every dataset's contract: its table, its sample rows and its documentation agree with each other."""

import duckdb
import pyarrow as pa
import pytest

from fridge_assets import contracts
from fridge_assets.contracts import SENSORS, Contract
from fridge_assets.contracts._contract import SQL_TYPES
from fridge_assets.contracts.device_features import (
    DERIVED_FEATURES,
    FRACTION_FEATURES,
    SENSOR_FEATURES,
    sensors_of,
)
from fridge_assets.contracts.validation import validate

DATASETS = [value for value in vars(contracts).values() if isinstance(value, Contract)]

FEATURES = [*(feature.name for feature in SENSOR_FEATURES), *FRACTION_FEATURES, *DERIVED_FEATURES]

every_dataset = pytest.mark.parametrize("contract", DATASETS, ids=lambda contract: contract.name)


def test_every_dataset_of_the_specification_has_a_contract() -> None:
    assert {contract.name for contract in DATASETS} == {
        "device_registry", "sensor_readings", "clean_sensor_readings", "quarantined_readings", "device_features",
        "model_scores", "canary_scores", "canary_reports", "device_alerts", "incidents", "device_status",
        "site_status", "model_monitoring", "withheld_scores", "rules_based_fallback",
        "incident_events", "label_events", "work_orders", "silences", "alert_quality",
    }  # fmt: skip


@every_dataset
def test_created_table_has_the_columns_types_and_not_nulls_of_the_contract(contract: Contract) -> None:
    with duckdb.connect() as connection:
        connection.execute(contract.create_table_sql())
        described = connection.execute(f"DESCRIBE {contract.name}").fetchall()
    spelled = {"TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ"}
    table = [(name, spelled.get(type_, type_), null == "YES") for name, type_, null, *_ in described]
    assert table == [(c.name, SQL_TYPES[c.type], c.nullable) for c in contract.columns]


@every_dataset
def test_sample_rows_keep_their_contract_and_fit_their_table(contract: Contract) -> None:
    sample = contract.sample(7, seed=3)
    report = validate(contract, sample)
    assert (report.sentence(), report.rows) == (f"All 7 rows of {contract.name} keep their contract", 7)
    with duckdb.connect() as connection:
        connection.execute(contract.create_table_sql())
        connection.register("sample", contract.to_arrow(sample))
        connection.execute(f"INSERT INTO {contract.name} SELECT * FROM sample")
        assert connection.execute(f"SELECT count(*) FROM {contract.name}").fetchone() == (7,)


@every_dataset
def test_markdown_has_a_line_a_column_with_its_key_and_unit(contract: Contract) -> None:
    lines = contract.markdown().splitlines()[2:]
    assert len(lines) == len(contract.columns)
    for line, column in zip(lines, contract.columns, strict=True):
        star = "*" if column.name in contract.key else ""
        assert line == f"| `{column.name}`{star} | {column.type} | {column.unit or '–'} | {column.description} |"


@every_dataset
def test_empty_frame_has_the_columns_of_the_contract_and_no_rows(contract: Contract) -> None:
    assert tuple(contract.empty().columns) == contract.column_names
    assert contract.empty().empty


def test_same_seed_gives_the_same_sample_and_another_seed_another() -> None:
    sample = contracts.MODEL_SCORES.sample(5, seed=1)
    assert sample.equals(contracts.MODEL_SCORES.sample(5, seed=1))
    assert not sample.equals(contracts.MODEL_SCORES.sample(5, seed=2))


def test_creating_a_table_again_keeps_its_rows_and_another_name_is_another_table() -> None:
    contract = contracts.SITE_STATUS
    with duckdb.connect() as connection:
        connection.execute(contract.create_table_sql())
        connection.register("sample", contract.to_arrow(contract.sample(2)))
        connection.execute(f"INSERT INTO {contract.name} SELECT * FROM sample")
        connection.execute(contract.create_table_sql())
        connection.execute(contract.create_table_sql("elsewhere"))
        counts = f"SELECT (SELECT count(*) FROM {contract.name}), (SELECT count(*) FROM elsewhere)"
        assert connection.execute(counts).fetchone() == (2, 0)


def test_arrow_table_refuses_a_missing_column_and_a_value_of_another_type() -> None:
    sample = contracts.SITE_STATUS.sample(1)
    with pytest.raises(KeyError, match="region"):
        contracts.SITE_STATUS.to_arrow(sample.drop(columns="region"))
    with pytest.raises(pa.ArrowInvalid):
        contracts.SITE_STATUS.to_arrow(sample.assign(device_count="many"))


def test_unknown_column_is_refused_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match=r"site_status has no column colour; columns are site_id, region"):
        contracts.SITE_STATUS.column("colour")


def test_features_are_those_of_the_specification() -> None:
    aggregations = {
        "temp_evaporator temp_condenser": "mean std min max slope",
        "temp_ambient temp_suction humidity superheat subcooling": "mean std",
        "temp_discharge pressure_high current_compressor": "mean std max",
        "pressure_low": "mean std min",
        "vibration_compressor": "mean std max p95",
    }
    expected = {f"{s}_{a}" for sensors, ags in aggregations.items() for s in sensors.split() for a in ags.split()}
    expected |= {"door_open_fraction", "defrost_active_fraction", "pressure_ratio", "temp_spread_evap_cond",
                 "temp_spread_discharge_suction", "current_per_temp_spread"}  # fmt: skip
    assert set(FEATURES) == expected
    assert len(FEATURES) == len(expected)


def test_scores_have_exactly_the_columns_of_contract_5() -> None:
    assert contracts.MODEL_SCORES.column_names == (
        "score_id", "device_id", "window_start", "window_end", "model_id", "model_version", "granularity",
        "anomaly_score", "anomaly_flag", "threshold_used", "top_contributors", "contributor_scores", "scored_at",
        "sensor_completeness",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("feature", "sensors"),
    [
        ("temp_evaporator_slope", ("temperature_evaporator",)),
        ("door_open_fraction", ("door_open_close",)),
        ("defrost_active_fraction", ("defrost_cycle",)),
        ("pressure_ratio", ("pressure_high_side", "pressure_low_side")),
        ("pressure_low_min", ("pressure_low_side",)),
        ("colour_mean", ()),
    ],
)
def test_every_feature_knows_the_sensors_it_comes_from(feature: str, sensors: tuple[str, ...]) -> None:
    assert sensors_of(feature) == sensors


def test_no_feature_is_without_a_sensor_and_no_sensor_without_a_feature() -> None:
    used = {sensor for feature in FEATURES for sensor in sensors_of(feature)}
    assert all(sensors_of(feature) for feature in FEATURES)
    assert used == {sensor.name for sensor in SENSORS}
