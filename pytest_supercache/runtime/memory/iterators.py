"""Finds what iterators and views yield, and the code of C that they call with it.

``map(len, rows)``, ``filter(None, rows)``, ``chain.from_iterable(rows)`` and the like go into the
elements of a container without an instruction of Python that would tell so.
"""

import collections
import gc
import itertools
import operator
import types
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from pytest_supercache.runtime.kernel.kinds import name_of
from pytest_supercache.runtime.memory.effects import SCALARS, elements_of, is_view

YIELDED_MAX = 200
"""The largest number of elements inspected, as of objects that are read deeply."""

Call = tuple[Any, tuple[Any, ...]]
"""A function that an iterator calls, and the iterables that supply its arguments."""


def referents_of(view: Any) -> list[Any]:
    """Return the referents of an iterator or a view of C, in the order of its parts."""
    held = gc.get_referents(view)
    return held[1:] if held and held[0] is type(view) else held


def yielded_by(value: Any) -> Iterable[Any] | None:
    """Return the elements of a container, an iterator or a view; None if they cannot be known.

    These may be more than are really taken: no filter condition is evaluated.
    """
    kind = type(value)
    if kind in SCALARS or kind is range:
        return ()
    if issubclass(kind, dict):
        return list(dict.keys(value))
    if issubclass(kind, _WITH_ELEMENTS):
        return elements_of(value)
    return _yielded_by(value, referents_of(value)) if is_view(kind) else None


_WITH_ELEMENTS = (list, tuple, set, frozenset, collections.deque)


def _yielded_by(view: Any, held: list[Any]) -> Iterable[Any] | None:
    kind = type(view)
    if kind is itertools.repeat:
        return itertools.repeat(held[0], YIELDED_MAX) if held else ()
    if not held:  # it has come to its end, or goes through numbers
        return () if name_of(kind).endswith("iterator") else None
    if issubclass(type(held[0]), dict):
        return _yielded_by_dict(kind, held[0])
    if kind is zip:
        return _side_by_side(held[0])
    if kind is itertools.chain:
        return _chained(held)
    found = (
        yielded_by(held[0])
        if kind in _YIELDING_PARTS or name_of(kind).endswith("iterator")
        else None
    )
    if kind is enumerate and found is not None:
        return enumerate(found)
    return _remaining(view, found)


def _side_by_side(columns: Iterable[Any]) -> Iterable[tuple[Any, ...]] | None:
    """Return the elements of several iterables side by side; None if those of one are unknown."""
    found = []
    for column in columns:
        yielded = yielded_by(column)
        if yielded is None:
            return None
        found.append(yielded)
    return zip(*found, strict=False)


def _yielded_by_dict(kind: type, members: dict[Any, Any]) -> Iterable[Any]:
    if name_of(kind) == "odict_iterator":  # of keys, of values or of items
        return [*dict.values(members), *dict.items(members)]
    if "value" in name_of(kind):
        return list(dict.values(members))
    return list(dict.items(members) if "item" in name_of(kind) else dict.keys(members))


def _chained(held: list[Any]) -> Iterable[Any] | None:
    found: list[Any] = []
    first = yielded_by(held[0])
    for one in (*held[1:], *islice(first or (), YIELDED_MAX)):
        yielded = yielded_by(one)
        if yielded is None:
            return None
        found += islice(yielded, YIELDED_MAX)
    return None if first is None else found


def _remaining(iterator: Any, found: Iterable[Any] | None) -> Iterable[Any] | None:
    """Leave out the elements that an iterator over a list or a tuple has yielded already."""
    if type(iterator) not in _COUNTED or type(found) is not list:
        return found
    return found[len(found) - operator.length_hint(iterator) :]


_COUNTED: frozenset[type] = frozenset({type(iter([])), type(iter(()))})
_YIELDING_PARTS = frozenset(
    {
        enumerate, filter, reversed, types.MappingProxyType, itertools.islice, itertools.takewhile,
        itertools.filterfalse, itertools.dropwhile, itertools.compress,
    }
)  # fmt: skip
"""Iterators that yield elements of their first part, or some of them."""


def calls_of(view: Any, most: int) -> Iterator[tuple[Any, Iterable[tuple[Any, ...]] | None, Any]]:
    """Yield the calls that an iterator makes, and those of the iterators it takes from.

    Args:
        view: the iterator.
        most: the largest number of elements that is read.

    Yields:
        The function; the arguments of each call, None if they cannot be known; and the objects
        that supply them.
    """
    waiting = [(view, most)]
    for _ in range(_VIEWS_MAX):
        if not waiting:
            return
        one, most = waiting.pop()
        most = most if type(one) in _TAKING_ONE else YIELDED_MAX
        held = referents_of(one)
        for function, columns in _called(type(one), held):
            yield function, _rows(columns, most), columns
        if type(one) is itertools.starmap and len(held) > 1:
            rows = islice(yielded_by(held[0]) or (), most)
            yield held[1], [tuple(yielded_by(row) or ()) for row in rows], held[:1]
        for each in held:
            parts = elements_of(each) if type(each) is tuple else [each]
            waiting += [(part, most) for part in parts if is_view(type(part))]


CALLING_NOTHING = frozenset(
    map(type, (iter([]), iter(()), iter({}), iter({}.values()), iter({}.items()), {}.items()))
)
"""The iterators and views that loops use most often, which call nothing."""

_VIEWS_MAX = 20
_TAKING_ONE = frozenset({map, zip, enumerate, itertools.starmap})
"""Iterators that take one element of each of their parts for one that they yield."""


def _rows(columns: tuple[Any, ...], most: int) -> Iterable[tuple[Any, ...]] | None:
    if not columns:
        return [()]
    rows = _side_by_side(columns)
    return None if rows is None else islice(rows, most)


def _called(kind: type, held: list[Any]) -> list[Call]:
    """Return what an iterator calls for each element, and what supplies the arguments.

    To ask for the truth of an element is a call of ``bool``, to go through it one of ``tuple``.
    """
    if kind is map and len(held) > 1:
        return [(held[1], held[0])]
    if kind in _CALLING_SECOND and len(held) > 1:
        return [(bool if held[1] is None else held[1], (held[0],))]
    if kind in (itertools.chain, itertools.starmap) and held:
        return [(tuple, (held[0],))]
    if kind is itertools.compress and len(held) > 1:
        return [(bool, (held[1],))]
    if kind is itertools.accumulate and held:
        adds = hasattr(type(held[0]), "__next__")  # it has been given nothing to call
        return [(operator.add, (held[0],))] if adds else [(held[0], (held[1],))]
    return [(held[0], ())] if kind is _CALLABLE_ITERATOR and held else []


_CALLABLE_ITERATOR = type(iter(int, 1))
_CALLING_SECOND = frozenset(
    {
        filter, itertools.filterfalse, itertools.takewhile, itertools.dropwhile,
        itertools.groupby,
    }
)  # fmt: skip
"""Iterators whose second part is the function that they call."""
