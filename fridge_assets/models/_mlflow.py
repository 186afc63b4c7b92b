"""MLflow as we use it: quiet, without telemetry, one process at a time."""

import fcntl
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from fridge_assets.core.errors import FridgeError
from fridge_assets.stores.disk import full_disk
from fridge_assets.stores.files import atomic_write, writable_folder

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient


class RegistryUnavailable(FridgeError):
    """The model registry cannot be opened."""


def open_client(uri: str, models_dir: Path) -> "MlflowClient":
    """A client of the tracking and registry database at ``uri``, which is created where there is none.

    Call it under :func:`one_process`. The import takes seconds, so it waits until a client is asked for.

    Raises:
        RegistryUnavailable: the database cannot be opened.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    with warnings.catch_warnings():
        # MLflow's own tables use a loader that SQLAlchemy 2.1 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        from mlflow.exceptions import MlflowException  # noqa: PLC0415

        for noisy in ("mlflow", "alembic"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        try:
            file = database_file(uri)
            if file is not None and not file.exists():
                # A database whose migrations were cut off by a kill could never be opened again.
                with atomic_write(file) as temporary:
                    _opened(f"sqlite:///{temporary}")
            client = _opened(uri)
        except (MlflowException, OSError) as error:
            raise full_disk(error, models_dir) or RegistryUnavailable(
                f"the model registry {uri} cannot be opened: {error}",
                "Check the address, or the access to the file, and FRIDGE_MLFLOW_URI.",
            ) from error
    return client


def _opened(uri: str) -> "MlflowClient":
    from mlflow.tracking import MlflowClient  # noqa: PLC0415

    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    client.search_registered_models(max_results=1)
    return client


def database_file(uri: str) -> Path | None:
    """The file of the SQLite database at ``uri``; None for a database or server of another kind."""
    if not uri.startswith("sqlite:"):
        return None
    database = sa.engine.make_url(uri).database
    return Path(database) if database else None


@contextmanager
def one_process(models_dir: Path) -> Iterator[None]:
    """Hold the registry's lock: MLflow's migrations and SQLite do not take two writers at once."""
    with (writable_folder(models_dir) / ".registry.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
