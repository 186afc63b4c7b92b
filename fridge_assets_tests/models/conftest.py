"""A model registry per test, without paying for MLflow's database migrations each time."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fridge_assets.models.registry import ModelRegistry


@pytest.fixture(scope="session")
def empty_registry_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with MLflow's tables and nothing in them."""
    folder = tmp_path_factory.mktemp("registry")
    ModelRegistry(f"sqlite:///{folder / 'mlflow.db'}", folder / "models").versions()
    return folder / "mlflow.db"


@pytest.fixture
def open_registry(empty_registry_database: Path) -> Callable[[Path], ModelRegistry]:
    """Opens the registry of a data folder, as another process would."""

    def open_in(data_dir: Path) -> ModelRegistry:
        database = data_dir / "mlflow.db"
        if not database.exists():
            shutil.copy(empty_registry_database, database)
        return ModelRegistry(f"sqlite:///{database}", data_dir / "models")

    return open_in
