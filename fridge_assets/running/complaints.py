"""What Dagster both raises and writes to standard error: a dump of SQL for every event that it cannot record."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any, TextIO, cast

_COMPLAINTS = (
    "Exception while writing logger call to event log",
    "Exception while storing event batch",
    "Falling back to storing multiple single-event storage requests",
)


class _Filter:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return len(text) if text.startswith(_COMPLAINTS) else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def without_complaints() -> Iterator[None]:
    """Leave standard error to whoever tells people in a sentence what went wrong."""
    with redirect_stderr(cast(TextIO, _Filter(sys.stderr))):
        yield


def silence_complaints() -> None:
    """Leave them out of what this process writes from now on."""
    sys.stderr = cast(TextIO, _Filter(sys.stderr))
