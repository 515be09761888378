"""Reads and clears what a thread holds in objects of ``threading.local``."""

import ctypes
import gc
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType
from typing import Any
from uuid import UUID

from pytest_supercache.runtime.kernel.calling import here, unbind_thread

_PLAIN = (
    str, bytes, int, float, complex, NoneType, Enum, Decimal, UUID, date, timedelta,
)  # fmt: skip
"""Types of values that hold no state."""

Renewal = Callable[[], bool]
"""Clears the calling thread's thread-locals; returns whether all of them are gone."""

Taker = Callable[[], bool]
"""Clears the present values of thread-locals; returns whether there were any."""

_ROUNDS = 3
"""How often thread-locals are cleared: destructors may have set new ones."""

_Local = threading.local  # the original: it may be monkeypatched later

_LOCALS = "thread.local."
"""Prefix of the keys under which CPython keeps thread-local values in a thread's own dict."""


def renewal() -> Renewal:
    """Return the renewal of the calling thread; it keeps this package's own thread-local.

    Raises:
        ValueError: this Python implements thread-locals differently.
    """
    unbind_thread()  # what stays says nothing, and is there
    take = _taker_from_thread() if sys.version_info < (3, 13) else _taker_from_locals()

    def renew() -> bool:
        return not all(take() for _ in range(_ROUNDS))

    return renew


def _taker_from_thread() -> Taker:
    """Return the taker up to Python 3.12, where a dict of the thread holds all thread-locals."""
    state, own = _state_of_thread(), _key_of(here)
    if own not in state:
        raise ValueError("thread-locals have other names")

    def take() -> bool:
        if len(state) == 1:  # that is our own
            return False
        held = [key for key in list(state) if key != own and _is_local(key)]
        for key in held:
            state.pop(key, None)
        return bool(held)

    return take


def _taker_from_locals() -> Taker:
    """Return the taker from Python 3.13 on, where each ``threading.local`` holds its own values.

    Every thread-local has a weak reference to one object of the thread, which dies with the thread.
    The callback of these references (``clear_locals`` in ``Modules/_threadmodule.c``) is called.
    """
    watched = _watched_of_thread()

    def take() -> bool:
        watching = [one for one in _clearing(watched) if _local_of(one) is not here]
        for one in watching:
            one.__callback__(one)
        return bool(watching)

    return take


class LocalsOfTest:
    """What a test, or its fixtures, have set in thread-locals before the check.

    A body runs on a thread of its own and yet begins with it, as far as it is plain: a tenant, a
    language. What holds state, such as a connection, belongs to one thread, and stays there.

    Args:
        found: thread-locals to which the code under test leads.
    """

    def __init__(self, found: Sequence[threading.local] = ()) -> None:
        used = filter(_used_here(), found) if found else ()
        self._held = [(one, dict(_values(one))) for one in used]

    def give(self) -> None:
        """Set it on the calling thread."""
        for one, values in self._held:
            plain = {name: value for name, value in values.items() if _is_plain(value)}
            _values(one).update(plain)

    def missed_by(self, error: BaseException | None) -> str:
        """Return the name of what a body has asked for that only the test's thread has, if any."""
        if not isinstance(error, AttributeError):
            return ""
        for one, values in self._held:
            if error.obj is one and error.name in values:
                return error.name
        return ""


def _values(one: threading.local) -> dict[str, Any]:
    """Return the calling thread's values; a class's ``__init__`` makes them if there are none."""
    values: dict[str, Any] = _Local.__getattribute__(one, "__dict__")
    return values


def _is_plain(value: Any) -> bool:
    if type(value) in (tuple, frozenset):
        return all(map(_is_plain, value))
    return isinstance(value, _PLAIN)


def _used_here() -> Callable[[threading.local], bool]:
    """Return what says whether the calling thread has a thread-local's values.

    To look for them otherwise would make them: the ``__init__`` of a class runs in each thread.
    """
    if not renews_locals():
        return lambda _: False
    return _used_by_state() if sys.version_info < (3, 13) else _used_by_references()


def _used_by_state() -> Callable[[threading.local], bool]:
    state = _state_of_thread()
    return lambda one: _key_of(one) in state


def _used_by_references() -> Callable[[threading.local], bool]:
    used = [_local_of(reference) for reference in _clearing(_watched_of_thread())]
    return lambda one: any(one is other for other in used)


def _state_of_thread() -> dict[Any, Any]:
    get = ctypes.pythonapi.PyThreadState_GetDict
    get.restype = ctypes.c_void_p  # a borrowed reference
    state: dict[Any, Any] = ctypes.cast(get(), ctypes.py_object).value
    return state


def _key_of(one: threading.local) -> str:
    return f"{_LOCALS}{id(one):#x}"


def _is_local(key: object) -> bool:
    return isinstance(key, str) and key.startswith(_LOCALS)


def _watched_of_thread() -> Any:
    mine = _Local()
    mine.is_known = True
    [watchers] = [kept for kept in gc.get_referents(mine) if isinstance(kept, set)]
    [watcher] = watchers
    return watcher()


def _clearing(watched: Any) -> list[Any]:
    """Return the weak references that clear the values of a thread-local when their thread ends."""
    return [
        one
        for one in weakref.getweakrefs(watched)
        if getattr(one.__callback__, "__name__", None) == "clear_locals"
    ]


def _local_of(reference: Any) -> Any:
    """Return the thread-local of which a weak reference clears the values; None: it has gone."""
    bound = reference.__callback__.__self__
    return bound[0]() if isinstance(bound, tuple) else None


@cache
def renews_locals() -> bool:
    """Say whether this Python can clear the thread-locals of a running thread."""
    if sys.implementation.name != "cpython":
        return False
    seen: list[bool] = []

    def try_it() -> None:
        with suppress(ValueError):
            renew, mine = renewal(), _Local()
            mine.value = left = _Left()
            gone = renew()
            seen.append(gone and not hasattr(mine, "value") and sys.getrefcount(left) == _ONE_OWNER)

    trying = threading.Thread(target=try_it, name="supercache")
    trying.start()
    trying.join()
    return seen == [True]


class _Left:
    """A test value for a thread-local."""


_ONE_OWNER = 2
"""The ``sys.getrefcount`` of an object that only one variable refers to."""
