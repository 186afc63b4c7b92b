"""The window query against an independent computation with pandas and numpy (SPEC 1.4)."""

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from fridge_assets.contracts import CLEAN_SENSOR_READINGS, DEVICE_FEATURES
from fridge_assets.contracts.device_features import SENSOR_FEATURES
from fridge_assets.contracts.sensor_readings import NUMERIC_SENSORS, SENSORS
from fridge_assets.features.windows import AGGREGATED, FOR_OPERATION, windows_sql
from fridge_assets.stores.frames import query_arrow
from fridge_assets.stores.warehouse import FIRST_SEEN
from fridge_assets_tests.readings.deliveries import HEALTHY, moment

WINDOW = 15 * 60


def clean_reading(minute: float, device: str = "d1", **changes: object) -> dict[str, object]:
    """One clean reading; ``repeated`` says that it was delivered again in a later batch."""
    values = {**HEALTHY, **changes}
    return {
        "event_id": f"{device}-{minute}", "device_id": device, "timestamp_utc": moment(minute),
        "timestamp_ingested": moment(minute), "quality_flags": [], "repeated": False,
        "sensor_null_count": sum(values[s.name] is None for s in SENSORS), **values,
    }  # fmt: skip


def features_of(rows: list[dict[str, object]] | pd.DataFrame) -> pd.DataFrame:
    """DEVICE_FEATURES rows of clean readings."""
    return feature_table(rows).to_pandas()


def feature_table(rows: list[dict[str, object]] | pd.DataFrame) -> pa.Table:
    """DEVICE_FEATURES rows of clean readings, as the query gives them."""
    frame = pd.DataFrame(rows)
    table = CLEAN_SENSOR_READINGS.to_arrow(frame).append_column("repeated", [frame["repeated"].tolist()])
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("clean", table)
        connection.register("device_first_seen", first_seen(frame))
        return query_arrow(connection, windows_sql("clean", WINDOW))


def first_seen(readings: pd.DataFrame) -> pa.Table:
    """When each sensor of each device had its first value, as ingestion keeps it."""
    times = pd.DataFrame({s.name: readings["timestamp_utc"].where(readings[s.name].notna()) for s in SENSORS})
    times["defrost_signalled"] = readings["timestamp_utc"].where(readings["defrost_cycle"].eq(True))
    first = times.groupby(readings["device_id"]).min().reset_index()
    schema = pa.schema([("device_id", pa.string()), *((name, pa.timestamp("us", tz="UTC")) for name in FIRST_SEEN)])
    return pa.Table.from_pandas(first, schema=schema, preserve_index=False)


def random_readings(seed: int = 0) -> pd.DataFrame:
    """Two hours of readings of three devices at uneven times, with nulls, flags and repeats."""
    rng = np.random.default_rng(seed)
    rows = []
    for device in ("d1", "d2", "d3"):
        for minute in np.sort(rng.uniform(0, 120, 90)):
            row = clean_reading(round(float(minute), 3), device)
            for sensor in NUMERIC_SENSORS:
                row[sensor.name] = None if rng.random() < 0.1 else float(rng.uniform(sensor.minimum, sensor.maximum))
            for name in ("door_open_close", "defrost_cycle"):
                row[name] = None if rng.random() < 0.1 else bool(rng.random() < 0.3)
            row["sensor_null_count"] = sum(row[s.name] is None for s in SENSORS)
            row["quality_flags"] = [["SENSOR_GAP"], [], ["RANGE_VIOLATION", "DUPLICATE_REMOVED"]][rng.integers(3)]
            row["repeated"] = bool(rng.random() < 0.2)
            rows.append(row)
    return pd.DataFrame(rows)


def by_hand(readings: pd.DataFrame) -> dict[str, float]:
    """Every feature of the readings of one window, the slow way."""
    start = readings["timestamp_utc"].min().floor("15min")
    minutes = ((readings["timestamp_utc"] - start).dt.total_seconds() / 60).to_numpy()
    features: dict[str, float] = {}
    for sensor in NUMERIC_SENSORS:
        column = readings[sensor.name].to_numpy(dtype=float).round(4)  # what a feature tells apart
        there = ~np.isnan(column)
        values, times = column[there], minutes[there]
        name = sensor.short_name
        features[f"{name}_mean"] = float(np.mean(values))
        features[f"{name}_std"] = float(np.std(values, ddof=1))
        features[f"{name}_min"] = float(np.min(values))
        features[f"{name}_max"] = float(np.max(values))
        features[f"{name}_p95"] = float(np.percentile(values, 95))
        features[f"{name}_slope"] = float(np.polyfit(times, values, 1)[0])
    features["door_open_fraction"] = readings["door_open_close"].dropna().astype(float).mean()
    features["defrost_active_fraction"] = readings["defrost_cycle"].dropna().astype(float).mean()
    spread = features["temp_condenser_mean"] - features["temp_evaporator_mean"]
    features["pressure_ratio"] = features["pressure_high_mean"] / features["pressure_low_mean"]
    features["temp_spread_evap_cond"] = spread
    features["temp_spread_discharge_suction"] = features["temp_discharge_mean"] - features["temp_suction_mean"]
    features["current_per_temp_spread"] = features["current_compressor_mean"] / spread
    features["sensor_completeness"] = float(readings[[s.name for s in SENSORS]].notna().to_numpy().mean())
    features["own_completeness"] = features["sensor_completeness"]  # each device has every sensor
    features["reading_count"] = len(readings)
    features["range_violation_count"] = int(readings["quality_flags"].map(lambda f: "RANGE_VIOLATION" in f).sum())
    # A repeat found in a later batch is a flag too, once.
    again = readings["repeated"] & ~readings["quality_flags"].map(lambda flags: "DUPLICATE_REMOVED" in flags)
    counted = readings["quality_flags"].map(lambda flags: len([flag for flag in flags if flag != "SENSOR_GAP"]))
    features["quality_flag_count"] = int(counted.sum()) + int(again.sum())
    return features


