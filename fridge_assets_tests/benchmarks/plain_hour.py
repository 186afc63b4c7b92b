"""What the plain versions of the hourly cycle share: scores, alerts and status from features, without our pipeline."""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from fridge_assets.contracts.device_alerts import SEVERITIES
from fridge_assets.deployment.store import Deployments
from fridge_assets.incidents.observing.severity import severity_rank
from fridge_assets.models.families import HOURLY_FAMILIES
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.models.registry import ModelRegistry
from fridge_assets.models.selection import STATE
from fridge_assets.models.version import ModelVersion
from fridge_assets.registry.devices import active_devices, read_registry, with_cohort
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations


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


FeaturesOf = Callable[[list[Path], pd.DataFrame, Settings, Path, Stopwatch], pd.DataFrame]
"""Landing files, registry, settings, folder of results and stopwatch → features of every device and window."""


def score(version: ModelVersion, rows: pd.DataFrame, now: datetime, top: int) -> pd.DataFrame:
    """Scores of one model version, as the sketch's scoring transform makes them, with contributors where flagged."""
    complete, _ = version.imputer.apply(rows)
    # A sketch does not know what the machines were doing, so it holds every window against all of them.
    complete[STATE] = "unknown"
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
    ranks = severity_rank(found["max_score"], found["models"], settings.alerts)
    return found.assign(severity=ranks.map(dict(enumerate(SEVERITIES))))


def run(
    features_of: FeaturesOf, settings: Settings, files: list[Path], now: datetime, folder: Path
) -> dict[str, object]:
    """The whole cycle; results go to ``folder`` as Parquet.

    Returns:
        Seconds by stage, and how many devices were scored and alerted.
    """
    watch = Stopwatch()
    registry = read_registry(settings.root)
    if registry is None:
        raise FileNotFoundError(f"no registry in {settings.root}")
    computed = features_of(files, registry, settings, folder, watch)
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


def main(features_of: FeaturesOf, description: str | None) -> None:
    """Run on the files named on the command line and print the outcome as JSON."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--now", required=True, help="moment of the cycle, ISO 8601")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("files", type=Path, nargs="+", help="landing files")
    given = parser.parse_args()
    now = datetime.fromisoformat(given.now).astimezone(UTC)
    print(json.dumps(run(features_of, Settings(), given.files, now, given.out)))
