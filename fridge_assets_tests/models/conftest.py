"""A model registry per test, without paying for MLflow's database migrations each time."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fridge_assets.models.registry import ModelRegistry
from fridge_assets_tests.once import made_once

_FIRST_OPENING = """
import os, sys
from pathlib import Path
from fridge_assets.models._mlflow import one_process, open_client
from fridge_assets.models.registry import ModelRegistry
folder = sys.argv[1]
registry = ModelRegistry(f"sqlite:///{folder}/mlflow.db", Path(folder) / "models")
assert "mlflow" not in sys.modules, "MLflow is imported before it is needed"
assert registry.versions() == []
assert not Path(folder, "mlflow.db").exists(), "looking creates nothing"
with one_process(registry.models_dir):
    open_client(registry.tracking_uri, registry.models_dir)
assert registry.versions() == []
assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
"""


def _open_first(folder: Path) -> None:
    """Open a registry in ``folder`` from a process of its own, and note there what that process printed."""
    folder.mkdir()
    command = [sys.executable, "-c", _FIRST_OPENING, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    (folder / "printed.json").write_text(json.dumps([done.returncode, done.stdout, done.stderr]))


@pytest.fixture(scope="session")
def registry_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a registry's database."""
    return made_once("registry", _open_first, tmp_path_factory)


@pytest.fixture(scope="session")
def first_opening(registry_template: Path) -> tuple[int, str, str]:
    """Exit code and output of a process that opens a registry for the first time, which makes its database."""
    code, out, error = json.loads((registry_template / "printed.json").read_text())
    return code, out, error


@pytest.fixture(scope="session")
def open_registry(registry_template: Path, first_opening: tuple[int, str, str]) -> Callable[[Path], ModelRegistry]:
    """Opens the registry of a data folder, as another process would."""
    assert first_opening[0] == 0, first_opening

    def open_in(data_dir: Path) -> ModelRegistry:
        database = data_dir / "mlflow.db"
        if not database.exists():
            shutil.copy(registry_template / "mlflow.db", database)
        return ModelRegistry(f"sqlite:///{database}", data_dir / "models")

    return open_in
