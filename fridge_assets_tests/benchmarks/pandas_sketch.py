"""The hourly cycle as the usual sketch has it in pandas: loop-free, every reading in one frame.

It does the same work on the same files with the same model versions, but it keeps no ledger, gives no event an
identity, validates nothing, knows no earlier hour and commits nothing: what is left out only makes it faster.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from fridge_assets.alerting.severity import name_of, severity_rank
from fridge_assets.contracts.device_features import AGGREGATIONS
from fridge_assets.contracts.sensor_readings import BOOLEAN_SENSORS, NUMERIC_SENSORS, SENSORS
from fridge_assets.deployment.store import Deployments
from fridge_assets.fleet.registry import active_devices, read_registry, with_cohort
from fridge_assets.models.families import HOURLY_FAMILIES
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.models.registry import ModelRegistry
from fridge_assets.models.version import ModelVersion
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations

_GROUP = ["device_id", "window_start"]


class Stopwatch:
    """Seconds of each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block as ``name``."""
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


def clean(readings: pd.DataFrame, registry: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Duplicates out, drifting clocks corrected, values outside their range null, unknown devices out."""
    known = readings[readings["device_id"].isin(registry["device_id"])]
    ordered = known.sort_values(["sequence_number", "timestamp_ingested"], kind="stable")
    rows = ordered.drop_duplicates(["device_id", "timestamp_device", *(s.name for s in SENSORS)]).copy()
    drifted = (rows["timestamp_device"] - rows["timestamp_ingested"]).abs() > settings.readings.clock_drift
    rows["timestamp_utc"] = rows["timestamp_device"].where(~drifted, rows["timestamp_ingested"])
    flagged = drifted
    for sensor in NUMERIC_SENSORS:
        outside = rows[sensor.name].notna() & ~rows[sensor.name].between(sensor.minimum, sensor.maximum)
        rows[sensor.name] = rows[sensor.name].where(~outside)
        flagged |= outside
    for sensor in BOOLEAN_SENSORS:
        rows[sensor.name] = rows[sensor.name].astype("float64")
    missing = rows[[s.name for s in SENSORS]].isna().sum(axis=1)
    rows["quality_flag_count"] = (flagged | (missing > 0)).astype("int64")
    rows["sensor_null_count"] = missing
    return rows[missing < len(SENSORS)]


def features(readings: pd.DataFrame, window: timedelta) -> pd.DataFrame:
    """All features of every device and window by one groupby."""
    start = readings["timestamp_utc"].dt.floor(window)
    rows = readings.assign(window_start=start, minutes=(readings["timestamp_utc"] - start).dt.total_seconds() / 60)
    grouped = rows.groupby(_GROUP, sort=False)
    columns: dict[str, pd.Series] = {
        "reading_count": grouped.size(),
        "quality_flag_count": grouped["quality_flag_count"].sum(),
        "door_open_fraction": grouped["door_open_close"].mean(),
        "defrost_active_fraction": grouped["defrost_cycle"].mean(),
    }
    columns["sensor_completeness"] = 1 - grouped["sensor_null_count"].sum() / (len(SENSORS) * columns["reading_count"])
    for sensor in NUMERIC_SENSORS:
        values = grouped[sensor.name]
        for aggregation in AGGREGATIONS[sensor.short_name]:
            name = f"{sensor.short_name}_{aggregation}"
            if aggregation == "p95":
                columns[name] = values.quantile(0.95)
            elif aggregation == "slope":
                columns[name] = _slope(rows, sensor.name)
            else:
                columns[name] = values.agg(aggregation)
    table = pd.DataFrame(columns)
    table["pressure_ratio"] = table["pressure_high_mean"] / table["pressure_low_mean"].where(lambda low: low != 0)
    spread = table["temp_condenser_mean"] - table["temp_evaporator_mean"]
    table["temp_spread_evap_cond"] = spread
    table["temp_spread_discharge_suction"] = table["temp_discharge_mean"] - table["temp_suction_mean"]
    table["current_per_temp_spread"] = table["current_compressor_mean"] / spread.where(spread != 0)
    return table.reset_index().assign(window_end=lambda frame: frame["window_start"] + window)


