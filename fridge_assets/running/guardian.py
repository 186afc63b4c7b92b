"""Stands between a program and a command of it, and ends whatever that command has started when the program ends.

``python -m fridge_assets.running.guardian LIFELINE GRACE COMMAND…``: the lifeline is the read end of a pipe whose write
end the program holds; it ends with the program, even where that is killed. See ``processes.process_tree``.
"""

import os
import select
import signal
import subprocess
import sys
from functools import partial

from fridge_assets.running.processes import adopt_orphans, end_descendants, end_with_parent
from fridge_assets.running.stopping import SIGNALS, Stopped, stop_on_signals

_TICK = 0.2
"""Seconds between two looks at the command."""


def guard(lifeline: int, grace: float, command: list[str]) -> int:
    """Run ``command`` until it ends, the lifeline does, or somebody asks for the end.

    Returns:
        Exit code of the command, as shells give it; that of SIGTERM where it was ended from here.
    """
    adopt_orphans()
    # A shell starts what it runs in the background with Ctrl-C ignored. That is for the terminal, which this session
    # has left, and Dagster takes SIGTERM as it finds SIGINT: nothing would end in order.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    try:
        stop_on_signals()
        # Only this process ends the command in order; where it is killed itself, the kernel kills the command.
        child = subprocess.Popen(command, preexec_fn=partial(end_with_parent, os.getpid()))  # noqa: PLW1509 (one thread)
        while child.poll() is None:
            if select.select([lifeline], [], [], _TICK)[0]:
                raise Stopped(signal.SIGTERM)
        return child.returncode if child.returncode >= 0 else 128 - child.returncode
    except Stopped as stopped:
        return stopped.exit_code
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        end_descendants(grace)


if __name__ == "__main__":
    sys.exit(guard(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
