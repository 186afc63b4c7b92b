"""The equipment models whose compressors start and stop, and the mixes a fleet can be made of (SPEC 10).

Figures are those of machines in the field: display cases and bottle coolers on R290 with a capillary, split cold
rooms on R410A with a valve that shuts, CO2 units with variable speed. R448A is not among them: CoolProp has it
as a mixture, whose saturation it does not solve everywhere.
"""

from fridge_assets.contracts.sensor_readings import SENSORS
from fridge_assets.core.names import unknown
from fridge_assets.simulation.equipment import CONTINUOUS_MODELS, EquipmentModel
from fridge_assets.simulation.machine_design import MachineDesign, Telemetry


def _only(*sensors: str) -> frozenset[str]:
    """The sensors missing where only ``sensors`` are there."""
    return frozenset(sensor.name for sensor in SENSORS) - frozenset(sensors)


CYCLING_MODELS: tuple[EquipmentModel, ...] = (
    EquipmentModel(
        *("display_case", "R290", -4.0, 5.0, 8.0, 12.0, 3.0, 8.5, 2.2, 0.0),
        machine=MachineDesign(3.0, 2.5, 0.72, 40.0, hunting=0.6, defrosts_a_day=8),
        telemetry=Telemetry(missing=frozenset({"vibration_compressor", "door_open_close"})),
    ),
    EquipmentModel(
        *("bottle_cooler", "R290", -6.0, 5.0, 10.0, 7.0, 4.0, 2.6, 1.6, 0.0),
        machine=MachineDesign(
            *(4.0, 3.5, 0.42, 22.0),
            defrosts_a_day=3,
            defrost_end=4.0,
            standstills_a_day=0.5,
            standstill_hours=(6.0, 9.0),
            standstill_from=(20.0, 23.0),
        ),
        telemetry=Telemetry(
            interval_seconds=300,
            coarse=True,
            missing=_only(
                "temperature_evaporator",
                "temperature_condenser",
                "temperature_ambient",
                "temperature_discharge",
                "current_compressor",
                "door_open_close",
            ),
        ),
    ),
    EquipmentModel(
        *("reach_in_freezer", "R290", -28.0, 5.0, 11.0, 6.0, 4.0, 4.8, 1.9, 0.0),
        machine=MachineDesign(-20.0, 4.0, 0.58, 26.0, defrost_minutes=25.0, defrost_end=12.0, failed_defrosts=0.05),
        telemetry=Telemetry(signals_defrost=False, missing=frozenset({"vibration_compressor", "humidity"})),
    ),
    EquipmentModel(
        *("co2_condensing_unit", "R744", -8.0, 5.0, 7.0, 8.0, 3.0, 16.0, 3.2, 0.0),
        machine=MachineDesign(2.0, 2.0, 0.60, 30.0, least_speed=0.35, equalising_minutes=60.0, hunting=0.4),
        telemetry=Telemetry(interval_seconds=10),
    ),
    EquipmentModel(
        *("split_cold_room", "R410A", -5.0, 6.0, 12.0, 8.0, 5.0, 9.5, 2.6, 0.0),
        machine=MachineDesign(
            *(3.0, 3.0, 0.50, 30.0), equalising_minutes=45.0, defrosts_a_day=3, long_defrosts=0.06, hunting=0.8
        ),
        telemetry=Telemetry(
            interval_seconds=900, missing=frozenset({"defrost_cycle", "humidity", "vibration_compressor"})
        ),
    ),
    EquipmentModel(
        *("process_cooler", "R32", -1.0, 4.0, 13.0, 6.0, 5.0, 14.0, 3.5, 0.0),
        machine=MachineDesign(
            *(8.0, 2.0, 0.45, 24.0),
            least_speed=0.3,
            equalising_minutes=20.0,
            defrosts_a_day=2,
            defrost_minutes=15.0,
            standstills_a_day=0.15,
            standstill_hours=(2.0, 7.0),
        ),
        telemetry=Telemetry(irregular=True, missing=frozenset({"door_open_close"}), flat_lines_a_day=0.02),
    ),
    EquipmentModel(
        *("ice_cream_cabinet", "R404A", -30.0, 5.0, 10.0, 7.0, 4.0, 5.5, 2.1, 0.0),
        machine=MachineDesign(-22.0, 5.0, 0.55, 45.0, defrosts_a_day=2, defrost_minutes=30.0, defrost_end=8.0),
        telemetry=Telemetry(
            interval_seconds=3600,
            coarse=True,
            signals_defrost=False,
            missing=frozenset({"vibration_compressor", "superheat", "subcooling", "humidity"}),
        ),
    ),
    EquipmentModel(
        *("counter_cooler", "R134a", -7.0, 5.0, 14.0, 7.0, 6.0, 3.8, 1.8, 0.0),
        machine=MachineDesign(4.0, 3.0, 0.45, 20.0, defrosts_a_day=4, defrost_end=6.0),
        telemetry=Telemetry(coarse=True, missing=frozenset({"temperature_suction"}), flat_lines_a_day=0.15),
    ),
)

EQUIPMENT_MODELS: tuple[EquipmentModel, ...] = CONTINUOUS_MODELS + CYCLING_MODELS

CONTINUOUS = "continuous"
"""The mix that a fleet is made of unless another one is chosen."""

MACHINES: dict[str, tuple[EquipmentModel, ...]] = {
    CONTINUOUS: CONTINUOUS_MODELS,
    "cycling": CYCLING_MODELS,
    "mixed": EQUIPMENT_MODELS,
}
"""What a fleet can be made of, by the name that a user chooses it by."""


def machines_named(name: str) -> tuple[EquipmentModel, ...]:
    """The equipment models of a mix; FridgeError that names the mixes otherwise."""
    if name not in MACHINES:
        raise unknown("mix of machines", name, MACHINES)
    return MACHINES[name]
