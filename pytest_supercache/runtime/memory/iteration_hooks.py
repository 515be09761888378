"""Hooks for instructions that iterate over an object: stars, unpacking, ``in``, loops.

Where code of C runs Python code meanwhile, a hook puts another operand in the place of the one that
the instruction is about to use: what has been taken already, or what takes one element at a time.
"""

import itertools
import operator
import sys
import types
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.runtime.memory import hooks
from pytest_supercache.runtime.memory.callbacks import (
    calls_back,
    going_on,
    is_taken_in_python,
    takes_more,
)
from pytest_supercache.runtime.memory.calls import touching
from pytest_supercache.runtime.memory.effects import (
    CONTAINERS,
    PLAIN,
    SCALARS,
    counts,
    find_in_class,
    is_view,
    method_reads,
)
from pytest_supercache.runtime.memory.generated import is_taken_unseen
from pytest_supercache.runtime.memory.hook_calls import CALLER, perform
from pytest_supercache.runtime.memory.hooks import read
from pytest_supercache.runtime.memory.items import touch_item
from pytest_supercache.runtime.memory.steps import Together, joined
from pytest_supercache.runtime.memory.touching import (
    compares_within,
    looking,
    read_deeply,
    read_pairs,
    read_taken,
    read_within,
    touch_whole,
)


def take_all(holder: Any) -> Any:
    """Record that all of an object is taken; return the object to take it from."""
    return _taken(holder, read(holder), list) if is_view(type(holder)) else _read(holder)


def take_arguments(holder: Any) -> Any:
    """Record that a call takes all of an object, unless the hook of the call records that."""
    if not (is_view(type(holder)) and calls_back(holder)):
        return holder
    return _taken(holder, read(holder), tuple)


def take_some(holder: Any, count: int) -> Any:
    """Record that ``count`` elements are unpacked, and that one more is asked for."""
    if not is_view(type(holder)):
        return _read(holder)
    return _taken(holder, read(holder), lambda view: list(itertools.islice(view, count + 1)))


def take_hashed(holder: Any) -> Any:
    """Record that all of an object is taken into a set."""
    return _taken(holder, read(holder), set)


def _read(holder: Any) -> Any:
    read_taken(holder)
    return holder


def _taken(holder: Any, footprint: Footprint | None, take: Callable[[Any], Any]) -> Any:
    accesses = looking(holder)
    if footprint is None or accesses is None or not calls_back(holder):
        return holder
    stand_in = going_on(accesses, footprint, take)
    return holder if stand_in is None else perform(stand_in, holder)


def contains(holder: Any, key: Any) -> Any:
    """Record ``key in holder``; return the object to ask."""
    is_tuple = type(holder) is tuple
    accesses = looking() if is_tuple else looking(holder)
    if accesses is None:
        if type(key) not in SCALARS:
            read_deeply(key)
        return holder
    if accesses.entering.is_watched:
        accesses.entering.note_calling(sys._getframe(CALLER))
    footprint: Footprint | None = None
    with Together(accesses):
        if not is_tuple:
            footprint = touch_item(accesses, holder, key, "__contains__", writes=False)
        if compares_within(key):
            read_deeply(key)
            footprint = joined(footprint, read_within(holder))
    if footprint is None or not (calls_back(holder) or calls_back((key,))):
        return holder
    ask = going_on(accesses, footprint, operator.contains)
    return holder if ask is None else _Asked(holder, ask)


class _Asked:
    """Stands in for an object in a test with ``in``, so that callbacks have switch points."""

    __slots__ = ("_ask", "_holder")

    def __init__(self, holder: Any, ask: Callable[[Any, Any], bool]) -> None:
        self._holder = holder
        self._ask = ask

    def __contains__(self, key: Any) -> bool:
        return self._ask(self._holder, key)


def iterate(holder: Any) -> Any:
    """Record the start of an iteration over an object; return the object to iterate over."""
    accesses = looking(holder)
    kind = type(holder)
    if accesses is None or counts(kind):
        return holder
    if is_taken_unseen(kind):
        return _read(holder)
    is_known = issubclass(kind, CONTAINERS) or is_view(kind) or method_reads(kind, "__iter__")
    footprint = touch_whole(accesses, holder, writes=not is_known)
    if footprint is None or not (is_view(kind) and takes_more(holder)):
        return holder
    return _TakenOneByOne(holder)


class _TakenOneByOne:
    """Takes each element of an iterator by a recorded call of ``next``."""

    __slots__ = ("_iterator",)

    def __init__(self, iterator: Any) -> None:
        self._iterator = iterator

    def __iter__(self) -> "_TakenOneByOne":
        return self

    def __next__(self) -> Any:
        return touching(next, self._iterator)


def change_in_place(right: Any, left: Any, operation: int) -> Any:
    """Record ``left += right`` and the like; return the operand that is left to be added.

    Args:
        right: the right operand.
        left: the left one.
        operation: its number in the instruction.
    """
    accesses = looking()
    if accesses is None or (type(left) in PLAIN and type(right) in PLAIN):
        return right
    with Together(accesses):
        footprint = touch_whole(accesses, left, writes=True)
        footprint = joined(footprint, (read_pairs if operation == _OR else read)(right))
    added = _ADDED.get(operation)
    if added is None or footprint is None or not (_is_of_c(left, added) and calls_back(right)):
        return right
    if operation == _ADD and find_in_class(type(right), "__radd__")[0] is not None:
        return right  # which comes first
    add = going_on(accesses, footprint, added.add)
    if add is None:
        return right
    perform(add, left, right)
    return added.nothing


class _Added(NamedTuple):
    """An operator that adds the elements of its right operand one after the other."""

    kinds: tuple[type, ...]
    method: str
    add: Callable[[Any, Any], Any]
    nothing: Any
    """The right operand that changes nothing."""


_ADD, _OR = 13, 20
"""The numbers of ``+=`` and ``|=`` in the instruction."""
_ADDED = {
    _ADD: _Added((list, deque), "__iadd__", operator.iadd, ()),
    _OR: _Added((dict,), "__ior__", operator.ior, {}),
}


def _is_of_c(left: Any, added: _Added) -> bool:
    if not issubclass(type(left), added.kinds):
        return False
    return type(find_in_class(type(left), added.method)[0]) is not types.FunctionType


def store_item(value: Any, holder: Any, key: Any) -> Any:
    """Record ``holder[key] = value``; return the value to store."""
    if type(key) is not slice:
        hooks.store_item(holder, key, value)
        return value
    return _store_part(holder, value, lambda: hooks.store_item(holder, key, value))


def store_slice(value: Any, holder: Any) -> Any:
    """Record ``holder[start:stop] = value``; return the value to store."""
    return _store_part(holder, value, lambda: hooks.write(holder))


def _store_part(holder: Any, value: Any, write: Callable[[], None]) -> Any:
    """Read a stored value in the step of the store; Python code that supplies it runs before."""
    accesses = looking(holder)
    if accesses is None:
        return value
    kind = type(holder)
    is_of_c = type(find_in_class(kind, "__setitem__")[0]) is not types.FunctionType
    if is_of_c and issubclass(kind, list) and is_taken_in_python(value) and calls_back(value):
        value = perform(going_on(accesses, read(value), list) or list, value)
    with Together(accesses):
        if is_of_c and not issubclass(kind, dict):
            read(value)
        write()
    return value


TAKING_HOOKS = {
    hook.__name__: hook
    for hook in (
        take_all, take_arguments, take_some, take_hashed, contains, iterate, change_in_place,
        store_item, store_slice,
    )
}  # fmt: skip
"""Every hook that returns a replacement for an operand, by name."""
