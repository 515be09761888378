"""Lists what an object holds, and the names of its parts, without running its code."""

import functools
import gc
import random
import types
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from pytest_supercache.core.masking import masked
from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.declare.adapters import LIBRARIES
from pytest_supercache.runtime.kernel.kinds import attributes_of, module_of
from pytest_supercache.runtime.kernel.under_test import dict_of, is_standard_name, members_of
from pytest_supercache.runtime.memory.effects import (
    BOUND_IN_C,
    SCALARS,
    Memo,
    behind_view,
    elements_of,
    find_in_class,
    is_left_alone,
    is_rewritten,
    is_view,
    slots_of,
    top,
)
from pytest_supercache.runtime.memory.foreign import FRAMEWORKS, is_foreign

WALKED = (types.FunctionType, types.MethodType, types.CellType, functools.partial, tuple)
"""Types that hold no memory themselves, but lead to it."""

_PLAIN_KEYS = frozenset({str, bytes, int, float, bool, type(None)})
Way = Callable[[str], str]


def inside(value: Any) -> Iterator[tuple[Any, Way]]:
    """Yield each object that an object holds, with a function that extends the name."""
    kind = type(value)
    if kind is types.CellType:
        with suppress(ValueError):  # not filled yet
            yield value.cell_contents, _same
    elif kind is types.FunctionType:
        yield from _inside_function(value)
    elif kind is types.MethodType:
        yield value.__self__, _same
        yield value.__func__, _same
    elif kind in BOUND_IN_C:
        yield value.__self__, _same
    elif kind is functools.partial:
        yield from _inside_partial(value)
    elif issubclass(kind, types.ModuleType):
        yield from _attributes(vars(value))
    elif issubclass(kind, type):
        members = dict(attributes_of(value))
        yield from _attributes(members)
        yield from _special_methods(members)
    else:
        yield from _inside_instance(value, kind)


def _special_methods(members: dict[str, Any]) -> Iterator[tuple[Any, Way]]:
    """Yield the methods such as `__call__` that hold something: a closure, or defaults."""
    for name, one in members.items():
        is_method = type(one) is types.FunctionType and _is_special(name)
        if is_method and (one.__closure__ or one.__defaults__ or one.__kwdefaults__):
            yield one, _added(f".{name}")


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _inside_function(function: types.FunctionType) -> Iterator[tuple[Any, Way]]:
    variables = function.__code__.co_freevars
    for variable, cell in zip(variables, function.__closure__ or (), strict=True):
        yield cell, _renamed(variable)
    for inner in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
        yield inner, _added(" default")
    yield from _attributes(function.__dict__)


def _inside_partial(partial: functools.partial[Any]) -> Iterator[tuple[Any, Way]]:
    for inner in (partial.func, *partial.args, *partial.keywords.values()):
        yield inner, _same
    if partial.keywords:
        yield partial.keywords, _added(" keywords")


def variables_of(function: types.FunctionType) -> Iterator[tuple[types.CellType, str]]:
    """Yield the variables that a function shares with its enclosing functions, with their names."""
    code = function.__code__
    owner = enclosing(code.co_qualname)
    for variable, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        yield cell, name_of_variable(owner, variable)


def enclosing(function: str) -> str:
    """Return the name of the enclosing function."""
    return function.rpartition(_LOCALS)[0]


def name_of_variable(function: str, variable: str) -> str:
    """Return the name of a local variable as Python writes it: ``load.<locals>.hits``."""
    return f"{function}{_LOCALS}{variable}" if function else variable


_LOCALS = ".<locals>."


def _inside_instance(value: Any, kind: type) -> Iterator[tuple[Any, Way]]:
    members = members_of(value)
    yield from _attributes(members)
    if issubclass(kind, dict):
        yield from ((inner, at_key(key)) for key, inner in list(dict.items(value)))
        if issubclass(kind, defaultdict):
            yield _FACTORY.__get__(value), _added(" factory")
    elif issubclass(kind, list | tuple | deque):
        elements = elements_of(value)
        yield from ((inner, _added(f"[{number}]")) for number, inner in enumerate(elements))
    elif is_rewritten(module_of(kind)) or leads_to_systems(kind):
        yield from _slots(value)
    elif top(module_of(kind)) != "pytest_supercache":
        for number, inner in enumerate(gc.get_referents(value)):
            if inner is not members:
                yield inner, _added(f"~{number}")
    yield from ((inner, _added("~")) for inner in behind_view(value))


