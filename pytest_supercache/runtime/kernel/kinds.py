"""Facts about types that hooks ask for, without running code of their metaclasses.

Hooks run inside of the code under test: a property ``__module__`` of a metaclass, as zope.interface
has one, would be rewritten code that calls hooks in its turn. What takes time is cached for the
duration of a check.
"""

import functools
import types
from collections.abc import Callable
from typing import Any, TypeVar

KINDS_MAX = 500
"""How many types are cached: nodes may have copies of their own, new in every execution."""

_Answer = TypeVar("_Answer")
_remembered: list[Any] = []


def of_kind(asked: Callable[[type], _Answer]) -> Callable[[type], _Answer]:
    """Return a cached version of ``asked``, a function of a type that hooks call at every access.

    It raises TypeError for a class that cannot be hashed. It is a C function: a Python frame would
    cost more than the cache saves.
    """
    remembered = functools.lru_cache(KINDS_MAX)(asked)
    _remembered.append(remembered)
    return remembered


def forget_kinds() -> None:
    """Drop the cached types after a check."""
    for remembered in _remembered:
        remembered.cache_clear()


bases_of: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
"""Returns a class and its bases, in the order in which attributes are looked up."""

attributes_of: Callable[[type], types.MappingProxyType[str, Any]] = type.__dict__[
    "__dict__"
].__get__
"""Returns what a class defines itself."""

name_of: Callable[[type], str] = type.__dict__["__name__"].__get__
qualname_of: Callable[[type], str] = type.__dict__["__qualname__"].__get__


_said_by: Callable[[type], Any] = type.__dict__["__module__"].__get__


def module_of(kind: type) -> str:
    """Return the name of the module that a class comes from; empty: unknown.

    A class whose instances have a ``__module__`` by a property says nothing; its functions do. One
    that `exec` has made from globals without a name says "builtins", as no class of C says itself.
    """
    try:
        said = _said_by(kind) if type(kind) is type else _said_by_metaclass(kind)
    except AttributeError:  # it was deleted
        said = None
    if said == "builtins" and attributes_of(kind).get("__module__") == said:
        return NAMELESS
    return said if type(said) is str else _module_of_functions(kind)


NAMELESS = "<exec>"
"""Stands for the module of classes that `exec` has made from globals without a name."""


def _said_by_metaclass(kind: type) -> Any:
    """Ask a metaclass that is written in C, as that of Cython's functions is; else the class."""
    for base in bases_of(type(kind)):
        found = attributes_of(base).get("__module__")
        if type(found) is types.GetSetDescriptorType:
            return found.__get__(kind)
        if type(found) is property:
            break
    return _said_by(kind)


def _module_of_functions(kind: type) -> str:
    functions = (one for one in attributes_of(kind).values() if type(one) is types.FunctionType)
    return next((f.__module__ for f in functions if type(f.__module__) is str), "")
