"""The registry of a simulated fleet: sites of a dozen devices, four regions, eight cohorts (SPEC 1.1, 10)."""

from typing import Any

import numpy as np
import pandas as pd

from fridge_assets.contracts import DEVICE_REGISTRY
from fridge_assets.contracts.device_registry import REGISTRY_DEFAULTS
from fridge_assets.core.errors import FridgeError
from fridge_assets.simulation.equipment import CONTINUOUS_MODELS, REGIONS, EquipmentModel
from fridge_assets.simulation.seeding import Stream, generator

DEVICES_PER_SITE = 12
FIRST_INSTALLATION = pd.Timestamp("2016-01-01T00:00:00Z")
INSTALLATION_DAYS = 9 * 365
FIRMWARE_VERSIONS = ("3.1.4", "3.2.0", "4.0.2", "4.1.0")


def simulate_registry(devices: int, seed: int, models: tuple[EquipmentModel, ...] = CONTINUOUS_MODELS) -> pd.DataFrame:
    """A fleet of ``devices`` active devices of the equipment ``models`` in turn, the same for the same seed.

    Returns:
        DEVICE_REGISTRY columns, one row a device in the order of ``device_id``. The cohorts (equipment
        model × climate zone) are equally frequent.

    Raises:
        FridgeError: fewer than one device.
    """
    if devices < 1:
        raise FridgeError(f"a fleet of {devices} devices cannot be simulated", "Ask for at least one device")
    rng = generator(seed, Stream.REGISTRY)
    number = np.arange(devices)
    site = number // DEVICES_PER_SITE
    regions = [REGIONS[s % len(REGIONS)] for s in site]
    installed = rng.integers(0, INSTALLATION_DAYS, devices)
    firmware = np.minimum(installed * len(FIRMWARE_VERSIONS) // INSTALLATION_DAYS + rng.integers(0, 2, devices), 3)
    frame = pd.DataFrame(
        {
            "device_id": [f"device-{i:06d}" for i in number],
            "site_id": [f"site-{s:04d}" for s in site],
            "region": [region.name for region in regions],
            "model": [models[i % len(models)].name for i in number],
            "refrigerant": pd.Series([_said(models[i % len(models)]) for i in number], dtype="str"),
            "climate_zone": [region.climate_zone for region in regions],
            "install_date": FIRST_INSTALLATION + pd.to_timedelta(installed, unit="D"),
            "firmware_version": [FIRMWARE_VERSIONS[f] for f in firmware],
        }
    )
    thresholds: dict[str, Any] = {name: default for name, default in REGISTRY_DEFAULTS.items() if name not in frame}
    zone = pd.Series(None, index=frame.index, dtype="str")
    return frame.assign(**thresholds, timezone=zone)[list(DEVICE_REGISTRY.column_names)]


def _said(model: EquipmentModel) -> str | None:
    """The refrigerant as the registry has it: compressors that never stop keep within the ranges of any machine."""
    return model.refrigerant if model.machine is not None else None
