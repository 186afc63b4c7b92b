"""Every command explains itself, with an example (SPEC 9)."""

from collections.abc import Iterator

import pytest
import typer

from fridge_assets_tests.cli.typed import program, typed


def commands(command: object, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every command with its epilog; a group stands for what is in it."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield words, getattr(command, "epilog", None) or ""
        return
    for name, child in inner.items():
        yield from commands(child, (*words, name))


COMMANDS = dict(commands(typer.main.get_command(program.app)))
EXPECTED = {
    "demo", "simulate", "ingest", "train", "run hourly", "run model", "run readings", "replay", "ui",
    "models list", "models show",
    "incidents list", "incidents show", "incidents ack", "incidents undo",
    "alerts list", "alerts show", "status", "export", "doctor", "pause", "resume", "health", "retention",
    "messages list", "messages show", "messages deliver",
}  # fmt: skip


def test_the_commands_are_all_there() -> None:
    assert {" ".join(words) for words in COMMANDS} >= EXPECTED


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_shows_an_example_of_the_command_itself(words: tuple[str, ...], tmp_path) -> None:
    code, said, error = typed(tmp_path / "nowhere", *words, "--help")
    assert (code, error) == (0, "")
    assert "Usage: fridge-assets" in said
    example = COMMANDS[words]
    assert example.startswith("Example: fridge-assets ")
    assert " ".join(words) in example
    assert example.split()[-1] in said
    assert not (tmp_path / "nowhere").exists(), "asking for help leaves nothing behind"


@pytest.mark.parametrize("group", ["run", "models", "incidents", "alerts", "messages"])
def test_a_group_alone_lists_its_commands(group: str, tmp_path) -> None:
    _, said, error = typed(tmp_path, group)
    for words in COMMANDS:
        if words[:-1] == (group,):
            assert words[-1] in said + error
