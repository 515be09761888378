"""Finds registered functions that read a variable whose value has changed between registrations.

Python looks a global or an outer variable up in the call. What a loop registers in each turn, or
what stands above and below a second definition, then does what the last value says, under all
names. A function reads by itself, or by what it calls in its module.
"""

import dis
import inspect
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from pytest_supercache.core.identity import identity, is_a
from pytest_supercache.declare.same import NOTHING, are_equal, attributes_of, content

_FUNCTIONS_MAX = 1_000
"""The most functions and classes that are looked into for one registration."""

_MODULE = "<module>"
_ATTRIBUTES = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_VARIABLES = frozenset({"LOAD_GLOBAL", "LOAD_DEREF"})

_PLAIN = frozenset({bool, bytes, float, int, str})

_Path = tuple[str, ...]
"""A variable, and how it goes on: `.name` of an attribute, `['key']` of a dict, `[0]` of a list."""

_Place = tuple[int, _Path]
"""The identity of the globals or the cell, which has the variable, and the path from there."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What a registered function would have read in one place when it was registered."""

    value: Callable[[], Any]
    by: Callable[[], Any]  # the function, while there is one; without it the place may be another
    registered: str
    turn: "Turn"
    was_code: bool = False
    """The value was a class or a function, which may be gone."""

    def is_another(self, value: Any) -> bool:
        """Say whether the place had another value; False if it may be another place by now."""
        return self.by() is not None and self.value() is not value


@dataclass(frozen=True, slots=True)
class Turn:
    """One execution of the top-level code of a module; a second import is another one."""

    code: CodeType | None
    module: int

    @classmethod
    def now(cls) -> "Turn":
        """Return the execution of a module in which something is being registered."""
        frame = sys._getframe(1)
        while frame.f_code.co_name != _MODULE and frame.f_back is not None:
            frame = frame.f_back
        is_none = frame.f_code.co_name != _MODULE or frame.f_globals.get("__name__") == "__main__"
        return cls(None, 0) if is_none else cls(frame.f_code, identity(frame.f_globals))

    def is_before_import_of(self, other: "Turn") -> bool:
        """Say whether the same module is being executed anew in the other one."""
        return self.module == other.module and self.code is not other.code


_reads: dict[_Place, _Read] = {}


def bound_late(function: Callable[..., Any], registered: str) -> tuple[str, str] | None:
    """Note what a function reads; return a variable that was another value for an earlier one.

    Args:
        function: what is registered: a function, a class or any other callable.
        registered: by which words it is known.

    Returns:
        The variable, and by which words the earlier function is known; None if there is none.
    """
    turn, found = Turn.now(), None
    for reader, place, value in _all_reads(function):
        if turn.code is None and place[0] == identity(reader.__globals__):
            continue  # tests that are running may count in it
        known = _reads.get(place)
        was_another = known is not None and known.is_another(value)
        if known is None or not was_another or known.turn.is_before_import_of(turn):
            _reads[place] = _Read(held(value), held(reader), registered, turn, _is_code(value))
        elif found is None:
            found = "".join(place[1]), known.registered
    return found


@dataclass(frozen=True, slots=True)
class Outer:
    """The outer variables of a function, as they were when something was done with it."""

    code: CodeType
    cells: tuple[tuple[str, CellType, Any], ...]

    @classmethod
    def of(cls, function: Any) -> "Outer | None":
        """Return those of a function; None if it has none, or is none."""
        while is_a(function, partial):
            function = function.func
        if not is_a(function, FunctionType) or not function.__closure__:
            return None
        names = zip(function.__code__.co_freevars, function.__closure__, strict=True)
        return cls(function.__code__, tuple((name, cell, content(cell)) for name, cell in names))

    def bound_late(self, earlier: "Outer") -> str | None:
        """Return a variable that an earlier function of the same `def` shares, with another value.

        Both get the last one when they are called.
        """
        if self.code is not earlier.code:
            return None
        pairs = zip(self.cells, earlier.cells, strict=True)
        return next(
            (
                name
                for (name, cell, value), (_, another, before) in pairs
                if cell is another and not are_same(value, before)
            ),
            None,
        )


def are_same(value: Any, other: Any) -> bool:
    """Say whether two values are one object, or equal plain ones."""
    is_plain = type(value) in _PLAIN and type(value) is type(other)
    return value is other or (is_plain and bool(value == other))


def indistinct(functions: Iterable[Any]) -> str | None:
    """Return a variable that two functions of one loop read, and that is one for both.

    A class or a function that is read under its own name is none.
    """
    seen: dict[CodeType, list[FunctionType]] = {}
    for function in functions:
        if not is_a(function, FunctionType):
            continue
        for other in seen.setdefault(function.__code__, []):
            if function is not other and are_equal(_defaults(function), _defaults(other)):
                read, by_other = dict(read_by(function)), dict(read_by(other))
                is_one = read.keys() == by_other.keys()
                variables = (
                    place[1][0] for place, value in read.items() if _is_variable(place, value)
                )
                if is_one and (name := next(variables, None)):
                    return name
        seen[function.__code__].append(function)
    return None


def _defaults(function: FunctionType) -> tuple[Any, Any]:
    return function.__defaults__, function.__kwdefaults__


def _is_variable(place: _Place, value: Any) -> bool:
    """Say whether a name is no definition: neither of a module, nor of a class or a function."""
    is_defined = is_a(value, type | FunctionType) and value.__name__ == place[1][0]
    return len(place[1]) == 1 and not is_defined and not is_a(value, ModuleType)


