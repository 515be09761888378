"""Finds the object that a proxy of a library stands for: what is done to its items is done there.

A proxy of werkzeug that calls a function for its object stands for itself, because that function
is code under test: a hook must not run it a second time.
"""

from contextvars import ContextVar
from typing import Any

from pytest_supercache.runtime.kernel.kinds import of_kind
from pytest_supercache.runtime.kernel.under_test import members_of
from pytest_supercache.runtime.memory.effects import find_in_class

_LOCAL_PROXY = ("werkzeug.local", "LocalProxy")
_LAZY_OBJECT = ("django.utils.functional", "LazyObject")


@of_kind
def is_proxy(kind: type) -> bool:
    """Say whether objects of a type stand for others, which a library finds for each operation."""
    return _derives_from(kind, _LOCAL_PROXY) or _derives_from(kind, _LAZY_OBJECT)


def behind(proxy: Any) -> Any:
    """Return the object that a proxy stands for now; the proxy itself where that is unknown."""
    if _derives_from(type(proxy), _LAZY_OBJECT):
        made = members_of(proxy).get("_wrapped")
        return proxy if made is None or type(made) is object else made
    found_in = type(_slot(proxy, "_LocalProxy__wrapped"))
    if found_in is not ContextVar and found_in.__module__ != _LOCAL_PROXY[0]:
        return proxy
    try:
        return _slot(proxy, "_get_current_object")()
    except RuntimeError:  # it stands for nothing here, as the code will be told
        return proxy


def _slot(proxy: Any, name: str) -> Any:
    return find_in_class(type(proxy), name)[0].__get__(proxy)


@of_kind
def _bases(kind: type) -> frozenset[tuple[str, str]]:
    return frozenset((base.__module__, base.__name__) for base in kind.__mro__)


def _derives_from(kind: type, named: tuple[str, str]) -> bool:
    return named in _bases(kind)
