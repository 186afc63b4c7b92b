"""Simulated machines: their windows, made once and kept, of which it is known what the machine did (SPEC 3.1, 10)."""

import json
import logging
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pandas as pd

from fridge_assets.contracts.device_features import MODEL_FEATURES
from fridge_assets.features.compute import compute_features
from fridge_assets.models.metadata import library_versions
from fridge_assets.models.selection import OPERATION, STATE, select_training_rows
from fridge_assets.readings.ingest import ingest
from fridge_assets.registry.devices import with_cohort
from fridge_assets.settings import BatterySettings, ReadingSettings, Settings
from fridge_assets.simulation import GRADUAL_FAULTS, MACHINES, FaultTiming, Fleet, mixed_faults, simulate_registry
from fridge_assets.simulation import write_fleet as write_simulated
from fridge_assets.stores.files import atomic_write, writable_folder
from fridge_assets.stores.frames import query, registered
from fridge_assets.stores.landing import Landing
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse

MIXES = ("continuous", "cycling")
"""Machines that never stop and those that do, each in a fleet of its own, as in the field."""

_LOG = logging.getLogger(__name__)
_START = datetime(2026, 3, 1, tzinfo=UTC)
_RAMP, _SPREAD, _FAULTY = timedelta(hours=24), timedelta(hours=6), timedelta(hours=6)
"""From the end of learning: until a slow fault can be at full severity, until all are, and how long they stay so."""
_TRAINING, _TESTED = "training.parquet", "tested.parquet"


@dataclass(frozen=True)
class SimulatedWindows:
    """Windows of simulated machines of one mix.

    Args:
        training: rows to train a model on, before any fault began.
        tested: later rows with ``kind`` (``quiet`` or ``fault``) and ``name`` (what the machine truly did for most of
            the window, or its fault at full severity).
    """

    training: pd.DataFrame
    tested: pd.DataFrame


def simulated_windows(folder: Path, mix: str, settings: Settings) -> SimulatedWindows:
    """The windows under ``folder``, simulated there when this release and these settings have not made them yet.

    Args:
        folder: keeps them.
        mix: one of MIXES.
        settings: groups ``canary``, ``features`` and ``training``.
    """
    own = folder / f"{mix}-{_key(settings)}"
    if not own.is_dir():
        _LOG.info("simulating %s machines for the battery, once for these settings", mix)
        writable_folder(folder)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as temporary:
            _simulate(Path(temporary), mix, settings)
            made = Path(temporary) / "windows"
            if not own.is_dir():
                made.rename(own)
        for outdated in folder.glob(f"{mix}-*"):
            if outdated != own:
                shutil.rmtree(outdated, ignore_errors=True)
    return SimulatedWindows(*(pd.read_parquet(own / name) for name in (_TRAINING, _TESTED)))


def key_of(made_of: Mapping[str, object]) -> str:
    """Part of the name of what this release makes of ``made_of``, which JSON can hold, and keeps."""
    whole = {**made_of, "release": library_versions()["fridge-assets"]}
    return sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:16]


def _key(settings: Settings) -> str:
    return key_of(
        {
            "features": settings.features.model_dump(mode="json"),
            "battery": settings.canary.battery.model_dump(mode="json"),
            "training": settings.training.model_dump(mode="json"),
        }
    )


def _simulate(folder: Path, mix: str, settings: Settings) -> None:
    """Simulate a fleet in ``folder`` and leave the folder ``windows`` there."""
    limits = settings.canary.battery
    fleet = _fleet(mix, limits)
    place = Settings(
        data_dir=folder / "data",
        features=settings.features,
        training=settings.training,
        readings=ReadingSettings(settle=timedelta(0)),
    )
    write_simulated(fleet, place.landing_dir, place.root / "device_registry.csv", folder / "truth.parquet")
    warehouse = Warehouse.from_settings(place)
    landing = Landing(place.landing_dir, Operations(place.operations_database))
    ingest(landing, warehouse, fleet.registry, fleet.end, place)
    compute_features(warehouse, fleet.end, place.features)
    devices = with_cohort(fleet.registry)
    learned = _START + limits.simulated_learning
    with warehouse.read() as connection:
        training = select_training_rows(connection, devices, learned, place, "window")
        with registered(
            connection,
            simulated=devices[["device_id", "cohort"]],
            truth=fleet.ground_truth,
            episodes=fleet.states(fleet.start, fleet.end),
        ):
            tested = query(connection, _TESTED_SQL, {"learned": learned})
    made = folder / "windows"
    made.mkdir()
    for name, rows in ((_TRAINING, training), (_TESTED, tested)):
        with atomic_write(made / name) as file:
            rows.to_parquet(file, index=False)


def _fleet(mix: str, limits: BatterySettings) -> Fleet:
    faulty = limits.simulated_faulty * len(GRADUAL_FAULTS)
    devices = limits.simulated_devices + faulty
    learning = limits.simulated_learning
    span = learning + _RAMP + _SPREAD + _FAULTY
    timing = FaultTiming(
        earliest_onset=learning / span,
        full_from=(learning + _RAMP) / span,
        full_to=(learning + _RAMP + _SPREAD) / span,
    )
    registry = simulate_registry(devices, limits.simulated_seed, MACHINES[mix])
    return Fleet(registry, limits.simulated_seed, _START, _START + span, mixed_faults(faulty / devices), timing)


_COLUMNS = ", ".join(f"f.{name}" for name in ("window_start", STATE, *OPERATION, *MODEL_FEATURES))

_TESTED_SQL = f"""
WITH doing AS (
  SELECT device_id, window_end, arg_max(state, least(epoch("end"), epoch(window_end))
    - greatest(epoch("start"), epoch(window_start))) AS state
  FROM device_features JOIN episodes USING (device_id)
  WHERE "start" < window_end AND "end" > window_start AND window_start >= $learned GROUP BY ALL
)
SELECT f.device_id, f.window_end, s.cohort, {_COLUMNS},
  CASE WHEN t.fault IS NULL THEN 'quiet' ELSE 'fault' END AS kind, coalesce(t.fault, d.state) AS name
FROM device_features f JOIN simulated s USING (device_id) JOIN doing d USING (device_id, window_end)
LEFT JOIN truth t USING (device_id)
WHERE t.fault IS NULL OR f.window_start >= t.full_severity_at
ORDER BY device_id, window_end
"""
