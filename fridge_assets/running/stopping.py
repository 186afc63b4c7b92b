"""The signals that ask a program to end, as one exception."""

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, ``systemctl stop`` and a terminal that was closed."""


_received: list[int] = []
"""The signal that came first, once it has."""


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


def stop_on_signals(within: float | None = None) -> None:
    """Raise :class:`Stopped` in the main thread at the first of ``SIGNALS``, and do nothing more at later ones.

    A signal that this program was started to ignore, as by ``nohup``, stays ignored.

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
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def stop_gently(end: Callable[[], object]) -> None:
    """Call ``end`` at the first of the signals from now on, instead of raising :class:`Stopped`.

    For a program that works until it is stopped, and that ends in order by itself then.
    """

    def hear(number: int, _frame: FrameType | None) -> None:
        _received.append(number)
        end()

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, hear)


def _end_after(heard: int, within: float) -> None:
    while (number := os.read(heard, 1)[0]) not in SIGNALS:
        pass
    time.sleep(within)
    os._exit(128 + number)


def asked_to_stop() -> Stopped | None:
    """What was raised when somebody asked this program to end, also where something on the way has replaced it."""
    return Stopped(_received[0]) if _received else None


def _stop(number: int, _frame: FrameType | None) -> None:
    _received.append(number)
    for other in SIGNALS:
        # Nothing interrupts what is tidied up at the end; a handler of our own, since children inherit SIG_IGN.
        signal.signal(other, _already_stopping)
    raise Stopped(number)


def _already_stopping(_number: int, _frame: FrameType | None) -> None:
    """Nothing."""
