"""How foreign readings are to be read: other column names, other units, another time zone (SPEC 9, `ingest`)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fridge_assets.contracts.sensor_readings import NUMERIC_SENSORS, SENSOR_READINGS, SENSORS
from fridge_assets.core.errors import FridgeError

_OUR_COLUMNS = SENSOR_READINGS.column_names
_UNITS_OF = {sensor.name: sensor.unit for sensor in NUMERIC_SENSORS}

CONVERSIONS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "°C": {"degC": (1.0, 0.0), "degF": (5 / 9, -160 / 9), "K": (1.0, -273.15)},
    "K": {"K": (1.0, 0.0), "degC": (1.0, 0.0), "degF": (5 / 9, 0.0)},
    "kPa": {
        "kPa": (1.0, 0.0),
        "bar": (100.0, 0.0),
        "MPa": (1000.0, 0.0),
        "psi": (6.894757293168361, 0.0),
        "kPag": (1.0, 101.325),
        "barg": (100.0, 101.325),
        "psig": (6.894757293168361, 101.325),
    },
    "A": {"A": (1.0, 0.0), "mA": (0.001, 0.0)},
    "mm/s": {"mm/s": (1.0, 0.0), "in/s": (25.4, 0.0)},
    "%RH": {"%": (1.0, 0.0), "fraction": (100.0, 0.0)},
}
"""Our unit → their unit → (factor, offset): ours = theirs × factor + offset. K is of differences (superheat)."""


@dataclass(frozen=True)
class Interpretation:
    """What has to be known about a file to read its columns as ours.

    Args:
        columns: their column name → ours.
        units: column (ours or theirs) → the unit it is in.
        timezone: IANA name of the zone that timestamps without one are in.

    Raises:
        FridgeError: a column, unit or zone that does not exist, naming it and the choices.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        for theirs, ours in self.columns.items():
            if ours not in _OUR_COLUMNS:
                raise FridgeError(
                    f"--map {theirs}={ours}: there is no column {ours}",
                    f"Choose one of {', '.join(_OUR_COLUMNS)}.",
                )
        for column, unit in self.units.items():
            self._conversion(column, unit)
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise FridgeError(
                f"--timezone {self.timezone}: there is no such time zone",
                "Give an IANA name such as Europe/Berlin.",
            ) from error

    def ours(self, their_column: str) -> str:
        """Our name of ``their_column``; unchanged where nothing is mapped."""
        if their_column in self.columns:
            return self.columns[their_column]
        return "timestamp_device" if their_column == "timestamp" else their_column

    def conversion(self, our_column: str) -> tuple[float, float]:
        """(factor, offset) from their values of ``our_column`` to ours."""
        for column, unit in self.units.items():
            if self.ours(column) == our_column:
                return self._conversion(column, unit)
        return (1.0, 0.0)

    def _conversion(self, column: str, unit: str) -> tuple[float, float]:
        ours = self.ours(column)
        if ours not in _UNITS_OF:
            raise FridgeError(
                f"--unit {column}={unit}: {ours} is not a sensor with a unit",
                f"Choose one of {', '.join(s.name for s in SENSORS if not s.is_boolean)}, or map it first.",
            )
        choices = CONVERSIONS[_UNITS_OF[ours]]
        if unit not in choices:
            raise FridgeError(
                f"--unit {column}={unit}: {ours} cannot be in {unit}", f"Choose one of {', '.join(choices)}."
            )
        return choices[unit]

    @property
    def is_plain(self) -> bool:
        """Whether the file needs no interpretation at all."""
        return not self.columns and not self.units and self.timezone == "UTC"

    def to_json(self) -> str:
        """This interpretation as JSON, kept beside the landing file."""
        return json.dumps(
            {"columns": dict(self.columns), "units": dict(self.units), "timezone": self.timezone}, indent=2
        )

    @classmethod
    def from_json(cls, text: str) -> "Interpretation":
        """The interpretation that :meth:`to_json` wrote."""
        return cls(**json.loads(text))
