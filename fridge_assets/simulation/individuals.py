"""What makes each device itself: its constants, drawn once from the seed (SPEC 10)."""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pandas as pd

from fridge_assets.core.errors import FridgeError
from fridge_assets.simulation.equipment import CLIMATE_ZONES, REFERENCE_AMBIENT, REGIONS
from fridge_assets.simulation.machines import EQUIPMENT_MODELS
from fridge_assets.simulation.refrigerants import (
    REFRIGERANTS,
    FloatArray,
    bubble_pressure,
    compression_exponent,
    dew_pressure,
)
from fridge_assets.simulation.seeding import Stream, generator

IntArray = npt.NDArray[np.int32]

LINE_GAIN = 0.28
"""Share of the way to ambient that the gas warms between evaporator outlet and compressor inlet."""

LIMIT = 3.0
"""No device is further than this many spreads from its cohort's mean, so that healthy stays healthy."""


@dataclass(frozen=True)
class Individuals:
    """Constants of every device; each field holds one value a device."""

    region: IntArray
    refrigerant: IntArray
    ambient: FloatArray  # °C, mean over time
    evaporator: FloatArray  # °C
    coil_approach: FloatArray  # K
    condensing_rise: FloatArray  # K
    condenser_probe: FloatArray  # K above the condensing temperature
    superheat: FloatArray  # K
    subcooling: FloatArray  # K
    discharge_offset: FloatArray  # K
    compression_exponent: FloatArray
    design_work: FloatArray  # kPa, compressor work per swept volume at the design point
    low_gain: FloatArray  # transducer reading over true pressure
    high_gain: FloatArray
    current: FloatArray  # A
    vibration: FloatArray  # mm/s
    humidity: FloatArray  # %RH
    defrost_rise: FloatArray  # K
    defrost_period: IntArray  # min
    defrost_offset: IntArray  # min
    defrost_minutes: FloatArray  # min
    cycle_period: FloatArray  # min
    cycle_phase: FloatArray  # 0…1
    cycle_duty: FloatArray  # share of the cycle at full capacity
    door_rate: FloatArray  # share of minutes with the door open while the shop trades
    report_second: IntArray  # second of the minute at which it reports
    latency_ms: IntArray  # until the reading has arrived

    def take(self, devices: npt.NDArray[np.intp]) -> "Individuals":
        """The same constants for some of the devices, by position."""
        return Individuals(**{field.name: getattr(self, field.name)[devices] for field in fields(self)})


def draw_individuals(registry: pd.DataFrame, seed: int) -> Individuals:
    """Draw every device's constants around its equipment model and climate zone.

    Most of SPEC 10's spread is between devices, as in fleets whose set points and sites differ. One device
    varies far less over time, so that its own history can tell that something is wrong with it.

    Raises:
        FridgeError: the registry names an equipment model, climate zone or region that is not simulated.
    """
    count = len(registry)
    rng = generator(seed, Stream.INDIVIDUALS)
    model = _positions(registry["model"], [equipment.name for equipment in EQUIPMENT_MODELS], "equipment model")
    zone = _positions(registry["climate_zone"], [z.name for z in CLIMATE_ZONES], "climate zone")
    site = pd.factorize(registry["site_id"])[0]

    def by_model(name: str) -> FloatArray:
        return np.array([getattr(equipment, name) for equipment in EQUIPMENT_MODELS], np.float32)[model]

    def by_zone(name: str) -> FloatArray:
        return np.array([getattr(z, name) for z in CLIMATE_ZONES], np.float32)[zone]

    def spread(size: float, draws: int = count) -> FloatArray:
        return np.clip(rng.standard_normal(draws, np.float32), -LIMIT, LIMIT) * np.float32(size)

    def uniform(low: float, high: float) -> FloatArray:
        return rng.uniform(low, high, count).astype(np.float32)

    sites = int(site.max()) + 1
    defrost_period = (24 * 60 // rng.integers(2, 5, count)).astype(np.int32)
    exponent, work = _design_point()
    return Individuals(
        region=_positions(registry["region"], [region.name for region in REGIONS], "region"),
        refrigerant=np.array([REFRIGERANTS.index(e.refrigerant) for e in EQUIPMENT_MODELS], np.int32)[model],
        ambient=by_zone("ambient") + spread(3.1, sites)[site] + spread(1.6),
        evaporator=by_model("evaporator") + spread(2.5),
        coil_approach=by_model("coil_approach") + spread(1.4),
        condensing_rise=by_model("condensing_rise") + spread(1.3),
        condenser_probe=8.0 + spread(3.2),
        superheat=by_model("superheat") + spread(1.75),
        subcooling=by_model("subcooling") + spread(1.35),
        discharge_offset=spread(4.5),
        compression_exponent=exponent[model],
        design_work=work[model],
        low_gain=1 + spread(0.05),
        high_gain=1 + spread(0.035),
        current=by_model("current") * (1 + spread(0.14)),
        vibration=by_model("vibration") * (1 + spread(0.22)),
        humidity=by_zone("humidity") + spread(7.0, sites)[site] + spread(6.5),
        defrost_rise=by_model("defrost_rise") * (1 + spread(0.10)),
        defrost_period=defrost_period,
        defrost_offset=rng.integers(0, defrost_period, dtype=np.int32),
        defrost_minutes=rng.integers(15, 26, count).astype(np.float32),
        cycle_period=uniform(8, 20),
        cycle_phase=uniform(0, 1),
        cycle_duty=uniform(0.55, 0.75),
        door_rate=uniform(0.06, 0.14),
        # Reporting by second 54 and arriving within 5 s keeps a prompt reading inside its own minute.
        report_second=rng.integers(0, 55, count, dtype=np.int32),
        latency_ms=rng.integers(400, 4000, count, dtype=np.int32),
    )


def _positions(column: "pd.Series[str]", known: list[str], what: str) -> IntArray:
    positions = pd.Index(known).get_indexer(pd.Index(column))
    if (positions < 0).any():
        strange = column[positions < 0].iloc[0]
        raise FridgeError(f"the simulator does not know the {what} {strange!r}", f"Use one of {', '.join(known)}")
    return positions.astype(np.int32)


def _design_point() -> tuple[FloatArray, FloatArray]:
    """Compression exponent and compressor work per swept volume (kPa) of each equipment model."""
    exponents, works = [], []
    for equipment in EQUIPMENT_MODELS:
        refrigerant = np.array([REFRIGERANTS.index(equipment.refrigerant)], np.int32)
        evaporating = equipment.evaporator - equipment.coil_approach
        condensing = REFERENCE_AMBIENT + equipment.condensing_rise
        low = float(dew_pressure(np.array([[evaporating]], np.float32), refrigerant)[0, 0])
        high = float(bubble_pressure(np.array([[condensing]], np.float32), refrigerant)[0, 0])
        outlet = evaporating + equipment.superheat
        suction = outlet + LINE_GAIN * (REFERENCE_AMBIENT - outlet)
        exponent = compression_exponent(equipment.refrigerant, suction, low, high)
        exponents.append(exponent)
        works.append(low * ((high / low) ** exponent - 1))
    return np.array(exponents, np.float32), np.array(works, np.float32)
