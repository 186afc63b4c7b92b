"""The environment of the process that runs tests."""

import os

import pytest


def put_back(patch: pytest.MonkeyPatch) -> None:
    """Have ``patch`` put back at its end the variables that opening a data folder sets."""
    for name in ("FRIDGE_DATA_DIR", "DAGSTER_HOME"):
        value = os.environ.get(name)
        patch.setenv(name, value or "")
        if value is None:
            patch.delenv(name)
