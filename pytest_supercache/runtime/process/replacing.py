"""Defines cooperative stand-ins for names of the standard library, and for existing objects."""

import _thread
import concurrent
import concurrent.futures
import functools
import queue
import select
import selectors
import signal
import threading
import time
import types
from collections.abc import Callable
from typing import Any

from pytest_supercache.core.identity import identity
from pytest_supercache.runtime.sync import (
    conditions,
    futures,
    locks,
    pools,
    queues,
    system_waits,
    threads,
)

_REAL_LOCK = type(threading.Lock())
_REAL_RLOCK = type(threading.RLock())


class _ModuleView(types.ModuleType):
    """A module as code under test sees it: some names are replaced, the rest are the real ones."""

    def __init__(self, real: types.ModuleType, others: dict[str, Any]) -> None:
        super().__init__(real.__name__, real.__doc__)
        self.__dict__.update(others)
        self.__dict__["_real"] = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_real"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute of the real module, unless the name is a replaced one."""
        if name in self.__dict__:
            super().__setattr__(name, value)
        else:
            setattr(self.__dict__["_real"], name, value)

    def __delattr__(self, name: str) -> None:
        if name in self.__dict__:
            super().__delattr__(name)
        else:
            delattr(self.__dict__["_real"], name)


_THREADING = {
    "Lock": locks.Lock, "RLock": locks.RLock, "Event": locks.Event, "Semaphore": locks.Semaphore,
    "BoundedSemaphore": locks.BoundedSemaphore, "Condition": conditions.Condition,
    "Barrier": conditions.Barrier, "Timer": threads.Timer,
}  # fmt: skip
_LOW_LEVEL = {  # some libraries use the locks of `_thread`
    "allocate_lock": locks.Lock, "LockType": locks.Lock, "lock": locks.Lock, "RLock": locks.RLock,
}  # fmt: skip
_QUEUE = {
    "Queue": queues.Queue, "LifoQueue": queues.LifoQueue, "PriorityQueue": queues.PriorityQueue,
    "SimpleQueue": queues.SimpleQueue,
}  # fmt: skip
_FUTURES = {
    "Future": futures.Future, "ThreadPoolExecutor": pools.ThreadPoolExecutor,
    "wait": futures.wait, "as_completed": futures.as_completed,
}  # fmt: skip

_SELECT = {"select": system_waits.wait_for_files, "poll": system_waits.PollObject}
_SIGNAL = {"sigtimedwait": system_waits.wait_for_signal}

_FUTURES_VIEW = _ModuleView(concurrent.futures, _FUTURES)
VIEWS: dict[str, types.ModuleType] = {
    "threading": _ModuleView(threading, _THREADING),
    "_thread": _ModuleView(_thread, _LOW_LEVEL),
    "queue": _ModuleView(queue, _QUEUE),
    "concurrent.futures": _FUTURES_VIEW,
    "concurrent": _ModuleView(concurrent, {"futures": _FUTURES_VIEW}),
    "select": _ModuleView(select, _SELECT),
    "selectors": _ModuleView(selectors, system_waits.SELECTORS),
    "signal": _ModuleView(signal, _SIGNAL),
}
"""Modules of the standard library by name, as code under test sees them."""

PAIRS: tuple[tuple[Any, Any], ...] = (
    (threading, VIEWS["threading"]),
    (_thread, VIEWS["_thread"]),
    (_thread.allocate_lock, locks.Lock),
    (queue, VIEWS["queue"]),
    (concurrent, VIEWS["concurrent"]),
    (concurrent.futures, VIEWS["concurrent.futures"]),
    (select, VIEWS["select"]),
    (selectors, VIEWS["selectors"]),
    (signal, VIEWS["signal"]),
    *(
        (getattr(module, name), stand_in)
        for module, others in (
            (threading, _THREADING), (queue, _QUEUE), (concurrent.futures, _FUTURES),
            (select, _SELECT), (selectors, system_waits.SELECTORS), (signal, _SIGNAL),
        )
        for name, stand_in in others.items()
    ),
    (time.sleep, locks.sleep),
)  # fmt: skip
"""(real, stand-in) pairs: the stand-in replaces the real one in code under test."""


class Replacements:
    """Stand-ins for objects of the real classes, always the same one for the same object.

    Args:
        known: returns the stand-in for a function or a class; None: it has none.
    """

    def __init__(self, known: Callable[[Any], Any] = lambda _: None) -> None:
        self.known = known
        self._made: dict[int, tuple[Any, Any]] = {}  # the real one is kept, so that its id stays

    def of(self, value: Any, place: str) -> Any:
        """Return the stand-in for ``value``, which was found at ``place``; None: it has none.

        An object that is held, awaited or in use at this moment has none: it cannot be replaced.
        """
        known = self.known(value)
        if known is not None:
            return known
        kind = type(value)
        make = _tuple if issubclass(kind, tuple) else _MAKERS.get(kind) or _AROUND.get(kind)
        if make is None:
            return None
        if identity(value) not in self._made:
            stand_in = make(value, self, place)
            if stand_in is not None and hasattr(stand_in, "name_after_place"):
                stand_in.name_after_place(place)
                _keep_attributes(value, stand_in)
            self._made[identity(value)] = (value, stand_in)
        return self._made[identity(value)][1]

    def made(self, value: Any) -> Any:
        """Return the stand-in that was made for an object; None: none was."""
        real, stand_in = self._made.get(identity(value), (None, None))
        return stand_in if real is value else None


