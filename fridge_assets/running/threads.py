"""Work in a thread of its own, so that the main thread is free to hear signals."""

from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from threading import Thread
from typing import TypeVar

_T = TypeVar("_T")


def in_thread(work: Callable[[], _T]) -> _T:
    """What ``work`` returns or raises; when this thread is interrupted meanwhile, the work is left to itself.

    It is for whoever interrupts to end the program soon.
    """
    done: Future[_T] = Future()
    context = copy_context()

    def do() -> None:
        try:
            done.set_result(context.run(work))
        except BaseException as error:  # raised in the thread that waits
            done.set_exception(error)

    Thread(target=do, name="run", daemon=True).start()
    return done.result()
