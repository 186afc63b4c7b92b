"""The equipment models, climate zones and regions a simulated fleet is made of (SPEC 10)."""

from dataclasses import dataclass

from fridge_assets.simulation.machine_design import MachineDesign, Telemetry

REFERENCE_AMBIENT = 22.0
"""°C; the design point the equipment models are rated at, and the temperate zone's mean."""


EVERY_MINUTE = Telemetry(flat_lines_a_day=0.0)
"""All fourteen sensors, a reading a minute."""


@dataclass(frozen=True)
class EquipmentModel:
    """A type of refrigeration device, by its design point at the reference ambient.

    Args:
        name: as in the registry's ``model`` column.
        refrigerant: CoolProp's name of it.
        evaporator: coil probe temperature, °C.
        coil_approach: coil probe above the evaporating (saturation) temperature, K.
        condensing_rise: condensing (saturation) temperature above ambient, K.
        superheat: at the evaporator outlet, K.
        subcooling: at the condenser outlet, K.
        current: mean compressor current, A.
        vibration: mean compressor vibration, mm/s RMS.
        defrost_rise: how far the coil probe warms in a defrost, K; without meaning where ``machine`` is given.
        machine: how it starts, stops and defrosts; None for a compressor that never stops.
        telemetry: what it reports, and how.
    """

    name: str
    refrigerant: str
    evaporator: float
    coil_approach: float
    condensing_rise: float
    superheat: float
    subcooling: float
    current: float
    vibration: float
    defrost_rise: float
    machine: MachineDesign | None = None
    telemetry: Telemetry = EVERY_MINUTE


@dataclass(frozen=True)
class ClimateZone:
    """Where devices stand: mean ambient (°C), half the indoor day-night swing (K), mean humidity (%RH)."""

    name: str
    ambient: float
    diurnal_amplitude: float
    humidity: float


@dataclass(frozen=True)
class Region:
    """A rollout region: all its sites share one climate zone and one local time."""

    name: str
    climate_zone: str
    utc_offset_hours: int


WALK_IN_FREEZER = EquipmentModel("walk_in_freezer", "R404A", -25.0, 5.5, 10.0, 8.0, 5.0, 12.0, 3.0, 7.0)
"""The freezer type whose healthy figures SPEC 10 gives; in the temperate zone it is the reference cohort."""

CONTINUOUS_MODELS: tuple[EquipmentModel, ...] = (
    WALK_IN_FREEZER,
    EquipmentModel("chest_freezer", "R290", -20.0, 5.0, 12.0, 6.0, 3.5, 6.0, 2.0, 6.0),
    EquipmentModel("multideck_cooler", "R404A", -9.0, 6.0, 13.0, 10.0, 6.5, 18.0, 4.0, 6.0),
    EquipmentModel("glass_door_cooler", "R134a", -8.0, 5.0, 15.0, 7.0, 7.5, 8.5, 2.4, 6.0),
)
"""Compressors that never stop; the other machines are in ``machines``."""

CLIMATE_ZONES: tuple[ClimateZone, ...] = (
    ClimateZone("temperate", REFERENCE_AMBIENT, 2.2, 45.0),
    ClimateZone("warm", 30.0, 2.8, 55.0),
)

REGIONS: tuple[Region, ...] = (
    Region("north", "temperate", 1),
    Region("south", "warm", 1),
    Region("west", "temperate", 0),
    Region("east", "warm", 2),
)
"""Neighbours in this order differ in climate, so that even two sites cover both zones."""
