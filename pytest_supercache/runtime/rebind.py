"""Code under test gets its own view of `threading`, `time` and `uuid`; nobody else does.

Patching ``threading`` for everybody makes redis-py and fakeredis enter the scheduler from their own
locks; two other tools hang on that. So names are rebound module by module, in the code under test
only. ``time.sleep`` alone is replaced everywhere: it looks at the calling thread and is the real
one outside of actors.
"""

import sys
import threading
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytest_supercache.runtime import locks
from pytest_supercache.runtime.under_test import is_under_test, members_of


class _ThreadingView(types.ModuleType):
    """`threading` as code under test sees it: cooperative where it must be, else the real one."""

    Lock = locks.Lock
    RLock = locks.RLock
    Event = locks.Event
    Semaphore = locks.Semaphore
    BoundedSemaphore = locks.BoundedSemaphore

    def __getattr__(self, name: str) -> Any:
        return getattr(threading, name)


_VIEW = _ThreadingView("threading", threading.__doc__)

_STAND_INS: dict[int, Any] = {
    id(threading): _VIEW,
    id(threading.Lock): locks.Lock,
    id(threading.RLock): locks.RLock,
    id(threading.Event): locks.Event,
    id(threading.Semaphore): locks.Semaphore,
    id(threading.BoundedSemaphore): locks.BoundedSemaphore,
    id(time.sleep): locks.sleep,
}


class Rebinding:
    """The names that were rebound, so that they can be put back."""

    def __init__(self, stand_ins: dict[int, Any]) -> None:
        self._undo: list[tuple[Any, str, Any]] = []
        self._cells: list[tuple[Any, Any]] = []
        self._done: set[int] = set()
        self._stand_ins = {**_STAND_INS, **stand_ins}

    def rebind_new_modules(self) -> bool:
        """Rebind modules imported since the last call; True when there were any."""
        found = False
        for _, module in sorted(sys.modules.items()):
            if id(module) not in self._done:
                self._done.add(id(module))
                if is_under_test(module):
                    found = True
                    self._rebind(module)
        return found

    def undo(self) -> None:
        """Put every name back."""
        for owner, name, value in reversed(self._undo):
            setattr(owner, name, value)
        for cell, value in self._cells:
            cell.cell_contents = value

    def _rebind(self, module: types.ModuleType) -> None:
        for name, value in list(vars(module).items()):
            self._rebind_name(module, name, value)
            if type(value) is type and value.__module__ == module.__name__:
                for member_name, member in list(vars(value).items()):
                    self._rebind_name(value, member_name, member)
                    self._rebind_cells(member)
            elif type(value) is types.FunctionType:
                self._rebind_cells(value)
            elif type(value).__module__ == module.__name__:
                for member_name, member in list(members_of(value).items()):
                    self._rebind_name(value, member_name, member)

    def _rebind_name(self, owner: Any, name: str, value: Any) -> None:
        stand_in = self._stand_ins.get(id(value)) or locks.replacement_for(value)
        if stand_in is not None:
            self._undo.append((owner, name, value))
            setattr(owner, name, stand_in)

    def _rebind_cells(self, function: Any) -> None:
        """Swap locks that a closure keeps, as decorators do."""
        seen = 0
        while type(function) is types.FunctionType and seen < 10:
            for cell in function.__closure__ or ():
                try:
                    value = cell.cell_contents
                except ValueError:  # not filled yet
                    continue
                stand_in = self._stand_ins.get(id(value)) or locks.replacement_for(value)
                if stand_in is not None:
                    self._cells.append((cell, value))
                    cell.cell_contents = stand_in
            function = getattr(function, "__wrapped__", None)
            seen += 1


@contextmanager
def cooperative(stand_ins: dict[int, Any]) -> Iterator[Rebinding]:
    """Give the code under test cooperative locks and sleeps; put everything back afterwards.

    ``stand_ins`` are further replacements by identity: the repeatable functions of `uuid`.
    """
    rebinding = Rebinding(stand_ins)
    real_sleep = time.sleep
    time.sleep = locks.sleep  # type: ignore[assignment] # takes what the real one takes
    try:
        rebinding.rebind_new_modules()
        yield rebinding
    finally:
        time.sleep = real_sleep
        rebinding.undo()
