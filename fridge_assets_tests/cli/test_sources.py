"""`sources`: what is unclear is asked, never guessed; what is saved can be tried, listed and shown."""

import io
import json
import sys
from pathlib import Path

import pytest

from fridge_assets.sources.saved import read_source
from fridge_assets_tests.cli.typed import refused, typed

LINES = "device_id,timestamp,temp,current\n" + "".join(f"d1,2026-06-01 12:0{m},-20.5,12\n" for m in range(3))


class Terminal(io.StringIO):
    """Standard input at which somebody sits and types the given lines."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "june.csv"
    path.write_text(LINES)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


def add(folder: Path, file: Path, *options: str) -> tuple[int, str, str]:
    answers = ("--timezone", "UTC", "--sensor", "temp=temperature_evaporator")
    return typed(folder, "sources", "add", "store-7", str(file), *answers, *options)


def test_without_a_terminal_every_open_question_is_told_with_its_option(folder: Path, file: Path) -> None:
    said = refused(folder, "sources", "add", "store-7", str(file))
    assert "--timezone: times such as '2026-06-01 12:00' name no zone" in said
    assert "--sensor temp=…: which sensor is 'temp', as in 'temp'?" in said
    assert not (folder / "sources").exists()


def test_on_a_terminal_the_questions_are_asked_one_after_the_other(
    folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("Europe/Berlin\ntemperature_suction\ny\n"))
    code, said, error = typed(folder, "sources", "add", "store-7", str(file))
    assert (code, error) == (0, "")
    assert said.index("name no zone") < said.index("which sensor is 'temp'") < said.index("Save it?")
    saved = read_source(folder / "sources", "store-7")
    assert saved.columns["temp"] == "temperature_suction"
    assert saved.timezone == "Europe/Berlin"
    assert "2026-06-01 10:00" in said, "the first rows are shown in UTC"


def test_what_is_not_confirmed_is_not_saved(folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    assert add(folder, file)[0] == 0
    assert not (folder / "sources").exists()


def test_a_source_is_replaced_only_on_purpose(folder: Path, file: Path) -> None:
    assert add(folder, file)[0] == 0
    assert "there is a source store-7 already" in add(folder, file)[2]
    assert add(folder, file, "--replace", "--offset", "temperature_evaporator=0.5")[0] == 0
    assert read_source(folder / "sources", "store-7").offsets == {"temperature_evaporator": 0.5}


def test_a_source_can_be_tried_listed_and_shown(folder: Path, file: Path) -> None:
    add(folder, file)
    code, said, _ = typed(folder, "sources", "test", "store-7", str(file))
    assert (code, "3 rows of 1 devices" in said) == (0, True)
    assert not (folder / "landing").exists() or not any((folder / "landing").iterdir()), "nothing is delivered"
    (look,) = json.loads(typed(folder, "sources", "test", "store-7", str(file), "--json")[1])
    assert look["first_rows"][0]["temperature_evaporator"] == -20.5
    assert "store-7" in typed(folder, "sources", "list")[1]
    assert json.loads(typed(folder, "sources", "list", "--json")[1])["store-7"]["format"] == "csv"
    shown = typed(folder, "sources", "show", "store-7")[1]
    assert (folder / "sources" / "store-7.yaml").read_text().rstrip() in shown
    assert json.loads(typed(folder, "sources", "show", "store-7", "--json")[1])["delimiter"] == ","
    assert "no source 'store-8'" in refused(folder, "sources", "show", "store-8")


def test_a_source_leaves_nothing_to_say_to_other_options(folder: Path, file: Path) -> None:
    add(folder, file)
    said = refused(folder, "ingest", str(file), "--source", "store-7", "--timezone", "UTC")
    assert "--source says how the files are read" in said
    assert "sources/store-7.yaml" in said


def test_a_file_of_another_shape_is_refused_by_the_source(folder: Path, file: Path, tmp_path: Path) -> None:
    add(folder, file)
    other = tmp_path / "other.csv"
    other.write_text("device_id,when,temp\nd1,2026-06-01 12:00,-20\n")
    assert "other.csv has no column" in refused(folder, "ingest", str(other), "--source", "store-7")


def test_a_constant_device_and_a_timestamp_by_its_other_name_need_no_source(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("Date/Time,humidity\n2026-06-01T12:00Z,45\n")
    words = ("--map", "Date/Time=timestamp", "--constant", "device_id=freezer-1")
    code, said, error = typed(folder, "ingest", str(file), *words)
    assert (code, error) == (0, "")
    assert "1 rows of 1 devices" in said
    assert "no column 'Unti' for --map" in refused(folder, "ingest", str(file), *words, "--map", "Unti=humidity")


def test_a_word_that_means_no_sensor_is_not_read(folder: Path, file: Path) -> None:
    code, said, _ = typed(folder, "sources", "add", "a", str(file), "--timezone", "UTC", "--sensor", "temp=none")
    assert code == 0
    assert "not read: temp" in said
    assert "temp" not in read_source(folder / "sources", "a").columns
    assert "there is no sensor 'tmp'" in refused(folder, "sources", "add", "b", str(file), "--sensor", "temp=tmp")


def test_a_device_that_differs_from_a_column_by_its_capitals_alone_is_asked_about(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("Serial,time,evap temp\nf1,2026-06-13T12:00:00Z,-20\n")
    said = refused(tmp_path / "data", "sources", "add", "s", str(file), "--device", "serial")
    assert said == (
        "there is no column 'serial' for --device; there is 'Serial'. "
        "Give that, or --constant device_id=serial where it is the name of a device."
    )
    assert typed(tmp_path / "data", "sources", "add", "s", str(file), "--device", "Serial")[0] == 0
