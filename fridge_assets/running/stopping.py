"""The signals that ask a program to end, as one exception."""

import _thread
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, ``systemctl stop`` and a terminal that was closed."""


class Stopped(BaseException):
    """Somebody asked this program to end.

    Args:
        number: the signal that said so.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def exit_code(self) -> int:
        """What shells expect of a program that ended because of this signal."""
        return 128 + self.number


_received: list[int] = []
"""The signal that came first, once it has."""
_swallowed: list[Stopped] = []
"""What was raised for it and did not come to anybody, until it is raised again."""
_AGAIN_AFTER = 0.02
"""Seconds after which it is raised again."""


def stop_on_signals(within: float | None = None) -> None:
    """Raise :class:`Stopped` in the main thread at the first of ``SIGNALS``, and do nothing more at later ones.

    SIGHUP and SIGINT stay ignored where this program was started to ignore them, as by ``nohup`` or in the background
    of a script. SIGTERM does not: Dagster ends helpers of its own with it, which would inherit that.

    Args:
        within: seconds after which the program ends where it stands, if it has not ended in order; what is to end with
            it ends by itself then. Without it, it may take as long as it likes.
    """
    if within is not None:
        heard, hears = os.pipe()
        os.set_blocking(hears, False)
        signal.set_wakeup_fd(hears, warn_on_full_buffer=False)
        # The interpreter itself writes into the pipe, also while the main thread is somewhere outside of Python.
        threading.Thread(target=_end_after, args=(heard, within), name="end", daemon=True).start()
    sys.unraisablehook = _notice_swallowed
    _hear_with(_stop)


def stop_gently(end: Callable[[], object]) -> None:
    """Call ``end`` at the first of the signals from now on, instead of raising :class:`Stopped`.

    For a program that works until it is stopped, and that ends in order by itself then.
    """

    def hear(number: int, _frame: FrameType | None) -> None:
        _received.append(number)
        end()

    _hear_with(hear)


def _hear_with(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in SIGNALS:
        if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _end_after(heard: int, within: float) -> None:
    while (number := os.read(heard, 1)[0]) not in SIGNALS:
        pass
    time.sleep(within)
    os._exit(128 + number)


def asked_to_stop() -> Stopped | None:
    """What was raised when somebody asked this program to end, also where something on the way has replaced it."""
    return Stopped(_received[0]) if _received else None


def _stop(number: int, _frame: FrameType | None) -> None:
    if _swallowed:
        raise _swallowed.pop()
    if _received:
        return  # nothing interrupts what is tidied up at the end
    _received.append(number)
    raise Stopped(number)


def _notice_swallowed(unraisable: "UnraisableHookArgs") -> None:
    """Have :class:`Stopped` raised again a moment later.

    A signal may come while Python collects garbage: whatever is raised in a finaliser or in the callback of a weak
    reference goes no further than that.
    """
    if not isinstance(unraisable.exc_value, Stopped):
        if not _received:  # else it is a generator that was ended in the middle, which says nothing to a user
            sys.__unraisablehook__(unraisable)
        return
    _swallowed.append(unraisable.exc_value)
    # Not by `threading`, whose locks this thread may hold at this moment.
    _thread.start_new_thread(_send_again, (unraisable.exc_value.number,))


def _send_again(number: int) -> None:
    time.sleep(_AGAIN_AFTER)
    main_thread = threading.main_thread().ident
    if main_thread is not None:
        signal.pthread_kill(main_thread, number)
