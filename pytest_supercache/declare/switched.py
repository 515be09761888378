"""Finds what conftest files and test modules have set in the code under test of a system.

``shop.settings.mode = "a"`` beside the first system, and ``"b"`` beside the second one, in another
file: when the factories run, both find the last value. Unlike in :mod:`held
<pytest_supercache.declare.held>`, the two have nothing in common but the code under test, which
may have good reasons to change: so only switches are compared, which are plain values, classes and
functions, and only if the other system was registered with the value that is there now. A test
module that is imported later may also replace code, or an object by a double: that counts whether
there is another system or not. So does a plain value that a test has left changed, or a conftest
file of other tests, if no code of the project sets it: then it is no state of that code, but a
switch.
"""

import ast
import dis
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from itertools import islice
from pathlib import Path
from types import CodeType, FunctionType, ModuleType, NoneType
from typing import Any

from pytest_supercache.core.identity import is_a
from pytest_supercache.declare.held import PARTS_MAX, HeldPart, is_of_project, parts_of
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
    plain: dict[_Place, HeldPart] = field(default_factory=dict)
    """The plain values, and then those when all modules have been imported."""
    modules: frozenset[str] = frozenset()
    """The modules that had been imported."""
    code: dict[_Place, HeldPart] = field(default_factory=dict)
    """Functions and classes when all modules have been imported."""
    left: dict[_Place, HeldPart] = field(default_factory=dict)
    """The plain values that others than the project's code have changed, and not changed back."""


_known: dict[str, _Led] = {}
"""By the words for what was registered."""

_tests = _Led(None, {}, {})
"""The plain values that explored tests lead to, likewise."""

_around: deque["Around"] = deque(maxlen=1)
"""The files around the code under test, when everything is imported."""

_doubles: dict[_Place, HeldPart] = {}
"""What test modules have put in the place of code that tests lead to."""

_MANY = 10
"""So many times more parts are looked at for all tests together."""

_STORES = frozenset({"STORE_ATTR", "STORE_GLOBAL", "STORE_SUBSCR"})

_DOUBLES = "unittest.mock"

_MAKING = frozenset({"__init__", "__new__", "__post_init__"})

_IMPORTS = "another module was imported or another test was run"


def note_switches(registered: Callable[..., Any], named: str) -> None:
    """Note the switches in the code under test that a factory leads to."""
    parts = _parts_of(registered)
    kinds = {place: type(part.value) for place, part in parts.items()}
    _known[named] = _Led(
        registered, _switches_in(parts), kinds, plain=_plain_in(parts), modules=_modules()
    )


def note_loaded(registered: Callable[..., Any], named: str) -> None:
    """Note which code a factory leads to when its file is loaded: the rest of the file is meant."""
    known = _known[named]
    parts = _parts_of(registered)
    known.kinds = {place: type(part.value) for place, part in parts.items()}
    known.switches |= _code_in(parts)
    known.plain, known.modules = _plain_in(parts), _modules()


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
        if known.replaced.get(place) is type(part.value) or _is_left(known, part):
            return part.shown, _IMPORTS
        for other, led in _known.items() if before is not None else ():
            theirs = led.switches.get(place)
            if other != named and theirs is not None and are_same(theirs.value, part.value):
                return part.shown, f"{other} was registered"
    return None


@dataclass(frozen=True, slots=True)
class Around:
    """The files of tests around the code under test."""

    apart: Set[str]
    """Test modules, and conftest files that are not on the way to anything that is checked."""
    meant: Set[str]
    """The other conftest files."""


def note_plain(
    declared: Mapping[str, Callable[..., Any]], tests: Iterable[Any], around: "Around"
) -> None:
    """Note the plain values that systems and tests lead to, when everything is imported.

    Args:
        declared: the factories of systems, by the words for them.
        tests: the explored tests.
        around: the files around the code under test.
    """
    _around.append(around)
    for known, parts in _led_by(declared, tests):
        known.left = {} if known is _tests else _changed(known, parts, around)
        known.plain, known.modules = _plain_in(parts), _modules()
        known.code = _code_in(parts)


def note_left(
    declared: Mapping[str, Callable[..., Any]], tests: Iterable[Any], around: "Around"
) -> None:
    """Note which plain values tests have left changed since then."""
    for known, parts in _led_by(declared, tests):
        known.left |= _changed(known, parts, around)


def exchanged(registered: Any, named: str = "") -> list[str]:
    """Return what conftest files and fixtures have put in the place of code that it leads to.

    Fixtures may also have replaced plain values.

    Args:
        registered: the factory of a system, or a test.
        named: by which words a system is known.
    """
    known = _known.get(named) if named else _tests
    if not _around or known is None or not known.code:
        return []
    parts = {place: part for place, part in _parts_of(registered).items() if not _is_own(part)}
    code = [one for place, one in parts.items() if _is_unlike(known.code.get(place), one)]
    plain = [
        one for one in _changed(known, parts, _around[-1]).values() if not _is_left(known, one)
    ]
    files = _around[-1].meant | _around[-1].apart
    there_before = [one for one in parts.values() if _is_of_conftest(one, parts, files)]
    return list(dict.fromkeys(one.shown for one in (*code, *plain, *there_before)))


