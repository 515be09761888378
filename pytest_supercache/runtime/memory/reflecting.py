"""Touches what code reads that goes through the attributes of an object by their names."""

import functools
import inspect
import re
import types
from collections.abc import Callable, Iterator
from typing import Any

from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.runtime.kernel.kinds import attributes_of, bases_of, module_of, of_kind
from pytest_supercache.runtime.kernel.under_test import dict_of
from pytest_supercache.runtime.memory.accesses import Accesses
from pytest_supercache.runtime.memory.effects import BEARERS, is_class_of_code, is_left_alone
from pytest_supercache.runtime.memory.hooks import load_attribute
from pytest_supercache.runtime.memory.proxies import behind, is_proxy
from pytest_supercache.runtime.memory.reach import attribute_of
from pytest_supercache.runtime.memory.steps import Together
from pytest_supercache.runtime.memory.touching import note_owner, touch_behind, touch_whole

_OF_PROTOCOLS = frozenset({"typing", "typing_extensions"})
"""Modules that say whether an object is of a protocol: by the attributes that it has."""


def looks_at_attributes(function: Any, arguments: tuple[Any, ...]) -> bool:
    """Say whether a function finds attributes of its first argument by their names."""
    return bool(arguments) and function in _TOUCH


def touch_by_names(accesses: Accesses, function: Any, arguments: tuple[Any, ...]) -> None:
    """Touch the attributes that a call of such a function reads."""
    _TOUCH[function](accesses, *arguments)


def touch_fields(text: str, method: str, arguments: tuple[Any, ...]) -> None:
    """Touch the attributes that ``str.format``, or ``format_map``, puts into a text.

    Which argument is meant is not looked up: each one has a field's attributes, or none.
    """
    paths = [path.split(".")[1:] for path in _PATH.findall(text)]
    is_map = method == "format_map" and paths and type(arguments[0]) is dict
    for argument in list(arguments[0].values()) if is_map else arguments:
        for path in paths:
            follow(argument, path)


_PATH = re.compile(r"(?:\.[^\W\d]\w*)+")


def follow(holder: Any, names: list[str]) -> None:
    """Touch the attributes on a path of names, from one object to the next."""
    for name in names:
        load_attribute(holder, name)
        holder = attribute_of(holder, name)


def _all(accesses: Accesses, holder: Any, *_options: Any) -> None:
    """Touch all attributes of a class or a module, or of an instance and its class."""
    kind = type(holder)
    if is_proxy(kind) and behind(holder) is not holder:
        touch_behind(accesses, holder, lambda found: _all(accesses, found))
        return
    is_class = issubclass(kind, type)
    with Together(accesses):
        for one in bases_of(holder if is_class else kind):
            if is_class_of_code(one):
                accesses.touch(one, WHOLE, writes=False)
        if not is_class:
            _own(accesses, holder)


def _own(accesses: Accesses, holder: Any) -> None:
    kind = type(holder)
    if kind in BEARERS or not (is_left_alone(kind) or kind is types.ModuleType):
        accesses.touch(holder, WHOLE, writes=False)
    note_owner(accesses, holder)
    if (members := dict_of(holder)) is not None:
        touch_whole(accesses, members, writes=False)


def _taken_over(accesses: Accesses, wrapper: Any, wrapped: Any = None, *_options: Any) -> None:
    """Touch the attributes that a wrapper takes over; `functools.wraps` has told what it wraps."""
    accesses.touch(wrapper, WHOLE, writes=True)
    if wrapped is not None:
        _own(accesses, wrapped)


def _one(_accesses: Accesses, holder: Any, name: Any = None, *_default: Any) -> None:
    if type(name) is str:
        load_attribute(holder, name)


def _of_protocol(accesses: Accesses, holder: Any, kinds: Any = ()) -> None:
    """Touch the attributes by which ``isinstance`` finds out whether an object is of a protocol."""
    if type(kinds) is type:  # most are, and no protocols
        return
    with Together(accesses):
        for kind in _flat(kinds):
            for name in _names_in(kind):
                load_attribute(holder, name)


def _flat(kinds: Any) -> Iterator[type]:
    """Yield the classes in what ``isinstance`` takes: tuples of tuples, and unions."""
    if type(kinds) in (tuple, types.UnionType):
        for one in getattr(kinds, "__args__", kinds):
            yield from _flat(one)
    elif issubclass(type(kinds), type):
        yield kinds


@of_kind
def _names_in(kind: type) -> tuple[str, ...]:
    """Return the names of a protocol's attributes; none: the class is no protocol."""
    if module_of(type(kind)) not in _OF_PROTOCOLS:
        return ()
    names = dict[str, None]()
    for base in bases_of(kind):
        if base is not object and module_of(base) not in _OF_PROTOCOLS:
            annotated = attributes_of(base).get("__annotations__", {})
            names |= dict.fromkeys((*attributes_of(base), *annotated))
    return tuple(name for name in names if not name.startswith("_"))


_TOUCH: dict[Any, Callable[..., None]] = {
    dir: _all,
    inspect.getmembers: _all,
    inspect.getmembers_static: _all,
    inspect.classify_class_attrs: _all,
    inspect.getattr_static: _one,
    functools.wraps: lambda accesses, wrapped, *_: _own(accesses, wrapped),
    functools.update_wrapper: _taken_over,
    vars: lambda _accesses, holder, *_: load_attribute(holder, "__dict__"),
    isinstance: _of_protocol,
    issubclass: _of_protocol,
}
