"""Code of Python that code of C calls in the middle: others may come in where it begins.

C code that goes through what is shared may call functions that it is given (`map`, a key), and
methods of elements (`__lt__`, `__hash__`). What it touches after such a call belongs to no access:
so what is called lets others come in, with the footprint of what C goes through.
"""

import gc
import itertools
import types
from collections.abc import Callable
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.runtime.kernel.kinds import of_kind
from pytest_supercache.runtime.memory.accesses import Accesses
from pytest_supercache.runtime.memory.effects import (
    SCALARS,
    elements_of,
    is_view,
    runs_python,
    sources,
)


def going_on(
    accesses: Accesses, footprint: Footprint | None, function: Callable[..., Any]
) -> Callable[..., Any] | None:
    """Return a stand-in for what touches more after the code that it calls has answered.

    None: what it touches is not shared.
    """
    if footprint is None:
        return None

    def stand_in(*arguments: Any, **keywords: Any) -> Any:
        with accesses.calling_back(footprint):
            return function(*arguments, **keywords)

    return stand_in


def calls_back(value: Any) -> bool:
    """Say whether code of C that goes through a value may run Python code meanwhile.

    It may be wrong only by saying so: others come in where Python code is entered, if it is.
    """
    kind = type(value)
    if kind in SCALARS:
        return False
    if kind in (types.GeneratorType, map, filter) or runs_python(value):
        return True
    if is_view(kind):
        return any(map(_has_elements_of_python, sources(value))) or any(
            calls_back(inner) for inner in _held_by(value) if type(inner) is not kind
        )
    return _has_elements_of_python(value)


def takes_more(iterator: Any) -> bool:
    """Say whether an iterator runs Python code for one element, and takes more afterwards."""
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
    """Return what an iterator or a view holds, and the tuples of it."""
    held: list[Any] = []
    for inner in gc.get_referents(view)[:_HELD_ASKED]:
        held += inner if type(inner) is tuple else [inner]
    return held


def _has_elements_of_python(value: Any, depth: int = 2) -> bool:
    """Say whether elements of a container are of a class of Python, or functions."""
    return any(
        runs_python(element)
        or _is_of_python(type(element))
        or (depth and _has_elements_of_python(element, depth - 1))
        for element in _elements(value)[:_ELEMENTS_ASKED]
        if type(element) not in SCALARS
    )


def _elements(value: Any) -> list[Any]:
    if issubclass(type(value), dict):
        return [*dict.keys(value), *dict.values(value)]
    return elements_of(value)


@of_kind
def _is_of_python(kind: type) -> bool:
    """Say whether a type may have been made by a class statement: most of those of C were not."""
    return bool(kind.__flags__ & _HEAP_TYPE)


_HEAP_TYPE = 1 << 9
_HELD_ASKED, _ELEMENTS_ASKED = 8, 50
