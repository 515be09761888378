"""Instructions that go through an object as a call does: stars, unpacking, ``in``, loops.

Where code of C runs Python code meanwhile, a hook puts another operand in the place of the one that
the instruction is about to use: what has been taken already, or what takes one element at a time.
"""

import itertools
import operator
import sys
from collections.abc import Callable
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.runtime.memory.called_back import calls_back, going_on, takes_more
from pytest_supercache.runtime.memory.calls import touching
from pytest_supercache.runtime.memory.effects import (
    CONTAINERS,
    SCALARS,
    counts,
    is_view,
    method_reads,
)
from pytest_supercache.runtime.memory.hooks import read
from pytest_supercache.runtime.memory.items import touch_item
from pytest_supercache.runtime.memory.touching import looking, read_deeply, touch_whole


def take_all(holder: Any) -> Any:
    """Before all of an object is taken; return what it is to be taken of."""
    return _taken(holder, read(holder), list) if is_view(type(holder)) else _read(holder)


def take_arguments(holder: Any) -> Any:
    """Before a function is called with all of an object; what is not taken here is read there."""
    if not (is_view(type(holder)) and calls_back(holder)):
        return holder
    return _taken(holder, read(holder), tuple)


def take_some(holder: Any, count: int) -> Any:
    """Before as many elements are unpacked, and one more is asked for, as there are names."""
    if not is_view(type(holder)):
        return _read(holder)
    return _taken(holder, read(holder), lambda view: list(itertools.islice(view, count + 1)))


def take_hashed(holder: Any) -> Any:
    """Before all of an object is taken into a set."""
    return _taken(holder, read(holder), set)


def _read(holder: Any) -> Any:
    read(holder)
    return holder


def _taken(holder: Any, footprint: Footprint | None, take: Callable[[Any], Any]) -> Any:
    accesses = looking(holder)
    if footprint is None or accesses is None or not calls_back(holder):
        return holder
    stand_in = going_on(accesses, footprint, take)
    return holder if stand_in is None else stand_in(holder)


def contains(holder: Any, key: Any) -> Any:
    """Before ``key in holder``; return what is to be asked."""
    if type(key) not in SCALARS:
        read_deeply(key)
    accesses = looking(holder)
    if accesses is None:
        return holder
    if accesses.entering.is_watched:
        accesses.entering.note_calling(sys._getframe(1))
    footprint = touch_item(accesses, holder, key, "__contains__", writes=False)
    if footprint is None or not (calls_back(holder) or calls_back((key,))):
        return holder
    ask = going_on(accesses, footprint, operator.contains)
    return holder if ask is None else _Asked(holder, ask)


class _Asked:
    """Asks in the place of an object whether something is in it."""

    __slots__ = ("_ask", "_holder")

    def __init__(self, holder: Any, ask: Callable[[Any, Any], bool]) -> None:
        self._holder = holder
        self._ask = ask

    def __contains__(self, key: Any) -> bool:
        return self._ask(self._holder, key)


def iterate(holder: Any) -> Any:
    """Before an iteration over an object begins; return what it is to go through."""
    accesses = looking(holder)
    kind = type(holder)
    if accesses is None or counts(kind):
        return holder
    is_known = issubclass(kind, CONTAINERS) or is_view(kind) or method_reads(kind, "__iter__")
    footprint = touch_whole(accesses, holder, writes=not is_known)
    if footprint is None or not (is_view(kind) and takes_more(holder)):
        return holder
    return _TakenOneByOne(holder)


class _TakenOneByOne:
    """Takes each element of an iterator as a call of ``next`` does."""

    __slots__ = ("_iterator",)

    def __init__(self, iterator: Any) -> None:
        self._iterator = iterator

    def __iter__(self) -> "_TakenOneByOne":
        return self

    def __next__(self) -> Any:
        return touching(next, self._iterator)


TAKING_HOOKS = {
    hook.__name__: hook
    for hook in (take_all, take_arguments, take_some, take_hashed, contains, iterate)
}
"""Every hook that returns an operand in place of the one it is given, by name."""
