"""A scikit-learn forest as a skops file: no pickle, and the same forest gives the same bytes."""

import io
import json
import sys
import zipfile
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from sklearn.ensemble import IsolationForest

from fridge_assets.errors import FridgeError

# The only type that skops does not trust by itself: scikit-learn follows a tree's node numbers without
# checking them. Versions are loaded only after their files match the hashes written when they were trained.
_TRUSTED = ("sklearn.tree._tree.Tree",)
_SCHEMA = "schema.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)


@cache
def skops_io() -> Any:
    """skops, imported at first use: only training and scoring need it.

    Its import walks all of scikit-learn, and comes past PyTorch, which takes seconds and which no forest needs.
    PyTorch is hidden meanwhile, so nothing else may import it at the same time.
    """
    modules: dict[str, Any] = sys.modules
    needs_hiding = "torch" not in modules
    if needs_hiding:
        modules["torch"] = None
    try:
        return import_module("skops.io")
    finally:
        if needs_hiding:
            del modules["torch"]


def write_forest(forest: IsolationForest, file: Path) -> None:
    """Write ``forest`` so that the bytes depend on nothing but the forest.

    skops names its members after memory addresses and stamps them with the time; both are replaced.
    """
    with zipfile.ZipFile(io.BytesIO(skops_io().dumps(forest))) as source, zipfile.ZipFile(file, "w") as target:
        numbers: dict[str, int] = {}
        schema = _renumbered(json.loads(source.read(_SCHEMA)), numbers)
        members = {f"{numbers[Path(name).stem]}.npy": name for name in source.namelist() if name != _SCHEMA}
        for name in sorted(members):
            _write(target, name, source.read(members[name]))
        _write(target, _SCHEMA, json.dumps(schema).encode())


def read_forest(file: Path) -> IsolationForest:
    """The forest that :func:`write_forest` wrote.

    Raises:
        FridgeError: the file holds types other than a forest's.
    """
    foreign = set(skops_io().get_untrusted_types(file=file)) - set(_TRUSTED)
    if foreign:
        raise FridgeError(
            f"{file} holds types that no forest has: {', '.join(sorted(foreign))}",
            "Do not use this file; load another version of the model.",
        )
    return skops_io().load(file, trusted=list(_TRUSTED))


def _renumbered(node: Any, numbers: dict[str, int]) -> Any:
    """``node`` with memory addresses replaced by numbers in order of appearance."""
    if isinstance(node, list):
        return [_renumbered(item, numbers) for item in node]
    if not isinstance(node, dict):
        return node
    result: dict[str, Any] = {}
    for key, value in node.items():
        if key == "__id__":
            result[key] = numbers.setdefault(str(value), len(numbers))
        elif key == "file":
            result[key] = f"{numbers.setdefault(Path(value).stem, len(numbers))}.npy"
        else:
            result[key] = _renumbered(value, numbers)
    return result


def _write(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, date_time=_EPOCH), data, compress_type=zipfile.ZIP_DEFLATED, compresslevel=1)
