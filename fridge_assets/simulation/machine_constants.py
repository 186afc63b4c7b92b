"""What makes each cycling machine itself: constants around those of its equipment model (SPEC 10)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fridge_assets.simulation.equipment import REFERENCE_AMBIENT, EquipmentModel
from fridge_assets.simulation.individuals import LIMIT, Individuals
from fridge_assets.simulation.machine_design import MachineDesign
from fridge_assets.simulation.machines import CYCLING_MODELS
from fridge_assets.simulation.refrigerants import FloatArray
from fridge_assets.simulation.seeding import Stream, generator


@dataclass(frozen=True)
class MachineConstants:
    """Constants of every cycling machine; each field holds one value a machine."""

    number: npt.NDArray[np.int64]  # position in the fleet's registry
    set_point: FloatArray  # °C, mean air temperature
    band: FloatArray  # K between cut-out and cut-in
    heating: FloatArray  # K/min of the air at the reference ambient while the compressor is off
    cooling: FloatArray  # K/min that the compressor takes at full speed
    least_speed: FloatArray  # 0…1
    equalising: FloatArray  # min
    hunting: FloatArray  # K
    hunting_period: FloatArray  # min
    defrost_period: npt.NDArray[np.int64]  # min
    defrost_offset: npt.NDArray[np.int64]  # min
    defrost_minutes: FloatArray
    defrost_end: FloatArray  # °C
    failed_defrosts: FloatArray  # share
    long_defrosts: FloatArray  # share
    standstills_a_day: FloatArray
    standstill_minutes: npt.NDArray[np.float64]  # shortest and longest, machines × 2
    standstill_from: npt.NDArray[np.float64]  # first and last minute of the day, machines × 2


def machine_models(registry: pd.DataFrame) -> list[EquipmentModel]:
    """The equipment model of every machine in a registry of cycling machines."""
    by_name = {equipment.name: equipment for equipment in CYCLING_MODELS}
    return [by_name[name] for name in registry["model"]]


def draw_machines(
    models: list[EquipmentModel], number: npt.NDArray[np.int64], individuals: Individuals, seed: int
) -> MachineConstants:
    """Draw every machine's constants around its design; what its coil is off by, its set point is off by, too."""
    count = len(models)
    rng = generator(seed, Stream.MACHINES)
    designs = [design for model in models if (design := model.machine) is not None]

    def by_design(name: str) -> FloatArray:
        return np.array([getattr(design, name) for design in designs], np.float32)

    def spread(size: float) -> FloatArray:
        return np.clip(rng.standard_normal(count, np.float32), -LIMIT, LIMIT) * np.float32(size)

    def hours(name: str) -> npt.NDArray[np.float64]:
        return np.array([getattr(design, name) for design in designs], np.float64).reshape(count, 2) * 60

    band = by_design("band") * (1 + spread(0.10))
    duty = np.clip(by_design("duty") * (1 + spread(0.06)), 0.1, 0.9)
    cycle = by_design("cycle_minutes") * (1 + spread(0.12))
    period = np.array([_defrost_period(design) for design in designs], np.int64)
    coil = np.array([model.evaporator for model in models], np.float32)
    return MachineConstants(
        number=number.astype(np.int64),
        set_point=by_design("set_point") + individuals.evaporator - coil,
        band=band,
        heating=band / (cycle * (1 - duty)),
        cooling=band / (cycle * duty * (1 - duty)),
        least_speed=by_design("least_speed"),
        equalising=by_design("equalising_minutes") * (1 + spread(0.15)),
        hunting=by_design("hunting") * (1 + spread(0.2)),
        hunting_period=rng.uniform(3.5, 8, count).astype(np.float32),
        defrost_period=period,
        defrost_offset=rng.integers(0, period, dtype=np.int64),
        defrost_minutes=np.round(by_design("defrost_minutes") * (1 + spread(0.08))),
        defrost_end=by_design("defrost_end") + spread(0.8),
        failed_defrosts=by_design("failed_defrosts"),
        long_defrosts=by_design("long_defrosts"),
        standstills_a_day=by_design("standstills_a_day"),
        standstill_minutes=hours("standstill_hours"),
        standstill_from=hours("standstill_from"),
    )


def heat_load(constants: MachineConstants, air: FloatArray, ambient: FloatArray) -> FloatArray:
    """Heat that leaks in, as a multiple of what does at the design point."""
    return (ambient - air) / (np.float32(REFERENCE_AMBIENT) - constants.set_point)


def _defrost_period(design: MachineDesign) -> int:
    return 24 * 60 // design.defrosts_a_day
