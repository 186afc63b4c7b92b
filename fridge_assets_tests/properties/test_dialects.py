"""Random fleets written in random dialects are read back as the same readings, to the digit."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fridge_assets.contracts.sensor_readings import NUMERIC_SENSORS
from fridge_assets.sources.source import Source
from fridge_assets_tests.readings.deliveries import cleaned

Key = tuple[str, datetime]
Readings = Mapping[Key, Mapping[str, float]]

_RANGES = {s.name: (round(s.minimum or 0), round(s.maximum or 0)) for s in NUMERIC_SENSORS}
_ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata")
_PATTERNS = ("%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%d/%m/%y %H:%M:%S", "%Y-%m-%d-%H-%M-%S")
_SPRING = datetime(2025, 4, 2, tzinfo=UTC)
_LAST = datetime(2027, 1, 1, tzinfo=UTC)
_NAMES = st.text(st.characters(codec="latin-1", categories=("L", "Nd")), min_size=1, max_size=8)


@st.composite
def fleets(draw: st.DrawFn) -> Readings:
    """Readings of a few devices and sensors; the doubled hours of the zones are left out, since they need an order."""
    devices = draw(st.lists(_NAMES.map("c-".__add__), min_size=1, max_size=3, unique=True))
    sensors = draw(st.lists(st.sampled_from(sorted(_RANGES)), min_size=1, max_size=4, unique=True))
    moments = draw(
        st.lists(
            st.integers(0, 200 * 86_400).map(lambda seconds: _SPRING + timedelta(seconds=seconds)),
            min_size=1,
            max_size=4,
            unique=True,
        )
    )
    value = {
        name: st.integers(low * 1000, high * 1000).map(lambda number: number / 1000)
        for name, (low, high) in _RANGES.items()
    }
    return {
        (device, moment): {name: draw(value[name]) for name in sensors}
        for device in devices
        for moment in sorted(moments)
    }


@st.composite
def dialects(draw: st.DrawFn) -> dict[str, object]:
    """How the values of a text file are written."""
    decimal = draw(st.sampled_from([".", ","]))
    return {
        "encoding": draw(st.sampled_from(["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16"])),
        "delimiter": draw(st.sampled_from([";", "\t", "|"] + ([","] if decimal == "." else []))),
        "decimal": decimal,
        "zone": draw(st.sampled_from(_ZONES)),
        "format": draw(st.sampled_from([*_PATTERNS, "epoch_s", "epoch_ms", "epoch_ns", "iso"])),
        "shape": draw(st.sampled_from(["row", "wide", "long", "json", "line_protocol"])),
    }


def time_text(moment: datetime, dialect: Mapping[str, object]) -> str:
    """A moment as the dialect writes it."""
    factor = {"epoch_s": 1, "epoch_ms": 1000, "epoch_ns": 10**9}.get(str(dialect["format"]))
    if factor:
        return str(int(moment.timestamp()) * factor)
    pattern = "%Y-%m-%d %H:%M:%S" if dialect["format"] == "iso" else str(dialect["format"])
    return f"{moment.astimezone(ZoneInfo(str(dialect['zone']))):{pattern}}"


def write(folder: Path, readings: Readings, dialect: Mapping[str, object]) -> tuple[Path, Source]:
    """The readings in a file, and the source that reads it."""
    shape = dialect["shape"]
    if shape in ("json", "line_protocol"):
        return write_records(folder, readings, dialect)
    sensors = list(next(iter(readings.values())))
    devices = list(dict.fromkeys(device for device, _ in readings))
    fields: dict[str, object] = {"format": "csv", "shape": shape, "timezone": dialect["zone"]}
    fields |= {name: dialect[name] for name in ("encoding", "delimiter", "decimal")}
    fields["time"] = {"columns": ("when",), "format": dialect["format"]}
    lines: list[list[str]]
    if shape == "row":
        fields["columns"] = {"which": "device_id", **{f"their {name}": name for name in sensors}}
        lines = [["which", "when", *(f"their {name}" for name in sensors)]]
        lines += [
            [d, time_text(m, dialect), *(number(v, dialect) for v in r.values())] for (d, m), r in readings.items()
        ]
    elif shape == "wide":
        cells = [(device, name) for device in devices for name in sensors]
        fields["tags"] = {f"{device}/{name}": {"device": device, "sensor": name} for device, name in cells}
        lines = [["when", *(f"{device}/{name}" for device, name in cells)]]
        moments = dict.fromkeys(moment for _, moment in readings)
        for moment in moments:
            values = [number(readings[device, moment][name], dialect) for device, name in cells]
            lines.append([time_text(moment, dialect), *values])
    else:
        fields |= {"tag_column": "tag", "value_column": "value", "tags": {f"x {name}": name for name in sensors}}
        fields["columns"] = {"which": "device_id"}
        lines = [["tag", "which", "value", "when"]]
        for (device, moment), reading in readings.items():
            for name, value in reading.items():
                lines.append([f"x {name}", device, number(value, dialect), time_text(moment, dialect)])
    file = folder / "a.csv"
    text = "\r\n".join(str(dialect["delimiter"]).join(line) for line in lines) + "\r\n"
    file.write_bytes(text.encode(str(dialect["encoding"])))
    return file, Source.model_validate(fields)


def write_records(folder: Path, readings: Readings, dialect: Mapping[str, object]) -> tuple[Path, Source]:
    """The readings as JSON objects or lines of InfluxDB."""
    sensors = list(next(iter(readings.values())))
    if dialect["shape"] == "line_protocol":
        file = folder / "a.lp"
        lines = (
            f"m,host={device} {','.join(f'{name}={value!r}' for name, value in reading.items())} "
            f"{int(moment.timestamp())}000000000\n"
            for (device, moment), reading in readings.items()
        )
        file.write_text("".join(lines), encoding="utf-8")
        time = {"columns": ("time",), "format": "epoch_ns"}
        return file, Source.model_validate({"format": "line_protocol", "columns": {"host": "device_id"}, "time": time})
    file = folder / "a.json"
    records = [
        {"which": device, "when": time_text(moment, dialect), "values": reading}
        for (device, moment), reading in readings.items()
    ]
    file.write_text(json.dumps(records), encoding="utf-8")
    fields = {
        "format": "json",
        "timezone": dialect["zone"],
        "time": {"columns": ("when",), "format": dialect["format"]},
        "columns": {"which": "device_id", **{f"values.{name}": name for name in sensors}},
    }
    return file, Source.model_validate(fields)


def number(value: float, dialect: Mapping[str, object]) -> str:
    """A number with the decimal mark of the dialect."""
    return repr(value).replace(".", str(dialect["decimal"]))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fleets(), dialects())
def test_readings_in_any_dialect_are_read_back_to_the_digit(
    tmp_path_factory: object, readings: Readings, dialect: dict[str, object]
) -> None:
    folder = tmp_path_factory.mktemp("dialect")  # type: ignore[attr-defined]
    file, source = write(folder, readings, dialect)
    result = cleaned(file, source, received_at=_LAST + timedelta(days=1))
    assert result.reasons() == []
    rows = result.rows.set_index(["device_id", "timestamp_utc"])
    found = {
        (device, moment.to_pydatetime()): {name: rows.loc[(device, moment), name] for name in readings[device, moment]}
        for device, moment in rows.index
    }
    assert found == dict(readings)
