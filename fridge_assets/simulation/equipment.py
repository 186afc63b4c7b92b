"""The equipment models, climate zones and regions a simulated fleet is made of (SPEC 10)."""

from dataclasses import dataclass

REFERENCE_AMBIENT = 22.0
"""°C; the design point the equipment models are rated at, and the temperate zone's mean."""


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
        defrost_rise: how far the coil probe warms in a defrost, K.
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

EQUIPMENT_MODELS: tuple[EquipmentModel, ...] = (
    WALK_IN_FREEZER,
    EquipmentModel("chest_freezer", "R290", -20.0, 5.0, 12.0, 6.0, 3.5, 6.0, 2.0, 6.0),
    EquipmentModel("multideck_cooler", "R404A", -9.0, 6.0, 13.0, 10.0, 6.5, 18.0, 4.0, 6.0),
    EquipmentModel("glass_door_cooler", "R134a", -8.0, 5.0, 15.0, 7.0, 7.5, 8.5, 2.4, 6.0),
)

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
