"""Finds every place where code under test keeps a value that can be replaced.

A lock, a clock or a watched function may be in a module's globals, a class, an instance, a
container, a closure or a default argument. This walks them all, without running any of their code.
It is a breadth-first search from all modules at once: an object that many of them reach is walked
once, and as deep as the shortest way to it allows.
"""

import builtins
import functools
import sys
import types
from collections import defaultdict, deque
from collections.abc import Callable, Container, Iterable, Iterator
from typing import Any, NamedTuple

from pytest_supercache.core.identity import identity
from pytest_supercache.runtime.kernel.under_test import is_under_test_name, members_of

DEPTH_MAX = 8
PLACES_MAX = 100_000
"""Limits of the walk: its depth, and its objects per module; beyond that is data, not locks."""


class _Kind(NamedTuple):
    """How to name a place of one kind, and how to put a value there."""

    form: str
    put: Callable[[Any, Any, Any], None]


_Members = tuple[_Kind, list[tuple[Any, Any]]]
"""The members of one holder at places of one kind: each with its position and its value."""

_Way = tuple[tuple[_Kind, Any], ...]
"""The path from a module: the kind and the position of each place on it."""


class ReferencePlace(NamedTuple):
    """A place in ``holder``, at the end of the path ``way``, where ``value`` was found."""

    value: Any
    holder: Any
    way: _Way

    @property
    def name(self) -> str:
        """The path of the place from its module on: ``"shop:_cache.locks[7]"``."""
        return "".join(kind.form.format(_plain(at)) for kind, at in self.way)

    def put(self, value: Any) -> None:
        """Put another value in this place.

        Raises:
            AttributeError, TypeError: this place cannot be changed.
            IndexError: this place does not exist any more.
        """
        kind, at = self.way[-1]
        kind.put(self.holder, at, value)


def places(
    modules: Iterable[types.ModuleType],
    closed: Iterable[int],
    ids: Container[int],
    of_types: Container[int] = (),
) -> Iterator[ReferencePlace]:
    """Yield every place of a wanted value that the modules can reach, the nearest first.

    Args:
        modules: where to begin.
        closed: identities of objects not to walk into.
        ids: identities of the wanted values.
        of_types: identities of wanted types.

    What cannot be changed and holds a wanted value is wanted, too (a tuple, a static method, a
    partial function): another one can be put in its place.
    """
    modules = list(modules)
    seen = {identity(vars(builtins)), *map(identity, modules), *closed}
    most = len(seen) + PLACES_MAX * len(modules)
    waiting: deque[tuple[Any, _Way, int]] = deque(
        (module, ((_MODULE, module.__name__),), DEPTH_MAX) for module in modules
    )
    met = _Types(ids, of_types)
    while waiting:
        holder, way, depth = waiting.popleft()
        for kind, members in met.inside(holder):
            for at, value in members:
                # No calls for the most frequent values: there are hundreds of thousands of them.
                of_type = identity(type(value))
                if of_type in _PLAIN:
                    continue
                if met.is_wanted(value, of_type):
                    yield ReferencePlace(value, holder, (*way, (kind, at)))
                if of_type in _LEAVES or identity(value) in seen or not depth or len(seen) >= most:
                    continue
                if met.is_walked(value):
                    seen.add(identity(value))
                    yield from met.if_rebuilt(ReferencePlace(value, holder, (*way, (kind, at))))
                    waiting.append((value, (*way, (kind, at)), depth - 1))


class _Types:
    """A cache of facts about the types met on one walk; it does not outlive the walk."""

    def __init__(self, ids: Container[int], of_types: Container[int]) -> None:
        self.rebuilt: set[int] = set()  # identities of what is fixed and holds wanted values
        self._ids = ids
        self._of_types = of_types
        self._is_walked: dict[int, bool] = {}  # by identity: not every class can be hashed
        self._slots: dict[int, list[tuple[str, Any]]] = {}

    def is_wanted(self, value: Any, of_type: int) -> bool:
        """Say whether a value is to be found, or is a method of one that is (`datetime.now`)."""
        number = identity(value)
        if number in self._ids or of_type in self._of_types or number in self.rebuilt:
            return True
        return of_type == _OF_C and identity(value.__self__) in self._ids

    def is_walked(self, value: Any) -> bool:
        kind = type(value)
        if kind is types.FunctionType:
            return bool(
                value.__closure__
                or value.__defaults__
                or value.__kwdefaults__
                or value.__dict__
                or _has_own_globals(value)
            )
        if issubclass(kind, type):
            return _is_under_test(value)
        if issubclass(kind, tuple):
            return any(identity(type(item)) not in _PLAIN for item in tuple.__iter__(value))
        known = self._is_walked.get(identity(kind))
        if known is None:
            known = issubclass(kind, _ALWAYS_WALKED) or _is_under_test(kind)
            self._is_walked[identity(kind)] = known
        return known

    def if_rebuilt(self, place: ReferencePlace) -> tuple[ReferencePlace, ...]:
        """Return the place if its value is fixed and holds a wanted value; else nothing."""
        value = place.value
        if not self._holds(value, DEPTH_MAX):
            return ()
        self.rebuilt.add(identity(value))
        return (place,)

    def _holds(self, value: Any, depth: int) -> bool:
        return any(
            identity(item) in self._ids
            or identity(type(item)) in self._of_types
            or (depth > 0 and self._holds(item, depth - 1))
            for item in _fixed_in(value)
        )

    def inside(self, holder: Any) -> Iterator[_Members]:
        """Yield the members of one holder, for each kind of place in it."""
        kind = type(holder)
        if issubclass(kind, type):
            yield _CLASS_ATTRIBUTE, list(type.__getattribute__(holder, "__dict__").items())
        elif issubclass(kind, types.FunctionType):
            yield from _inside_function(holder)
        elif issubclass(kind, staticmethod | classmethod):
            yield _FIXED, [("__func__", holder.__func__)]
        elif kind is functools.partial:
            yield _FIXED, [("func", holder.func)]
        elif issubclass(kind, property):
            yield _FIXED, [("fget", holder.fget)]
        else:
            yield from _inside_container(holder, kind)
            yield from self._attributes(holder, kind)

    def _attributes(self, holder: Any, kind: type) -> Iterator[_Members]:
        is_module = issubclass(kind, types.ModuleType)
        yield _GLOBAL if is_module else _ATTRIBUTE, list(members_of(holder).items())
        for name, slot in self._slots_of(kind):
            try:
                value = slot.__get__(holder)
            except AttributeError:  # not filled
                continue
            yield _ATTRIBUTE, [(name, value)]

    def _slots_of(self, kind: type) -> list[tuple[str, Any]]:
        if identity(kind) not in self._slots:
            self._slots[identity(kind)] = [
                (name, slot)
                for base in kind.__mro__
                for name, slot in list(type.__getattribute__(base, "__dict__").items())
                if type(slot) is types.MemberDescriptorType and name != "__dict__"
            ]
        return self._slots[identity(kind)]


