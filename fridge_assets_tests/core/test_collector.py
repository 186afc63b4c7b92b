"""Every process of ours collects garbage rarely, whatever it imports of the package first."""

import subprocess
import sys

import pytest

_OF_PYTHON = 700


@pytest.mark.parametrize("module", ["fridge_assets", "fridge_assets.core.errors"])
def test_a_process_collects_garbage_rarely_from_its_first_import_on(module: str) -> None:
    program = f"import {module}, gc; print(gc.get_threshold()[0])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 10 * _OF_PYTHON
