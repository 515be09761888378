"""Refuses the result of a worker whose search left an exception where only its process sees it.

Python hands an exception that it cannot raise (in ``__del__``, in a thread) to a hook. The hook of
pytest reports it, and fails the item where warnings are errors; in a worker, it reports to nobody.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class LeftBehindError(Exception):
    """The search of a worker has to be repeated in the process that reports it."""


@contextmanager
def nothing_left_behind() -> Iterator[None]:
    """Raise :class:`LeftBehindError` in the end if an exception could not be raised meanwhile."""
    heard: list[str] = []

    def hear(unraised: Any) -> None:
        heard.append(str(unraised.exc_type))

    before = sys.unraisablehook, threading.excepthook
    sys.unraisablehook = threading.excepthook = hear
    try:
        yield
    finally:
        sys.unraisablehook, threading.excepthook = before
    if heard:
        raise LeftBehindError(f"exceptions that could not be raised: {', '.join(heard[:3])}")