def stand_in_for(value: Any, known: Callable[[Any], Any]) -> Any:
    """Return a stand-in for an object that is kept in no known place; None: it is in use.

    Args:
        value: an object of a class with stand-ins.
        known: returns the stand-in of a lock that a condition has; None: it has none.
    """
    return _MAKERS[type(value)](value, Replacements(known), "")


def _keep_attributes(value: Any, stand_in: Any) -> None:
    """Copy attributes that the code has added to the real object to its stand-in."""
    for name, added in getattr(value, "__dict__", {}).items():
        if not name.startswith("_") and not hasattr(stand_in, name):
            setattr(stand_in, name, added)


def _tuple(held: tuple[Any, ...], replacements: Replacements, place: str) -> Any:
    """Rebuild a tuple, or a named one, with stand-ins for the locks in it."""
    stand_ins = [
        replacements.of(item, f"{place}[{at}]") for at, item in enumerate(tuple.__iter__(held))
    ]
    if all(stand_in is None for stand_in in stand_ins):
        return None
    rebuilt = tuple.__new__(
        type(held),
        [
            item if stand_in is None else stand_in
            for item, stand_in in zip(tuple.__iter__(held), stand_ins, strict=True)
        ],
    )
    if hasattr(rebuilt, "__dict__"):
        vars(rebuilt).update(vars(held))
    return rebuilt


def _static(held: Any, replacements: Replacements, place: str) -> Any:
    stand_in = replacements.of(held.__func__, place)
    return None if stand_in is None else staticmethod(stand_in)


def _partial(held: Any, replacements: Replacements, place: str) -> Any:
    stand_in = replacements.of(held.func, place)
    return None if stand_in is None else functools.partial(stand_in, *held.args, **held.keywords)


def _method(method: Any, replacements: Replacements, _: str) -> Any:
    owner = replacements.known(method.__self__)
    found = None if owner is None else getattr(owner, method.__name__, None)
    return None if found is method else found  # a view of a module has most of its functions


_AROUND: dict[type, Callable[[Any, Replacements, str], Any]] = {
    staticmethod: _static,
    functools.partial: _partial,
    types.BuiltinFunctionType: _method,
}


def _lock(lock: Any, _: Replacements, __: str) -> Any:
    return None if lock.locked() else locks.Lock()


def _rlock(lock: Any, _: Replacements, __: str) -> Any:
    if not lock.acquire(blocking=False):
        return None
    lock.release()
    return locks.RLock()


def _event(event: threading.Event, _: Replacements, __: str) -> Any:
    return locks.Event(event.is_set())


def _condition(condition: Any, replacements: Replacements, place: str) -> Any:
    lock = replacements.of(condition._lock, place)  # noqa: SLF001 - the lock it was made with
    if lock is None or condition._waiters:
        return None
    return conditions.Condition(lock)


def _semaphore(semaphore: Any, _: Replacements, __: str) -> Any:
    return locks.Semaphore(semaphore._value)  # noqa: SLF001 - not public elsewhere


def _bounded(semaphore: Any, _: Replacements, __: str) -> Any:
    if semaphore._value != semaphore._initial_value:  # noqa: SLF001 - it is in use
        return None
    return locks.BoundedSemaphore(semaphore._value)


def _barrier(barrier: Any, _: Replacements, __: str) -> Any:
    if barrier.n_waiting or barrier.broken:
        return None
    return conditions.Barrier(barrier.parties, barrier._action, barrier._timeout)


def _queue(kind: Callable[[int], Any]) -> Callable[[Any, Replacements, str], Any]:
    def make(real: Any, _: Replacements, __: str) -> Any:
        made = kind(real.maxsize)
        with real.mutex:
            made.queue = type(real.queue)(real.queue)
            made.unfinished_tasks = real.unfinished_tasks
        return made

    return make


def _simple_queue(real: Any, _: Replacements, __: str) -> Any:
    return queues.SimpleQueue() if real.empty() else None


def _pool(pool: Any, _: Replacements, __: str) -> Any:
    if pool._threads or pool._shutdown:  # noqa: SLF001 - it has worked already
        return None
    return pools.ThreadPoolExecutor(
        pool._max_workers, pool._thread_name_prefix, pool._initializer, pool._initargs,
    )  # fmt: skip


_MAKERS: dict[type, Callable[[Any, Replacements, str], Any]] = {
    _REAL_LOCK: _lock,
    _REAL_RLOCK: _rlock,
    threading.Event: _event,
    threading.Condition: _condition,
    threading.Semaphore: _semaphore,
    threading.BoundedSemaphore: _bounded,
    threading.Barrier: _barrier,
    queue.Queue: _queue(queues.Queue),
    queue.LifoQueue: _queue(queues.LifoQueue),
    queue.PriorityQueue: _queue(queues.PriorityQueue),
    queue.SimpleQueue: _simple_queue,
    concurrent.futures.ThreadPoolExecutor: _pool,
}

REPLACED_TYPES: tuple[type, ...] = tuple(_MAKERS)
"""The classes whose objects have stand-ins."""

REPLACED = frozenset(map(identity, _MAKERS))
"""The identities of the classes whose objects have stand-ins."""