_FACTORY: Any = vars(defaultdict)["default_factory"]


def attribute_of(holder: Any, name: str) -> Any:
    """Return an attribute without running code of its object; None if there is none.

    Args:
        holder: a class, an instance, a module, or the globals of one.
        name: the attribute's.
    """
    if name == "__dict__":
        return dict_of(holder)
    if type(holder) is dict:
        return holder.get(name)
    if issubclass(type(holder), type):
        return type.__getattribute__(holder, "__dict__").get(name)
    slots = dict(slots_of(holder))
    return members_of(holder).get(name, slots.get(name, _default_of(type(holder), name)))


def _default_of(kind: type, name: str) -> Any:
    """Return a member of a class, or of its first base that has it; None if none has.

    A slot is none: it is the place of a value that an object does not have.
    """
    found, _ = find_in_class(kind, name)
    return None if type(found) is types.MemberDescriptorType else found


def leads_to_systems(kind: type) -> bool:
    """Say whether objects of a type are not looked into and lead to what users share.

    They are ours and lead to systems, or they are applications in which code keeps its own objects.
    """
    return module_of(kind).startswith(_WITH_SYSTEMS)


_WITH_SYSTEMS = (
    "pytest_supercache.world.users", "pytest_supercache.play", "flask.app", "flask.testing",
)  # fmt: skip


def _slots(value: Any) -> Iterator[tuple[Any, Way]]:
    for name, inner in slots_of(value):
        yield inner, _added(f".{name}")


def _attributes(members: Any) -> Iterator[tuple[Any, Way]]:
    for name, inner in list(members.items()):
        if type(name) is str and not _is_special(name):
            yield inner, _added(f".{name}")


def _same(name: str) -> str:
    return name


def _added(suffix: str) -> Way:
    return lambda name: f"{name}{suffix}"


def at_key(key: Any) -> Way:
    """Return how the name of a container is extended to that of the entry at a key."""
    return lambda name: f"{name}[{shown(key)}]"


def _renamed(variable: str) -> Way:
    return lambda _name: variable


def shown(key: Any) -> str:
    """Write a key of a container; ``*`` if it has no form that is the same in every run."""
    kind = type(key)
    if kind is bool or (kind is float and key.is_integer()):
        return repr(int(key))  # they are equal, and so one key
    if kind in _PLAIN_KEYS:
        return masked(repr(key))  # it becomes a part of tokens
    if kind is tuple:
        parts = [shown(part) for part in key]
        return WHOLE if WHOLE in parts else f"({', '.join(parts)})"
    return WHOLE


def leads_on(value: Any) -> bool:
    """Say whether an object may hold memory of the code under test."""
    kind = type(value)
    if kind in WALKED or kind in _WRAPPERS or kind is Memo or is_view(kind):
        return True
    if kind in SCALARS or issubclass(kind, types.ModuleType):
        return False
    if issubclass(kind, type):
        return is_rewritten(module_of(value))
    package = top(module_of(kind))
    if package in IN_MEMORY or package in _LOOKED_INTO or kind is random.Random:
        return True
    if is_foreign(kind):
        return True
    if package in FRAMEWORKS or is_left_alone(kind):
        return False
    return is_standard_name(package) or is_rewritten(module_of(kind))


_WRAPPERS = (
    staticmethod, classmethod, property, types.BuiltinFunctionType, types.MethodWrapperType,
)  # fmt: skip
"""Types that are left alone, but lead to objects that hold memory."""

ASYNCIO = frozenset({"asyncio", "_asyncio"})
_LOOKED_INTO = ASYNCIO | {"contextvars", "_contextvars"}
"""Packages whose objects are otherwise left alone, but hold what code puts there."""

IN_MEMORY = frozenset(LIBRARIES) - {"django", "django_redis", "diskcache", "pymemcache"}
"""Libraries, declared by a table, whose caches hold everything in the process."""
