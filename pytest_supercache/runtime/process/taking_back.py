"""Takes back what a check has changed in the process for all later ones: variables and methods.

The factory of one system may switch its cache off by a variable of the environment, or put one
method in the place of another. The next check is of another system, whose factory does not switch
it on again. What an import has changed stays, since nobody will import that module again.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, FunctionType
from typing import Any

from pytest_supercache.runtime.kernel.audit import listen
from pytest_supercache.runtime.kernel.kinds import attributes_of
from pytest_supercache.runtime.kernel.under_test import modules_under_test

_METHODS = (FunctionType, staticmethod, classmethod, property)
_NOTHING: Any = object()

_variables = set[str]()
"""Those that were set or removed outside of imports since the present check began."""


@contextmanager
def taken_back() -> Iterator[None]:
    """Restore the environment and the methods of the code under test when a check is over."""
    listen(("os.putenv", "os.unsetenv"), _hear)
    _variables.clear()
    variables, methods, modules = dict(os.environ), _methods(), set(sys.modules)
    try:
        yield
    finally:
        for name in _variables.copy():
            _restore_variable(name, variables.get(name))
        imported = sys.modules.keys() - modules
        for kind, before in methods.items():
            _restore_methods(kind, before, imported)


def _hear(_: str, given: tuple[Any, ...]) -> None:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") != "__main__":
            return
        frame = frame.f_back
    _variables.add(os.fsdecode(given[0]))


def _restore_variable(name: str, before: str | None) -> None:
    if before is None:
        os.environ.pop(name, None)
    elif os.environ.get(name) != before:
        os.environ[name] = before


def _methods() -> dict[type, dict[str, Any]]:
    """Return the methods of the classes of the code under test, by class and name."""
    kinds = {
        value
        for module in modules_under_test()
        for value in list(vars(module).values())
        if issubclass(type(value), type) and value.__module__ == module.__name__
    }
    return {kind: _methods_of(kind) for kind in kinds}


def _methods_of(kind: type) -> dict[str, Any]:
    members = attributes_of(kind)
    return {name: one for name, one in members.items() if type(one) in _METHODS}


def _restore_methods(kind: type, before: dict[str, Any], imported: set[str]) -> None:
    now = _methods_of(kind)
    for name in before.keys() | now.keys():
        here, there = now.get(name, _NOTHING), before.get(name, _NOTHING)
        if here is there or getattr(here, "__module__", None) in imported:
            continue
        if there is _NOTHING:
            type.__delattr__(kind, name)
        else:
            type.__setattr__(kind, name, there)
