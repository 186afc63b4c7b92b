"""What the warehouse knows of an alert: readings, features, scores and verdicts of the rules."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from fridge_assets.contracts import MODEL_FEATURES, MODEL_SCORES
from fridge_assets.contracts.device_features import sensors_of
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.moments import spoken
from fridge_assets.features.usual_values import usual_values
from fridge_assets.incidents.observing.flagged import FALLBACK
from fridge_assets.models.families import FAMILY_SQL, HOURLY_SQL
from fridge_assets.registry.devices import effective_registry, with_cohort
from fridge_assets.scoring.comparisons import comparisons_of, no_comparisons
from fridge_assets.settings import Settings
from fridge_assets.stores.frames import query, registered
from fridge_assets.stores.reading_files import clean_files
from fridge_assets.stores.warehouse import Warehouse

READINGS_SPAN = timedelta(hours=2)
"""How much is shown of the readings of the sensor that drove it, up to the end of the window."""

WINDOWS_SPAN = timedelta(hours=24)
"""How much is shown of the features behind it."""


class Measured:
    """What the warehouse knows of an alert, and which parts of it are missing.

    Args:
        warehouse: readings, features and scores; may be busy.
        settings: the data folder, and how long what is kept.
        row: DEVICE_ALERTS columns by name.
        now: when it is asked for.
    """

    def __init__(self, warehouse: Warehouse, settings: Settings, row: dict[str, Any], now: datetime) -> None:
        self.missing: list[str] = []
        self._warehouse = warehouse
        self._settings = settings
        self._row = row
        self._age = now - row["window_end"]
        self._end = row["window_end"]
        self._contributors = [name for name in row["top_contributors"] if name in MODEL_FEATURES]
        self._sensors = list(sensors_of(self._contributors[0])) if self._contributors else []

    def gather(self) -> dict[str, Any]:
        """The parts of the story that come from the warehouse."""
        registry = self._registry()
        parts: dict[str, Any] = {
            "readings": pd.DataFrame(columns=["timestamp_utc", *self._sensors]),
            "windows": pd.DataFrame(columns=["window_end", *self._contributors]),
            "usual": {},
            "scores": MODEL_SCORES.empty().assign(behind=False),
            "comparisons": no_comparisons(),
            "conditions": pd.DataFrame(columns=["conditions", "evaluated_at"]),
        }
        try:
            with self._warehouse.read() as connection:
                windows, scores = self._windows(connection), self._scores(connection)
                parts |= {
                    "windows": windows,
                    "usual": self._usual(connection, registry),
                    "scores": scores,
                    "comparisons": comparisons_of(connection, scores["score_id"]),
                    "conditions": self._conditions(connection),
                }
                begin = self._end - READINGS_SPAN
                files = clean_files(connection, self._warehouse.clean_readings_folder(), begin, self._end)
        except FridgeError as error:
            self.missing.append(f"Readings, features and scores cannot be read now: {error}")
            return parts
        return parts | {"readings": self._readings(files)}

    def _registry(self) -> pd.DataFrame | None:
        try:
            registry = with_cohort(effective_registry(self._settings.root, self._warehouse))
        except FridgeError:
            return None  # what is usual is left out; the warehouse says by itself what is wrong with it
        own = registry["device_id"] == self._row["device_id"]
        return registry[["device_id", "cohort"]] if own.any() else None

    def _windows(self, connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
        columns = ", ".join(["window_end", *self._contributors])
        windows = query(
            connection,
            f"SELECT {columns} FROM device_features WHERE device_id = $device AND window_end > $begin "
            "AND window_end <= $window ORDER BY window_end",
            {**self._key, "begin": self._end - WINDOWS_SPAN},
        )
        self._note(windows, "windows", self._settings.retention.features)
        return windows

    def _usual(self, connection: duckdb.DuckDBPyConnection, registry: pd.DataFrame | None) -> dict[str, float]:
        if registry is None or not self._contributors:
            return {}
        own = registry[registry["device_id"] == self._row["device_id"]]
        with registered(connection, devices=own, registry=registry):
            usual = usual_values(connection, self._end, self._settings.features.window, self._contributors)
        return {name: float(usual[name].iloc[0]) for name in self._contributors if usual[name].notna().iloc[0]}

    def _scores(self, connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
        """Of each family the score that counted: of this window, or the newest that still stood then."""
        staleness = self._settings.staleness
        scores = query(
            connection,
            f"SELECT * FROM model_scores WHERE device_id = $device AND window_end <= $window AND window_end > "
            f"CASE WHEN {HOURLY_SQL} THEN $hourly_since::TIMESTAMPTZ ELSE $daily_since::TIMESTAMPTZ END "
            f"QUALIFY row_number() OVER (PARTITION BY {FAMILY_SQL} ORDER BY window_end DESC, model_id) = 1 "
            "ORDER BY anomaly_score DESC, model_id",
            {
                **self._key,
                "hourly_since": self._end - staleness.very_stale,
                "daily_since": self._end - staleness.daily_expired,
            },
        )
        self._note(scores, "scores", self._settings.retention.scores)
        return scores.assign(behind=scores["score_id"].isin(list(self._row["score_ids"])))

    def _conditions(self, connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
        found = query(
            connection,
            "SELECT conditions, evaluated_at FROM rules_based_fallback WHERE device_id = $device "
            "AND window_end = $window",
            self._key,
        )
        if self._row["source"] == FALLBACK:
            self._note(found, "verdicts of the rules", self._settings.retention.fallback)
        return found

    def _readings(self, files: list[Path]) -> pd.DataFrame:
        readings = pd.DataFrame(columns=["timestamp_utc", *self._sensors])
        try:
            if files and self._sensors:
                with self._warehouse.engine() as engine:
                    readings = query(
                        engine,
                        f"SELECT {', '.join(['timestamp_utc', *self._sensors])} FROM read_parquet($files) "
                        "WHERE device_id = $device AND timestamp_utc > $begin AND timestamp_utc <= $window "
                        "ORDER BY timestamp_utc",
                        {**self._key, "files": [str(f) for f in files], "begin": self._end - READINGS_SPAN},
                    )
        except FridgeError as error:
            self.missing.append(f"The readings cannot be read: {error}")
        else:
            self._note(readings, "readings", self._settings.retention.clean_readings)
        return readings

    @property
    def _key(self) -> dict[str, object]:
        return {"device": self._row["device_id"], "window": self._end}

    def _note(self, found: pd.DataFrame, what: str, kept_for: timedelta) -> None:
        if not found.empty:
            return
        until = f"{self._end:%Y-%m-%d %H:%M} UTC"
        gone = f"; retention keeps them for {spoken(kept_for)}" if self._age > kept_for else ""
        self.missing.append(f"There are no {what} of {self._row['device_id']} up to {until}{gone}.")
