"""The faults a simulated device can have: their ramps and their effect at full severity (SPEC 10).

These sizes are fixed: models are tuned to find them, never the other way round.
"""

from dataclasses import dataclass, field
from datetime import timedelta

from fridge_assets.core.errors import FridgeError
from fridge_assets.core.names import unknown


@dataclass(frozen=True)
class Effect:
    """Change of a reading at full severity: a share of the reading, then an addition in its unit."""

    share: float = 0.0
    addition: float = 0.0


@dataclass(frozen=True)
class FaultKind:
    """A fault and what it does to the readings.

    Args:
        name: as on the command line and in the ground truth.
        ramp: shortest and longest time from onset to full severity.
        effects: by reading column; what is not a plain effect is done by ``fault_effects`` and ``Strain``.
        sensors: reading columns affected, the telling one first; empty where each device draws its own.
        own_sensors: how many numeric sensors a device draws for itself.
        acute: whether it is a matter of minutes.
        at_rest: whether it also shows while the compressor is off; the others act on a running machine.
    """

    name: str
    ramp: tuple[timedelta, timedelta]
    effects: dict[str, Effect] = field(default_factory=dict)
    sensors: tuple[str, ...] = ()
    own_sensors: int = 0
    acute: bool = False
    at_rest: bool = False


def _hours(shortest: float, longest: float) -> tuple[timedelta, timedelta]:
    return timedelta(hours=shortest), timedelta(hours=longest)


def _minutes(shortest: float, longest: float) -> tuple[timedelta, timedelta]:
    return timedelta(minutes=shortest), timedelta(minutes=longest)


REFRIGERANT_LEAK = FaultKind(
    "refrigerant_leak",
    _hours(12, 72),
    {
        "pressure_low_side": Effect(share=-0.30),
        "pressure_high_side": Effect(share=-0.12),
        "superheat": Effect(addition=8),
        "subcooling": Effect(addition=-4),
        "temperature_evaporator": Effect(addition=5),
        "current_compressor": Effect(share=-0.08),
    },
    (
        "pressure_low_side",
        "superheat",
        "subcooling",
        "temperature_evaporator",
        "pressure_high_side",
        "current_compressor",
    ),
)
CONDENSER_FOULING = FaultKind(
    "condenser_fouling",
    _hours(24, 96),
    {
        "temperature_condenser": Effect(addition=7),
        "pressure_high_side": Effect(share=0.18),
        "temperature_discharge": Effect(addition=12),
        "current_compressor": Effect(share=0.12),
    },
    ("temperature_condenser", "pressure_high_side", "temperature_discharge", "current_compressor"),
)
EVAPORATOR_ICING = FaultKind(
    "evaporator_icing",
    _hours(6, 24),
    {
        "pressure_low_side": Effect(share=-0.18),
        "superheat": Effect(addition=-4),
        "temperature_evaporator": Effect(addition=-4),
        "temperature_suction": Effect(addition=-3),
    },
    ("pressure_low_side", "superheat", "temperature_evaporator", "temperature_suction", "defrost_cycle"),
)
BEARING_WEAR = FaultKind(
    "bearing_wear",
    _hours(24, 96),
    {"vibration_compressor": Effect(share=1.5), "current_compressor": Effect(share=0.04)},
    ("vibration_compressor", "current_compressor"),
)
VALVE_LEAK = FaultKind(
    "valve_leak",
    _hours(24, 72),
    {"temperature_discharge": Effect(addition=15), "current_compressor": Effect(share=-0.06)},
    ("pressure_high_side", "pressure_low_side", "temperature_discharge", "current_compressor"),
)
DOOR_LEFT_OPEN = FaultKind(
    "door_left_open",
    _minutes(0, 10),
    {"humidity": Effect(addition=20), "temperature_evaporator": Effect(addition=4)},
    ("door_open_close", "humidity", "temperature_evaporator", "current_compressor"),
    at_rest=True,
)
STUCK_SENSOR = FaultKind("stuck_sensor", _minutes(0, 0), own_sensors=1, at_rest=True)
DRIFTING_SENSOR = FaultKind("drifting_sensor", _hours(24, 24), own_sensors=1, at_rest=True)
INTERMITTENT_DROPOUT = FaultKind("intermittent_dropout", _minutes(0, 0), own_sensors=2, at_rest=True)
COMPRESSOR_OVERLOAD = FaultKind("compressor_overload", _minutes(1, 5), sensors=("current_compressor",), acute=True)
VIBRATION_SPIKE = FaultKind(
    "vibration_spike",
    _minutes(1, 3),
    {"vibration_compressor": Effect(share=4.0)},
    ("vibration_compressor",),
    acute=True,
)
RAPID_PRESSURE_LOSS = FaultKind(
    "rapid_pressure_loss",
    _minutes(4, 4),
    {"pressure_low_side": Effect(share=-0.50)},
    ("pressure_low_side",),
    acute=True,
)
TOTAL_COOLING_LOSS = FaultKind(
    "total_cooling_loss",
    _minutes(10, 10),
    {"temperature_evaporator": Effect(addition=30)},
    ("temperature_evaporator",),
    acute=True,
    at_rest=True,
)

FAULT_KINDS: dict[str, FaultKind] = {
    kind.name: kind
    for kind in (
        REFRIGERANT_LEAK,
        CONDENSER_FOULING,
        EVAPORATOR_ICING,
        BEARING_WEAR,
        VALVE_LEAK,
        DOOR_LEFT_OPEN,
        STUCK_SENSOR,
        DRIFTING_SENSOR,
        INTERMITTENT_DROPOUT,
        COMPRESSOR_OVERLOAD,
        VIBRATION_SPIKE,
        RAPID_PRESSURE_LOSS,
        TOTAL_COOLING_LOSS,
    )
}
"""Every fault by name, in the order of SPEC 10's table."""

GRADUAL_FAULTS: tuple[str, ...] = tuple(name for name, kind in FAULT_KINDS.items() if not kind.acute)
"""What the batch models are there for; the acute ones belong to the streaming rules."""


@dataclass(frozen=True)
class FaultShare:
    """The share (0…1) of a fleet's devices that get one kind of fault."""

    fault: str
    share: float

    def __post_init__(self) -> None:
        if self.fault not in FAULT_KINDS:
            raise unknown("fault", self.fault, FAULT_KINDS)
        if not 0 < self.share <= 1:
            raise FridgeError(
                f"the share {self.share} of {self.fault} is not above 0 and up to 1",
                f"Give a share such as {self.fault}=0.02",
            )

    @property
    def kind(self) -> FaultKind:
        """The fault itself."""
        return FAULT_KINDS[self.fault]


def parse_fault_share(text: str) -> FaultShare:
    """Read ``KIND=SHARE`` such as ``refrigerant_leak=0.02``; FridgeError naming the known kinds otherwise."""
    fault, equals, share = (part.strip() for part in text.partition("="))
    try:
        value = float(share)
    except ValueError:
        problem = (
            f"the fault {text!r} has no share" if not equals else f"the share {share!r} in {text!r} is not a number"
        )
        remedy = f"Write KIND=SHARE such as refrigerant_leak=0.02; kinds are {', '.join(FAULT_KINDS)}"
        raise FridgeError(problem, remedy) from None
    return FaultShare(fault, value)


def mixed_faults(share: float) -> tuple[FaultShare, ...]:
    """Spread a total ``share`` (0…1) of faulty devices evenly over the gradual faults."""
    return tuple(FaultShare(fault, share / len(GRADUAL_FAULTS)) for fault in GRADUAL_FAULTS)
