"""Memory that outlives an execution, given back what it held when the check began.

That is what the modules of the code under test lead to: globals, attributes of classes, containers,
instances, cells of closures, memo functions. In production it outlives requests, and what one
execution leaves there the next one would find: a near cache would be cold only once. What an actor
touches in a race belongs to the code under test, and every execution finds it as the first one did.
What no actor touches, such as a list in which a test collects what it saw, is left alone.
"""

import operator
import random
import types
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

from pytest_supercache.runtime.memory.effects import PLAIN, Memo, is_rewritten, top
from pytest_supercache.runtime.memory.reach import WALKED, inside
from pytest_supercache.runtime.memory.sharing import WHOLE
from pytest_supercache.runtime.under_test import members_of

OBJECTS_MAX = 50_000
"""So many objects are looked into; what lies farther from the modules is not given back."""

_ABSENT = object()


class _Kept(Protocol):
    """What an object held when the check began."""

    def is_as_it_was(self, part: str) -> bool:
        """Say whether a part of the object still holds that."""

    def give_back(self, part: str) -> None:
        """Let a part of the object hold that again."""


class Lasting:
    """What the modules of the code under test lead to, as it was when they were added."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Any, _Kept]] = {}
        self._touched: dict[tuple[int, str], None] = {}
        self._has_grown = False

    def add(self, modules: Iterable[types.ModuleType]) -> None:
        """Look into modules that were not looked into yet."""
        waiting: deque[Any] = deque()
        for module in modules:
            members = vars(module)
            if id(members) not in self._kept and is_rewritten(members.get("__name__")):
                self._kept[id(members)] = (members, _Names(members))
                waiting.extend(value for _, value in _named(members))
        seen = set(self._kept)
        while waiting and len(seen) < OBJECTS_MAX:
            value = waiting.popleft()
            if id(value) in seen or not _leads_on(value):
                continue
            seen.add(id(value))
            kept = _kept(value)
            if kept is not None:
                self._kept[id(value)] = (value, kept)
            waiting.extend(inner for inner, _ in inside(value))

    def touch(self, holder: Any, part: str) -> None:
        """Note that the code under test is about to use a part of an object."""
        if id(holder) in self._kept and (id(holder), part) not in self._touched:
            self._touched[id(holder), part] = None
            self._has_grown |= not self._kept[id(holder)][1].is_as_it_was(part)

    def take_growth(self) -> bool:
        """Say whether anything was touched for the first time that was not as in the beginning."""
        has_grown, self._has_grown = self._has_grown, False
        return has_grown

    def give_back(self) -> None:
        """Give what was touched the content that it had."""
        for number, part in self._touched:
            kept = self._kept[number][1]
            if not kept.is_as_it_was(part):
                kept.give_back(part)


def _leads_on(value: Any) -> bool:
    """Say whether an object may hold memory of the code under test."""
    kind = type(value)
    if kind in WALKED or kind is Memo:
        return True
    if kind in PLAIN or issubclass(kind, types.ModuleType):
        return False
    if issubclass(kind, type):
        return is_rewritten(value.__module__)
    return issubclass(kind, _CONTAINERS) or kind is random.Random or is_rewritten(kind.__module__)


_CONTAINERS = (dict, list, set, deque, bytearray)


def _kept(value: Any) -> _Kept | None:
    """Keep what an object holds now; None: it holds nothing itself, or nothing that can be kept."""
    kind = type(value)
    if kind is Memo:
        return None if value.cache_info().currsize else _Forgetful(value)
    if kind is types.CellType:
        return _Cell(value)
    if kind is random.Random:
        return _Generator(value)
    if issubclass(kind, type):
        return _Attributes(value)
    return None if kind in WALKED else _Content(value)


def _named(members: Any) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in list(members.items()) if not name.startswith("__")]


class _Names:
    """The globals of a module."""

    def __init__(self, members: dict[str, Any]) -> None:
        self._members = members
        self._start = dict(members)

    def is_as_it_was(self, part: str) -> bool:
        return all(self._members.get(n, _ABSENT) is self._value(n) for n in self._of(part))

    def give_back(self, part: str) -> None:
        for name in self._of(part):
            if self._value(name) is _ABSENT:
                self._members.pop(name, None)
            else:
                self._members[name] = self._value(name)

    def _of(self, part: str) -> Iterable[str]:
        return self._start.keys() | self._members.keys() if part == WHOLE else (part[1:],)

    def _value(self, name: str) -> Any:
        value = self._start.get(name, _ABSENT)
        return _unless_replaced(value, self._members.get(name, _ABSENT))


class _Attributes:
    """The attributes of a class."""

    def __init__(self, kind: type) -> None:
        self._kind = kind
        self._start = dict(vars(kind))

    def is_as_it_was(self, part: str) -> bool:
        return all(vars(self._kind).get(n, _ABSENT) is self._value(n) for n in self._of(part))

    def give_back(self, part: str) -> None:
        for name in self._of(part):
            value = self._value(name)
            if value is not _ABSENT:
                type.__setattr__(self._kind, name, value)
            elif name in vars(self._kind):
                type.__delattr__(self._kind, name)

    def _of(self, part: str) -> Iterable[str]:
        return [name for name, _ in _named(self._start)] if part == WHOLE else [part[1:]]

    def _value(self, name: str) -> Any:
        value = self._start.get(name, _ABSENT)
        return _unless_replaced(value, vars(self._kind).get(name, _ABSENT))


class _Cell:
    """A variable of a closure."""

    def __init__(self, cell: Any) -> None:
        self._cell = cell
        self._start = self._now()

    def is_as_it_was(self, _part: str) -> bool:
        return self._now() is _unless_replaced(self._start, self._now())

    def give_back(self, _part: str) -> None:
        if self._start is _ABSENT:
            del self._cell.cell_contents
        else:
            self._cell.cell_contents = _unless_replaced(self._start, self._now())

    def _now(self) -> Any:
        try:
            return self._cell.cell_contents
        except ValueError:  # not filled yet
            return _ABSENT


class _Forgetful:
    """A memo function that remembered nothing."""

    def __init__(self, memo: Any) -> None:
        self._memo = memo

    def is_as_it_was(self, _part: str) -> bool:
        return not self._memo.cache_info().currsize

    def give_back(self, _part: str) -> None:
        self._memo.cache_clear()


class _Generator:
    """A generator of random numbers."""

    def __init__(self, generator: random.Random) -> None:
        self._generator = generator
        self._start = generator.getstate()

    def is_as_it_was(self, _part: str) -> bool:
        return self._generator.getstate() == self._start

    def give_back(self, _part: str) -> None:
        self._generator.setstate(self._start)


class _Content:
    """What a container, or an instance, holds: elements, attributes and slots.

    An instance may also take the class and the ``__dict__`` of another one, as lazy ones do.
    """

    def __init__(self, value: Any) -> None:
        self._value = value
        self._kind, members = type(value), members_of(value)
        self._members = members if members_of(value) is members else None
        self._slots = [
            slot
            for base in type(value).__mro__
            for slot in vars(base).values()
            if type(slot) is types.MemberDescriptorType and slot.__name__ != "__weakref__"
        ]
        self._fill, self._look = _ways_of(value)
        self._start = self._now()

    def _now(self) -> tuple[list[Any], dict[str, Any], list[Any]]:
        slots = [_value_of(slot, self._value) for slot in self._slots]
        return self._look(), dict(members_of(self._value)), slots

    def is_as_it_was(self, _part: str) -> bool:
        if self._has_become_another():
            return False
        (elements, members, slots), now = self._wanted(), self._now()
        return (
            _are_same(elements, now[0])
            and list(members) == list(now[1])
            and _are_same(list(members.values()), list(now[1].values()))
            and _are_same(slots, now[2])
        )

    def _has_become_another(self) -> bool:
        if self._members is not None and members_of(self._value) is not self._members:
            return True
        return type(self._value) is not self._kind

    def give_back(self, _part: str) -> None:
        if self._has_become_another():
            object.__setattr__(self._value, "__class__", self._kind)
            if self._members is not None:
                object.__setattr__(self._value, "__dict__", self._members)
        elements, members, slots = self._wanted()
        if not _are_same(elements, self._look()):
            self._fill(elements)
        now = members_of(self._value)
        now.clear()
        now.update(members)
        for slot, value in zip(self._slots, slots, strict=True):
            if value is not _ABSENT:
                slot.__set__(self._value, value)
            elif _value_of(slot, self._value) is not _ABSENT:
                slot.__delete__(self._value)

    def _wanted(self) -> tuple[list[Any], dict[str, Any], list[Any]]:
        """Return what it held, with the stand-ins that we have put in the place of some."""
        elements, members, slots = self._start
        now = self._now()
        if len(now[0]) == len(elements):
            elements = list(map(_unless_replaced, elements, now[0]))
        members = {n: _unless_replaced(value, now[1].get(n)) for n, value in members.items()}
        return elements, members, list(map(_unless_replaced, slots, now[2]))


def _are_same(some: list[Any], others: list[Any]) -> bool:
    return len(some) == len(others) and all(map(operator.is_, some, others))


def _value_of(slot: Any, value: Any) -> Any:
    try:
        return slot.__get__(value)
    except AttributeError:
        return _ABSENT


def _ways_of(value: Any) -> tuple[Callable[[list[Any]], None], Callable[[], list[Any]]]:
    """Return how elements are put into a container, and how they are looked at; nothing runs."""
    base: Any
    for base in (OrderedDict, dict):
        if issubclass(type(value), base):
            return partial(_refill_dict, base, value), partial(_items, base, value)
    for base in (list, set, deque, bytearray):
        if issubclass(type(value), base):
            return partial(_refill, base, value), partial(_elements, base, value)
    return lambda _elements: None, list


def _items(base: Any, value: Any) -> list[Any]:
    return [one for item in list(base.items(value)) for one in item]


def _elements(base: Any, value: Any) -> list[Any]:
    return list(base.__iter__(value))


def _refill_dict(base: Any, value: Any, elements: list[Any]) -> None:
    base.clear(value)
    base.update(value, zip(elements[::2], elements[1::2], strict=True))


def _refill(base: Any, value: Any, elements: list[Any]) -> None:
    base.clear(value)
    (base.update if base is set else base.extend)(value, elements)


def _unless_replaced(value: Any, now: Any) -> Any:
    """Return what was there, or what we have put in its place: a stand-in for a lock, a client."""
    kind = type(value)
    can_be = kind is types.FunctionType or top(kind.__module__) in _REPLACED
    is_ours = top(type(now).__module__) == "pytest_supercache" or _is_stand_in(now)
    return now if is_ours and can_be else value


_REPLACED = frozenset(
    {"_thread", "threading", "queue", "_queue", "asyncio", "concurrent", "redis", "valkey"}
)
"""Packages of whose objects a check puts stand-ins into modules."""


def _is_stand_in(value: Any) -> bool:
    """Say whether a function is one of ours around one of the code under test."""
    is_function = type(value) is types.FunctionType
    return is_function and value.__globals__.get("__name__", "").startswith("pytest_supercache.")
