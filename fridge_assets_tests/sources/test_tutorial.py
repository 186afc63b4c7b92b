"""The tutorial of the page about sources does what it says."""

import re
from pathlib import Path

import pytest

from fridge_assets_tests.sources.tutorial import PAGE, example_file, printed, steps


def test_every_command_of_the_tutorial_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "store-7.csv").write_text(example_file(), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRIDGE_STREAMING__PORT", "0")
    assert [len(block) for block in steps()] == [1, 1, 3]
    for step in (step for block in steps() for step in block):
        text = printed(tmp_path, step)
        lines = [line.rstrip() for line in text.splitlines()]
        for line in step.shown:
            assert any(line in other for other in lines), f"{step.command} does not print {line!r} but {text}"


def test_every_step_of_the_tutorial_has_its_picture() -> None:
    shown = re.findall(r"!\[[^]]+\]\((images/[^)]+)\)", PAGE.read_text(encoding="utf-8"))
    assert shown == [
        *(f"images/sources-{n}.svg" for n, _ in enumerate(steps(), start=1)),
        "images/sources-incident.svg",
    ]
    for name in shown:
        assert (PAGE.parent / name).stat().st_size > 1000, "run: make pictures"
