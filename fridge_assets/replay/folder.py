"""Whether a data folder is that of a replay, whose alerts nobody is told of."""

from pathlib import Path

from fridge_assets.core.errors import FridgeError

MARKER = "replay.json"
"""File that tells a folder of a replay from the data folder of a fleet; says what was replayed."""


def is_replay(root: Path) -> bool:
    """Whether the data folder ``root`` is that of a replay."""
    return (root / MARKER).exists()


def refuse_replay(root: Path) -> None:
    """Refuse the folder of a replay, for what would tell people or go on with its alerts.

    Raises:
        FridgeError: ``root`` is one.
    """
    if is_replay(root):
        raise FridgeError(
            f"{root} is the folder of a replay: nobody is told of its alerts and nothing goes on with them",
            "Look at it with the other commands, such as `incidents list --all`.",
        )
