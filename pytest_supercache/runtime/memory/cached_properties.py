"""Tells which attributes of a class are cached properties, and which function each calls.

A cached property calls its function once and stores the result in the object's ``__dict__`` under
its own name, where later look-ups find it. Code of a library does both. A class derived from one
does so, too, unless it has a ``__get__`` of its own. That of propcache is C code; another one there
keeps results in a dict of the object.
"""

import functools
import gc
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

_OF_PYTHON: Any = functools.cached_property


class Cached(NamedTuple):
    """What a cached property does when nothing is stored yet."""

    function: Callable[[Any], Any]
    """The function that it calls."""
    has_lock: bool
    """It holds a lock meanwhile, as on Python 3.11."""
    keeps_in: str = ""
    """The attribute with the dict in which it stores; empty: the object's own ``__dict__``."""


def cached_of(found: Any) -> Cached | None:
    """Return what an attribute of a class does if it is a cached property; else None."""
    kind = type(found)
    for base in _kinds():
        if issubclass(kind, base) and kind.__get__ is base.__get__:
            return Cached(found.func, base is _OF_PYTHON and sys.version_info < (3, 12))
    if kind.__module__ == _IN_C and kind.__name__ in _KEEPING_IN:
        function = next(f for f in gc.get_referents(found) if type(f) is types.FunctionType)
        return Cached(function, has_lock=False, keeps_in=_KEEPING_IN[kind.__name__])
    return None


_IN_C = "propcache._helpers_c"
_KEEPING_IN = {"cached_property": "", "under_cached_property": "_cache"}
"""Cached properties of propcache, and where they store."""


def _kinds() -> Iterator[Any]:
    yield _OF_PYTHON
    django = sys.modules.get("django.utils.functional")
    if (of_django := getattr(django, "cached_property", None)) is not None:
        yield of_django
