"""Tells which attributes of a class are cached properties, and which function each calls.

A cached property calls its function once and stores the result in the object's ``__dict__`` under
its own name, where later look-ups find it. Code of a library does both. A class derived from one
does so, too, unless it has a ``__get__`` of its own. Those of propcache are C code, and one of them
stores in a dict that the object keeps as ``_cache``, under the name of its function.
"""

import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from pytest_supercache.runtime.kernel.kinds import module_of

_OF_PYTHON: Any = functools.cached_property


class Cached(NamedTuple):
    """What a cached property does when nothing is stored yet."""

    function: Callable[[Any], Any]
    """The function that it calls."""
    has_lock: bool
    """It holds a lock meanwhile, as on Python 3.11."""
    keeps_in: str = ""
    """The attribute with the dict in which it stores; empty: the object's own ``__dict__``."""
    key: str = ""
    """The key in that dict."""


def cached_of(found: Any) -> Cached | None:
    """Return what an attribute of a class does if it is a cached property; else None."""
    kind = type(found)
    for base in _kinds():
        if issubclass(kind, base) and kind.__get__ is base.__get__:
            return Cached(found.func, base is _OF_PYTHON and sys.version_info < (3, 12))
    if module_of(kind) == "propcache._helpers_c":
        if (function := getattr(found, "func", None)) is not None:
            return Cached(function, has_lock=False)
        if (function := getattr(found, "wrapped", None)) is not None:
            return Cached(function, has_lock=False, keeps_in="_cache", key=function.__name__)
    return None


def _kinds() -> Iterator[Any]:
    yield _OF_PYTHON
    django = sys.modules.get("django.utils.functional")
    if (of_django := getattr(django, "cached_property", None)) is not None:
        yield of_django
