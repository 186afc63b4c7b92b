"""What Dagster's services print: all of it to a file that stays small, and to people what they should know."""

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path

_FILE_BYTES = 5_000_000
_OLD_FILES = 2
_LONGEST_SHOWN = 300
_EXPECTED = ("No cursor for event type",)  # Dagster's warning at the first start of every instance


@dataclass(frozen=True)
class Entry:
    """One thing that a service has said.

    Args:
        level: of :mod:`logging`.
        logger: who says it; empty for what is printed without any.
        text: what, one or more lines.
    """

    level: int
    logger: str
    text: str

    @property
    def worth_telling(self) -> bool:
        """Whether somebody who looks at the terminal should know: warnings and errors, not what every sensor does."""
        return self.level >= logging.WARNING and not self.text.startswith(_EXPECTED)

    @property
    def in_short(self) -> str:
        """One line: how it begins, and what was the matter in the end where there is a traceback."""
        lines = [line for line in self.text.splitlines() if line.strip()] or [""]
        said = lines[0] if len(lines) == 1 else f"{lines[0]} … {lines[-1].strip()}"
        return said if len(said) <= _LONGEST_SHOWN else f"{said[:_LONGEST_SHOWN]}…"


def entry_of(line: str) -> Entry:
    """What a line of a service says, whether in the JSON of Dagster's loggers (``--log-format json``) or not."""
    try:
        said = json.loads(line)
        level = logging.getLevelNamesMapping()[said["level"].upper()]
        text = "\n".join(str(said[part]) for part in ("event", "exception") if part in said)
        return Entry(level, str(said["logger"]), text)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Entry(logging.INFO, "", line)


class ServiceLog:
    """Takes what services print.

    Args:
        path: the file that gets all of it; it and two older ones hold at most 5 MB each.
        tell: called with what people should know, in one line.
    """

    def __init__(self, path: Path, tell: Callable[[Entry], None]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(path, maxBytes=_FILE_BYTES, backupCount=_OLD_FILES, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        self.telling = True
        self._file = handler
        self._tell = tell

    def follow(self, lines: Iterable[bytes]) -> None:
        """Take ``lines`` until there are no more, as those of a pipe whose writers have ended."""
        for line in lines:
            self.take(entry_of(line.decode("utf-8", "replace").rstrip()))

    def take(self, entry: Entry) -> None:
        """Write an entry to the file, and while ``telling`` tell it if it is worth it."""
        said = f"{logging.getLevelName(entry.level)} {entry.logger}: {entry.text}" if entry.logger else entry.text
        self._file.emit(logging.makeLogRecord({"msg": said, "levelno": entry.level}))
        if self.telling and entry.worth_telling:
            self._tell(entry)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
