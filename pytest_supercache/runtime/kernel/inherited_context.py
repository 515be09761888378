"""Says with which context variables a new thread begins.

Python gives a new thread none of those of its starter, unless ``sys.flags.thread_inherit_context``
(3.14) says so. Tools that replace ``Thread.start`` hand them on: a tracer, and ``pytest-check``,
which would not know of the failures of users otherwise.
"""

import os
import sys
import threading
from contextvars import Context, copy_context
from types import FunctionType
from typing import Any

from pytest_supercache.runtime.kernel.own_code import PACKAGE_FOLDER


def context_for_a_thread() -> Context | None:
    """Return the context variables with which a thread that is started here begins; None: none."""
    start: Any = threading.Thread.start
    while _is_in(start, f"{PACKAGE_FOLDER}{os.sep}"):  # a check replaces it, too
        start = start.__wrapped__
    is_handed_on = getattr(sys.flags, "thread_inherit_context", 0)
    return copy_context() if is_handed_on or not _is_in(start, str(threading.__file__)) else None


def _is_in(function: Any, place: str) -> bool:
    return type(function) is FunctionType and function.__code__.co_filename.startswith(place)
