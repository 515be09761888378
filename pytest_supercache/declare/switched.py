"""Finds what conftest files and test modules have set in the code under test of a system.

``shop.settings.mode = "a"`` beside the first system, and ``"b"`` beside the second one, in another
file: when the factories run, both find the last value. Unlike in :mod:`held
<pytest_supercache.declare.held>`, the two have nothing in common but the code under test, which
may have good reasons to change: so only switches are compared, which are plain values, classes and
functions, and only if the other system was registered with the value that is there now. A test
module that is imported later may also replace code, or an object by a double: that counts whether
there is another system or not.
"""

import dis
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from itertools import islice
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from pytest_supercache.core.identity import is_a
from pytest_supercache.declare.held import PARTS_MAX, HeldPart, parts_of
from pytest_supercache.declare.late_binding import are_same, read_by
from pytest_supercache.declare.same import are_one, attributes_of

_Place = tuple[int, str]


@dataclass(slots=True)
class _Led:
    """What a callable led to when it was registered, and what became of it by the imports."""

    registered: Any
    switches: dict[_Place, HeldPart]
    kinds: dict[_Place, type]
    replaced: dict[_Place, type] = field(default_factory=dict)
    """What is of another class, or is other code, since all modules have been imported."""


_known: dict[str, _Led] = {}
"""By the words for what was registered."""

_doubles: dict[_Place, HeldPart] = {}
"""What test modules have put in the place of code that tests lead to."""

_MANY = 10
"""So many times more parts are looked at for all tests together."""

_STORES = frozenset({"STORE_ATTR", "STORE_GLOBAL", "STORE_SUBSCR"})

_DOUBLES = "unittest.mock"

_IMPORTS = "another module was imported or another test was run"


def note_switches(registered: Callable[..., Any], named: str) -> None:
    """Note the switches in the code under test that a factory leads to."""
    parts = _parts_of(registered)
    kinds = {place: type(part.value) for place, part in parts.items()}
    _known[named] = _Led(registered, _switches_in(parts), kinds)


def note_loaded(registered: Callable[..., Any], named: str) -> None:
    """Note which code a factory leads to when its file is loaded: the rest of the file is meant."""
    known = _known[named]
    parts = _parts_of(registered)
    known.kinds = {place: type(part.value) for place, part in parts.items()}
    code = {place: part for place, part in parts.items() if is_a(part.value, type | FunctionType)}
    known.switches |= code


def note_replaced(declared: Mapping[str, Callable[..., Any]]) -> None:
    """Note which code and which objects were replaced since, when everything is imported."""
    for named, registered in declared.items():
        known = _known.get(named)
        if known is None or known.registered is not registered:
            continue
        for place, part in _parts_of(registered).items():
            kind, before = known.kinds.get(place), known.switches.get(place)
            is_other = kind not in {None, type(None), type(part.value)} and not _is_own(part)
            if is_other or (before is not None and _is_other_code(before, part)):
                known.replaced[place] = type(part.value)


def switched(registered: Callable[..., Any], named: str) -> tuple[str, str] | None:
    """Return what is not as it was when a system was registered, and as it was for something else.

    Returns:
        The switch, and for which other system or since when; None if there is none.
    """
    known = _known.get(named)
    if known is None or known.registered is not registered:
        return None
    own = _stored_by(registered)
    for place, part in _parts_of(registered).items():
        before = known.switches.get(place)
        if _last(place[1]) in own or (before is not None and _is_like(before, part)):
            continue
        if known.replaced.get(place) is type(part.value):
            return part.shown, _IMPORTS
        for other, led in _known.items() if before is not None else ():
            theirs = led.switches.get(place)
            if other != named and theirs is not None and are_same(theirs.value, part.value):
                return part.shown, f"{other} was registered"
    return None


def note_doubles(tests: Iterable[Any], files: Set[str]) -> None:
    """Note what test modules, by their files, have put in the place of code that tests lead to.

    What was there before is not known of tests. So a double is what is defined in these files, or
    a mock, and is a global or a member of a class of another file.
    """
    _doubles.clear()
    for part in islice(parts_of(tuple(tests), made=True), PARTS_MAX * _MANY):
        if _is_double(part.value, files) and _file_of(part.owner) not in {None, *files}:
            _doubles[part.place] = part


def doubled(test: Any) -> str | None:
    """Return a double that a test leads to, if it was there before any fixture was made.

    What its own module puts there is meant.
    """
    own = test.__code__.co_filename if is_a(test, FunctionType) else ""
    for place, part in _parts_of(test).items() if _doubles else ():
        double = _doubles.get(place)
        if double is None or double.value is not part.value or _is_double(part.value, {own}, own):
            continue
        return str(part.shown)
    return None


def _is_double(value: Any, files: Set[str], own: str = "") -> bool:
    """Say whether a value is defined in one of these files, or is a mock that ``own`` may make."""
    if type(value).__module__ == _DOUBLES:
        return not own or b"mock" in _text_of(own).lower()
    if is_a(value, FunctionType):
        return value.__code__.co_filename in files
    kind = value if is_a(value, type) else type(value)
    return attributes_of(sys.modules.get(kind.__module__)).get("__file__") in files


def _text_of(file: str) -> bytes:
    with suppress(OSError):
        return Path(file).read_bytes()
    return b""


def _file_of(owner: Any) -> str | None:
    """Return the file of a module that reads a global, or of a class; None: of anything else."""
    if is_a(owner, FunctionType):
        return str(owner.__code__.co_filename)
    if is_a(owner, type):
        return attributes_of(sys.modules.get(owner.__module__)).get("__file__")
    return None


def _parts_of(registered: Any) -> dict[_Place, HeldPart]:
    parts = islice(parts_of(registered, made=True), PARTS_MAX)
    return {part.place: part for part in parts if _is_named(part)}


def _switches_in(parts: dict[_Place, HeldPart]) -> dict[_Place, HeldPart]:
    return {place: part for place, part in parts.items() if _is_switch(part.value)}


def _is_own(part: HeldPart) -> bool:
    """Say whether a module sets such a global by itself, as when it makes a client in time."""
    if type(part.value).__module__ == _DOUBLES or not is_a(part.owner, FunctionType):
        return False
    functions = (one for one in list(part.owner.__globals__.values()) if is_a(one, FunctionType))
    return any(_last(part.place[1]) in set(_stored_in(one.__code__)) for one in functions)


def _is_other_code(before: HeldPart, now: HeldPart) -> bool:
    return is_a(before.value, type | FunctionType) and not _is_like(before, now)


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
