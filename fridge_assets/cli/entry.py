"""How a command begins and ends; the commands themselves are imported when signals are heard already."""

import os
import sys

from fridge_assets.running.stopping import Stopped, stop_on_signals

_END_WITHIN = 8.0
"""Seconds after a signal in which a command ends, in order or not."""


def main() -> None:
    """Run a command; an error we know, or a signal to end, is one line on standard error.

    Exit code 1 for an error; for SIGINT, SIGTERM and SIGHUP what shells expect: 130, 143 and 129.
    """
    stop_on_signals(_END_WITHIN)
    try:
        from fridge_assets.cli.main import run_typed  # noqa: PLC0415 (takes a while)

        code = run_typed()
    except Stopped as stopped:
        code = stopped.exit_code
    _give_semaphores_back()
    sys.stdout.flush()
    sys.stderr.flush()
    # Leave without tearing the interpreter down: DuckDB's binding then prints pages about references that Dagster
    # and torch still hold, which say nothing to a user.
    os._exit(code)


def _give_semaphores_back() -> None:
    """Those of a run that failed, whose error still refers to them: a process of Python's would complain of them."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util._run_finalizers(0)  # what multiprocessing itself does when an interpreter is torn down
