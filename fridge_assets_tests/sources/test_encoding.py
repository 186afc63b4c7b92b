"""Text files that are not UTF-8 are refused whole, or read in the encoding that is named; never read in part."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fridge_assets.core.errors import FridgeError
from fridge_assets.readings.deliver import deliver
from fridge_assets.readings.ingest import ingest
from fridge_assets.settings import Settings
from fridge_assets.sources.encoding import as_utf8, require_utf8
from fridge_assets.sources.source import Source, source_of_options
from fridge_assets.stores.landing import Landing
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.readings.deliveries import stored_readings

HEADER = "device_id;timestamp;temperature_ambient;Außen (°C)\n"
ROWS = "Kühl-1;2026-01-01T00:00:00Z;21.5;3\nunit-2;2026-01-01T00:01:00Z;21.6;3\n"
PLAIN_HEADER = "device_id;timestamp;temperature_ambient;b\n"


def written(folder: Path, text: str, encoding: str, name: str = "june.csv") -> Path:
    file = folder / name
    content = text.encode(encoding)
    file.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return file


def brought(file: Path, settings: Settings, landing: Landing, encoding: str = "utf-8", **columns: str) -> Path:
    warehouse = Warehouse.from_settings(settings)
    report = deliver(file, Source(columns=columns, encoding=encoding), landing, warehouse, None, settings.readings)
    assert (report.rows, report.unusable, report.devices) == (2, 0, 2)
    assert report.file == str(file)
    return report.delivered_as


@pytest.mark.parametrize("name", ["june.csv", "june.csv.gz"])
@pytest.mark.parametrize(
    ("text", "line"),
    [(HEADER + ROWS, 1), (PLAIN_HEADER + ROWS, 2), (PLAIN_HEADER + "a;b;1;2\n" * 400_000 + ROWS, 400_002)],
)
def test_a_latin_1_file_is_refused_with_the_line_and_the_way_out(
    tmp_path: Path, settings: Settings, landing: Landing, text: str, line: int, name: str
) -> None:
    file = written(tmp_path, text, "latin-1", name)
    with pytest.raises(FridgeError, match=rf"{name} is not utf-8: line {line} has the byte 0x.*ingest --encoding"):
        brought(file, settings, landing)
    assert list(landing.folder.iterdir()) == []


@pytest.mark.parametrize("name", ["june.csv", "june.csv.gz"])
@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-8-sig"])
def test_with_its_encoding_it_is_delivered_as_it_is_and_ingested(
    tmp_path: Path, settings: Settings, landing: Landing, encoding: str, name: str
) -> None:
    file = written(tmp_path, HEADER + ROWS, encoding, name)
    delivered = brought(file, settings, landing, encoding, **{"Außen (°C)": "temperature_condenser"})
    assert (delivered.name, delivered.read_bytes()) == (name, file.read_bytes())
    report = ingest(landing, Warehouse.from_settings(settings), None, datetime(2026, 2, 1, tzinfo=UTC), settings)
    assert (report.clean, report.refused, report.warnings) == (2, {}, [])
    stored = stored_readings(Warehouse.from_settings(settings))
    assert stored["device_id"].tolist() == ["Kühl-1", "unit-2"]
    assert stored["temperature_condenser"].tolist() == [3, 3]


def test_a_wrong_or_unknown_encoding_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, HEADER + ROWS, "latin-1")
    with pytest.raises(FridgeError, match=r"june\.csv is not ascii: line 1 has the byte 0xdf"):
        as_utf8(file, "ascii", tmp_path / "..")
    for unknown in ("utf8x", "base64"):
        with pytest.raises(FridgeError, match=f"--encoding {unknown}: there is no such encoding"):
            source_of_options(encoding=unknown)


def test_a_character_cut_in_two_by_the_end_of_a_file_is_no_utf_8(tmp_path: Path) -> None:
    file = tmp_path / "cut.csv"
    file.write_bytes("a\nbä".encode()[:-1])
    with pytest.raises(FridgeError, match="line 2 has the byte 0xc3"):
        require_utf8(file, whole=True)


def test_a_file_that_cannot_be_unpacked_is_left_to_who_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "damaged.csv.gz"
    file.write_bytes(gzip.compress(b"a" * 1000)[:20])
    require_utf8(file, whole=True)
