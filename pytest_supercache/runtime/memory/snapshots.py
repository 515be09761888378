"""Takes a snapshot of what one object holds when a check begins, and restores it."""

import array
import io
import itertools
import random
import re
import types
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable
from functools import partial
from operator import is_
from typing import Any, Protocol

from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.runtime.kernel.kinds import attributes_of, bases_of, module_of
from pytest_supercache.runtime.kernel.under_test import members_of
from pytest_supercache.runtime.memory.effects import SCALARS, Memo, is_view, top
from pytest_supercache.runtime.memory.reach import WALKED

_ABSENT = object()


class Snapshot(Protocol):
    """The content of an object when the check began."""

    def is_unchanged(self, part: str) -> bool:
        """Say whether a part of the object still has that content."""

    def restore(self, part: str) -> None:
        """Restore that content of a part of the object."""


class _NotTaken:
    """Stands for the snapshot of an object that is taken when it is first used."""

    def is_unchanged(self, part: str) -> bool:
        return True

    def restore(self, part: str) -> None:
        pass


NOT_TAKEN = _NotTaken()
"""Stands for a snapshot that is taken when its object is first used."""


def snapshot_of(value: Any, name: str) -> Snapshot | None:
    """Take a snapshot of an object; None: it has no content, or none that can be restored.

    Args:
        value: the object.
        name: the global that leads to it, for content that cannot be restored.
    """
    kind = type(value)
    if kind is Memo:
        return None if value.cache_info().currsize else _Forgetful(value)
    if kind is types.CellType:
        return _Cell(value)
    if kind is random.Random:
        return _Generator(value)
    if kind in (io.StringIO, io.BytesIO):
        return None if value.closed else _Stream(value)
    if kind is types.GeneratorType or (is_view(kind) and hasattr(kind, "__next__")):
        return _of_iterator(value, name)
    if kind is types.FunctionType:
        return _OfFunction(value)
    if issubclass(kind, type):
        return _Attributes(value)
    return None if kind in WALKED or kind in _WITHOUT_CONTENT else _Content(value)


def _of_iterator(value: Any, name: str) -> "Numbers | UnrestorableIterator":
    shown = _COUNT.fullmatch(repr(value)) if type(value) is itertools.count else None
    return UnrestorableIterator(value, name) if shown is None else Numbers(value, name, shown)


_COUNT = re.compile(r"count\((-?\d+)(?:, (-?\d+))?\)")
"""How an `itertools.count` of whole numbers shows the next one, and its step."""


_WITHOUT_CONTENT = (
    staticmethod, classmethod, property, types.BuiltinFunctionType, types.MethodWrapperType,
    types.MappingProxyType, frozenset, memoryview,
)  # fmt: skip


def named(members: Any) -> list[tuple[str, Any]]:
    """Return the globals of a module, or the attributes of a class, but not ``__dunder__`` ones."""
    return [(name, value) for name, value in list(members.items()) if not name.startswith("__")]


class Namespace:
    """The globals of a module.

    It refers to the module: references to the globals are counted (``memory.referring``).
    """

    def __init__(self, module: types.ModuleType) -> None:
        self._module = module
        self._start = dict(vars(module))

    def is_unchanged(self, part: str) -> bool:
        """Say whether its globals, or one of them, are unchanged."""
        members = vars(self._module)
        return all(members.get(n, _ABSENT) is self._value(n) for n in self._of(part))

    def restore(self, part: str) -> None:
        """Restore its globals, or one of them."""
        members = vars(self._module)
        for name in self._of(part):
            if self._value(name) is _ABSENT:
                members.pop(name, None)
            else:
                members[name] = self._value(name)

    def changed(self) -> list[str]:
        """Return the globals that have changed; a submodule that was imported is none."""
        members = vars(self._module)
        return [
            f".{name}"
            for name in self._of(WHOLE)
            if members.get(name, _ABSENT) is not self._value(name)
            and type(members.get(name)) is not types.ModuleType
        ]

    def _of(self, part: str) -> Iterable[str]:
        return self._start.keys() | vars(self._module).keys() if part == WHOLE else (part[1:],)

    def _value(self, name: str) -> Any:
        value = self._start.get(name, _ABSENT)
        return _unless_replaced(value, vars(self._module).get(name, _ABSENT))


class _Attributes:
    """The attributes of a class."""

    def __init__(self, kind: type) -> None:
        self._kind = kind
        self._start = dict(attributes_of(kind))

    def is_unchanged(self, part: str) -> bool:
        return all(vars(self._kind).get(n, _ABSENT) is self._value(n) for n in self._of(part))

    def restore(self, part: str) -> None:
        for name in self._of(part):
            value = self._value(name)
            if value is not _ABSENT:
                type.__setattr__(self._kind, name, value)
            elif name in vars(self._kind):
                type.__delattr__(self._kind, name)

    def changed(self) -> list[str]:
        """Return the attributes that have changed."""
        return [f".{name}" for name in self._of(WHOLE) if not self.is_unchanged(f".{name}")]

    def _of(self, part: str) -> Iterable[str]:
        if part != WHOLE:
            return [part[1:]]
        now = named(attributes_of(self._kind))
        added = [n for n, value in now if n not in self._start and type(value) not in _METHODS]
        return [*(name for name, _ in named(self._start)), *added]

    def _value(self, name: str) -> Any:
        value = self._start.get(name, _ABSENT)
        return _unless_replaced(value, vars(self._kind).get(name, _ABSENT))


