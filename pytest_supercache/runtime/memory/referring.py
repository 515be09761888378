"""Finds the functions of modules, including those that no module leads to.

A function refers to the globals of its module. A walk from a module ends when it has found as many
functions as there are references to its globals: there are no others. Where it finds fewer, all
objects of the process are looked at, which takes long in a large one.
"""

import gc
import sys
from collections import deque
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

from pytest_supercache.core.identity import identity
from pytest_supercache.runtime.kernel.frozen_objects import all_visible

_WALKED_MODULES_MAX = 4
"""Above this number of modules, one pass over all objects is quicker than a walk from each."""

_WALKED_OBJECTS_MAX = 5_000
"""A module that leads to more objects than this is not walked to the end."""

_OF_THE_IMPORT = frozenset({"__builtins__", "__loader__", "__spec__"})
"""Globals of every module that lead away from it, the loader of a test file into all of pytest."""


def functions_of(modules: list[ModuleType]) -> Iterator[FunctionType]:
    """Yield the functions whose globals are those of these modules, and perhaps some twice."""
    left = [module for module in modules if references(module)]  # to the globals of its functions
    if len(left) <= _WALKED_MODULES_MAX:
        walked, left = left, []
        for module in walked:
            there_are = references(module)
            found = _walked(vars(module), there_are)
            yield from found
            if len(found) != there_are:
                left.append(module)
    yield from functions_referring_to(left)


def functions_referring_to(modules: list[ModuleType]) -> Iterator[FunctionType]:
    """Yield the functions whose globals are those of these modules, wherever they are held."""
    spaces = {identity(vars(module)) for module in modules}
    for one in _referrers([vars(module) for module in modules]):
        if type(one) is FunctionType and identity(one.__globals__) in spaces:
            yield one


def references(module: ModuleType) -> int:
    """Return the number of references to a module's globals, without its own."""
    return _counted(module) - _OF_A_MODULE


def _counted(module: ModuleType) -> int:
    return sys.getrefcount(vars(module))


_OF_A_MODULE = _counted(ModuleType("without_functions"))
"""The references of an empty module, with a few that asking makes."""


def _walked(space: dict[str, Any], most: int) -> list[FunctionType]:
    """Return at most ``most`` functions with these globals that are reachable from them.

    The nearest objects come first: they are the functions and classes of the module itself.
    """
    found: list[FunctionType] = []
    seen = {identity(space)}
    waiting: deque[Any] = deque(
        value for name, value in space.items() if name not in _OF_THE_IMPORT
    )
    while waiting and len(seen) < _WALKED_OBJECTS_MAX and len(found) < most:
        value = waiting.popleft()
        if identity(value) in seen or not gc.is_tracked(value):
            continue
        seen.add(identity(value))
        if type(value) is FunctionType:
            if value.__globals__ is space:
                found.append(value)
            waiting.extend(one for one in gc.get_referents(value) if one is not value.__globals__)
        elif not _is_of_others(value, space):
            waiting.extend(gc.get_referents(value))
    return found


def _is_of_others(value: Any, space: dict[str, Any]) -> bool:
    """Say whether a value is a module, or a class of another module: these lead everywhere."""
    kind = type(value)
    if issubclass(kind, type):
        return bool(type.__getattribute__(value, "__dict__").get("__module__") != space["__name__"])
    return issubclass(kind, ModuleType)


def _referrers(spaces: list[dict[str, Any]]) -> list[Any]:
    """Return all objects that refer to the globals of modules, and maybe others."""
    if not spaces:
        return []
    with all_visible():
        is_quicker = len(spaces) > _WALKED_MODULES_MAX
        return gc.get_objects() if is_quicker else gc.get_referrers(*spaces)
