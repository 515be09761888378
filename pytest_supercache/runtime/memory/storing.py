"""Adds a switch point before the result of a memo or a cached property is stored.

Code that is not rewritten calls the function, and stores what it returns. Nothing that is rewritten
runs between the end of the function and the store, so the function itself has a switch point
before it returns: its code reports that while it is called so.
"""

import functools
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.schedule import Place
from pytest_supercache.runtime.kernel.actor import Actor
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.kinds import attributes_of, bases_of
from pytest_supercache.runtime.kernel.own_code import MEMORY
from pytest_supercache.runtime.memory import steps
from pytest_supercache.runtime.memory.current import Current
from pytest_supercache.runtime.memory.sharing import Sharing, place_of_store, written
from pytest_supercache.runtime.memory.uses import Comparison, acts_atomically

_CALLERS = frozenset(f"{MEMORY}{name}" for name in ("memos", "hook_calls"))
"""Our modules that call memos and cached properties."""

_CACHED_PROPERTY: Any = vars(functools.cached_property)["__get__"].__code__


class _Store(NamedTuple):
    """The place where the result of a function will be stored, and the footprint of the store."""

    holder: Any
    part: str
    footprint: Footprint


class Stores:
    """The results that the actors of one execution are about to store.

    Args:
        sharing: knows which stores are steps of their own.
        shared: knows the names of locations.
        execution: takes the steps.
    """

    def __init__(self, sharing: Sharing, shared: Comparison, execution: ExecutionContext) -> None:
        self._sharing = sharing
        self._shared = shared
        self._execution = execution
        self._awaited: dict[str, list[_Store]] = {}
        self._places: set[Place] = set()
        self._stored_after = -1  # the number of steps taken when a result was last stored

    def places(self) -> set[Place]:
        """Return which stores were steps, as a token records it."""
        return self._places

    @contextmanager
    def awaited(
        self, actor: Actor | None, holder: Any, part: str, footprint: Footprint | None
    ) -> Iterator[None]:
        """Note that the result of the function called in this context will be stored.

        Args:
            actor: the caller; None: outside of the race.
            holder: will hold the result.
            part: where.
            footprint: of the store; None: no other actor sees it.
        """
        if actor is None or footprint is None:
            yield
            return
        mine = self._awaited.setdefault(actor.name, [])
        mine.append(_Store(holder, part, footprint))
        try:
            yield
        finally:
            mine.pop()

    def returning(self, actor: Actor, frame: Any) -> None:
        """Take a switch point before a frame returns a result that will be stored."""
        store = self._store_of(actor, frame)
        if store is None or actor.is_task or acts_atomically(actor):
            return  # the store belongs to the step before
        location = self._shared.location(store.holder, store.part, actor)
        if location is None or location in self._sharing.atomic:
            return
        taken = self._execution.record.steps
        if self._stored_after == len(taken) or not steps.is_only_switch_point(taken[-1]):
            self._part(written(location), store.footprint)
        self._stored_after = len(taken)

    def _part(self, name: str, footprint: Footprint) -> None:
        if self._sharing.is_stored_apart(name):
            self._places.add(place_of_store(name))
            self._execution.step(f"store the result in {name}", footprint, kind="memory")

    def _store_of(self, actor: Actor, frame: Any) -> _Store | None:
        """Return where the result of a frame will be stored; None: nowhere."""
        awaited = self._awaited.get(actor.name)
        caller = frame.f_back
        if caller is not None and caller.f_code is _CACHED_PROPERTY:
            caller = caller.f_back
        if not awaited or caller is None or caller.f_globals.get("__name__") not in _CALLERS:
            return None
        return awaited[-1]


def tell_of_return(function: Any) -> None:
    """Make a function report when it returns; of a class, the method that makes its objects."""
    while type(function) in (types.MethodType, functools.partial):
        is_method = type(function) is types.MethodType
        function = function.__func__ if is_method else function.func
    if issubclass(type(function), type):
        made_by = [getattr(function, name, None) for name in ("__init__", "__new__")]
        function = next((one for one in made_by if type(one) is types.FunctionType), None)
    elif type(function) is not types.FunctionType:
        calls = [attributes_of(base).get("__call__") for base in bases_of(type(function))]
        function = next(filter(None, calls), None)
    if type(function) is types.FunctionType and Current.tell_of_return is not None:
        Current.tell_of_return(function)
