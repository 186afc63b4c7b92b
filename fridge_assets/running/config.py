"""The `dagster.yaml` of a data folder beside the one that this release ships."""

from collections.abc import Iterator
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from fridge_assets.core.errors import FridgeError
from fridge_assets.running.instance import CONFIG_FILE
from fridge_assets.stores.files import atomic_write

_Path = tuple[str, ...]


def missing_settings(file: Path) -> list[str]:
    """Settings, as dotted names, that this release ships and ``file`` does not have.

    Raises:
        FridgeError: the file cannot be read.
    """
    return [".".join(path) for path, _ in _missing(_read(file), _shipped())]


def add_missing(file: Path) -> None:
    """Add to ``file`` the settings that it lacks; its own values and comments stay.

    Raises:
        FridgeError: the file cannot be read or written.
    """
    own = _read(file)
    for path, value in list(_missing(own, _shipped())):
        section = own
        for name in path[:-1]:
            section = section[name]
        section[path[-1]] = value
    text = StringIO()
    _yaml().dump(own, text)
    with atomic_write(file) as temporary:
        temporary.write_text(text.getvalue())


def _missing(own: dict[str, Any], shipped: dict[str, Any], at: _Path = ()) -> Iterator[tuple[_Path, Any]]:
    for name, value in shipped.items():
        if name not in own:
            yield (*at, name), value
        # Another class of coordinator or storage has settings of its own.
        elif isinstance(value, dict) and isinstance(own[name], dict) and own[name].get("class") == value.get("class"):
            yield from _missing(own[name], value, (*at, name))


def _shipped() -> dict[str, Any]:
    text = (files("fridge_assets") / CONFIG_FILE).read_text()
    shipped: dict[str, Any] = _yaml().load(text)
    return shipped


def _read(file: Path) -> dict[str, Any]:
    try:
        found = _yaml().load(file.read_text()) or {}
    except YAMLError as error:
        raise FridgeError(
            f"{file} cannot be read: {' '.join(str(error).split())}",
            "Correct it, or remove it: the next run puts the shipped one in its place.",
        ) from error
    if not isinstance(found, dict):
        raise FridgeError(f"{file} holds no settings", "Remove it: the next run puts the shipped one in its place.")
    return found


def _yaml() -> YAML:
    # Reads and writes what people wrote with their comments, quotes and order.
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 120
    return yaml
