"""Python callbacks that C code calls: a switch point precedes each of them.

C code that goes through what is shared may call functions that it is given (`map`, a key), and
methods of elements (`__lt__`, `__hash__`). What it touches after such a call belongs to no access:
so a switch point precedes the callback, with the footprint of what C goes through. Code under test
reports that it is entered; code of the standard library (`UUID.__lt__`) does once C may call it.
"""

import functools
import gc
import itertools
import types
from collections.abc import Callable
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.runtime.kernel.kinds import attributes_of, bases_of, of_kind
from pytest_supercache.runtime.kernel.under_test import is_standard_name
from pytest_supercache.runtime.memory.accesses import Accesses
from pytest_supercache.runtime.memory.current import Current
from pytest_supercache.runtime.memory.effects import (
    SCALARS,
    elements_of,
    find_in_class,
    is_view,
    runs_python,
    sources,
    top,
)

_NESTED_MAX = 3
"""How deeply elements of elements are inspected: keys of a heap are pairs, or pairs in pairs."""


def going_on(
    accesses: Accesses, footprint: Footprint | None, function: Callable[..., Any]
) -> Callable[..., Any] | None:
    """Return a stand-in for a callable of C that touches more memory after its callbacks.

    None: what it touches is not shared.
    """
    if footprint is None:
        return None

    def stand_in(*arguments: Any, **keywords: Any) -> Any:
        is_class = issubclass(type(function), type)  # one that may find attributes by its own code
        holder = None if is_class else getattr(function, "__self__", None)
        for value in (holder, *arguments, *keywords.values()):
            _let_library_tell(value)
        with accesses.calling_back(footprint):
            return function(*arguments, **keywords)

    return stand_in


def calls_back(value: Any) -> bool:
    """Say whether C code that iterates over a value may run Python code meanwhile.

    Only True may be wrong: a switch point arises only where Python code is really entered.
    """
    kind = type(value)
    if kind in SCALARS:
        return False
    if kind in (types.GeneratorType, map, filter) or _is_called_in_python(value):
        return True
    if _has_taking_methods(kind):
        return True
    if is_view(kind):
        return any(map(_has_elements_of_python, sources(value))) or any(
            calls_back(inner) for inner in _held_by(value) if type(inner) is not kind
        )
    return _has_elements_of_python(value)


def _let_library_tell(value: Any, depth: int = _NESTED_MAX) -> None:
    """Let library functions that C code may call for a value report when they begin."""
    kind = type(value)
    if kind in SCALARS:
        return
    _let_methods_tell(value if issubclass(kind, type) else kind)
    if kind is types.FunctionType:
        _let_function_tell(value)
    elif kind is types.MethodType:
        _let_library_tell(value.__func__)
    elif kind is functools.partial:
        _let_library_tell(value.func)
    elif depth:
        is_looking = is_view(kind)
        for one in [*_held_by(value), *sources(value)] if is_looking else _elements(value, depth):
            _let_library_tell(one, depth - 1)


@of_kind
def _let_methods_tell(kind: type) -> None:
    """Let the special methods and properties of a class report; of an enum, its call, too."""
    members = [
        member
        for base in bases_of(kind)
        for name, member in list(attributes_of(base).items())
        if name.startswith("__") or type(member) is property
    ]
    for member in (*members, find_in_class(type(kind), "__call__")[0]):
        function = _function_of(member)
        if function is not None:
            _let_function_tell(function)


def _let_function_tell(function: types.FunctionType) -> None:
    module = top(function.__globals__.get("__name__"))
    if is_standard_name(module) and Current.tell_of_entering is not None:
        Current.tell_of_entering(function)


def _function_of(member: Any) -> types.FunctionType | None:
    """Return the Python function behind a member of a class, if there is one."""
    if type(member) is property:
        member = member.fget
    elif type(member) in (staticmethod, classmethod):
        member = member.__func__
    return member if type(member) is types.FunctionType else None


def takes_more(iterator: Any) -> bool:
    """Say whether an iterator runs Python code for an element, and reads more afterwards."""
    kind, inner = type(iterator), [one for one in _held_by(iterator) if is_view(type(one))]
    if kind in _CALLING_LAST and len(inner) == 1:
        return takes_more(inner[0])
    return _calls(iterator)


def _calls(iterator: Any) -> bool:
    """Say whether an iterator, or one that it takes from, may run Python code for an element."""
    if type(iterator) in _CALLING and calls_back(iterator):
        return True
    return any(_calls(inner) for inner in _held_by(iterator) if is_view(type(inner)))


_CALLING_LAST = frozenset({map, enumerate, itertools.starmap})
"""Iterators that touch nothing between a call for one element and the next element."""
_CALLING = _CALLING_LAST - {enumerate} | {
    filter, itertools.accumulate, itertools.compress, itertools.dropwhile, itertools.filterfalse,
    itertools.groupby, itertools.takewhile, itertools.chain,
}  # fmt: skip
"""Iterators that call something for each element."""


def _held_by(view: Any) -> list[Any]:
    """Return the objects that an iterator or a view refers to, with its tuples unpacked."""
    held: list[Any] = []
    for inner in gc.get_referents(view)[:_HELD_ASKED]:
        held += elements_of(inner) if type(inner) is tuple else [inner]
    return held


def _is_called_in_python(value: Any) -> bool:
    """Say whether a value is a function or a class whose call runs Python code.

    Nothing else is asked for attributes: that could run code under test.
    """
    kind = type(value)
    return (kind in _CALLED or issubclass(kind, type)) and runs_python(value)


_CALLED = frozenset({types.FunctionType, types.MethodType, functools.partial})


def is_taken_in_python(value: Any) -> bool:
    """Say whether consuming a value in C may run Python code, apart from that of its elements."""
    kind = type(value)
    return kind is types.GeneratorType or is_view(kind) or _has_taking_methods(kind)


@of_kind
def _has_taking_methods(kind: type) -> bool:
    """Say whether C code gets at the content of a type's objects by Python methods."""
    return any(type(find_in_class(kind, name)[0]) is types.FunctionType for name in _TAKING)


_TAKING = (
    "__iter__", "__next__", "__getitem__", "keys", "__getstate__", "__reduce__", "__reduce_ex__",
)  # fmt: skip


def _has_elements_of_python(value: Any, depth: int = _NESTED_MAX) -> bool:
    """Say whether elements of a container are functions, or instances of Python classes."""
    return any(
        _is_called_in_python(element)
        or _is_of_python(type(element))
        or (depth and _has_elements_of_python(element, depth - 1))
        for element in _elements(value, depth)
        if type(element) not in SCALARS
    )


def _elements(value: Any, depth: int) -> list[Any]:
    """Return the first elements of a container; fewer if it is an element itself."""
    most = _ELEMENTS_ASKED if depth == _NESTED_MAX else _INNER_ELEMENTS_ASKED
    if issubclass(type(value), dict):
        keys = list(itertools.islice(dict.keys(value), most))
        return [*keys, *itertools.islice(dict.values(value), most)]
    return elements_of(value)[:most]


@of_kind
def _is_of_python(kind: type) -> bool:
    """Say whether a type may come from a class statement: most types of C do not."""
    return bool(kind.__flags__ & _HEAP_TYPE)


_HEAP_TYPE = 1 << 9
_HELD_ASKED, _ELEMENTS_ASKED, _INNER_ELEMENTS_ASKED = 8, 50, 8
