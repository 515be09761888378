"""Lets Ctrl-C end a check even where Python would swallow it, in a destructor.

What ``__del__`` or a weak reference's callback raises is reported to ``sys.unraisablehook`` and
dropped, KeyboardInterrupt too (docs.python.org, ``object.__del__``), and an execution leaves many
objects to be destroyed.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class CtrlC:
    """Remembers a KeyboardInterrupt of the main thread that was dropped; leaves all others."""

    def __init__(self) -> None:
        self.before = sys.unraisablehook
        """The hook that hears of all other errors."""
        self._was_dropped = False

    def hear(self, unraisable: Any) -> None:
        """Take the place of ``sys.unraisablehook``."""
        is_main = threading.get_ident() == threading.main_thread().ident
        if is_main and issubclass(unraisable.exc_type, KeyboardInterrupt):
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
    """Let no Ctrl-C be forgotten meanwhile, if this is the thread in which it is raised."""
    ctrl_c = CtrlC()
    if threading.get_ident() != threading.main_thread().ident:
        yield ctrl_c
        return
    hear = sys.unraisablehook = ctrl_c.hear
    try:
        yield ctrl_c
    finally:
        if sys.unraisablehook is hear:
            sys.unraisablehook = ctrl_c.before
        ctrl_c.raise_dropped()  # whatever else has happened may be what became of it