def score(version: ModelVersion, rows: pd.DataFrame, now: datetime, top: int) -> pd.DataFrame:
    """Scores of one model version, as the sketch's scoring transform makes them, with contributors where flagged."""
    complete, _ = version.imputer.apply(rows)
    scores = pd.DataFrame(
        {
            "device_id": complete["device_id"],
            "window_end": complete["window_end"],
            "model_id": version.metadata.model_id,
            "model_version": version.metadata.version,
            "granularity": version.metadata.granularity,
            "anomaly_score": version.score(complete),
            "scored_at": pd.Timestamp(now),
        }
    )
    scores["anomaly_flag"] = scores["anomaly_score"] > version.metadata.threshold
    names, _ = version.explain(complete[scores["anomaly_flag"]], top)
    scores["top_contributors"] = ""
    scores.loc[scores["anomaly_flag"], "top_contributors"] = [", ".join(row) for row in names]
    return scores


def alerts(scores: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """One row per flagged device with its severity by agreement."""
    flagged = scores[scores["anomaly_flag"]]
    grouped = flagged.groupby("device_id")
    found = pd.DataFrame({"max_score": grouped["anomaly_score"].max(), "models": grouped["model_id"].nunique()})
    return found.assign(severity=name_of(severity_rank(found["max_score"], found["models"], settings.alerts)))


Features = Callable[[list[Path], pd.DataFrame, Settings, Path, Stopwatch], pd.DataFrame]
"""From landing files, registry and settings to all features; the clean readings go to a folder."""


def features_of(
    files: list[Path], registry: pd.DataFrame, settings: Settings, folder: Path, watch: Stopwatch
) -> pd.DataFrame:
    """Clean readings into ``folder``, and all features."""
    with watch.stage("readings"):
        readings = pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)
        readings = clean(readings, registry, settings)
        readings.to_parquet(folder / "clean_sensor_readings.parquet", index=False)
    with watch.stage("features"):
        computed = features(readings, settings.features.window)
        computed.to_parquet(folder / "device_features.parquet", index=False)
    return computed


def run(
    settings: Settings, files: list[Path], now: datetime, folder: Path, make_features: Features
) -> dict[str, object]:
    """The whole cycle; results go to ``folder`` as Parquet.

    Returns:
        Seconds by stage, and how many devices were scored and alerted.
    """
    watch = Stopwatch()
    registry = read_registry(settings.root)
    if registry is None:
        raise FileNotFoundError(f"no registry in {settings.root}")
    computed = make_features(files, registry, settings, folder, watch)
    with watch.stage("scores"):
        latest = computed[computed["window_end"] == computed.loc[computed["window_end"] <= now, "window_end"].max()]
        devices = with_cohort(active_devices(registry))[["device_id", "cohort"]]
        scorable = latest[latest["sensor_completeness"] >= settings.scoring.min_completeness].merge(devices)
        operations = Operations(settings.operations_database, settings.operations.lock_wait)
        registry_of_models = ModelRegistry(settings.mlflow_database, settings.models_dir)
        models = ModelLifecycle(registry_of_models, Deployments(operations))
        scores = pd.concat(
            [
                score(
                    models.registry.load(models.require_serving(family)),
                    scorable,
                    now,
                    settings.scoring.top_contributors,
                )
                for family in HOURLY_FAMILIES
            ]
        )
        scores.to_parquet(folder / "model_scores.parquet", index=False)
    with watch.stage("alerts and status"):
        raised = alerts(scores, settings)
        status = registry.merge(scores.groupby("device_id")["anomaly_score"].max(), on="device_id", how="left")
        status = status.merge(raised, on="device_id", how="left")
        raised.to_parquet(folder / "device_alerts.parquet")
        status.to_parquet(folder / "device_status.parquet", index=False)
    return {"stages": watch.seconds, "scored": int(scores["device_id"].nunique()), "alerts": len(raised)}


def _slope(rows: pd.DataFrame, sensor: str) -> pd.Series:
    """Least squares from sums over each group."""
    valid = rows[sensor].notna()
    x, y = rows["minutes"].where(valid), rows[sensor]
    products = pd.DataFrame({"x": x, "y": y, "xx": x * x, "xy": x * y, "n": valid.astype("float64")})
    sums = products.groupby([rows["device_id"], rows["window_start"]], sort=False).sum()
    spread = sums["n"] * sums["xx"] - sums["x"] ** 2
    return (sums["n"] * sums["xy"] - sums["x"] * sums["y"]) / spread.where(spread > 0)


def main(make_features: Features = features_of) -> None:
    """Run on the files named and print the outcome as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--now", required=True, help="moment of the cycle, ISO 8601")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("files", type=Path, nargs="+", help="landing files")
    given = parser.parse_args()
    now = datetime.fromisoformat(given.now).astimezone(UTC)
    print(json.dumps(run(Settings(), given.files, now, given.out, make_features)))


if __name__ == "__main__":
    main()
