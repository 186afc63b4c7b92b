"""The tutorial of the page about sources does what it says."""

import re
import shlex
from pathlib import Path

import pytest

from fridge_assets_tests.cli.typed import typed

PAGE = Path(__file__).parents[2] / "docs" / "sources.md"


def test_every_command_of_the_tutorial_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = PAGE.read_text(encoding="utf-8")
    (file,) = re.findall(r"^```csv\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "store-7.csv").write_text(file, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRIDGE_STREAMING__PORT", "0")
    steps = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    shown = [part for step in steps for part in re.split(r"^\$ ", step, flags=re.MULTILINE) if part]
    assert len(shown) == 5
    for part in shown:
        command, *expected = part.splitlines()
        _, out, error = typed(tmp_path / "data", *shlex.split(command)[1:])
        printed = [line.rstrip() for line in (out + error).splitlines()]
        for line in expected:
            assert any(line in other for other in printed), f"{command} does not print {line!r} but {out}{error}"
