"""The saved sources of a data folder: a small commented YAML file each."""

from collections.abc import Sequence
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from fridge_assets.core.errors import FridgeError
from fridge_assets.core.names import unknown
from fridge_assets.sources.source import Source, what_is_wrong
from fridge_assets.stores.files import atomic_write

_ENDING = ".yaml"
_HEAD = "How the readings of this source are read; {name} is what `ingest --source` and landing/{name}/ call it.\n"


def source_path(folder: Path, name: str) -> Path:
    """Where the source ``name`` is kept.

    Raises:
        FridgeError: it is no name for a file.
    """
    if not name or name.startswith((".", "_")) or any(character in name for character in '/\\:*?"<>|\n'):
        raise FridgeError(f"{name!r} is no name for a source", "Give letters, digits, dashes and underscores.")
    return folder / f"{name}{_ENDING}"


def source_names(folder: Path) -> list[str]:
    """Names of all saved sources, in order."""
    return sorted(path.stem for path in folder.glob(f"[!._]*{_ENDING}"))


def changed_since(folder: Path, name: str, moment: datetime) -> bool:
    """Whether the source ``name`` was saved after ``moment``; false where there is none."""
    try:
        return bool(name) and datetime.fromtimestamp(source_path(folder, name).stat().st_mtime, UTC) > moment
    except FileNotFoundError:
        return False


def read_source(folder: Path, name: str) -> Source:
    """The saved source ``name``.

    Raises:
        FridgeError: there is none, or it says what cannot be; the message names file, line, field and value.
    """
    path = source_path(folder, name)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        missing = unknown("source", name, source_names(folder), f"in {folder}")
        raise FridgeError(
            missing.problem, f"{missing.remedy} A new one: fridge-assets sources add {name} FILE."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise FridgeError(f"{path} cannot be read: {error}", "Make it a YAML file in UTF-8.") from error
    return source_of_yaml(text, str(path))


def source_of_yaml(text: str, where: str) -> Source:
    """The source that the YAML ``text`` describes.

    Raises:
        FridgeError: it is no YAML, or says what cannot be; names ``where``, the line, the field and the value.
    """
    try:
        written = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise FridgeError(f"{where}{line} is no YAML: {error.problem}", "Correct that line.") from error
    except YAMLError as error:
        raise FridgeError(f"{where} is no YAML: {error}", "Correct it.") from error
    if written is None:
        return Source()
    try:
        return Source.model_validate(_plain(written))
    except ValidationError as error:
        path, problem, remedy = what_is_wrong(error)
        line, value = _found(written, path)
        shown = f" is {value!r}" if isinstance(value, str | int | float) else ""
        raise FridgeError(f"{where}{line}: {'.'.join(path)}{shown}: {problem}", remedy) from error


def yaml_of(source: Source, name: str) -> str:
    """``source`` as commented YAML, without what it leaves as it is by default."""
    said = source.model_dump(mode="json", exclude_defaults=True)
    document = CommentedMap()
    document.yaml_set_start_comment(_HEAD.format(name=name))
    for field, value in said.items():
        document[field] = _short(field, value)
        document.yaml_set_comment_before_after_key(field, before=Source.model_fields[field].description)
    text = StringIO()
    yaml = YAML(typ="rt")
    yaml.width = 120
    yaml.allow_unicode = True
    yaml.dump(document, text)
    return text.getvalue()


def save_source(folder: Path, name: str, source: Source) -> Path:
    """Write ``source`` as ``name``; the file that it replaces is gone."""
    path = source_path(folder, name)
    with atomic_write(path) as temporary:
        temporary.write_text(yaml_of(source, name), encoding="utf-8")
    return path


def _short(field: str, value: Any) -> Any:
    """A tag without a device of its own as just its sensor, lists in one line."""
    if field == "tags":
        return {tag: said["sensor"] if set(said) == {"sensor"} else _in_line(said) for tag, said in value.items()}
    if field == "time":
        return {key: _in_line(part) for key, part in value.items()}
    return _in_line(value) if isinstance(value, list) else value


def _in_line(value: Any) -> Any:
    if isinstance(value, dict):
        mapping = CommentedMap(value)
        mapping.fa.set_flow_style()
        return mapping
    if isinstance(value, list):
        sequence = CommentedSeq(value)
        sequence.fa.set_flow_style()
        return sequence
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value


def _found(written: Any, path: Sequence[str]) -> tuple[str, Any]:
    """(", line N" of the deepest part of ``path`` that is there, its value)."""
    line, value = "", written
    for part in path:
        if not isinstance(value, CommentedMap):
            break
        key = next((key for key in value if str(key) == part), None)
        if key is None:
            break
        line = f", line {value.lc.key(key)[0] + 1}"
        value = value[key]
    return line, value
