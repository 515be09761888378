"""Ctrl-C ends a check wherever it falls: Python forgets one that falls into a destructor.

What ``__del__`` or a weak reference's callback raises is reported and dropped, KeyboardInterrupt
too (docs.python.org, ``object.__del__``), and an execution leaves many objects to be destroyed.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class CtrlC:
    """Remembers that Ctrl-C was pressed."""

    def __init__(self) -> None:
        self._was_pressed = False

    def hear(self, number: int, frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt in the main thread, as Python does by itself."""
        self._was_pressed = True
        signal.default_int_handler(number, frame)

    def raise_again(self) -> None:
        """Raise KeyboardInterrupt if one was raised and got nowhere."""
        if self._was_pressed:
            raise KeyboardInterrupt


@contextmanager
def ctrl_c_heard() -> Iterator[CtrlC]:
    """Let no Ctrl-C be forgotten meanwhile; who has a handler of their own keeps it."""
    ctrl_c = CtrlC()
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield ctrl_c
        return
    signal.signal(signal.SIGINT, ctrl_c.hear)
    try:
        yield ctrl_c
        ctrl_c.raise_again()
    except Exception:
        ctrl_c.raise_again()  # the error may be what became of it
        raise
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
