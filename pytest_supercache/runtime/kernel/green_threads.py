"""Refuses checks where threads are not those of the interpreter.

gevent and eventlet put coroutines in their place, all on one thread. The execution's actors would
wait for each other on it, for ever.
"""

import _thread
from types import BuiltinFunctionType
from typing import Any

from pytest_supercache.core.errors import SupercacheError


def refuse_green_threads() -> None:
    """Refuse a check while something has replaced the threads of Python.

    Raises:
        SupercacheError: it has.
    """
    start: Any = _thread.start_new_thread
    if not isinstance(start, BuiltinFunctionType):
        who = str(getattr(start, "__module__", None)).partition(".")[0]
        raise SupercacheError(
            f"{who} has replaced Python's threads (monkey.patch_all()), and users are threads: "
            "call it where the application starts, not where tests import the code"
        )
