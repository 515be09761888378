"""Finds what lies behind objects that are left alone, such as the application of a framework.

An application holds its routes, and these hold functions and dependencies; an environment of Jinja
holds filters, and a field of a form holds validators. These may belong to the code under test. So
does a list that code has put there: a flow gets it from the framework, and changes it.
"""

import functools
import gc
import logging
import os
import sys
import threading
import types
from collections import deque
from collections.abc import Iterator
from enum import Enum
from typing import Any

from pytest_supercache.core.identity import identity
from pytest_supercache.runtime.kernel.kinds import (
    attributes_of,
    bases_of,
    module_of,
    name_of,
    of_kind,
)
from pytest_supercache.runtime.kernel.own_code import AIO, SYNC
from pytest_supercache.runtime.kernel.under_test import is_globals, is_of_the_run, members_of
from pytest_supercache.runtime.memory.effects import (
    CONTAINERS,
    PLAIN,
    SCALARS,
    is_class_of_code,
    is_left_alone,
    is_of_code,
    top,
)
from pytest_supercache.runtime.memory.names import is_real
from pytest_supercache.runtime.memory.proxies import is_transparent
from pytest_supercache.runtime.memory.reach import leads_on

PASSED_MAX = 200_000
"""The largest number of objects that are passed; what lies farther from the first is not found."""

OF_THE_PROCESS = (os.environ, sys.modules, sys.path, logging.root.manager.loggerDict)
"""Registries that libraries fill once (docs/decisions/0051)."""


class Owner(Enum):
    """Whose an object is that lies behind another one."""

    CODE = "the code under test"
    FRAMEWORK = "a framework that builds parts of itself when it is first used"
    UNKNOWN = "either: it is a container, a variable of a closure, or the like"


class Behind:
    """What lies behind objects that are left alone; each of them is passed once."""

    def __init__(self) -> None:
        # By their identity. They are held, so that no new object gets the identity of an old one.
        self._passed: dict[int, Any] = {identity(one): one for one in OF_THE_PROCESS}

    @property
    def is_cut(self) -> bool:
        """Whether there may be more that is not found."""
        return len(self._passed) >= PASSED_MAX

    def found(self, value: Any) -> Iterator[tuple[Any, Owner]]:
        """Yield an object that is left alone, and what lies behind it; nothing if it is not."""
        is_new = identity(value) not in self._passed
        waiting = deque([value] if is_new and (_is_passed(value) or has_hidden(value)) else ())
        self._passed.update((identity(one), one) for one in waiting)
        if waiting and builds_itself(type(value)):
            yield value, Owner.FRAMEWORK
        while waiting and not self.is_cut:
            holder = waiting.popleft()
            for inner in _held(holder):
                if type(inner) in SCALARS or identity(inner) in self._passed:
                    continue
                self._passed[identity(inner)] = inner
                owner = _owner_of(inner, holder)
                if owner is not None:
                    yield inner, owner
                if owner is not Owner.CODE and (owner is not None or _is_passed(inner)):
                    waiting.append(inner)


def _owner_of(value: Any, holder: Any) -> Owner | None:
    """Return what an object is that another one holds; None: it only leads to others."""
    if _is_of_code(value):
        return Owner.CODE
    is_part = builds_itself(type(holder)) and issubclass(type(value), CONTAINERS)
    if is_part or builds_itself(type(value)):
        return Owner.FRAMEWORK
    return Owner.UNKNOWN if not _is_passed(value) and _may_be_used(value) else None


@of_kind
def builds_itself(kind: type) -> bool:
    """Say whether a type is, or derives from, one whose objects build parts of themselves late.

    These frameworks' objects have neither connections nor anything else that cannot be made twice.
    """
    return any(module_of(base).startswith(_BUILDING) for base in bases_of(kind))


_BUILDING = (
    "click.", "django.core.files.", "django.core.handlers.", "django.forms.", "django.template.",
    "django.test.client", "django.urls.", "django.utils.functional", "django.views.", "fastapi.",
    "flask.", "jinja2.", "starlette.", "werkzeug.routing.",
)  # fmt: skip


def _held(value: Any) -> list[Any]:
    """Return what an object refers to; the globals of a function are not its own.

    Of a class it is what libraries keep there under names of their own, such as
    ``__pydantic_validator__`` and ``__dataclass_fields__``.
    """
    kind = type(value)
    if kind is types.FunctionType:
        return [one for one in gc.get_referents(value) if one is not value.__globals__]
    if not issubclass(kind, type):
        members = members_of(value)
        held = [one for one in gc.get_referents(value) if one is not members]
        return [*held, *members.values()]
    kept = dict(attributes_of(value))
    is_made_by_call = not is_class_of_code(value)
    return [one for name, one in kept.items() if is_made_by_call or _is_of_library(name)]


def _is_of_library(name: Any) -> bool:
    is_special = type(name) is str and name.startswith("__") and name.endswith("__")
    return is_special and name not in _OF_PYTHON


_OF_PYTHON = frozenset({*dir(type), *dir(object), "__dict__", "__weakref__", "__slots__"}) - {
    "__annotations__"
}


def has_hidden(value: Any) -> bool:
    """Say whether something lies behind an object of the code under test that nobody is shown."""
    kind = type(value)
    if issubclass(kind, type):
        return is_class_of_code(value)
    # The former makes itself anew for each thread, the latter is written in C.
    return issubclass(kind, threading.local) or is_transparent(kind)


def _is_of_code(value: Any) -> bool:
    kind = type(value)
    if kind is types.FunctionType:
        return is_of_code(value.__globals__)
    return is_class_of_code(value if issubclass(kind, type) else kind)


def _is_passed(value: Any) -> bool:
    """Say whether an object only leads to others; objects of the run's own tools do not count."""
    kind = type(value)
    if kind in _LEADING:
        return True
    if issubclass(kind, type):
        return _is_made_by_call(value)
    if kind in PLAIN or issubclass(kind, types.ModuleType) or not is_left_alone(kind):
        return False
    module = module_of(kind)
    return module.startswith((SYNC, AIO)) or not is_of_the_run(top(module))


def _is_made_by_call(kind: type) -> bool:
    """Say whether a library has made a class for one of its objects, as a ``sessionmaker`` does."""
    module = sys.modules.get(module_of(kind))
    return module is not None and members_of(module).get(name_of(kind), kind) is not kind


def _may_be_used(value: Any) -> bool:
    """Say whether code under test may use an object that it gets from another one."""
    kind = type(value)
    is_memory = kind not in _NOT_USED and not is_globals(value) and not is_real(value)
    return is_memory and leads_on(value)


_LEADING = (types.FunctionType, types.MethodType, functools.partial, tuple)
_NOT_USED = (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType)
