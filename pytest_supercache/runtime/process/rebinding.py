"""Gives modules under test their own `threading`, `queue`, `time` and more.

Patching ``threading`` globally makes redis-py and fakeredis enter the scheduler from their own
locks; two other tools hang on that. So names are rebound module by module, in the code under test
only: where they are stored now, and at every ``import`` that code under test executes meanwhile.
Only ``time.sleep`` is replaced globally: it checks the calling thread and is the real one outside
of actors. So does the function with which `functools` makes the locks of cached properties.
"""

import builtins
import functools
import threading
import time
import types
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from pytest_supercache.core.identity import identity
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.under_test import is_under_test_name, modules_under_test
from pytest_supercache.runtime.memory.current import Current
from pytest_supercache.runtime.process.fresh_stack import on_a_fresh_stack
from pytest_supercache.runtime.process.late_stand_ins import stand_in_of
from pytest_supercache.runtime.process.reference_walk import ReferencePlace, places
from pytest_supercache.runtime.process.replacing import PAIRS, REPLACED, VIEWS, Replacements
from pytest_supercache.runtime.process.virtual_time import stays_frozen
from pytest_supercache.runtime.sync import locks


class Rebinding:
    """The places where values were replaced, with what is needed to restore them.

    Args:
        pairs: further (real, stand-in) pairs.
    """

    def __init__(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        self._undo: list[ReferencePlace] = []
        self._done: set[int] = set()
        self._pairs: tuple[tuple[Any, Any], ...] = ()
        self._stand_ins: dict[int, Any] = {}
        self._closed: set[int] = set()
        self._replacements = Replacements(lambda value: self._stand_ins.get(identity(value)))
        self._at_start = set(map(identity, modules_under_test()))
        self.add((*PAIRS, *pairs))

    def add(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        """Rebind further pairs in all modules; a stand-in may have a stand-in of its own."""
        known = {(identity(real), identity(stand_in)) for real, stand_in in self._pairs}
        new = [pair for pair in pairs if (identity(pair[0]), identity(pair[1])) not in known]
        if new:
            self._pairs = (*self._pairs, *new)
            self._stand_ins = {identity(real): stand_in for real, stand_in in self._pairs}
            for key, stand_in in self._stand_ins.items():
                self._stand_ins[key] = self._stand_ins.get(identity(stand_in), stand_in)
            self._closed = {identity(stand_in) for _, stand_in in self._pairs}
            self._done.clear()

    def rebind_new_modules(self) -> bool:
        """Rebind modules imported since the last call; True when there were any."""
        new = _new_modules(self._done)
        self._done.update(map(identity, new))
        self._rebind(new)
        return bool(new)

    def rebind_copies(
        self, modules: Iterable[types.ModuleType], pairs: Iterable[tuple[Any, Any]]
    ) -> None:
        """Rebind modules that will be discarded, with pairs of their own and without an undo."""
        pairs = list(pairs)
        kept, stand_ins, closed = len(self._undo), self._stand_ins, self._closed
        self._stand_ins = {**stand_ins, **{identity(real): stand_in for real, stand_in in pairs}}
        self._closed = closed | {identity(stand_in) for _, stand_in in pairs}
        for module in modules:
            self._rebind([module])
        self._stand_ins, self._closed = stand_ins, closed
        del self._undo[kept:]

    def known(self, real: Any) -> Any:
        """Return the stand-in that is in the place of a real object; None: it has none."""
        return self._replacements.made(real)

    def undo(self) -> None:
        """Restore all places, including those in modules that were imported meanwhile."""
        for place in reversed(self._undo):
            _try(place, place.value)
        stay = stays_frozen()
        originals = {identity(own): real for real, own in self._pairs if identity(own) not in stay}
        back = Replacements(lambda value: originals.get(identity(value)))
        for place in _found(_new_modules(self._at_start), self._closed, originals):
            _try(place, back.of(place.value, place.name))

    def _rebind(self, modules: list[types.ModuleType]) -> None:
        for place in _found(modules, self._closed, self._stand_ins, REPLACED):
            stand_in = self._replacements.of(place.value, place.name)
            if stand_in is not None and _try(place, stand_in):
                self._undo.append(place)


def _new_modules(known: set[int]) -> list[types.ModuleType]:
    return [module for module in modules_under_test() if identity(module) not in known]


def _found(
    modules: list[types.ModuleType],
    closed: set[int],
    ids: Container[int],
    of_types: Container[int] = (),
) -> list[ReferencePlace]:
    if not modules:
        return []
    return on_a_fresh_stack(lambda: list(places(modules, closed, ids, of_types)))


def _try(place: ReferencePlace, value: Any) -> bool:
    """Put a value in a place; False: the place is read-only, or gone."""
    try:
        place.put(value)
    except (AttributeError, IndexError, TypeError):
        return False
    return True


def _imports_for_code_under_test(importer: Any) -> bool:
    name = importer.get("__name__") if type(importer) is dict else None
    return type(name) is str and is_under_test_name(name)


def _lock_of_property() -> Any:
    """Return a lock for a ``cached_property`` of Python 3.11 to hold while it computes."""
    return locks.RLock() if controlled() is not None else threading.RLock()


@contextmanager
def cooperative(pairs: Iterable[tuple[Any, Any]]) -> Iterator[Rebinding]:
    """Give the code under test cooperative locks and sleeps; restore everything afterwards.

    ``pairs`` are further (real, stand-in) pairs: functions of `uuid`, clocks, watched functions.
    """
    rebinding = Rebinding(pairs)
    real_sleep, real_import = time.sleep, builtins.__import__

    def own_import(
        name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:  # the parameters' names are those of the real one
        module = real_import(name, globals, locals, fromlist, level)
        if module.__name__ in VIEWS and level == 0 and _imports_for_code_under_test(globals):
            return VIEWS[module.__name__]
        return module

    makes_locks = vars(functools).get("RLock")
    Current.stand_in = partial(stand_in_of, rebinding.known)
    time.sleep = locks.sleep  # has the same parameters as the real one
    builtins.__import__ = own_import
    vars(functools)["RLock"] = _lock_of_property
    try:
        rebinding.rebind_new_modules()
        yield rebinding
    finally:
        Current.stand_in = None
        time.sleep = real_sleep
        builtins.__import__ = real_import
        vars(functools)["RLock"] = makes_locks
        rebinding.undo()
