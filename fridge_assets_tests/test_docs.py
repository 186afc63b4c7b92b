"""Pages for people say what the code says."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import typer

from fridge_assets.cli.main import app
from fridge_assets.contracts.docs import datasets_page
from fridge_assets.definitions import build_definitions
from fridge_assets.models.families import FAMILIES
from fridge_assets.running.doctor import checks
from fridge_assets.settings import (
    EmailDestination,
    EventDestination,
    Settings,
    SlackChannels,
    WebhookDestination,
)
from fridge_assets.settings.variables import ANY_NAME, variable_names

PROJECT = Path(__file__).parents[1]
MANUAL = (PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md")))
PAGES = (*MANUAL, PROJECT / "docs" / "systemd" / "fridge.env")
FILES = (*MANUAL, PROJECT / "CONTRIBUTING.md", PROJECT / "CHANGELOG.md")
by_page = pytest.mark.parametrize("page", FILES, ids=lambda page: page.name)


def test_the_datasets_page_is_what_the_contracts_say() -> None:
    written = (PROJECT / "docs" / "datasets.md").read_text()
    assert written == datasets_page(), "run: python -m fridge_assets.contracts.docs > docs/datasets.md"


def test_every_setting_that_the_docs_name_exists() -> None:
    known = set(variable_names(Settings))
    for page in PAGES:
        for name in re.findall(r"\bFRIDGE_[A-Z0-9_]*[A-Z0-9]\b", page.read_text()):
            # The example destinations have names of somebody's choice.
            pattern = re.sub(r"(__DESTINATIONS__)(?:CHAT|MAIL|DUTY)(?=__|$)", rf"\g<1>{ANY_NAME}", name)
            assert pattern in known, f"{page.name} names {name}, which sets nothing"


def test_every_slack_channel_that_the_docs_name_is_one_by_default() -> None:
    channels = set(SlackChannels().model_dump().values())
    for page in PAGES:
        named = set(re.findall(r"#fridge-[a-z-]+", page.read_text()))
        assert named <= channels, f"{page.name} names {sorted(named - channels)}"


def test_the_page_about_notifications_has_every_channel_and_kind_of_destination() -> None:
    page = (PROJECT / "docs" / "notifications.md").read_text()
    for audience, channel in SlackChannels().model_dump().items():
        assert f"| `{audience}` |" in page
        assert f"`{channel}`" in page
    for group in (WebhookDestination, EmailDestination, EventDestination):
        kinds = get_args(group.model_fields["kind"].annotation)
        assert all(kind in page.lower() for kind in kinds)
        fields = set(group.model_fields) - {"channels"}
        assert all(f"__{field.upper()}=" in page for field in fields), fields


def command_lines(text: str) -> Iterator[list[str]]:
    """What follows ``fridge-assets`` in blocks and in the running text, word by word."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    inline = re.findall(r"(?<!`)`(?!`)([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    for line in [line for block in blocks for line in block.splitlines()] + inline:
        for part in re.split(r"&&|\|", line.split("  #")[0]):
            found = re.match(r"\s*(?:[\w./]*/)?fridge-assets\s+(.+)", part)
            if found:
                yield shlex.split(found[1])


def wrong_word(words: list[str]) -> str | None:
    """The first of ``words`` that is no command and no option where it stands."""
    command = typer.main.get_command(app)
    words = [word for word in words if word not in ("…", "...")]
    while words:
        takes_value = {
            name: not o.is_flag
            for o in command.params
            if hasattr(o, "is_flag")
            for name in (*o.opts, *o.secondary_opts)
        }
        inner = getattr(command, "commands", None)
        word, *words = words
        if word.startswith("--") and word not in ("--help", *takes_value):
            return word
        if takes_value.get(word):
            words = words[1:]
        elif inner is not None and not word.startswith("-"):
            if word not in inner:
                return word
            command = inner[word]
    return None


@by_page
def test_every_command_line_of_the_docs_can_be_typed(page: Path) -> None:
    for words in command_lines(page.read_text()):
        assert wrong_word(words) is None, f"{page.name}: fridge-assets {shlex.join(words)}"


def test_a_command_line_with_a_wrong_word_is_noticed() -> None:
    assert wrong_word(["alerts", "lst"]) == "lst"
    assert wrong_word(["--data-dir", "data/demo", "alerts", "list", "--minimum", "LOW"]) == "--minimum"
    assert list(command_lines("```\nsh .venv\n.venv/bin/fridge-assets run hourly  # now\n```")) == [["run", "hourly"]]


@by_page
def test_what_the_docs_link_to_and_make_is_there(page: Path) -> None:
    text = page.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)) <= targets
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        path, _, heading = link.partition("#")
        there = page.parent / path
        assert there.exists(), f"{page.name} links to {link}"
        headings = (
            {
                line.lstrip("# ").lower().replace(" ", "-")
                for line in there.read_text().splitlines()
                if line.startswith("#")
            }
            if heading
            else set()
        )
        assert not heading or heading in headings, f"{page.name} links to {link}"


def test_the_readme_has_every_job(tmp_path: Path) -> None:
    jobs = {job.name for job in build_definitions(Settings(data_dir=tmp_path)).resolve_all_job_defs()}
    others = {f"score_{family}" for family in FAMILIES} - {"score_isolation_forest"}  # one stands for all
    text = (PROJECT / "README.md").read_text()
    assert {name for name in jobs - others - {"__ASSET_JOB"} if f"`{name}`" not in text} == set()
    assert set(re.findall(r"`(action_\w+)`", text)) <= jobs


def test_the_page_about_doctor_has_every_check(tmp_path: Path) -> None:
    page = (PROJECT / "docs" / "doctor.md").read_text()
    _, *rows = re.findall(r"^\| ([^|]+?) \|", page, re.MULTILINE)
    made = {check.what for check in checks(Settings(data_dir=tmp_path))} - {f"model {family}" for family in FAMILIES}
    assert {name for row in rows for name in row.split(", ")} == made | {"model FAMILY"}