_METHODS = (types.FunctionType, staticmethod, classmethod, property)
"""Types of what a watch adds to a class: that is not the code's."""


class _Cell:
    """A variable of a closure."""

    def __init__(self, cell: Any) -> None:
        self._cell = cell
        self._start = self._now()

    def is_unchanged(self, _part: str) -> bool:
        return self._now() is _unless_replaced(self._start, self._now())

    def restore(self, _part: str) -> None:
        if self._start is _ABSENT:
            del self._cell.cell_contents
        else:
            self._cell.cell_contents = _unless_replaced(self._start, self._now())

    def _now(self) -> Any:
        try:
            return self._cell.cell_contents
        except ValueError:  # not filled yet
            return _ABSENT


class _OfFunction:
    """The attributes of a function."""

    def __init__(self, function: types.FunctionType) -> None:
        self._function = function
        self._start = dict(function.__dict__)

    def is_unchanged(self, _part: str) -> bool:
        now = self._function.__dict__
        return now.keys() == self._start.keys() and all(
            now[name] is _unless_replaced(value, now[name]) for name, value in self._start.items()
        )

    def restore(self, _part: str) -> None:
        now = self._function.__dict__
        members = {n: _unless_replaced(value, now.get(n)) for n, value in self._start.items()}
        now.clear()
        now.update(members)


class _Forgetful:
    """A memo function that remembered nothing."""

    def __init__(self, memo: Any) -> None:
        self._memo = memo

    def is_unchanged(self, _part: str) -> bool:
        return not self._memo.cache_info().currsize

    def restore(self, _part: str) -> None:
        self._memo.cache_clear()


class _Generator:
    """A generator of random numbers."""

    def __init__(self, generator: random.Random) -> None:
        self._generator = generator
        self._start = generator.getstate()

    def is_unchanged(self, _part: str) -> bool:
        return self._generator.getstate() == self._start

    def restore(self, _part: str) -> None:
        self._generator.setstate(self._start)


class _Stream:
    """A stream in memory."""

    def __init__(self, stream: io.StringIO | io.BytesIO) -> None:
        self._stream: Any = stream
        self._start = self._now()

    def is_unchanged(self, _part: str) -> bool:
        return self._now() == self._start

    def restore(self, _part: str) -> None:
        content, position = self._start
        self._stream.seek(0)
        self._stream.truncate()
        self._stream.write(content)
        self._stream.seek(position)

    def _now(self) -> tuple[str | bytes, int]:
        return self._stream.getvalue(), self._stream.tell()


class Numbers:
    """An `itertools.count`: each execution counts from where it was, and takes none of its numbers.

    That works where a call of ``next`` is seen. Everything else takes from the iterator itself,
    which cannot be rewound.

    Attributes:
        name: the global that leads to it.
    """

    def __init__(self, count: Any, name: str, shown: re.Match[str]) -> None:
        self.name = name
        self._count, self._shown = count, shown[0]
        self._next = self._start = int(shown[1])
        self._step = int(shown[2] or 1)

    @property
    def are_taken(self) -> bool:
        """Whether somebody has taken a number of the iterator itself."""
        return repr(self._count) != self._shown

    def take(self, *_: Any) -> int:
        """Return the next number of this execution."""
        number = self._next
        self._next += self._step
        return number

    def is_unchanged(self, _part: str) -> bool:
        """Say whether this execution has taken none."""
        return self._next == self._start

    def restore(self, _part: str) -> None:
        """Count anew."""
        self._next = self._start


class UnrestorableIterator:
    """An iterator, which cannot be rewound.

    Attributes:
        name: the global that leads to it.
    """

    def __init__(self, iterator: Any, name: str) -> None:
        self._iterator = iterator
        self.name = name

    def is_unchanged(self, _part: str) -> bool:
        """Return True: there is no way to tell."""
        return True

    def restore(self, _part: str) -> None:
        """Do nothing: an iterator cannot be rewound."""


