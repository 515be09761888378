"""Notes which functions and methods a race replaces: to read one counts only if it is replaced.

Code calls functions all the time, and hardly ever replaces one. So a check notes the names of those
that are replaced, or deleted, and begins again with them.
"""

import types
from typing import Any

from pytest_supercache.runtime.kernel.kinds import attributes_of, bases_of
from pytest_supercache.runtime.memory.accesses import Accesses
from pytest_supercache.runtime.memory.effects import METHOD_TYPES, find_in_class
from pytest_supercache.runtime.memory.sharing import ANY_METHOD

CODE = (types.FunctionType, types.ModuleType, types.BuiltinFunctionType, type)
"""Types of globals that are hardly ever replaced."""


def note_attribute_replaced(accesses: Accesses, kind: type, name: str) -> None:
    """Note that a method is replaced, if an object or a class has one where it is written."""
    if type(find_in_class(kind, name)[0]) in METHOD_TYPES:
        accesses.note_replaced(name)


def note_global_replaced(accesses: Accesses, members: dict[str, Any], name: str) -> None:
    """Note that a function is replaced, if a module has one where it is written."""
    if type(members.get(name)) in CODE:
        accesses.note_replaced(name)


def may_be_replaced(accesses: Accesses, name: str) -> bool:
    """Say whether an object may have an attribute in the place of a method, now or later."""
    known = accesses.sharing
    return known.is_replaced(name) or known.is_replaced(ANY_METHOD)


def note_any_replaced(accesses: Accesses, kind: type) -> None:
    """Note that each method of an object may be replaced: all its attributes are written."""
    for base in bases_of(kind):
        if base is not object:
            for name, value in attributes_of(base).items():
                if type(value) in METHOD_TYPES:
                    accesses.note_replaced(name)


def note_any_global_replaced(accesses: Accesses, members: dict[str, Any]) -> None:
    """Note that each function of a module may be replaced: all its globals are written."""
    for name, value in list(members.items()):
        if type(value) in CODE:
            accesses.note_replaced(name)
