"""How readings of one source are to be read: format, time, shape, names and units (SPEC 9, `ingest` and `sources`)."""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from fridge_assets.contracts.sensor_readings import SENSOR_READINGS, SENSORS
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.moments import parse_moment
from fridge_assets.sources.encoding import is_encoding
from fridge_assets.sources.topics import is_topic
from fridge_assets.sources.units import UNIT_OF, units_of

Format = Literal["parquet", "csv", "jsonl", "json", "excel", "line_protocol"]
Shape = Literal["row", "wide", "long"]

FILE_NAME = "{file}"
"""A constant that stands for the name of the file up to its first dot."""

TOPIC, RECEIVED_AT, VALUE = "mqtt_topic", "mqtt_received_at", "value"
"""Columns that messages of a broker have: their topic, when they came, and a payload that is a single value."""

ISO = "iso"
EPOCHS: Mapping[str, int] = {
    "epoch_s": 1_000_000,
    "epoch_ms": 1000,
    "epoch_us": 1,
    "epoch_ns": 1,
    "seconds_since_start": 1_000_000,
}
"""Format of a time that is a number → microseconds of one; nanoseconds are divided instead."""

_OUR_COLUMNS = SENSOR_READINGS.column_names
_SENSOR_NAMES = tuple(sensor.name for sensor in SENSORS)
_OPTIONS = {
    "columns": "--map",
    "units": "--unit",
    "constants": "--constant",
    "tags": "--tag",
    "offsets": "--offset",
    "tag_column": "--tag-column",
    "value_column": "--value-column",
}
"""Field → the option of a command that sets it, where that has another name."""


