"""Finds what conftest files have set in the code under test for one system, and then for another.

``shop.settings.mode = "a"`` beside the first system, and ``"b"`` beside the second one, in another
file: when the factories run, both find the last value. Unlike in :mod:`held
<pytest_supercache.declare.held>`, the two have nothing in common but the code under test, which
may have good reasons to change: so only switches are compared, which are plain values, classes and
functions, and only if the other system was registered with the value that is there now.
"""

import dis
from collections.abc import Callable, Iterator
from enum import Enum
from functools import partial
from itertools import islice
from types import CodeType, FunctionType
from typing import Any

from pytest_supercache.core.identity import is_a
from pytest_supercache.declare.held import PARTS_MAX, HeldPart, parts_of
from pytest_supercache.declare.late_binding import are_same, read_by
from pytest_supercache.declare.same import are_one

_Place = tuple[int, str]

_known: dict[str, tuple[Any, dict[_Place, HeldPart]]] = {}
"""What was registered by a name, and the switches that it led to."""

_STORES = frozenset({"STORE_ATTR", "STORE_GLOBAL", "STORE_SUBSCR"})


def note_switches(registered: Callable[..., Any], named: str) -> None:
    """Note the switches in the code under test that a factory leads to."""
    _known[named] = registered, _switches_of(registered)


def switched(registered: Callable[..., Any], named: str) -> tuple[str, str] | None:
    """Return a switch that is as another system was registered with, and not as this one was.

    Returns:
        The switch, and by which words the other system is known; None if there is none.
    """
    known, before = _known.get(named, (None, {}))
    if known is not registered:
        return None
    now, own = _switches_of(registered), _stored_by(registered)
    for place, part in now.items():
        if place not in before or _is_like(before[place], part) or _last(place[1]) in own:
            continue
        for other, (_, theirs) in _known.items():
            if other != named and place in theirs and are_same(theirs[place].value, part.value):
                return part.shown, other
    return None


def _switches_of(registered: Any) -> dict[_Place, HeldPart]:
    parts = islice(parts_of(registered, made=True), PARTS_MAX)
    return {part.place: part for part in parts if _is_named(part) and _is_switch(part.value)}


def _is_named(part: HeldPart) -> bool:
    """Say whether a part has a name of its own, and not only a number in a list."""
    last = part.place[1].rpartition("[")[2]
    return not last.removesuffix("]").isdigit()


def _is_switch(value: Any) -> bool:
    return is_a(value, bool | int | float | str | bytes | Enum | type | FunctionType)


def _is_like(before: HeldPart, now: HeldPart) -> bool:
    """Say whether two values do the same: a module that was loaded again has other classes."""
    is_code = is_a(now.value, type | FunctionType)
    return are_same(before.value, now.value) or (is_code and are_one(before.value, now.value))


def _stored_by(registered: Any) -> set[str]:
    """Return the names of what a factory sets by itself, or by the functions that it calls."""
    while is_a(registered, partial):
        registered = registered.func
    if not is_a(registered, FunctionType):
        return set()
    called = [value for _, value in read_by(registered) if is_a(value, FunctionType)]
    return {name for one in (registered, *called) for name in _stored_in(one.__code__)}


def _last(name: str) -> str:
    """Return the last name of a path: `mode` of `Shop.mode` and of `CONFIG['mode']`."""
    return name.rstrip("']\"").rpartition("[")[2].lstrip("'\"").rpartition(".")[2]


def _stored_in(code: CodeType) -> Iterator[str]:
    steps = list(dis.get_instructions(code))
    if any(step.opname in _STORES for step in steps):
        yield from (step.argval for step in steps if step.opname in _STORES and step.argval)
        yield from (one for one in code.co_consts if type(one) is str)
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from _stored_in(one)
