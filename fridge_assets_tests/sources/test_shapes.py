"""Files in which a row is not a reading: a column per device and sensor, or a value per row."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from fridge_assets.core.errors import FridgeError
from fridge_assets.sources.source import Source, source_of_options
from fridge_assets_tests.readings.deliveries import Cleaned, cleaned

LATER = datetime(2026, 12, 1, tzinfo=UTC)
NINE, TEN = "2026-03-11T09:00Z", "2026-03-11T10:00Z"


def read(folder: Path, text: str, name: str = "site.csv", **fields: object) -> Cleaned:
    file = folder / name
    file.write_text(text)
    return cleaned(file, Source.model_validate(fields), received_at=LATER)


def found(result: Cleaned, *sensors: str) -> list[tuple[object, ...]]:
    """(Device, hour, value of each sensor) of every clean reading."""
    frame = result.rows.sort_values(["device_id", "timestamp_utc"])
    values = [
        [None if pd.isna(value) else value for value in row] for row in frame[list(sensors)].itertuples(index=False)
    ]
    keys = zip(frame["device_id"], frame["timestamp_utc"].dt.hour, strict=True)
    return [(*key, *value) for key, value in zip(keys, values, strict=True)]


# --- a column per device and sensor

WIDE = f"Time,C1 Evap,C1 RH,C2 Evap,Room\n{NINE},-20,45,-21,22\n{TEN},,,-21.5,23\n"
TAGS = {
    "C1 Evap": {"device": "c1", "sensor": "temperature_evaporator"},
    "C1 RH": {"device": "c1", "sensor": "humidity"},
    "C2 Evap": {"device": "c2", "sensor": "temperature_evaporator"},
}


def test_a_wide_row_is_a_reading_of_every_device_that_has_a_value_in_it(tmp_path: Path) -> None:
    columns = {"Time": "timestamp", "Room": "temperature_ambient"}
    result = read(tmp_path, WIDE, shape="wide", columns=columns, tags=TAGS)
    assert found(result, "temperature_evaporator", "humidity", "temperature_ambient") == [
        ("c1", 9, -20, 45, 22),
        ("c2", 9, -21, None, 22),
        ("c2", 10, -21.5, None, 23),
    ]
    assert result.delivered == 3


def test_a_pattern_says_device_and_tag_of_a_column(tmp_path: Path) -> None:
    tags = {"Evap": "temperature_evaporator", "RH": "humidity"}
    pattern = r"(?P<device>C\d+) (?P<tag>.+)"
    result = read(tmp_path, WIDE, shape="wide", columns={"Time": "timestamp"}, tags=tags, pattern=pattern)
    assert found(result, "temperature_evaporator", "humidity") == [
        ("C1", 9, -20, 45), ("C2", 9, -21, None), ("C2", 10, -21.5, None)
    ]  # fmt: skip


def test_a_bad_value_in_a_wide_row_costs_the_reading_of_its_device(tmp_path: Path) -> None:
    text = f"Time,C1 Evap,C2 Evap\n{NINE},warm,-21\n"
    tags = {name: tag for name, tag in TAGS.items() if "Evap" in name}
    result = read(tmp_path, text, shape="wide", columns={"Time": "timestamp"}, tags=tags)
    assert found(result, "temperature_evaporator") == [("c2", 9, -21)]
    assert result.refused["detail"].tolist() == ["temperature_evaporator is 'warm', not a number"]


def test_ten_thousand_columns_are_read(tmp_path: Path) -> None:
    names = [f"case{number} evap" for number in range(10_000)]
    text = (
        "Time,"
        + ",".join(names)
        + "\n"
        + "\n".join(f"{hour}," + ",".join(["-20.5"] * len(names)) for hour in (NINE, TEN))
    )
    pattern = r"(?P<device>case\d+) (?P<tag>.+)"
    tags = {"evap": "temperature_evaporator"}
    result = read(tmp_path, text + "\n", shape="wide", columns={"Time": "timestamp"}, tags=tags, pattern=pattern)
    assert (len(result.rows), result.rows["device_id"].nunique()) == (20_000, 10_000)


# --- a value per row

LONG_TAGS = {"evap": "temperature_evaporator", "rh": "humidity", "door": "door_open_close"}
LONG = {"shape": "long", "tag_column": "tag", "value_column": "value", "tags": LONG_TAGS}


def test_values_of_one_device_and_time_are_one_reading(tmp_path: Path) -> None:
    text = f"device_id,timestamp,tag,value\nd1,{NINE},evap,-20\nd2,{NINE},evap,-21\nd1,{NINE},rh,45\nd1,{TEN},door,on\n"
    assert found(read(tmp_path, text, **LONG), "temperature_evaporator", "humidity", "door_open_close") == [
        ("d1", 9, -20, 45, None),
        ("d1", 10, None, None, True),
        ("d2", 9, -21, None, None),
    ]


@pytest.mark.parametrize("pattern", ["", "(?P<device>x)_(?P<tag>y)"])
@pytest.mark.parametrize("name", ["sensor", "tag", "name", "device"])
def test_the_columns_of_a_long_file_may_have_any_names(tmp_path: Path, name: str, pattern: str) -> None:
    text = f"unit,timestamp,{name},state\nd1,{NINE},evap,-20\nd1,{NINE},rh,45\n"
    fields = {**LONG, "tag_column": name, "value_column": "state", "columns": {"unit": "device_id"}}
    result = read(tmp_path, text, **fields, pattern=pattern)
    assert found(result, "temperature_evaporator", "humidity") == [("d1", 9, -20, 45)]


def test_a_bad_value_of_a_long_file_costs_only_itself(tmp_path: Path) -> None:
    text = f"device_id,timestamp,tag,value\nd1,{NINE},evap,-20\nd1,{NINE},rh,wet\nd1,{NINE},other,1\nd1,{NINE},rh,\n"
    result = read(tmp_path, text, **LONG)
    assert found(result, "temperature_evaporator", "humidity") == [("d1", 9, -20, None)]
    assert result.refused["detail"].tolist() == ["humidity is 'wet', not a number"]
    assert result.refused["row_number"].tolist() == [2]


def test_the_device_may_be_in_the_tag_of_a_long_file(tmp_path: Path) -> None:
    text = f"timestamp,tag,value\n{NINE},C1/evap,-20\n{NINE},C2/evap,-21\n{NINE},C1/rh,45\n{NINE},spare,1\n"
    tags = LONG_TAGS | {"spare": {"device": "c9", "sensor": "humidity"}}
    result = read(tmp_path, text, **{**LONG, "tags": tags}, pattern="(?P<device>[^/]+)/(?P<tag>.+)")
    assert found(result, "temperature_evaporator", "humidity") == [
        ("C1", 9, -20, 45), ("C2", 9, -21, None), ("c9", 9, None, 1)
    ]  # fmt: skip


@pytest.mark.parametrize("align", [0, 60])
@pytest.mark.parametrize("by_tag", [False, True])
def test_a_long_file_keeps_both_passes_of_the_doubled_hour(tmp_path: Path, by_tag: bool, align: int) -> None:
    times = ("01:30", "02:00", "02:30", "02:00", "02:30", "03:00")
    values = [(tag, n, f"d1,2025-10-26 {time},{tag},{n}") for n, time in enumerate(times) for tag in ("evap", "rh")]
    lines = [line for *_, line in (sorted(values) if by_tag else values)]
    text = "\n".join(["device_id,timestamp,tag,value", *lines]) + "\n"
    result = read(tmp_path, text, **LONG, timezone="Europe/Berlin", align_seconds=align)
    assert found(result, "temperature_evaporator", "humidity") == [
        ("d1", 23, 0, 0), ("d1", 0, 1, 1), ("d1", 0, 2, 2), ("d1", 1, 3, 3), ("d1", 1, 4, 4), ("d1", 2, 5, 5)
    ]  # fmt: skip


@pytest.mark.parametrize("mark", [".", ","])
@pytest.mark.parametrize("shape", ["wide", "long"])
def test_a_tag_may_have_a_unit_of_its_own(tmp_path: Path, shape: str, mark: str) -> None:
    tags = {
        "a": {"device": "c1", "sensor": "temperature_evaporator"},
        "b": {"device": "c2", "sensor": "temperature_evaporator", "unit": "degF"},
        "c": {"device": "c2", "sensor": "pressure_low_side"},
    }
    if shape == "wide":
        text = f"timestamp;a;b;c\n{NINE};-20.5;-4.9;1.5\n{TEN};;warm;\n"
        fields: dict[str, object] = {"tags": tags, "shape": "wide"}
    else:
        text = f"timestamp;tag;value\n{NINE};a;-20.5\n{NINE};b;-4.9\n{NINE};c;1.5\n{TEN};b;warm\n"
        fields = {"tags": tags, "shape": "long", "tag_column": "tag", "value_column": "value"}
    text = text.replace(".", mark)
    result = read(
        tmp_path, text, **fields, delimiter=";", decimal=mark, units={"pressure_low_side": "bar"},
        offsets={"temperature_evaporator": 0.5},
    )  # fmt: skip
    assert found(result, "temperature_evaporator", "pressure_low_side") == [
        ("c1", 9, -20.0, None), ("c2", 9, pytest.approx(-20.0), 150.0)
    ]  # fmt: skip
    assert result.refused["detail"].tolist() == ["temperature_evaporator is 'warm', not a number"]


def test_a_unit_of_a_tag_that_its_sensor_cannot_have_is_refused() -> None:
    tags = {"a": {"sensor": "humidity", "unit": "degF"}}
    with pytest.raises(FridgeError, match="humidity cannot be in degF"):
        source_of_options(shape="wide", tags=tags)


def test_the_history_of_home_assistant_becomes_readings_of_a_minute(tmp_path: Path) -> None:
    text = (
        "entity_id,state,last_changed\n"
        "sensor.freezer_1_evap,-20.1,2026-03-11T09:00:03.120Z\nsensor.freezer_1_rh,45,2026-03-11T09:00:41.5Z\n"
        "binary_sensor.freezer_1_door,off,2026-03-11T09:00:10Z\nsensor.freezer_1_evap,unavailable,2026-03-11T10:00:10Z\n"
        "sensor.freezer_1_evap,-20.4,2026-03-11T10:00:12Z\n"
    )
    tags = {
        f"{domain}.freezer_1_{tag}": {"device": "freezer_1", "sensor": LONG_TAGS[tag]}
        for domain, tag in (("sensor", "evap"), ("sensor", "rh"), ("binary_sensor", "door"))
    }
    result = read(
        tmp_path, text, shape="long", tag_column="entity_id", value_column="state", tags=tags, align_seconds=60,
        columns={"last_changed": "timestamp"}, nothing=("unavailable", "unknown"),
    )  # fmt: skip
    assert found(result, "temperature_evaporator", "humidity", "door_open_close") == [
        ("freezer_1", 9, -20.1, 45, False),
        ("freezer_1", 10, -20.4, None, None),
    ]
    assert result.rows["timestamp_utc"].dt.second.tolist() == [0, 0]
    assert result.refused.empty


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"shape": "long", "value_column": "v", "tags": LONG_TAGS},
            "--tag-column : a long source needs its tag_column",
        ),
        ({"shape": "wide"}, "--tag : a wide source says of no tag which sensor it is"),
        ({"tags": {"a": "temperature"}}, "--tag a=temperature: there is no sensor temperature"),
        ({"pattern": "(.*)"}, "it has not the groups device alone"),
        ({"shape": "wide", "tags": {"a": "humidity"}, "pattern": "(.*)"}, "it has not the groups device and tag alone"),
        ({"topics": ["a/#/b"], "format": "jsonl"}, "'a/#/b' is no topic"),
        ({"topics": ["a/+"], "format": "csv"}, "messages of a topic are read in no such format"),
    ],
)
def test_a_shape_without_what_it_needs_is_refused(fields: dict, message: str) -> None:
    with pytest.raises(FridgeError, match=message.replace("(", r"\(").replace(" :", " ?:")):
        source_of_options(**fields)
