"""Lets Ctrl-C end a run wherever it arrives: where Python would drop it, or where a lock is held.

An error in ``__del__``, in a weak reference's callback or in a hook of `os.fork`, KeyboardInterrupt
included, is reported to ``sys.unraisablehook`` and dropped (docs.python.org, ``object.__del__``).
An execution leaves many objects to be destroyed, and each import has such a callback.

A KeyboardInterrupt that arrives inside of `threading.Condition.__enter__` leaves its lock held. So
what shares such locks with other threads, and whatever must not be cut in two, defers it.
"""

import _thread
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pytest_supercache.core.real_clock import real_sleep

AGAIN_SECONDS = 0.05
"""Real seconds after which a dropped Ctrl-C comes again, where it may be raised."""


@contextmanager
def ctrl_c_deferred() -> Iterator[None]:
    """Raise what Ctrl-C raises at the end of the block; a process that is forked in it ignores it.

    On other threads, which hear no signals, and where nothing is raised, this has no effect.
    """
    usual = signal.getsignal(signal.SIGINT) if _is_main_thread() else None
    if not callable(usual):
        yield
        return
    came: list[int] = []
    process = os.getpid()
    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        if os.getpid() == process:
            signal.signal(signal.SIGINT, usual)
            if came:
                usual(signal.SIGINT, None)


def repeat_dropped_ctrl_c() -> Callable[[], None]:
    """Let a dropped Ctrl-C come again from now on; return the function that ends this."""
    before = sys.unraisablehook

    def hear(unraisable: Any) -> None:
        if _is_dropped_ctrl_c(unraisable):
            _thread.start_new_thread(_press_again, ())  # a Thread would wait until it runs
        else:
            before(unraisable)

    def stop() -> None:
        if sys.unraisablehook is hear:
            sys.unraisablehook = before

    sys.unraisablehook = hear
    return stop


def _press_again() -> None:
    real_sleep(AGAIN_SECONDS)
    os.kill(os.getpid(), signal.SIGINT)


def _is_dropped_ctrl_c(unraisable: Any) -> bool:
    return _is_main_thread() and issubclass(unraisable.exc_type, KeyboardInterrupt)


def _is_main_thread() -> bool:
    return threading.get_ident() == threading.main_thread().ident


class CtrlC:
    """Remembers a dropped KeyboardInterrupt of the main thread; passes other errors on."""

    def __init__(self) -> None:
        self.before = sys.unraisablehook
        """The hook that receives all other errors."""
        self._was_dropped = False

    def hear(self, unraisable: Any) -> None:
        """Handle an error as ``sys.unraisablehook``."""
        if _is_dropped_ctrl_c(unraisable):
            self._was_dropped = True
        else:
            self.before(unraisable)

    def raise_dropped(self) -> None:
        """Raise KeyboardInterrupt if one was dropped."""
        if self._was_dropped:
            self._was_dropped = False
            raise KeyboardInterrupt


@contextmanager
def ctrl_c_heard() -> Iterator[CtrlC]:
    """Raise a dropped Ctrl-C at the end, if this is the main thread, where it is raised."""
    ctrl_c = CtrlC()
    if not _is_main_thread():
        yield ctrl_c
        return
    hear = sys.unraisablehook = ctrl_c.hear
    try:
        yield ctrl_c
    finally:
        if sys.unraisablehook is hear:
            sys.unraisablehook = ctrl_c.before
        ctrl_c.raise_dropped()  # any other error may be a consequence of it
