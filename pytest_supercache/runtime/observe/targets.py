"""Finds the target of a watch, a function, method or attribute, without running its code.

A target that does not exist is an error with a suggestion: a declaration that watches nothing would
make a HOLDS worthless.
"""

import builtins
import importlib
import inspect
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.masking import quoted
from pytest_supercache.core.misspelt import nearest_word
from pytest_supercache.runtime.kernel.under_test import is_under_test_name

_ABSENT = object()


class NoSuchTargetError(SupercacheError):
    """The target of a watch does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A function, method or attribute that can be watched.

    ``callers`` tells which calls count: None for all calls, a module's name for those from this
    module, ``"*"`` for those from code under test.
    """

    owner: Any
    name: str
    value: Any  # as stored in the owner
    is_call: bool
    callers: str | None = None

    @property
    def is_own(self) -> bool:
        """Whether the owner itself defines it, so that it is neither inherited nor a builtin."""
        return self.name in vars(self.owner)

    @property
    def names(self) -> list[str]:
        """Its names: in a class, ``get_multi = get_many`` gives one method another name."""
        bases = inspect.getmro(self.owner) if isinstance(self.owner, type) else ()
        others = dict.fromkeys(
            name
            for base in bases
            for name, value in vars(base).items()
            if value is self.value and inspect.getattr_static(self.owner, name) is value
        )
        return list({self.name: None} | others)

    @property
    def is_attribute(self) -> bool:
        """Whether the target is an attribute of instances."""
        return not self.is_call and isinstance(self.owner, type)

    @property
    def function(self) -> Any:
        """The function itself, unwrapped from a static or class method, or a property."""
        if isinstance(self.value, property):
            return self.value.fget
        if isinstance(self.value, staticmethod | classmethod):
            return self.value.__func__
        return self.value


def find_target(text: str) -> Target:
    """Return the target named by ``"package.module:path"``.

    Raises:
        NoSuchTargetError: the target does not exist.
        SupercacheError: the target exists, but cannot be watched.
    """
    module_name, colon, path = text.partition(":")
    if not colon or not path or not module_name or path.startswith("//"):
        raise SupercacheError(
            f"watch({quoted(text)}): expected 'package.module:Class.method', "
            "'package.module:function' or the path of an attribute that holds a mapping"
        )
    owner: Any = _module(text, module_name)
    *parents, name = path.split(".")
    for part in parents:
        owner = _member(text, owner, part)
    if isinstance(owner, type):
        return _in_class(text, owner, name)
    if isinstance(owner, ModuleType):
        return _in_module(text, owner, name, module_name)
    kind = type(owner)
    raise SupercacheError(
        f"watch({text!r}): {'.'.join(parents)} is an object; name its class, as in "
        f"'{kind.__module__}:{kind.__qualname__}.{name}'"
    )


def _module(text: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        hint = _did_you_mean(name, sys.modules)
        raise NoSuchTargetError(f"watch({text!r}): {error}{hint}") from error


def _member(text: str, owner: Any, name: str) -> Any:
    value = inspect.getattr_static(owner, name, _ABSENT)
    if value is _ABSENT:
        raise _missing(text, owner, name, vars(owner) if hasattr(owner, "__dict__") else ())
    return value


def _in_module(text: str, owner: ModuleType, name: str, named: str) -> Target:
    value = vars(owner).get(name, _ABSENT)
    passed_through = owner.__name__ != named
    callers = None
    if value is _ABSENT:
        value = vars(builtins).get(name, _ABSENT)
    if value is _ABSENT:
        raise _missing(text, owner, name, vars(owner))
    if passed_through:
        callers = named
    elif not is_under_test_name(owner.__name__):
        callers = "*"
    is_call = callable(value)
    _refuse_unwatchable(text, value)
    if not is_call and not is_mapping(value):
        raise SupercacheError(
            f"watch({text!r}): it is a {type(value).__name__}; expected a function or a mapping"
        )
    return Target(owner=owner, name=name, value=value, is_call=is_call, callers=callers)


def _in_class(text: str, owner: type, name: str) -> Target:
    value = inspect.getattr_static(owner, name, _ABSENT)
    if value is _ABSENT:
        known = set(_instance_attributes(owner))
        if name not in known:
            raise _missing(text, owner, name, known | set(dir(owner)))
        return Target(owner=owner, name=name, value=None, is_call=False)
    _refuse_unwatchable(text, value)
    is_call = isinstance(value, staticmethod | classmethod | property) or (
        callable(value) and not is_mapping(value)
    )
    callers = None if is_under_test_name(owner.__module__) else "*"
    return Target(owner=owner, name=name, value=value, is_call=is_call, callers=callers)


def _refuse_unwatchable(text: str, value: Any) -> None:
    function = value.__func__ if isinstance(value, staticmethod | classmethod) else value
    if inspect.isclass(function):
        raise SupercacheError(
            f"watch({text!r}): it is a class; name a method or an attribute of it"
        )
    if isinstance(function, property) and (function.fget is None or function.fset is not None):
        raise SupercacheError(
            f"watch({text!r}): it is a property that can be set; watch a method or the attribute "
            "that it reads"
        )
    if inspect.isasyncgenfunction(function):
        raise SupercacheError(
            f"watch({text!r}): it is an asynchronous generator function, whose call runs none of "
            "its code; watch what it calls"
        )


def is_mapping(value: Any) -> bool:
    """Say whether a value is a mapping, or has the methods of one."""
    if isinstance(value, Mapping):
        return True
    kind = type(value)
    return all(hasattr(kind, name) for name in ("__getitem__", "__setitem__", "__contains__"))


def _instance_attributes(owner: type) -> Iterable[str]:
    """Yield the attributes that instances may have: annotated, or named in a method's code."""
    for base in owner.__mro__:
        yield from vars(base).get("__annotations__", {})
        for member in vars(base).values():
            function = getattr(member, "__func__", member)
            if isinstance(function, FunctionType):
                yield from _names_in(function.__code__)


def _names_in(code: CodeType) -> Iterable[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)


def _missing(text: str, owner: Any, name: str, known: Iterable[str]) -> NoSuchTargetError:
    names = [known_name for known_name in known if not known_name.startswith("__")]
    hint = _did_you_mean(name, names)
    if not hint and names:
        hint = f"; it has {', '.join(sorted(names)[:_SHOWN_MAX])}"
    shown = getattr(owner, "__qualname__", None) or getattr(owner, "__name__", repr(owner))
    return NoSuchTargetError(f"watch({text!r}): {shown} has no {name!r}{hint}")


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = nearest_word(name, known)
    return f". Did you mean {near!r}?" if near else ""


_SHOWN_MAX = 20
