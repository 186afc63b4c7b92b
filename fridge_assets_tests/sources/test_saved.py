"""Sources as commented YAML files that people edit."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fridge_assets.core.errors import FridgeError
from fridge_assets.settings import Settings
from fridge_assets.sources.saved import changed_since, read_source, save_source, source_names, yaml_of
from fridge_assets.sources.source import Source
from fridge_assets.upkeep.doctor.check import examine
from fridge_assets.upkeep.doctor.folder import folder_checks

SOURCE = Source.model_validate(
    {
        "format": "csv",
        "decimal": ",",
        "timezone": "Europe/Berlin",
        "shape": "wide",
        "time": {"columns": ("Datum", "Zeit"), "format": "%d.%m.%Y %H:%M"},
        "tags": {"Außen": {"sensor": "temperature_ambient", "device": "1"}, "T: 2": "temperature_suction"},
        "pattern": "(?P<device>[^ ]+) (?P<tag>.+)",
        "units": {"temperature_ambient": "degF"},
        "offsets": {"temperature_ambient": -0.5},
        "constants": {"defrost_cycle": False},
        "nothing": ("-999", "n. v."),
    }
)


def test_a_saved_source_is_read_back_the_same(tmp_path: Path) -> None:
    save_source(tmp_path, "store 7", SOURCE)
    assert read_source(tmp_path, "store 7") == SOURCE
    save_source(tmp_path, "plain", Source())
    assert read_source(tmp_path, "plain") == Source()
    assert source_names(tmp_path) == ["plain", "store 7"]


def test_a_saved_source_says_what_each_field_means_and_nothing_that_is_so_anyway() -> None:
    lines = yaml_of(SOURCE, "store-7").splitlines()
    assert lines[0].startswith("# How the readings of this source are read; store-7 is what")
    assert lines[lines.index("decimal: ','") - 1] == "# decimal mark"
    assert not any(line.startswith(("columns", "encoding", "skip_lines")) for line in lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("decimal: ;\n", r"s\.yaml, line 1: decimal is ';': input should be '\.' or ','\. Correct it \(decimal mark\)"),
        ("format: csv\nunits:\n  humidity: degF\n", r"line 3: units\.humidity is 'degF': humidity cannot be in degF\."),
        (
            "columns:\n  t: temperature\n",
            r"line 2: columns\.t is 'temperature': there is no column temperature\.",
        ),
        ("timezone: Mars\n", r"line 1: timezone is 'Mars': there is no such time zone\. Give an IANA name"),
        ("# a\n\nzone: UTC\n", r"line 3: zone is 'UTC': there is no such field\. The fields are format, encoding,"),
        (
            "time:\n  format: '%H'\n  begin: 3\n",
            r"line 3: time\.begin is 3: there is no such field\. The",
        ),
        ("format: [csv\n", r"s\.yaml, line \d is no YAML: "),
    ],
)
def test_a_wrong_source_is_refused_with_file_line_field_value_and_remedy(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(FridgeError, match=message):
        read_source(tmp_path, "s")


def test_a_source_that_is_not_there_is_named_with_the_ones_that_are(tmp_path: Path) -> None:
    save_source(tmp_path, "store-7", SOURCE)
    with pytest.raises(FridgeError, match=r"no source 'store-8'.*Did you mean store-7\?.*sources add store-8 FILE"):
        read_source(tmp_path, "store-8")
    for name in ("", "../a", ".a", "a/b"):
        with pytest.raises(FridgeError, match="is no name for a source"):
            read_source(tmp_path, name)


def test_a_source_is_changed_when_it_was_saved_later(tmp_path: Path) -> None:
    path = save_source(tmp_path, "a", SOURCE)
    moment = datetime.now(UTC) - timedelta(hours=1)
    os.utime(path, (moment.timestamp(), moment.timestamp()))
    assert changed_since(tmp_path, "a", moment - timedelta(minutes=1))
    assert not changed_since(tmp_path, "a", moment + timedelta(minutes=1))
    assert not changed_since(tmp_path, "b", moment)


def test_the_doctor_names_a_source_that_cannot_be_read(settings: Settings) -> None:
    save_source(settings.sources_dir, "store-7", SOURCE)
    (check,) = (check for check in folder_checks(settings, lambda: False) if check.what == "sources")
    (finding,) = examine([check])
    assert (finding.verdict, finding.detail) == ("ok", "store-7")
    (settings.sources_dir / "store-8.yaml").write_text("decimal: ;\n")
    (finding,) = examine([check])
    assert finding.verdict == "broken"
    assert "store-8.yaml, line 1: decimal is ';'" in finding.detail
