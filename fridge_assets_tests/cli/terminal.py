"""Commands in processes of their own, on a terminal of some width or into a pipe that is closed early."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

PROGRAM = [sys.executable, "-c", "from fridge_assets.cli import main; main()"]
_LONGEST = 60
_STYLES = r"\x1b\[[0-9;]*m"


def on_terminal(folder: Path, columns: int, *words: str, **variables: str) -> str:
    """What a command prints on a terminal that is so many columns wide."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm", **variables}
    environment.pop("COLUMNS", None)
    command = [*PROGRAM, "--data-dir", str(folder), *words]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, env=environment) as process:
        os.close(theirs)
        shown = bytearray()
        while chunk := _read(ours):
            shown += chunk
        process.wait(_LONGEST)
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def into_closed_pipe(folder: Path, *words: str) -> tuple[int, str]:
    """Exit code and standard error of a command whose reader has gone before it prints."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [*PROGRAM, "--data-dir", str(folder), *words]
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=_LONGEST, check=False)
    os.close(writer)
    return ended.returncode, ended.stderr


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # the program has ended
        return b""
