"""Finds functions made in a loop that read its variable when they are called, after its last turn.

Python looks a global or an outer variable up in the call, so each of them does what the last one
was meant to do, under its own name.
"""

import dis
import inspect
import weakref
from collections.abc import Callable, Iterator, Mapping
from types import CellType, CodeType, FunctionType
from typing import Any

_read: "weakref.WeakKeyDictionary[FunctionType, dict[str, Callable[[], Any]]]"
_read = weakref.WeakKeyDictionary()
"""What each registered function would have read when it was registered, by name."""


def note(function: Callable[..., Any]) -> None:
    """Note what a function would read now."""
    made = inspect.unwrap(function)
    if isinstance(made, FunctionType):
        _read[made] = {name: _held(value) for name, value in _outer(made).items()}


def bound_late_before(function: Callable[..., Any]) -> str | None:
    """Note a function, and return the variable that an earlier one of its `def` would share."""
    note(function)
    return next(filter(None, (bound_late(function, other) for other in list(_read))), None)


def bound_late(function: Callable[..., Any], other: Callable[..., Any]) -> str | None:
    """Return the variable that two functions of one `def` read, and that was another one for each.

    None: they are not of one `def`, each has its own variables, or these were the same.
    """
    one, another = inspect.unwrap(function), inspect.unwrap(other)
    if one is another or not _are_of_one_def(one, another):
        return None
    first, second, own = _read.get(one, {}), _read.get(another, {}), _own(one, another)
    shared = (name for name in first if name in second and name not in own)
    return next((name for name in shared if first[name]() is not second[name]()), None)


def _own(one: FunctionType, other: FunctionType) -> set[str]:
    """Return the outer variables of which two functions of one `def` have one each."""
    cells = zip(one.__closure__ or (), other.__closure__ or (), strict=True)
    names = zip(one.__code__.co_freevars, cells, strict=True)
    return {name for name, (cell, another) in names if cell is not another}


def _are_of_one_def(one: Any, other: Any) -> bool:
    """Say whether functions have one code and one place for each outer variable.

    A module that is imported again has code of its own.
    """
    if not (isinstance(one, FunctionType) and isinstance(other, FunctionType)):
        return False
    return one.__code__ is other.__code__ and one.__globals__ is other.__globals__


def _outer(function: FunctionType) -> Mapping[str, Any]:
    """Return the values of the outer variables that a function, or one in it, reads."""
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    names = set(_globals_of(function.__code__)) & set(function.__globals__)
    found = {name: function.__globals__[name] for name in names}
    return found | {name: _content(cell) for name, cell in cells.items()}


def _globals_of(code: CodeType) -> Iterator[str]:
    for step in dis.get_instructions(code):
        if step.opname == "LOAD_GLOBAL":
            yield step.argval
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _globals_of(inner)


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it has no value yet
        return None


def _held(value: Any) -> Callable[[], Any]:
    """Return what gives a value, which it keeps alive only if it has to."""
    try:
        return weakref.ref(value)
    except TypeError:
        return lambda: value
