"""What this project takes of Dagster that is not public stands in one place."""

import re
from pathlib import Path

import fridge_assets
from fridge_assets.steps import dagster_internals

INTERNALS = Path(dagster_internals.__file__)
OTHERS = [path for path in Path(fridge_assets.__file__).parent.rglob("*.py") if path != INTERNALS]
PRIVATE = re.compile(r"^\s*(?:from|import) dagster[\w.]*(?:\._| import _)(?!_).*|\bdg\._\w+", re.MULTILINE)


def test_private_names_of_dagster_are_imported_in_one_module_only() -> None:
    assert PRIVATE.search(INTERNALS.read_text())
    found = {str(path): PRIVATE.findall(path.read_text()) for path in OTHERS}
    assert {path: names for path, names in found.items() if names} == {}


def test_each_of_them_is_used() -> None:
    sources = "\n".join(path.read_text() for path in OTHERS)
    assert [name for name in dagster_internals.__all__ if not re.search(rf"\b{name}\b", sources)] == []