def test_every_feature_of_every_window_is_what_pandas_and_numpy_say() -> None:
    readings = random_readings()
    computed = features_of(readings)
    groups = readings.groupby(["device_id", readings["timestamp_utc"].dt.floor("15min")])
    expected = {key: by_hand(group) for key, group in groups}
    assert len(computed) == len(expected) == 24
    identity = {"device_id", "window_start", "window_end", "window_duration_minutes"}
    names = [name for name in AGGREGATED if name not in identity]
    for row in computed.to_dict(orient="records"):
        wanted = expected[row["device_id"], row["window_start"]]
        assert {name: row[name] for name in names} == pytest.approx({name: wanted[name] for name in names}, rel=1e-9)


def test_order_of_the_readings_does_not_matter() -> None:
    readings = random_readings()
    assert feature_table(readings.sample(frac=1, random_state=1)).equals(feature_table(readings))


def test_windows_are_aligned_to_the_quarter_hour_and_their_end_is_exclusive() -> None:
    computed = features_of([clean_reading(m) for m in (-0.001, 0, 14.999, 15, 59.999)])
    windows = list(zip(computed["window_start"], computed["window_end"], computed["reading_count"], strict=True))
    assert windows == [
        (moment(-15), moment(0), 1),
        (moment(0), moment(15), 2),
        (moment(15), moment(30), 1),
        (moment(45), moment(60), 1),
    ]
    assert computed["window_duration_minutes"].tolist() == [15] * 4


def test_spread_slope_and_percentile_of_a_single_reading() -> None:
    row = features_of([clean_reading(3)]).iloc[0]
    for feature in SENSOR_FEATURES:
        if feature.aggregation in ("std", "slope"):
            assert pd.isna(row[feature.name]), feature.name
        else:
            assert row[feature.name] == HEALTHY[feature.sensor.name]


def test_undefined_values_are_null_and_not_nan() -> None:
    table = feature_table([clean_reading(3), clean_reading(3, "d2"), clean_reading(3, "d2")])
    for name in (feature.name for feature in SENSOR_FEATURES):
        assert all(value is None or np.isfinite(value) for value in table[name].to_pylist()), name


def test_columns_have_the_types_of_the_contract() -> None:
    table = feature_table([clean_reading(3)])
    for name in AGGREGATED:
        assert table.schema.field(name).type == DEVICE_FEATURES.arrow_schema.field(name).type, name


def test_slope_is_in_degrees_per_minute_of_reading_time() -> None:
    rows = [clean_reading(m, temperature_evaporator=-25 + 0.5 * m) for m in (0, 1, 4, 10.5)]
    assert features_of(rows)["temp_evaporator_slope"].iloc[0] == pytest.approx(0.5)


def test_features_of_a_sensor_that_was_silent_all_window_are_null_and_the_others_are_not() -> None:
    computed = features_of([clean_reading(m, s.name, **{s.name: None}) for m in range(3) for s in NUMERIC_SENSORS])
    for sensor in NUMERIC_SENSORS:
        (row,) = computed[computed["device_id"] == sensor.name].to_dict(orient="records")
        silent = {f.name for f in SENSOR_FEATURES if pd.isna(row[f.name])}
        assert silent == {f.name for f in SENSOR_FEATURES if f.sensor == sensor}
        assert row["sensor_completeness"] == pytest.approx(13 / 14)


def test_own_completeness_counts_the_sensors_that_the_device_had_sent_by_then() -> None:
    none = dict.fromkeys(HEALTHY)
    rows = [
        clean_reading(0, **{**none, "humidity": 45.0}),
        clean_reading(5, **{**none, "humidity": 46.0}),
        clean_reading(20, **{**none, "humidity": 45.0, "superheat": 5.0}),
        clean_reading(25, **{**none, "humidity": 45.0}),
        clean_reading(40, **{**none, "superheat": 5.0}),
    ]
    computed = features_of(rows)
    assert computed["own_completeness"].tolist() == [1.0, 0.75, 0.5]
    assert computed["sensor_completeness"].tolist() == pytest.approx([1 / 14, 1.5 / 14, 1 / 14])


def test_yes_no_sensors_that_were_silent_have_no_fraction() -> None:
    row = features_of([clean_reading(m, door_open_close=None) for m in range(3)]).iloc[0]
    assert pd.isna(row["door_open_fraction"])
    assert row["defrost_active_fraction"] == 0


def test_zero_denominators_give_null() -> None:
    same = {"temperature_condenser": 25.0, "temperature_evaporator": 25.0}
    row = features_of([clean_reading(0, pressure_low_side=0.0, **same)]).iloc[0]
    assert pd.isna(row["pressure_ratio"])
    assert pd.isna(row["current_per_temp_spread"])
    assert row["temp_spread_evap_cond"] == 0


def test_fractions_count_only_readings_that_say_yes_or_no() -> None:
    doors = [True, False, None, True]
    row = features_of([clean_reading(m, door_open_close=door) for m, door in enumerate(doors)]).iloc[0]
    assert row["door_open_fraction"] == pytest.approx(2 / 3)


def test_rows_are_in_contract_columns_by_window_and_device() -> None:
    computed = features_of([clean_reading(20, "a"), clean_reading(1, "b"), clean_reading(2, "a")])
    assert tuple(computed.columns) == (*AGGREGATED, *FOR_OPERATION)
    assert computed["device_id"].tolist() == ["a", "b", "a"]
