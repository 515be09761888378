"""Finds the object behind a proxy, where accesses to the proxy's items take place.

A proxy of werkzeug that calls a function for its object stands for itself, because that function
is code under test: a hook must not run it a second time. So does one of wrapt, or of
lazy_object_proxy, whose object is made when it is first used, until that is done.
"""

import gc
import types
import weakref
from contextvars import ContextVar
from typing import Any

from pytest_supercache.runtime.kernel.kinds import bases_of, module_of, name_of, of_kind
from pytest_supercache.runtime.kernel.under_test import members_of
from pytest_supercache.runtime.memory.effects import find_in_class

_LOCAL_PROXY = ("werkzeug.local", "LocalProxy")
_LAZY_OBJECT = ("django.utils.functional", "LazyObject")

BEHIND = ".__wrapped__"
"""Stands for which object is behind a proxy of wrapt."""

_OWN = "_self_"
"""How the names of attributes begin that a proxy of wrapt keeps for itself."""


@of_kind
def is_proxy(kind: type) -> bool:
    """Say whether objects of a type stand for others, which a library finds for each operation."""
    return (
        _derives_from(kind, _LOCAL_PROXY)
        or _derives_from(kind, _LAZY_OBJECT)
        or is_transparent(kind)
        or kind in weakref.ProxyTypes
    )


@of_kind
def is_transparent(kind: type) -> bool:
    """Say whether objects of a type are proxies of wrapt, or of lazy_object_proxy, written in C.

    Another object may be put behind them. Those in Python are rewritten.
    """
    shown, base = find_in_class(kind, "__wrapped__")
    is_known = base is not None and (name_of(base) == "ObjectProxy" or _says_if_made(kind))
    return is_known and type(shown) is types.GetSetDescriptorType


def behind(proxy: Any) -> Any:
    """Return the object that a proxy stands for now; the proxy itself where that is unknown."""
    kind = type(proxy)
    if is_transparent(kind):
        return _wrapped(proxy)
    if kind in weakref.ProxyTypes:
        return _referent(proxy)
    if _derives_from(kind, _LAZY_OBJECT):
        made = members_of(proxy).get("_wrapped")
        return proxy if made is None or type(made) is object else made
    found_in = type(_slot(proxy, "_LocalProxy__wrapped"))
    if found_in is not ContextVar and module_of(found_in) != _LOCAL_PROXY[0]:
        return proxy
    try:
        return _slot(proxy, "_get_current_object")()
    except Exception:  # noqa: BLE001 - it stands for nothing here: the code gets the error, or a default
        return proxy


def is_looked_up(kind: type) -> bool:
    """Say whether a proxy asks for its object each time, and so may get another one each time."""
    return _derives_from(kind, _LOCAL_PROXY)


def has_itself(kind: type, name: str) -> bool:
    """Say whether an attribute of this name is one of the proxy, not of the object behind it."""
    return is_transparent(kind) and (
        name.startswith(_OWN) or find_in_class(kind, name)[1] is not None
    )


def _wrapped(proxy: Any) -> Any:
    try:
        return _slot(proxy, "__wrapped__") if _is_made(proxy) else proxy
    except (AttributeError, ValueError):  # the proxy is being made, and stands for nothing yet
        return proxy


def _referent(proxy: Any) -> Any:
    """Return the object behind a weak proxy: its bound methods are those of the object."""
    try:
        return proxy.__init__.__self__
    except ReferenceError:  # the code itself gets it
        return proxy


def _is_made(proxy: Any) -> bool:
    """Say whether the object behind a proxy is there, so that nobody is called to make it."""
    kind = type(proxy)
    if _says_if_made(kind):
        return bool(_slot(proxy, _RESOLVED))
    if find_in_class(kind, _HAS_MADE)[1] is None:
        return True
    kept = (one for one in gc.get_referents(proxy) if type(one) is dict)
    return any(one.get(_HAS_MADE) is True for one in kept)


_RESOLVED = "__resolved__"
"""Where a proxy of lazy_object_proxy says whether its object is there."""

_HAS_MADE = "__wrapped_get_called__"
"""Where one of wrapt does, if it is lazy: among the attributes that it keeps for itself."""


def _says_if_made(kind: type) -> bool:
    return type(find_in_class(kind, _RESOLVED)[0]) is types.GetSetDescriptorType


def _slot(proxy: Any, name: str) -> Any:
    return find_in_class(type(proxy), name)[0].__get__(proxy)


@of_kind
def _bases(kind: type) -> frozenset[tuple[str, str]]:
    return frozenset((module_of(base), name_of(base)) for base in bases_of(kind))


def _derives_from(kind: type, named: tuple[str, str]) -> bool:
    return named in _bases(kind)
