"""The simulator's faults put into windows of the fleet: what a fault of full severity does to their features."""

import numpy as np
import pandas as pd

from fridge_assets.contracts.device_features import MODEL_FEATURES, SENSOR_FEATURES
from fridge_assets.contracts.sensor_readings import SENSORS
from fridge_assets.simulation.fault_effects import RATIO_LOSS
from fridge_assets.simulation.faults import FAULT_KINDS, VALVE_LEAK, Effect, FaultKind

PUT_IN: tuple[FaultKind, ...] = tuple(kind for kind in FAULT_KINDS.values() if kind.effects and not kind.acute)
"""The gradual faults whose effect is a plain change of readings; the others are judged on simulated machines."""

_DOOR = "door_open_fraction"


def telling_feature(kind: FaultKind) -> str:
    """The feature without which nothing of the fault could be seen first."""
    (sensor,) = (sensor for sensor in SENSORS if sensor.name == kind.sensors[0])
    return next(name for name in MODEL_FEATURES if name.startswith(f"{sensor.short_name}_"))


def with_fault(rows: pd.DataFrame, kind: FaultKind) -> pd.DataFrame:
    """``rows`` of features as they would be with the fault at full severity; what a device lacks stays null.

    The effects are those of the simulator on each reading, so that a mean moves as the readings do, and a spread
    becomes as many times larger as they do. Features of several sensors follow from how their parts moved, which also
    holds for means of days.
    """
    effects = dict(kind.effects)
    if kind is VALVE_LEAK:
        factor = float(np.sqrt(1 - RATIO_LOSS))
        effects |= {"pressure_high_side": Effect(factor - 1), "pressure_low_side": Effect(1 / factor - 1)}
    changed = rows.copy()
    for feature in SENSOR_FEATURES:
        effect = effects.get(feature.sensor.name)
        if effect is not None:
            moved = 0.0 if feature.aggregation in ("std", "slope") else effect.addition
            changed[feature.name] = rows[feature.name] * (1 + effect.share) + moved
    if "door_open_close" in kind.sensors:
        changed[_DOOR] = rows[_DOOR].where(rows[_DOOR].isna(), 1.0)
    return _derived(rows, changed)


def _derived(rows: pd.DataFrame, changed: pd.DataFrame) -> pd.DataFrame:
    def factor(now: "pd.Series[float]", before: "pd.Series[float]") -> "pd.Series[float]":
        return (now / before).replace([np.inf, -np.inf], np.nan).fillna(1.0)

    def apart(frame: pd.DataFrame, warm: str, cold: str) -> "pd.Series[float]":
        return frame[f"{warm}_mean"] - frame[f"{cold}_mean"]

    ratio = factor(changed["pressure_high_mean"], rows["pressure_high_mean"]) / factor(
        changed["pressure_low_mean"], rows["pressure_low_mean"]
    )
    spread, before = (apart(frame, "temp_condenser", "temp_evaporator") for frame in (changed, rows))
    discharge, earlier = (apart(frame, "temp_discharge", "temp_suction") for frame in (changed, rows))
    current = factor(changed["current_compressor_mean"], rows["current_compressor_mean"])
    return changed.assign(
        pressure_ratio=rows["pressure_ratio"] * ratio,
        temp_spread_evap_cond=rows["temp_spread_evap_cond"] + (spread - before).fillna(0.0),
        temp_spread_discharge_suction=rows["temp_spread_discharge_suction"] + (discharge - earlier).fillna(0.0),
        current_per_temp_spread=rows["current_per_temp_spread"] * current / factor(spread, before),
    )