class Unfit(ValueError):
    """A value of a source that cannot be.

    Args:
        path: the field, and the key in it.
        problem: what is wrong, without a trailing full stop.
        remedy: what to write instead.
    """

    def __init__(self, path: tuple[str, ...], problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. {remedy}")
        self.path = path
        self.problem = problem
        self.remedy = remedy


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tag(_Part):
    """What one tag, or one column of a wide file, measures."""

    sensor: str = Field(description="one of our sensors")
    device: str = Field("", description="its device; empty where a column or a constant says it")
    unit: str = Field("", description="its unit; that of the sensor where empty")


class TimeFormat(_Part):
    """Where the time of a reading stands and how it is written."""

    columns: tuple[str, ...] = Field((), description="columns that make up the time; the mapped one where empty")
    format: str = Field(
        ISO,
        description="iso, a pattern of strptime such as %d.%m.%Y %H:%M, epoch_s, epoch_ms, epoch_us, epoch_ns or "
        "seconds_since_start",
    )
    start: str = Field("", description="moment from which seconds_since_start counts, ISO 8601")

    @model_validator(mode="after")
    def _check(self) -> "TimeFormat":
        if self.format != ISO and self.format not in EPOCHS and "%" not in self.format:
            choices = ", ".join((ISO, *EPOCHS))
            raise Unfit(
                ("time", "format"),
                f"{self.format!r} is not a format of times",
                f"Choose {choices}, or a pattern such as %d.%m.%Y %H:%M.",
            )
        if self.format == "seconds_since_start":
            if not self.start:
                raise Unfit(
                    ("time", "start"), "seconds_since_start counts from no moment", "Give one in ISO 8601 as start."
                )
            try:
                parse_moment(self.start, "start")
            except FridgeError as error:
                raise Unfit(("time", "start"), error.problem, error.remedy) from error
        return self


class Source(_Part):
    """How the readings of one source are to be read; the default is our own columns, units and UTC."""

    format: Format | None = Field(None, description="parquet, csv, jsonl, json, excel or line_protocol")
    encoding: str = Field("utf-8", description="how text is encoded")
    delimiter: str = Field("", description="what separates the columns of a CSV file; found out where empty")
    skip_lines: int = Field(0, ge=0, description="lines above the header of a CSV file, rows above that of a sheet")
    sheet: str = Field("", description="sheet of an Excel file; the first where empty")
    decimal: Literal[".", ","] = Field(".", description="decimal mark")
    time: TimeFormat = Field(TimeFormat(), description="the time of a reading")
    timezone: str = Field("UTC", description="zone of times that name none, an IANA name")
    shape: Shape = Field(
        "row", description="row: a reading per row; wide: a column per device and sensor; long: a value per row"
    )
    columns: dict[str, str] = Field({}, description="their column: our column")
    tag_column: str = Field("", description="long: the column that says what was measured")
    value_column: str = Field("", description="long: the column of the value")
    tags: dict[str, Tag] = Field({}, description="wide, long: their column or tag: the sensor, and the device")
    pattern: str = Field(
        "",
        description="regular expression; wide, long: (?P<device>…) and (?P<tag>…) of a name; row: (?P<device>…) of "
        "what its column says",
    )
    topics: tuple[str, ...] = Field((), description="topics of the MQTT broker whose messages are of this source")
    devices: dict[str, str] = Field({}, description="their name of a device: our device_id")
    units: dict[str, str] = Field({}, description="column, theirs or ours: its unit")
    offsets: dict[str, float] = Field({}, description="sensor: what is added to its values, in our unit")
    constants: dict[str, str | float | bool] = Field(
        {}, description=f"our column: the value that every reading has; {FILE_NAME} is the name of the file"
    )
    nothing: tuple[str, ...] = Field((), description="values that mean that nothing was measured")
    align_seconds: int = Field(0, ge=0, description="long: values of one span of so many seconds are one reading")
    as_is: bool = Field(False, description="take values also that fit another unit than the given one")
    interval_seconds: int = Field(0, ge=0, description="seconds expected between two readings of a device; 0: unknown")

    @field_validator("columns", "constants", mode="before")
    @classmethod
    def _without_alias(cls, given: Any, info: Any) -> Any:
        """``timestamp`` is another name of ``timestamp_device``."""
        if not isinstance(given, Mapping):
            return given
        if info.field_name == "columns":
            return {theirs: _unalias(ours) for theirs, ours in given.items()}
        return {_unalias(ours): value for ours, value in given.items()}

    @field_validator("tags", mode="before")
    @classmethod
    def _short_tags(cls, given: Any) -> Any:
        """A tag may be just the name of a sensor."""
        if not isinstance(given, Mapping):
            return given
        return {name: {"sensor": tag} if isinstance(tag, str) else tag for name, tag in given.items()}

    @model_validator(mode="after")
    def _check(self) -> "Source":
        for theirs, ours in self.columns.items():
            _require("columns", theirs, ours, "column", _OUR_COLUMNS)
        for ours in self.constants:
            if ours not in _OUR_COLUMNS:
                raise Unfit(("constants", ours), f"there is no column {ours}", _choice(_OUR_COLUMNS))
        for name, tag in self.tags.items():
            _require("tags", name, tag.sensor, "sensor", _SENSOR_NAMES)
            if tag.unit:
                self._unit("tags", name, tag.sensor, tag.unit)
        for sensor in self.offsets:
            if sensor not in UNIT_OF:
                raise Unfit(("offsets", sensor), f"{sensor} is not a sensor with a unit", _choice(UNIT_OF))
        for column, unit in self.units.items():
            self._conversion(column, unit)
        self._check_zone()
        if not is_encoding(self.encoding):
            remedy = "Choose one such as utf-8, latin-1, cp1252 or utf-16."
            raise Unfit(("encoding",), "there is no such encoding", remedy)
        self._check_shape()
        self._check_topics()
        return self

    def _check_zone(self) -> None:
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            remedy = "Give an IANA name such as Europe/Berlin."
            raise Unfit(("timezone",), "there is no such time zone", remedy) from error

    def _check_shape(self) -> None:
        if self.shape == "long":
            for name in ("tag_column", "value_column"):
                if not getattr(self, name):
                    raise Unfit((name,), f"a long source needs its {name}", "Name the column.")
        if self.shape != "row" and not self.tags:
            raise Unfit(("tags",), f"a {self.shape} source says of no tag which sensor it is", "Add tags.")
        try:
            pattern = re.compile(self.pattern)
        except re.error as error:
            raise Unfit(("pattern",), f"it is no regular expression: {error}", "Correct it.") from error
        groups = {"device"} if self.shape == "row" else {"device", "tag"}
        if self.pattern and (set(pattern.groupindex) != groups or pattern.groups != len(groups)):
            example = "stores/(?P<device>[^/]+)/.*" if self.shape == "row" else "(?P<device>.+)_(?P<tag>.+)"
            raise Unfit(
                ("pattern",),
                f"it has not the groups {' and '.join(sorted(groups))} alone",
                f"Write one such as {example}.",
            )

    def _check_topics(self) -> None:
        for topic in self.topics:
            if not is_topic(topic):
                remedy = "Write one such as stores/+/+, where + is any level, or stores/#, all below stores."
                raise Unfit(("topics",), f"{topic!r} is no topic", remedy)
        if self.topics and self.format not in ("jsonl", "line_protocol"):
            remedy = "Write jsonl for JSON of any kind and for single values, or line_protocol."
            raise Unfit(("format",), "messages of a topic are read in no such format", remedy)

    def ours(self, their_column: str) -> str:
        """Our name of ``their_column``; unchanged where nothing is mapped."""
        return self.columns.get(their_column) or _unalias(their_column)

    def conversion(self, our_column: str) -> tuple[float, float]:
        """(factor, offset) from their values of ``our_column`` to ours."""
        factor, offset = (1.0, 0.0) if our_column in self.sensors_with_tag_units else self._given_unit(our_column)
        return factor, offset + self.offsets.get(our_column, 0.0)

    def tag_conversion(self, tag: Tag) -> tuple[float, float]:
        """(factor, offset) from the values of one tag to ours, where tags of its sensor have units of their own."""
        return units_of(tag.sensor)[tag.unit] if tag.unit else self._given_unit(tag.sensor)

    @cached_property
    def sensors_with_tag_units(self) -> tuple[str, ...]:
        """Sensors of which a tag has a unit of its own; their values are in our units once rows are readings."""
        return tuple(dict.fromkeys(tag.sensor for tag in self.tags.values() if tag.unit))

    def _given_unit(self, our_column: str) -> tuple[float, float]:
        for column, unit in self.units.items():
            if self.ours(column) == our_column:
                return self._conversion(column, unit)
        return 1.0, 0.0

    def _conversion(self, column: str, unit: str) -> tuple[float, float]:
        return self._unit("units", column, self.ours(column), unit)

    @staticmethod
    def _unit(field: str, key: str, ours: str, unit: str) -> tuple[float, float]:
        if ours not in UNIT_OF:
            raise Unfit(
                (field, key), f"{ours} is not a sensor with a unit", f"{_choice(UNIT_OF)[:-1]}, or map it first."
            )
        choices = units_of(ours)
        if unit not in choices:
            raise Unfit((field, key), f"{ours} cannot be in {unit}", _choice(choices))
        return choices[unit]

    def tag(self, name: str) -> Tag | None:
        """What the tag or wide column ``name`` measures; None for one that the source does not know."""
        known = self.tags.get(name)
        if known is None and self.pattern:
            found = re.fullmatch(self.pattern, name)
            if found and found["tag"] in self.tags:
                known = self.tags[found["tag"]].model_copy(update={"device": found["device"]})
        return known

    @property
    def named_columns(self) -> tuple[str, ...]:
        """Their columns that it names."""
        tags = self.tags if self.shape == "wide" else ()
        named = (*self.columns, *self.time.columns, self.tag_column, self.value_column, *tags)
        return tuple(dict.fromkeys(name for name in named if name))

    @property
    def expected_columns(self) -> tuple[str, ...]:
        """Their columns that it names and, where a row is a reading, those that may have our names."""
        named = self.named_columns
        if self.shape != "row":
            return named
        known = {*map(self.ours, named), *self.constants, "timestamp_device"}  # the time has two names of ours
        return (*named, *(name for name in _OUR_COLUMNS if name not in known))

    @property
    def has_summer_time(self) -> bool:
        """Whether clocks of the zone are set, so that an hour a year is doubled and another is missing."""
        return self.timezone not in ("UTC", "Etc/UTC", "GMT", "Etc/GMT")

    @property
    def is_plain(self) -> bool:
        """Whether the readings need nothing to be said of them."""
        return self == Source()

    def to_json(self) -> str:
        """This source as JSON, kept beside a landing file that belongs to no saved one."""
        return self.model_dump_json(exclude_defaults=True, indent=2)

    @classmethod
    def from_json(cls, text: str) -> "Source":
        """The source that :meth:`to_json` wrote."""
        return cls.model_validate_json(text)


def source_of_options(**fields: Any) -> Source:
    """The source that the options of a command describe.

    Args:
        fields: of :class:`Source`.

    Raises:
        FridgeError: an option has a value that cannot be; names the option, the value and the choices.
    """
    try:
        return Source.model_validate(fields)
    except ValidationError as error:
        path, problem, remedy = what_is_wrong(error)
        field, *keys = path
        option = _OPTIONS.get(field, f"--{'-'.join(path).replace('_', '-')}")
        given = _value_at(fields, path)
        given = given if not isinstance(given, Mapping) else given.get("sensor", "")
        said = f"{keys[0]}={given}" if keys and field != "time" else f"{given}"
        raise FridgeError(f"{option} {said}".strip() + f": {problem}", remedy) from error


def what_is_wrong(error: ValidationError) -> tuple[tuple[str, ...], str, str]:
    """(Path of the first field that does not fit, what is wrong with it, the remedy)."""
    first = error.errors(include_url=False)[0]
    own = first.get("ctx", {}).get("error")
    if isinstance(own, Unfit):
        return own.path, own.problem, own.remedy
    path = tuple(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        holder = TimeFormat if path[0] == "time" else Tag if path[0] == "tags" else Source
        return path, "there is no such field", f"The fields are {', '.join(holder.model_fields)}."
    field = Source.model_fields.get(path[0]) if path else None
    meaning = f" ({field.description})" if field is not None and field.description else ""
    return path or ("source",), first["msg"][:1].lower() + first["msg"][1:], f"Correct it{meaning}."


def _value_at(fields: Any, path: Sequence[str]) -> Any:
    for part in path:
        fields = fields.get(part, "") if isinstance(fields, Mapping) else ""
    return fields


def _unalias(name: Any) -> Any:
    return "timestamp_device" if name == "timestamp" else name


def _require(field: str, key: str, value: str, what: str, known: Sequence[str]) -> None:
    if value not in known:
        raise Unfit((field, key), f"there is no {what} {value}", _choice(known))


def _choice(known: Any) -> str:
    return f"Choose one of {', '.join(known)}."
