"""A model registry per test, without paying for MLflow's database migrations each time."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fridge_assets.models.registry import ModelRegistry

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


@pytest.fixture(scope="session")
def registry_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for a registry's database."""
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="session")
def first_opening(registry_template: Path) -> subprocess.CompletedProcess[str]:
    """What a process prints that opens a registry for the first time, which makes its database."""
    command = [sys.executable, "-c", _FIRST_OPENING, str(registry_template)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def open_registry(
    registry_template: Path, first_opening: subprocess.CompletedProcess[str]
) -> Callable[[Path], ModelRegistry]:
    """Opens the registry of a data folder, as another process would."""
    assert first_opening.returncode == 0, first_opening.stderr

    def open_in(data_dir: Path) -> ModelRegistry:
        database = data_dir / "mlflow.db"
        if not database.exists():
            shutil.copy(registry_template / "mlflow.db", database)
        return ModelRegistry(f"sqlite:///{database}", data_dir / "models")

    return open_in
