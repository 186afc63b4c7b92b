"""Commands as a user types them, in this process."""

import importlib
import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from fridge_assets_tests.scenarios.small_fleet import put_back

program = importlib.import_module("fridge_assets.cli.main")


def typed(folder: Path, *words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of ``fridge-assets --data-dir FOLDER WORDS…``."""
    out, error = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(error):
        put_back(patch)
        patch.setattr(sys, "argv", ["fridge-assets", "--data-dir", str(folder), *words])
        code = program.run_typed()
    return code, out.getvalue(), error.getvalue()


def refused(folder: Path, *words: str) -> str:
    """The one line on standard error of a command that must fail with it and nothing else."""
    code, out, error = typed(folder, *words)
    assert code == 1, out
    assert out == ""
    lines = error.strip().splitlines()
    assert len(lines) == 1, error
    assert lines[0].startswith("Error: ")
    return lines[0].removeprefix("Error: ")
