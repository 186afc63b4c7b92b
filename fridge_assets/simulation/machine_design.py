"""How a type of cycling machine works and how it reports (SPEC 10)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MachineDesign:
    """How a machine with a thermostat is built and used.

    Args:
        set_point: mean air temperature of the cabinet, °C.
        band: between cut-out and cut-in, K.
        duty: share of the time it runs at the reference ambient, 0…1.
        cycle_minutes: from start to start at the reference ambient.
        least_speed: of a compressor with variable speed, 0…1; 1 for one that is only on or off.
        equalising_minutes: until pressures have evened out by 63 % after a stop: one or two through a capillary, far
            longer past a valve that shuts.
        hunting: amplitude with which an expansion valve swings the evaporating temperature, K.
        defrosts_a_day: scheduled ones.
        defrost_minutes: of a usual one.
        defrost_end: coil temperature that ends a usual one, °C.
        failed_defrosts: share that leaves the coil iced: it stays at 0 °C, the defrost lasts longer, and another one
            follows half a period later.
        long_defrosts: share that goes on long after the coil is clear.
        standstills_a_day: chance that the machine is switched off on a day.
        standstill_hours: shortest and longest, at most 10.
        standstill_from: first and last hour of the day, UTC, at which one begins.
    """

    set_point: float
    band: float
    duty: float
    cycle_minutes: float
    least_speed: float = 1.0
    equalising_minutes: float = 1.2
    hunting: float = 0.0
    defrosts_a_day: int = 4
    defrost_minutes: float = 20.0
    defrost_end: float = 10.0
    failed_defrosts: float = 0.03
    long_defrosts: float = 0.03
    standstills_a_day: float = 0.02
    standstill_hours: tuple[float, float] = (1.0, 6.0)
    standstill_from: tuple[float, float] = (0.0, 24.0)


@dataclass(frozen=True)
class Telemetry:
    """What a machine's logger reports, and how.

    Args:
        interval_seconds: between readings: 10, or whole minutes up to an hour.
        irregular: readings come at any second of a minute, every second one in the mean is left out.
        coarse: digits of an old logger: 0.1 of a unit, pressures 0.1 bar, humidity 1 %.
        missing: sensors the machine does not have.
        signals_defrost: whether ``defrost_cycle`` is set in a defrost; otherwise it is always 0.
        flat_lines_a_day: chance that one of its sensors repeats one value for half an hour to six hours on a day.
    """

    interval_seconds: int = 60
    irregular: bool = False
    coarse: bool = False
    missing: frozenset[str] = frozenset()
    signals_defrost: bool = True
    flat_lines_a_day: float = 0.01