class _Content:
    """The content of a container, or of an instance: elements, attributes and slots.

    An instance may also take the class and the ``__dict__`` of another one, as lazy ones do.
    """

    def __init__(self, value: Any) -> None:
        self._value = value
        self._kind, members = type(value), members_of(value)
        self._members = members if members_of(value) is members else None
        self._slots = [
            slot
            for base in bases_of(type(value))
            for slot in attributes_of(base).values()
            if type(slot) is types.MemberDescriptorType and slot.__name__ not in _NO_SLOTS
        ]
        self._fill, self._look = _ways_of(value)
        self._start = self._now()

    def _now(self) -> tuple[list[Any], dict[str, Any], list[Any]]:
        slots = [_value_of(slot, self._value) for slot in self._slots]
        return self._look(), dict(members_of(self._value)), slots

    def is_unchanged(self, _part: str) -> bool:
        if self._has_become_another():
            return False
        now = self._now()
        if all(map(_is_identical, self._start, now)):
            return True
        elements, members, slots = self._wanted()
        return (
            are_same(elements, now[0])
            and list(members) == list(now[1])
            and are_same(list(members.values()), list(now[1].values()))
            and are_same(slots, now[2])
        )

    def _has_become_another(self) -> bool:
        if self._members is not None and members_of(self._value) is not self._members:
            return True
        return type(self._value) is not self._kind

    def restore(self, _part: str) -> None:
        if self._has_become_another():
            object.__setattr__(self._value, "__class__", self._kind)
            if self._members is not None:
                object.__setattr__(self._value, "__dict__", self._members)
        elements, members, slots = self._wanted()
        if not are_same(elements, self._look()):
            self._fill(elements)
        now = members_of(self._value)
        now.clear()
        now.update(members)
        for slot, value in zip(self._slots, slots, strict=True):
            if _is_same(_value_of(slot, self._value), value):  # C has members that nobody may set
                continue
            if value is not _ABSENT:
                slot.__set__(self._value, value)
            else:
                slot.__delete__(self._value)

    def _wanted(self) -> tuple[list[Any], dict[str, Any], list[Any]]:
        """Return the remembered content, with the stand-ins that a check has put into it."""
        elements, members, slots = self._start
        now = self._now()
        if len(now[0]) == len(elements):
            elements = list(map(_unless_replaced, elements, now[0]))
        members = {n: _unless_replaced(value, now[1].get(n)) for n, value in members.items()}
        return elements, members, list(map(_unless_replaced, slots, now[2]))


_NO_SLOTS = ("__weakref__", "__dict__")


def _is_identical(some: Collection[Any], others: Collection[Any]) -> bool:
    """Say whether two lists, or two mappings in the same order, hold the same objects."""
    if len(some) != len(others) or not all(map(is_, some, others)):
        return False
    if not isinstance(some, dict) or not isinstance(others, dict):
        return True
    return all(map(is_, some.values(), others.values()))


def are_same(some: list[Any], others: list[Any]) -> bool:
    """Say whether two lists hold the same objects, or equal plain values."""
    return len(some) == len(others) and all(map(_is_same, some, others))


def _is_same(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and type(one) in SCALARS and one == other)


def _value_of(slot: Any, value: Any) -> Any:
    try:
        return slot.__get__(value)
    except AttributeError:
        return _ABSENT


def _ways_of(value: Any) -> tuple[Callable[[list[Any]], None], Callable[[], list[Any]]]:
    """Return how to fill a container and how to list its elements, without running its code."""
    base: Any
    for base in (OrderedDict, dict):
        if issubclass(type(value), base):
            return partial(_refill_dict, base, value), partial(_items, base, value)
    for base in (list, set, deque, bytearray, array.array):
        if issubclass(type(value), base):
            return partial(_refill, base, value), partial(_elements, base, value)
    return lambda _elements: None, list


def elements(value: Any) -> list[Any]:
    """Return the elements of a container, keys and values in turn; of other objects nothing."""
    _, look = _ways_of(value)
    return look()


def _items(base: Any, value: Any) -> list[Any]:
    return [one for item in list(base.items(value)) for one in item]


def _elements(base: Any, value: Any) -> list[Any]:
    return list(base.__iter__(value))


def _refill_dict(base: Any, value: Any, elements: list[Any]) -> None:
    base.clear(value)
    base.update(value, zip(elements[::2], elements[1::2], strict=True))


def _refill(base: Any, value: Any, elements: list[Any]) -> None:
    if base in (bytearray, array.array):
        value[:] = base(value.typecode, elements) if base is array.array else bytes(elements)
        return
    base.clear(value)
    (base.update if base is set else base.extend)(value, elements)


def _unless_replaced(value: Any, now: Any) -> Any:
    """Return ``value``, or the stand-in that a check has put in its place: of a lock, a client."""
    kind = type(value)
    can_be = kind is types.FunctionType or top(module_of(kind)) in _REPLACED
    is_ours = top(module_of(type(now))) == "pytest_supercache" or _is_stand_in(now)
    return now if is_ours and can_be else value


_REPLACED = frozenset(
    {"_thread", "threading", "queue", "_queue", "asyncio", "concurrent", "redis", "valkey"}
)
"""Packages whose objects a check replaces by stand-ins in modules."""


def _is_stand_in(value: Any) -> bool:
    """Say whether a function is a wrapper of ours around one of the code under test."""
    is_function = type(value) is types.FunctionType
    return is_function and value.__globals__.get("__name__", "").startswith("pytest_supercache.")


IN_PARTS = (Namespace, _Attributes)
"""Kinds that are restored part by part; all else is restored as a whole."""
