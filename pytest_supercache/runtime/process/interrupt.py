"""Lets Ctrl-C end a check even in a destructor, where Python would swallow it.

An error in ``__del__`` or in a weak reference's callback, KeyboardInterrupt included, is reported
to ``sys.unraisablehook`` and dropped (docs.python.org, ``object.__del__``), and an execution leaves
many objects to be destroyed.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class CtrlC:
    """Remembers a dropped KeyboardInterrupt of the main thread; passes other errors on."""

    def __init__(self) -> None:
        self.before = sys.unraisablehook
        """The hook that receives all other errors."""
        self._was_dropped = False

    def hear(self, unraisable: Any) -> None:
        """Handle an error as ``sys.unraisablehook``."""
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
    """Raise a dropped Ctrl-C at the end, if this is the main thread, where it is raised."""
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
        ctrl_c.raise_dropped()  # any other error may be a consequence of it
