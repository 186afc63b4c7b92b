"""The signals that ask a program to end, as one exception."""

import signal
from types import FrameType

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


def stop_on_signals() -> None:
    """Raise :class:`Stopped` in the main thread at the first of ``SIGNALS``, and do nothing more at later ones.

    A signal that this program was started to ignore, as by ``nohup``, stays ignored.
    """
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def _stop(number: int, _frame: FrameType | None) -> None:
    for other in SIGNALS:
        # Nothing interrupts what is tidied up at the end; a handler of our own, since children inherit SIG_IGN.
        signal.signal(other, _already_stopping)
    raise Stopped(number)


def _already_stopping(_number: int, _frame: FrameType | None) -> None:
    """Nothing."""
