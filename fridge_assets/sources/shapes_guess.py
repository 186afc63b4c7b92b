"""Which columns or tags of a sample are which sensors of which devices, and in what shape."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from fridge_assets.contracts.sensor_readings import SENSOR_READINGS, SENSORS
from fridge_assets.sources.rows import identifier, their_rows_sql
from fridge_assets.sources.sample import Sample
from fridge_assets.sources.source import RECEIVED_AT, TOPIC
from fridge_assets.sources.wording import NO_SENSOR, Said, said_by

_DEVICE_WORDS = (
    "device_id", "device", "deviceid", "device name", "asset", "asset_id", "unit", "unit_id", "case", "cabinet",
    "equipment", "equipment_id", "machine", "serial", "serial_number", "key", "host", "id", "gerät",
)  # fmt: skip
_TAG_WORDS = (
    "tag", "tag_name", "tagname", "sensor", "parameter", "metric", "entity_id", "point", "measurement", "signal",
    "variable", "key", "name", "channel", "messgröße", TOPIC,
)  # fmt: skip
_VALUE_WORDS = ("value", "val", "state", "reading", "measure_value", "wert")
_MOST_TAGS = 20_000
_SENSOR_NAMES = tuple(sensor.name for sensor in SENSORS)


@dataclass
class Found:
    """What was found.

    Args:
        fields: of the source.
        has_device: whether something says the device.
        questions: (key, text, choices, part) of what is unclear.
        notes: sentences.
    """

    fields: dict[str, Any] = field(default_factory=dict)
    has_device: bool = False
    questions: list[tuple[str, str, Sequence[str], str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def sensors_found(
    connection: duckdb.DuckDBPyConnection, sample: Sample, times: Sequence[str], given: Mapping[str, Any]
) -> Found:
    """Shape, columns, tags and units of a sample.

    Args:
        connection: any.
        sample: of a file.
        times: its columns of the time.
        given: what a person has said.
    """
    mapped = dict(given.get("columns") or {})
    names = [name for name in sample.values if name not in times]
    device = _named(names, _DEVICE_WORDS, mapped, "device_id")
    shape = given.get("shape")
    tag = given.get("tag_column") or _named(names, _TAG_WORDS)
    value = given.get("value_column") or _named(names, _VALUE_WORDS)
    if shape == "long" or (not shape and tag and value and tag != value):
        return _long(connection, sample, tag, value, device if device != tag else "", given)
    words = given.get("sensor") or {}
    beside = {device, TOPIC, RECEIVED_AT, *mapped}
    said = {name: said_by(name, words) for name in names if name not in beside}
    for name in list(said):
        if name in _SENSOR_NAMES:
            said[name] = Said(name, "", "")
    tags = {n: t for n, t in (given.get("tags") or {}).items() if n in sample.values}
    devices = {one.device for one in said.values() if one.sensor or one.vague}
    repeated = _repeats([one.sensor for one in said.values() if one.sensor])
    if shape == "wide" or tags or (not shape and not device and len(devices) > 1 and ("" not in devices or repeated)):
        return _wide(said, tags, mapped, given)
    return _row(said, device, mapped)


def _row(said: Mapping[str, Said], device: str, mapped: Mapping[str, str]) -> Found:
    found = Found({"shape": "row"}, has_device=bool(device) or "device_id" in mapped.values())
    columns, units = dict(mapped), {}
    if device and "device_id" not in mapped.values():
        columns[device] = "device_id"
    by_sensor: dict[str, list[str]] = defaultdict(list)
    for name, one in said.items():
        if one.sensor and one.sensor not in mapped.values():
            by_sensor[one.sensor].append(name)
    for sensor, names in by_sensor.items():
        if len(names) > 1 and sensor not in names:
            found.questions.append(("map", f"which of {', '.join(names)} is {sensor}? COLUMN={sensor}", (), ""))
            continue
        name = sensor if sensor in names else names[0]
        columns[name] = sensor
        if said[name].unit:
            units[name] = said[name].unit
    known = [n for n in said if n in columns or said[n].vague]
    ignored = [n for n in said if n not in known and n not in SENSOR_READINGS.column_names]
    for name, one in said.items():
        if one.vague:
            _ask_vague(found, one.vague, name)
    if ignored:
        found.notes.append(f"not read: {', '.join(ignored)}; --map COLUMN=OURS reads one")
    if not by_sensor and not set(mapped.values()) & set(_SENSOR_NAMES) and not found.questions:
        text = (
            f"no column is known to be a sensor; columns are {', '.join(said) or 'none'}. Give COLUMN=OURS, or "
            "--tag COLUMN=DEVICE/SENSOR where a column is of one device"
        )
        found.questions.append(("map", text, (), ""))
    found.fields |= {"columns": columns, "units": units}
    return found


def _wide(
    said: Mapping[str, Said], tags: Mapping[str, Any], mapped: Mapping[str, str], given: Mapping[str, Any]
) -> Found:
    found = Found({"shape": "wide", "columns": dict(mapped)}, has_device=True)
    pattern = given.get("pattern")
    if pattern:
        parts = [parts["tag"] for name in said if (parts := re.fullmatch(pattern, name))]
        said = {tag: said_by(tag, given.get("sensor") or {})._replace(device="") for tag in parts}
    _take_tags(
        found, {n: s for n, s in said.items() if n not in tags}, tags, needs_device=not (given.get("device") or pattern)
    )
    return found


def _long(
    connection: duckdb.DuckDBPyConnection, sample: Sample, tag: str, value: str, device: str, given: Mapping[str, Any]
) -> Found:
    found = Found({"shape": "long", "tag_column": tag, "value_column": value}, has_device=bool(device))
    found.fields["columns"] = {device: "device_id"} if device else {}
    given_tags = dict(given.get("tags") or {})
    names = [name for name in _all_tags(connection, sample, tag) if name not in given_tags]
    pattern = given.get("pattern")
    if pattern:
        found.fields["pattern"] = pattern
        # Names that it does not fit are those of something else.
        names = sorted({parts["tag"] for name in names if (parts := re.fullmatch(pattern, name))})
    words = given.get("sensor") or {}
    said = {name: Said(name, "", "") if name in _SENSOR_NAMES else said_by(_bare(name), words) for name in names}
    is_said = bool(device or given.get("device") or pattern)
    if is_said:
        said = {name: one._replace(device="") for name, one in said.items()}
    _take_tags(found, said, given_tags, needs_device=not is_said)
    tagged = found.fields["tags"].values()
    found.has_device = bool(device or pattern) or (bool(tagged) and all(one.get("device") for one in tagged))
    if given.get("align_seconds"):
        found.fields["align_seconds"] = given["align_seconds"]
    return found


def _take_tags(found: Found, said: Mapping[str, Said], tags: Mapping[str, Any], *, needs_device: bool) -> None:
    """Tags of which it is known what they measure; questions about the others."""
    known: dict[str, dict[str, str]] = {name: dict(tag) for name, tag in tags.items()}
    units: dict[str, str] = {}
    ignored = []
    for name, one in said.items():
        if one.sensor:
            known[name] = {"sensor": one.sensor, "device": one.device if needs_device else ""}
            if one.unit and units.setdefault(one.sensor, one.unit) != one.unit:
                known[name]["unit"] = one.unit
        elif one.vague:
            _ask_vague(found, one.vague, name)
        else:
            ignored.append(name)
    doubled = _repeats([(tag["sensor"], tag.get("device", "")) for tag in known.values()])
    for sensor, device in doubled:
        names = [n for n, t in known.items() if (t["sensor"], t.get("device", "")) == (sensor, device)]
        found.questions.append(("tag", f"which of {', '.join(names)} is {sensor} of {device or 'its device'}?", (), ""))
    if ignored:
        some = ", ".join(ignored[:10]) + (f" and {len(ignored) - 10} more" if len(ignored) > 10 else "")
        found.notes.append(f"not read: {some}; --tag NAME=DEVICE/SENSOR reads one")
    if not known and not found.questions:
        found.questions.append(("tag", f"none of {', '.join(list(said)[:10])} is known to be a sensor", (), ""))
    found.fields |= {"tags": known, "units": units}


def _ask_vague(found: Found, word: str, name: str) -> None:
    if any(part == word for _, _, _, part in found.questions):
        return
    choices = [s for s in _SENSOR_NAMES if word in ("probe", "sensor") or s.startswith(word)] + [NO_SENSOR]
    found.questions.append(("sensor", f"which sensor is {word!r}, as in {name!r}?", choices, word))


def _all_tags(connection: duckdb.DuckDBPyConnection, sample: Sample, tag: str) -> list[str]:
    file = sample.file
    rows = their_rows_sql([file.read_path], file.format, file.theirs, file.source, folder="", name=file.name)
    column = f"trim({identifier(tag)}::VARCHAR)"
    sql = f"SELECT DISTINCT {column} FROM ({rows}) WHERE {column} <> '' ORDER BY 1 LIMIT {_MOST_TAGS}"
    found = [str(name) for (name,) in connection.execute(sql).fetchall()]
    connection.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    return found


def _bare(tag: str) -> str:
    """A tag without the domain that Home Assistant puts before it."""
    domain, dot, rest = tag.partition(".")
    return rest if dot and domain in ("sensor", "binary_sensor", "climate", "switch", "number") else tag


def _named(names: Sequence[str], words: Sequence[str], mapped: Mapping[str, str] | None = None, ours: str = "") -> str:
    """The column that has one of ``words`` as its name, or that was said to be ``ours``; nothing without one."""
    for name, to in (mapped or {}).items():
        if ours and to == ours:
            return name
    by_name = {name.lower().strip(): name for name in reversed(names)}
    return next((by_name[word] for word in words if word in by_name), "")


def _repeats(values: Sequence[Any]) -> list[Any]:
    return sorted({value for value in values if values.count(value) > 1})
