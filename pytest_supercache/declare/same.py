"""Tells whether two functions or classes are one, also if a conftest file was imported twice.

A second import makes other objects of the same source. So does a helper that registers what it is
given, but from other values: two such functions are as different as what they hold.
"""

import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from types import CellType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

from pytest_supercache.core.identity import identity, is_a

_PAIRS_MAX = 10_000
"""The most pairs of values that are compared; what lies beyond them counts as equal."""


_IN_A_FUNCTION = "<locals>"


def place_of(value: Any) -> str:
    """Return where a function or a class is defined, or the representation of another value."""
    while is_a(value, partial):
        value = value.func
    if is_a(value, type):
        return f"{_file_of(value)}:{value.__qualname__}"
    code = getattr(value, "__code__", None) or getattr(type(value).__call__, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(value)


def _file_of(kind: type) -> str:
    """Return the file of a class, which its functions know, whatever its module is called."""
    for method in vars(kind).values():
        if is_a(method, FunctionType):
            file: str = method.__code__.co_filename
            return file
    return attributes_of(sys.modules.get(kind.__module__)).get("__file__") or kind.__module__


def are_one(value: Any, other: Any) -> bool:
    """Say whether two values come from the same source and hold the same values."""
    pairs, seen = [(value, other)], set[tuple[int, int]]()
    while pairs and len(seen) < _PAIRS_MAX:
        one, another = pairs.pop()
        numbers = identity(one), identity(another)
        if one is another or numbers in seen:
            continue
        seen.add(numbers)
        if not _are_alike(one, another):
            return False
        parts, others = list(_parts_of(one)), list(_parts_of(another))
        if len(parts) != len(others):
            return False
        pairs += zip(parts, others, strict=True)
    return True


def _are_alike(one: Any, other: Any) -> bool:
    """Say whether two values are equal, apart from the values that they hold."""
    if is_a(one, type | FunctionType):
        return type(one) is type(other) and place_of(one) == place_of(other)
    if is_a(one, ModuleType):
        return is_a(other, ModuleType) and one.__name__ == other.__name__
    if place_of(type(one)) != place_of(type(other)):
        return False
    has_parts = is_a(one, dict | list | tuple) or hasattr(one, "__dict__")
    return (
        has_parts
        or any(True for _ in slots_of(one))
        or _is_compared_by_identity(type(one))
        or are_equal(one, other)
    )


def are_equal(one: Any, other: Any) -> bool:
    """Say whether two values are equal; by their texts, if they cannot be compared."""
    try:
        return bool(one == other)
    except Exception:  # noqa: BLE001 - a project's __eq__ may raise anything
        return repr(one) == repr(other)


def _is_compared_by_identity(kind: Any) -> bool:
    return kind.__eq__ is object.__eq__


def _parts_of(value: Any) -> Iterator[Any]:
    """Yield the values that a value holds."""
    if is_a(value, type):
        return _parts_of_class(value)
    if is_a(value, FunctionType):
        return _parts_of_function(value)
    if is_a(value, MethodType):
        return iter((value.__func__, value.__self__))
    if is_a(value, partial):
        return iter((value.func, value.args, value.keywords))
    if is_a(value, dict):
        return (part for item in value.items() for part in item)
    if is_a(value, list | tuple):
        return iter(value)
    members = [vars(value)] if hasattr(value, "__dict__") else []
    return iter(() if is_a(value, ModuleType) else (*(one for _, one in slots_of(value)), *members))


def _parts_of_class(kind: type) -> Iterator[Any]:
    """Yield what a class that a function makes is made of; any other one is known by its place."""
    if _IN_A_FUNCTION in kind.__qualname__:
        yield kind.__bases__
        yield from (one for name, one in vars(kind).items() if not name.startswith("__"))


def _parts_of_function(function: FunctionType) -> Iterator[Any]:
    """Yield what a function holds; one that was compiled from a text has globals of its own."""
    yield from (content(cell) for cell in function.__closure__ or ())
    yield from (function.__defaults__, function.__kwdefaults__)
    names = function.__globals__
    if "__file__" not in names:
        yield from (names[name] for name in function.__code__.co_names if name in names)


def attributes_of(value: Any) -> dict[str, Any]:
    """Return an object's own attributes; none of its code runs, nor is a lazy module imported."""
    if is_a(value, type):
        return dict(vars(value))
    with suppress(AttributeError):
        found: dict[str, Any] = object.__getattribute__(value, "__dict__")
        return found
    return {}


def slots_of(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the slots of an object that have a value, by their names, and their values."""
    for kind in type(value).__mro__:
        for name, slot in vars(kind).items() if kind.__module__ != "builtins" else ():
            if is_a(slot, MemberDescriptorType):
                with suppress(AttributeError):
                    yield name, slot.__get__(value)


NOTHING: Any = object()
"""Stands for what a variable or a part holds that has no value."""


def content(cell: CellType) -> Any:
    """Return what a cell holds; NOTHING: it has no value yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return NOTHING
