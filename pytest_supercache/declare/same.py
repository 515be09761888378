"""Tells whether two functions or classes are one, also if a conftest file was imported twice.

A second import makes other objects of the same source. So does a helper that registers what it is
given, but from other values: two such functions are as different as what they hold.
"""

import sys
from collections.abc import Iterator
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import Any

from pytest_supercache.core.identity import identity

_PAIRS_MAX = 10_000
"""The most pairs of values that are compared; what lies beyond them counts as equal."""


def place_of(value: Any) -> str:
    """Return where a function or a class is defined, or the representation of another value."""
    if isinstance(value, type):
        return f"{_file_of(value)}:{value.__qualname__}"
    code = getattr(value, "__code__", None) or getattr(type(value).__call__, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(value)


def _file_of(kind: type) -> str:
    """Return the file of a class, which its functions know, whatever its module is called."""
    for method in vars(kind).values():
        if isinstance(method, FunctionType):
            return method.__code__.co_filename
    return getattr(sys.modules.get(kind.__module__), "__file__", None) or kind.__module__


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
    if isinstance(one, type | FunctionType):
        return type(one) is type(other) and place_of(one) == place_of(other)
    if isinstance(one, ModuleType):
        return isinstance(other, ModuleType) and one.__name__ == other.__name__
    if place_of(type(one)) != place_of(type(other)):
        return False
    has_parts = isinstance(one, dict | list | tuple) or hasattr(one, "__dict__")
    return has_parts or _is_compared_by_identity(type(one)) or bool(one == other)


def _is_compared_by_identity(kind: Any) -> bool:
    return kind.__eq__ is object.__eq__


def _parts_of(value: Any) -> Iterator[Any]:
    """Yield the values that a value holds."""
    if isinstance(value, type | ModuleType):
        return
    if isinstance(value, FunctionType):
        yield from (_content(cell) for cell in value.__closure__ or ())
        yield from (value.__defaults__, value.__kwdefaults__)
    elif isinstance(value, MethodType):
        yield from (value.__func__, value.__self__)
    elif isinstance(value, partial):
        yield from (value.func, value.args, value.keywords)
    elif isinstance(value, dict):
        yield from (part for item in value.items() for part in item)
    elif isinstance(value, list | tuple):
        yield from value
    elif hasattr(value, "__dict__"):
        yield vars(value)


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # the variable has no value yet
        return None
