"""What takes long to make is made once per session, by whichever of pytest-xdist's processes comes first."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(name: str, make: Callable[[Path], object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The session's folder ``name``, which ``make`` fills; never change it, copy it.

    Args:
        name: the same in all processes that share the folder.
        make: is given a folder that does not exist yet.
        tmp_path_factory: of the session.
    """
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / name
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder.with_suffix(".done")
        if not done.exists():
            make(folder)
            done.touch()
    return folder