def redefined(registered: Iterable[Callable[..., Any]]) -> tuple[str, str] | None:
    """Return a class or a function that was defined anew since what reads it was registered.

    Returns:
        Its name, and by which words the one that reads it is known; None if there is none.
    """
    for function in registered:
        for reader, place, value in _all_reads(function):
            known = _reads.get(place)
            if known is None or len(place[1]) > 1 or place[0] != identity(reader.__globals__):
                continue
            if known.was_code and known.is_another(value) and _is_anew(known.value(), value):
                return place[1][0], known.registered
    return None


def _is_code(value: Any) -> bool:
    return is_a(value, type | FunctionType)


def _is_anew(before: Any, now: Any) -> bool:
    """Say whether a name means another class or function, which is not made of the one before."""
    if before is None or not _is_code(now):
        return _is_code(now)
    if is_a(now, FunctionType):
        calls_it = any(value is before for _, value in read_by(now))
        return inspect.unwrap(now) is not before and not calls_it
    functions = {identity(one) for one in vars(before).values() if is_a(one, FunctionType)}
    return functions.isdisjoint(map(identity, vars(now).values()))


def _all_reads(registered: Any) -> Iterator[tuple[FunctionType, _Place, Any]]:
    """Yield the reading function, the place and the value, of all functions that are reached."""
    waiting, seen = [registered], set[int]()
    while waiting and len(seen) < _FUNCTIONS_MAX:
        one = waiting.pop()
        if identity(one) in seen:
            continue
        seen.add(identity(one))
        if not is_a(one, FunctionType):
            waiting += _functions_of(one)
            continue
        waiting += [vars(one)["__wrapped__"]] if "__wrapped__" in vars(one) else []
        for place, value in read_by(one):
            yield one, place, value
            if _is_followed(one, place, value):
                waiting.append(value)


def _functions_of(value: Any) -> list[Any]:
    """Return what a callable that is no function consists of, or calls."""
    if is_a(value, partial):
        return [value.func]
    if is_a(value, MethodType | staticmethod | classmethod):
        return [value.__func__]
    if is_a(value, property):
        return [one for one in (value.fget, value.fset) if one is not None]
    if is_a(value, type):
        bases = [one for one in value.__mro__[1:] if one.__module__ == value.__module__]
        return [*(one for one in vars(value).values() if _has_code(one)), *bases]
    return [type(value)] if _has_code(vars(type(value)).get("__call__")) else []


def _has_code(value: Any) -> bool:
    return is_a(value, FunctionType | MethodType | staticmethod | classmethod | property | partial)


def _is_followed(reader: FunctionType, place: _Place, value: Any) -> bool:
    """Say whether to look into what was read: what a decorator holds, and code of one module."""
    if place[0] != identity(reader.__globals__):
        return _has_code(value)
    if is_a(value, FunctionType):
        return value.__globals__ is reader.__globals__
    return is_a(value, type) and value.__module__ == reader.__globals__.get("__name__")


def read_by(function: FunctionType) -> Iterator[tuple[_Place, Any]]:
    """Yield the variables of a function that have a value by now, and their attributes."""
    code, names = function.__code__, function.__globals__
    cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
    for path in _paths_in(code):
        cell = cells.get(path[0])
        holder = identity(names if cell is None else cell)
        found = names.get(path[0], NOTHING) if cell is None else content(cell)
        for number, step in enumerate(path):
            found = found if number == 0 else _part(found, step)
            if found is NOTHING:
                break
            yield (holder, path[: number + 1]), found


def _part(value: Any, step: str) -> Any:
    """Return an attribute, or an element, as it is stored: no code is run for it."""
    if step.startswith("."):
        name = step[1:]
        if is_a(value, ModuleType):
            return attributes_of(value).get(name, NOTHING)
        return inspect.getattr_static(value, name, NOTHING)
    if type(value) is dict:
        return next((one for key, one in value.items() if _key(key) == step), NOTHING)
    if type(value) in (list, tuple):
        with suppress(ValueError, IndexError):
            return value[int(step[1:-1])]
    return NOTHING


def _key(key: Any) -> str:
    return f"[{key!r}]" if is_a(key, str | int) else ""


@lru_cache(maxsize=1 << 12)
def _paths_in(code: CodeType) -> tuple[_Path, ...]:
    """Return what the code of a function, or one in it, reads of variables from outside of it."""
    steps, found = list(dis.get_instructions(code)), dict[_Path, None]()
    inner = {*code.co_cellvars}
    for at, step in enumerate(steps):
        if step.opname in _VARIABLES and step.argval not in inner:
            found[step.argval, *_way_on(steps[at + 1 :])] = None
    for one in code.co_consts:
        if isinstance(one, CodeType):
            found |= {path: None for path in _paths_in(one) if path[0] not in inner}
    return tuple(found)


def _way_on(steps: list[dis.Instruction]) -> Iterator[str]:
    """Yield the attributes, and the keys, that are taken of a value at once."""
    at = 0
    while at < len(steps):
        step = steps[at]
        after = steps[at + 1] if at + 1 < len(steps) else step
        if step.opname in _ATTRIBUTES:
            yield f".{step.argval}"
            at += 1
        elif _is_subscript(after) and isinstance(step.argval, str | int):
            yield f"[{step.argval!r}]"
            at += 2
        else:
            return


def _is_subscript(step: dis.Instruction) -> bool:
    return step.opname == "BINARY_SUBSCR" or step.argrepr == "[]"


def held(value: Any) -> Callable[[], Any]:
    """Return what gives a value, which it keeps alive only if it has to."""
    try:
        return weakref.ref(value)
    except TypeError:
        return lambda: value
