"""TOML files that people keep in the data folder: what is wrong with one is said with the way out."""

import tomllib
from pathlib import Path
from typing import Any

from fridge_assets.core.errors import FridgeError


def read_text(path: Path) -> str | None:
    """The text of ``path``; None where there is no such file.

    Raises:
        FridgeError: it cannot be read, or is not in UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise FridgeError(f"{path} cannot be read: {error}", "Make it a TOML file in UTF-8, or remove it.") from error


def parsed(text: str, where: str) -> dict[str, Any]:
    """What the TOML ``text`` says.

    Raises:
        FridgeError: it is no TOML; the message names ``where`` and the line.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FridgeError(f"{where} is no TOML: {error}", "Correct that line, or remove the file.") from error