def _fixed_in(value: Any) -> Iterable[Any]:
    """Return what a value holds that cannot be changed in it, but in another value of its kind."""
    kind = type(value)
    if issubclass(kind, tuple):
        return tuple.__iter__(value)
    if kind is staticmethod:
        return (value.__func__,)
    return (value.func,) if kind is functools.partial else ()


def _is_under_test(kind: Any) -> bool:
    module = type.__getattribute__(kind, "__module__")
    return type(module) is str and is_under_test_name(module)


def _inside_container(holder: Any, kind: type) -> Iterator[_Members]:
    if issubclass(kind, dict):
        yield _ITEM, list(dict.items(holder))
    elif issubclass(kind, list):
        yield _ELEMENT, list(enumerate(list.__iter__(holder)))
    elif issubclass(kind, tuple):
        yield _FIXED_ELEMENT, list(enumerate(tuple.__iter__(holder)))
    if issubclass(kind, defaultdict):
        yield _ATTRIBUTE, [("default_factory", holder.default_factory)]


def _inside_function(function: types.FunctionType) -> Iterator[_Members]:
    for at, cell in enumerate(function.__closure__ or ()):
        try:
            value = cell.cell_contents
        except ValueError:  # not filled yet
            continue
        yield _CELL, [(at, value)]
    if function.__defaults__:
        yield _DEFAULT, list(enumerate(function.__defaults__))
    if function.__kwdefaults__:
        yield _KEYWORD_DEFAULT, list(function.__kwdefaults__.items())
    if function.__dict__:
        yield _FUNCTION_ATTRIBUTE, list(function.__dict__.items())
    if _has_own_globals(function):
        yield _GLOBAL_OF_FUNCTION, list(function.__globals__.items())


def _has_own_globals(function: types.FunctionType) -> bool:
    """Say whether the globals of a function are no module's: attrs generates such functions."""
    own = function.__globals__
    name = own.get("__name__")
    return type(name) is not str or members_of(sys.modules.get(name)) is not own


def _plain(at: Any) -> str:
    if type(at) is str:
        return at[:40]
    return str(at) if type(at) is int else type(at).__name__


def _put_cell(function: types.FunctionType, at: int, value: Any) -> None:
    assert function.__closure__ is not None
    function.__closure__[at].cell_contents = value


def _put_default(function: types.FunctionType, at: int, value: Any) -> None:
    present = list(function.__defaults__ or ())
    present[at] = value
    function.__defaults__ = tuple(present)


def _put_keyword_default(function: types.FunctionType, name: str, value: Any) -> None:
    assert function.__kwdefaults__ is not None
    function.__kwdefaults__[name] = value


def _put_global(function: types.FunctionType, name: str, value: Any) -> None:
    function.__globals__[name] = value


def _refuse(_holder: Any, _at: Any, _value: Any) -> None:
    raise TypeError("this place cannot be changed")


_PLAIN = frozenset(map(identity, (str, bytes, int, float, bool, type(None), types.CodeType)))
"""Types of plain data, whose values are never wanted."""

_OF_C = identity(types.BuiltinFunctionType)

_LEAVES = frozenset(map(identity, (frozenset, set, types.ModuleType, types.BuiltinFunctionType)))
"""Types not to walk into: their content cannot be replaced, or is no place for a lock."""

_ALWAYS_WALKED = (
    dict, list, types.FunctionType, staticmethod, classmethod, property, functools.cached_property,
    functools.partial,
)  # fmt: skip

_MODULE = _Kind("{}", _refuse)
_GLOBAL = _Kind(":{}", object.__setattr__)
_ATTRIBUTE = _Kind(".{}", object.__setattr__)
_CLASS_ATTRIBUTE = _Kind(".{}", type.__setattr__)
_FUNCTION_ATTRIBUTE = _Kind(".{}", setattr)
_ITEM = _Kind("[{}]", dict.__setitem__)
_ELEMENT = _Kind("[{}]", list.__setitem__)
_CELL = _Kind(".closure[{}]", _put_cell)
_DEFAULT = _Kind(".default[{}]", _put_default)
_KEYWORD_DEFAULT = _Kind(".default[{}]", _put_keyword_default)
_GLOBAL_OF_FUNCTION = _Kind(".global[{}]", _put_global)
_FIXED = _Kind(".{}", _refuse)
_FIXED_ELEMENT = _Kind("[{}]", _refuse)
