"""Which process executes a step of a run whose steps have processes of their own."""

from collections.abc import Mapping
from typing import Final

_TAG: Final = "fridge/process"
_RUN: Final = "run"

IN_RUN: Final = {_TAG: _RUN}
"""Tags of an op that the process of the run executes itself: nothing can go on before it has ended, so that a process
of its own would isolate it from nobody, and the run would wait for Python's start-up."""


def is_in_run(tags: Mapping[str, str]) -> bool:
    """Whether the tags of an op are those of ``IN_RUN``."""
    return tags.get(_TAG) == _RUN
