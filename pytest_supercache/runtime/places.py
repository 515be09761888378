"""Where code under test keeps things: every place that a value can be reached from and put back to.

A lock, a clock or a watched function may sit in a module's globals, a class, an instance, a
container, a closure or a default argument. This walks them all, without running any of their code.
"""

import types
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pytest_supercache.runtime.under_test import is_under_test_name, members_of

DEPTH_MAX = 8
PLACES_MAX = 100_000
"""How far the walk goes; a data structure beyond that holds data, not locks."""

Put = Callable[[Any], None]


def places(module: types.ModuleType, closed: Iterable[int]) -> Iterator[tuple[str, Any, Put]]:
    """Yield every place reachable from a module: its name, the value there, and how to replace it.

    What has its identity in ``closed`` is yielded but not walked into.
    """
    seen: set[int] = {id(module), *closed}
    waiting = [(module.__name__, module, DEPTH_MAX)]
    while waiting and len(seen) < PLACES_MAX:
        path, holder, depth = waiting.pop()
        for name, value, put in list(_inside(holder)):
            label = f"{path}{name}"
            yield label, value, put
            if depth and id(value) not in seen and _is_walked(value):
                seen.add(id(value))
                waiting.append((label, value, depth - 1))


def _is_walked(value: Any) -> bool:
    kind = type(value)
    if issubclass(kind, dict | list | types.FunctionType | staticmethod | classmethod | property):
        return True
    owner = value if issubclass(kind, type) else kind
    module = type.__getattribute__(owner, "__module__")
    return type(module) is str and is_under_test_name(module)


def _inside(holder: Any) -> Iterator[tuple[str, Any, Put]]:
    kind = type(holder)
    if issubclass(kind, type):
        for name, value in list(type.__getattribute__(holder, "__dict__").items()):
            yield f".{name}", value, _setting(type.__setattr__, holder, name)
    elif issubclass(kind, types.FunctionType):
        yield from _inside_function(holder)
    elif issubclass(kind, staticmethod | classmethod):
        yield ".__func__", holder.__func__, _refuse
    elif issubclass(kind, property):
        yield ".fget", holder.fget, _refuse
    else:
        yield from _inside_container(holder)
        yield from _attributes(holder)


def _inside_container(holder: Any) -> Iterator[tuple[str, Any, Put]]:
    kind = type(holder)
    if issubclass(kind, dict):
        for key, value in list(dict.items(holder)):
            name = key[:40] if type(key) is str else type(key).__name__
            yield f"[{name}]", value, _item(dict.__setitem__, holder, key)
    elif issubclass(kind, list):
        for at, value in enumerate(list.__iter__(holder)):
            yield f"[{at}]", value, _item(list.__setitem__, holder, at)
    if issubclass(kind, defaultdict):
        put = _setting(object.__setattr__, holder, "default_factory")
        yield ".default_factory", holder.default_factory, put


def _attributes(holder: Any) -> Iterator[tuple[str, Any, Put]]:
    separator = ":" if issubclass(type(holder), types.ModuleType) else "."
    for name, value in list(members_of(holder).items()):
        yield f"{separator}{name}", value, _setting(object.__setattr__, holder, name)
    for base in type(holder).__mro__:
        for name, slot in list(type.__getattribute__(base, "__dict__").items()):
            if type(slot) is types.MemberDescriptorType:
                try:
                    value = slot.__get__(holder)
                except AttributeError:  # not filled
                    continue
                yield f".{name}", value, _setting(object.__setattr__, holder, name)


def _inside_function(function: types.FunctionType) -> Iterator[tuple[str, Any, Put]]:
    for at, cell in enumerate(function.__closure__ or ()):
        try:
            value = cell.cell_contents
        except ValueError:  # not filled yet
            continue
        yield f".closure[{at}]", value, _setting(setattr, cell, "cell_contents")
    for at, value in enumerate(function.__defaults__ or ()):
        yield f".default[{at}]", value, _default(function, at)
    for name, value in list((function.__kwdefaults__ or {}).items()):
        yield f".default[{name}]", value, _item(dict.__setitem__, function.__kwdefaults__, name)
    for name, value in list(function.__dict__.items()):
        yield f".{name}", value, _setting(setattr, function, name)


def _setting(set_attribute: Callable[[Any, str, Any], None], holder: Any, name: str) -> Put:
    def put(value: Any) -> None:
        set_attribute(holder, name, value)

    return put


def _item(set_item: Callable[[Any, Any, Any], None], holder: Any, key: Any) -> Put:
    def put(value: Any) -> None:
        set_item(holder, key, value)

    return put


def _default(function: types.FunctionType, at: int) -> Put:
    def put(value: Any) -> None:
        present = list(function.__defaults__ or ())
        present[at] = value
        function.__defaults__ = tuple(present)

    return put


def _refuse(_value: Any) -> None:
    raise TypeError("this place cannot be changed")