def _is_of_conftest(part: HeldPart, parts: Mapping[_Place, HeldPart], files: Set[str]) -> bool:
    """Say whether one of some files has put its code in the place of what another file defines."""
    if not is_a(part.value, type | FunctionType) or not _is_double(part.value, files):
        return False
    owner = _file_of(_module_of(part, parts) or part.owner)
    return owner not in {None, *files} and _last(part.place[1]) in _defined_in(str(owner))


def _module_of(part: HeldPart, parts: Mapping[_Place, HeldPart]) -> ModuleType | None:
    """Return the module of which a part is an attribute; None if it is none of a module."""
    at, path = part.place
    holder = parts.get((at, path.rpartition(".")[0]))
    return holder.value if holder is not None and is_a(holder.value, ModuleType) else None


def _defined_in(file: str) -> set[str]:
    """Return the names that a file defines by statements, or imports from any but a conftest."""
    found = set[str]()
    with suppress(SyntaxError, ValueError):
        for one in ast.walk(ast.parse(_text_of(file))):
            if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(one.name)
            elif isinstance(one, ast.ImportFrom) and not str(one.module).endswith("conftest"):
                found |= {name.asname or name.name for name in one.names}
    return found


def _is_unlike(before: HeldPart | None, now: HeldPart) -> bool:
    return before is not None and not _is_like(before, now)


def _code_in(parts: Mapping[_Place, HeldPart]) -> dict[_Place, HeldPart]:
    return {p: one for p, one in parts.items() if is_a(one.value, type | FunctionType)}


def _changed(
    known: _Led, parts: Mapping[_Place, HeldPart], around: "Around"
) -> dict[_Place, HeldPart]:
    """Return the plain values that are others now, and that no code sets but that of some files."""
    changed = {
        place: part
        for place, part in parts.items()
        if (before := known.plain.get(place)) is not None
        and _is_plain(part)
        and not are_same(before.value, part.value)
    }
    names = {_last(place[1]) for place in changed}
    own = _set_by_project(names, around, known.modules)
    own |= {name for part in changed.values() for name in _set_by_bases(part.owner)}
    return {place: part for place, part in changed.items() if _last(place[1]) not in own}


def _led_by(
    declared: Mapping[str, Callable[..., Any]], tests: Iterable[Any]
) -> Iterator[tuple[_Led, dict[_Place, HeldPart]]]:
    for named, registered in declared.items():
        known = _known.get(named)
        if known is not None and known.registered is registered:
            yield known, _parts_of(registered)
    parts = islice(parts_of(tuple(tests), made=True), PARTS_MAX * _MANY)
    yield _tests, {part.place: part for part in parts if _is_named(part)}


def _is_left(known: _Led, part: HeldPart) -> bool:
    left = known.left.get(part.place)
    return left is not None and are_same(left.value, part.value)


def _is_plain(part: HeldPart) -> bool:
    """Say whether a part is a switch as people make it; entries of dicts are mostly data."""
    name = _last(part.place[1])
    if part.owner is os.environ or name.startswith("_"):
        return False
    if part.place[1].startswith("["):
        is_constant = name.isidentifier() and name.isupper()
        return is_constant and is_a(part.value, bool | str | NoneType | Enum)
    return is_a(part.value, bool | int | float | str | bytes | Enum | NoneType)


def _plain_in(parts: Mapping[_Place, HeldPart]) -> dict[_Place, HeldPart]:
    return {place: part for place, part in parts.items() if _is_plain(part)}


def _modules() -> frozenset[str]:
    return frozenset(sys.modules)


def _set_by_project(names: Set[str], around: "Around", known: Set[str]) -> set[str]:
    """Return which names code of the project sets, other than that of tests.

    What a module sets while it is imported counts if it was imported since. What an object gets
    when it is made is no change of it.
    """
    if not names:
        return set()
    files = {
        str(attributes_of(module).get("__file__")): name not in known
        for name, module in list(sys.modules.items())
        if is_of_project(name)
    }
    found = set[str]()
    for file, is_new in {**files, **dict.fromkeys(around.meant, True)}.items():
        text = b"" if file in around.apart else _text_of(file)
        if any(one.encode() in text for one in names - found):
            with suppress(SyntaxError, ValueError):
                code = compile(text, file, "exec", dont_inherit=True)
                found |= names & set(_changed_in(code, is_new=is_new))
    return found


def _changed_in(code: CodeType, *, is_new: bool) -> Iterator[str]:
    """Return what a module sets in its functions, and as a whole if it is imported since."""
    if is_new:
        yield from _stored_in(code)
    for one in code.co_consts:
        if isinstance(one, CodeType) and one.co_name not in _MAKING:
            is_class = "__module__" in one.co_names and "__qualname__" in one.co_names
            yield from _changed_in(one, is_new=not is_class)


def _set_by_bases(owner: Any) -> Iterator[str]:
    """Return what the methods of an object's classes set that are none of the project's."""
    kind = owner if is_a(owner, type) else type(owner)
    for base in kind.__mro__:
        functions = attributes_of(base).values() if not is_of_project(base.__module__) else ()
        for one in functions:
            if is_a(one, FunctionType):
                yield from _stored_in(one.__code__)


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
    for place, part in _parts_of(test).items() if _doubles or _tests.left else ():
        if _is_left(_tests, part):
            return str(part.shown)
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
    """Return the file of a module, a class, or a function; None: of anything else."""
    if is_a(owner, ModuleType):
        return attributes_of(owner).get("__file__")
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
