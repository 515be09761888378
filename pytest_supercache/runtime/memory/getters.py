"""Records what the getters of `operator` access: C code that gets attributes and items by name."""

import functools
import operator
import types
from collections.abc import Iterable
from itertools import islice
from typing import Any

from pytest_supercache.runtime.memory.accesses import Accesses
from pytest_supercache.runtime.memory.effects import (
    BEARERS,
    PLAIN,
    SCALARS,
    find_in_class,
)
from pytest_supercache.runtime.memory.hooks import load_attribute
from pytest_supercache.runtime.memory.items import touch_item
from pytest_supercache.runtime.memory.iterators import yielded_by
from pytest_supercache.runtime.memory.reflecting import follow
from pytest_supercache.runtime.memory.touching import read_deeply


def items_got(accesses: Accesses, getter: Any, arguments: tuple[Any, ...]) -> None:
    """Touch the items that an ``itemgetter`` gets."""
    if arguments and type(arguments[0]) not in PLAIN:
        for key in getter.__reduce__()[1]:
            touch_item(accesses, arguments[0], key, "__getitem__", writes=False)


def attributes_got(_accesses: Accesses, getter: Any, arguments: tuple[Any, ...]) -> Any:
    """Return a stand-in for an ``attrgetter`` that gets ``a.b`` one part after the other.

    None: it gets plain attributes of one object, in one call of C, and they are touched together.
    """
    if len(arguments) != 1 or type(arguments[0]) in PLAIN - BEARERS:
        return None
    names = getter.__reduce__()[1]
    kind = type(arguments[0])
    if not any("." in name or _is_computed(kind, name) for name in names):
        for name in names:
            load_attribute(arguments[0], name)
        return None

    def stand_in(holder: Any) -> Any:
        found = tuple(_attribute(holder, name.split(".")) for name in names)
        return found if len(found) > 1 else found[0]

    return stand_in


def touch_for_each(arguments: tuple[Any, ...]) -> None:
    """Touch the attributes that code of C gets of each element, by an ``attrgetter`` it is given.

    Which argument has the elements is not looked up: it may be each, or an element itself.
    """
    for given in arguments:
        getter = given.func if type(given) is functools.partial else given
        if type(getter) is operator.attrgetter:
            for argument in arguments:
                elements = islice(yielded_by(argument) or (), _ELEMENTS_ASKED)
                _touch_paths(getter, [argument, *elements])


def touch_reduced(function: Any = None, names: Any = (), *first: Any) -> None:
    """Touch the attributes that ``reduce(getattr, names, first)`` gets, one of another."""
    if function is getattr:
        holder, *path = (*first, *(yielded_by(names) or ())) or (None,)
        follow(holder, [name for name in path if type(name) is str])


def touch_got(getter: Any, arguments: tuple[Any, ...]) -> None:
    """Touch what code of C is about to get by a getter."""
    for argument in arguments:
        read_deeply(argument)
    if type(getter) is operator.attrgetter:
        _touch_paths(getter, arguments)


def _touch_paths(getter: Any, holders: Iterable[Any]) -> None:
    paths = [name.split(".") for name in getter.__reduce__()[1]]
    for holder in holders:
        if type(holder) not in SCALARS:
            for path in paths:
                follow(holder, path)


_ELEMENTS_ASKED = 50


def _is_computed(kind: type, name: str) -> bool:
    """Say whether Python code may compute an attribute of a type."""
    found, _ = find_in_class(kind, name)
    asks = find_in_class(kind, "__getattribute__")[0], find_in_class(kind, "__getattr__")[0]
    is_python = types.FunctionType in map(type, asks)
    return is_python or not (found is None or type(found) in _PLAINLY_FOUND)


_PLAINLY_FOUND = SCALARS | {types.MemberDescriptorType, types.FunctionType}


def _attribute(holder: Any, parts: list[str]) -> Any:
    for part in parts:
        load_attribute(holder, part)
        holder = getattr(holder, part)
    return holder
