"""Made-up feature rows with what matters: cohorts, individuality, a daily rhythm, skewed spreads."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd

from fridge_assets.contracts.device_features import MODEL_FEATURES
from fridge_assets.contracts.sensor_readings import NUMERIC_SENSORS
from fridge_assets.models.training import TrainedModel

START = pd.Timestamp("2026-03-01T00:00:00Z")
NOW = pd.Timestamp("2026-04-01T00:00:00Z").to_pydatetime()
CENTRES = {
    "temp_evaporator": (-25.0, 3.0), "temp_condenser": (40.0, 5.0), "temp_ambient": (22.0, 4.0),
    "temp_discharge": (70.0, 8.0), "temp_suction": (-10.0, 3.0), "pressure_high": (1500.0, 150.0),
    "pressure_low": (200.0, 30.0), "current_compressor": (12.0, 2.0), "vibration_compressor": (3.0, 0.8),
    "humidity": (45.0, 10.0), "superheat": (8.0, 2.0), "subcooling": (5.0, 1.5),
}  # fmt: skip
"""Mean and spread of each sensor over devices and time (SPEC 10)."""

OWN_SCALE = 0.5
"""A device's own spread over time, as a share of the sensor's spread."""


def feature_rows(devices: int, windows: int, cohorts: int = 4, seed: int = 0, shift: float = 0.0) -> pd.DataFrame:
    """Rows of healthy devices: identity, quality columns and all model features.

    Args:
        devices: number of devices, dealt to the cohorts in turn.
        windows: consecutive 15-minute windows per device.
        cohorts: number of cohorts, whole spreads apart from each other.
        seed: the same seed gives the same devices; their weather depends on ``windows`` too.
        shift: when not 0, each device's last window has one sensor shifted by this many of its own scales;
            the column ``shifted_sensor`` says which.
    """
    rng = np.random.default_rng(seed)
    device, window = np.repeat(np.arange(devices), windows), np.tile(np.arange(windows), devices)
    hour_angle = 2 * np.pi * (window % 96) / 96
    shifted = rng.integers(0, len(NUMERIC_SENSORS), devices)
    columns: dict[str, object] = {
        "device_id": pd.Series([f"device-{d:06d}" for d in range(devices)]).take(device).to_numpy(),
        "cohort": pd.Series([f"model-{c}|zone" for c in range(cohorts)]).take(device % cohorts).to_numpy(),
        "window_start": START + pd.to_timedelta(window * 15, unit="min"),
        "window_end": START + pd.to_timedelta((window + 1) * 15, unit="min"),
    }
    ambient = np.sin(hour_angle + rng.normal(0, 0.3, devices)[device])
    for position, sensor in enumerate(NUMERIC_SENSORS):
        name = sensor.short_name
        centre, spread = CENTRES[name]
        offset = (rng.normal(0, 1.0, cohorts)[np.arange(devices) % cohorts] + rng.normal(0, 0.7, devices)) * spread
        own = OWN_SCALE * spread * rng.lognormal(0, 0.3, devices)
        noise = 0.4 * ambient + 0.9 * rng.standard_normal(device.size)
        noise += shift * ((shifted[device] == position) & (window == windows - 1))
        mean = centre + offset[device] + own[device] * noise
        std = 0.3 * spread * rng.lognormal(0, 0.3, devices)[device] * rng.lognormal(0, 0.35, device.size)
        columns[f"{name}_mean"], columns[f"{name}_std"] = mean, std
        columns[f"{name}_min"] = mean - std * rng.uniform(1.2, 2.2, device.size)
        columns[f"{name}_max"] = mean + std * rng.uniform(1.2, 2.2, device.size)
        columns[f"{name}_p95"] = mean + std * rng.uniform(1.0, 1.2, device.size)
        columns[f"{name}_slope"] = rng.normal(0, 0.02, device.size) * spread
    columns["door_open_fraction"] = rng.binomial(15, 0.05, device.size) / 15
    columns["defrost_active_fraction"] = np.where(rng.random(device.size) < 0.04, 1.0, 0.0)
    rows = pd.DataFrame(columns).assign(
        pressure_ratio=lambda r: r["pressure_high_mean"] / r["pressure_low_mean"],
        temp_spread_evap_cond=lambda r: r["temp_condenser_mean"] - r["temp_evaporator_mean"],
        temp_spread_discharge_suction=lambda r: r["temp_discharge_mean"] - r["temp_suction_mean"],
        current_per_temp_spread=lambda r: r["current_compressor_mean"] / r["temp_spread_evap_cond"],
        reading_count=15, quality_flag_count=0, sensor_completeness=1.0,
        own_completeness=1.0, range_violation_count=0,
        shifted_sensor=np.array([sensor.name for sensor in NUMERIC_SENSORS])[shifted][device],
    )  # fmt: skip
    identity = ["device_id", "cohort", "window_start", "window_end", "reading_count", "quality_flag_count"]
    identity += ["own_completeness", "range_violation_count"]
    return rows[[*identity, "shifted_sensor", *MODEL_FEATURES]]


def trained_later(trained: TrainedModel, days: int = 1) -> TrainedModel:
    """The same model, trained some days later: another version."""
    metadata = trained.version.metadata
    later = metadata.model_copy(update={"trained_at": metadata.trained_at + timedelta(days=days)})
    return TrainedModel(replace(trained.version, metadata=later), trained.rows)
