"""Imported by the executor's fork server first of all: it ends without a word, and its steps end with it.

What its steps write to standard error comes to people's terminal, as what the program writes itself.

The server has nothing to clean up, and DuckDB's binding would print pages about references that Dagster and torch still
hold when its interpreter is torn down. The steps themselves are forks, which end without that.

Whoever ends a program often signals all its processes at once. The server ignores that and ends with the program;
otherwise the program would find its server gone, and say so, instead of ending its run in order.
"""

import atexit
import os
import signal

from fridge_assets.running.complaints import silence_complaints
from fridge_assets.running.processes import end_with_parent
from fridge_assets.running.stopping import SIGNALS

_SERVER = os.getpid()
_HEARD = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
"""The signals that end a step; one that the program was started to ignore, as by ``nohup``, its steps ignore too."""


def _in_a_step() -> None:
    end_with_parent(_SERVER)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    for number in _HEARD:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


for _number in SIGNALS:
    signal.signal(_number, signal.SIG_IGN)
os.register_at_fork(after_in_child=_in_a_step)
silence_complaints()
atexit.register(os._exit, 0)
end_with_parent(os.getppid())
