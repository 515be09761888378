"""Tells which calls have all of their memory accesses recorded."""

import functools
import types
from typing import Any

from pytest_supercache.runtime.kernel.kinds import module_of
from pytest_supercache.runtime.memory.effects import (
    BOUND_IN_C,
    CONTAINERS,
    PLAIN,
    Memo,
    find_in_class,
    is_rewritten,
    top,
)
from pytest_supercache.runtime.memory.library import touches_itself


def is_fully_tracked(function: Any) -> bool:
    """Say whether all accesses of a call are recorded: by hooks in its code, or by a table."""
    kind = type(function)
    if kind in (types.MethodType, functools.partial):
        return is_fully_tracked(function.__func__ if kind is types.MethodType else function.func)
    if kind is types.FunctionType:
        return touches_itself(function) or top(function.__module__) in _PURE
    if kind is Memo:
        return is_fully_tracked(function.__wrapped__)
    if issubclass(kind, type):
        return _is_plain(function) or _is_made_by_rewritten_code(function)
    if kind in BOUND_IN_C:
        holder = function.__self__
        is_of_module = type(holder) is types.ModuleType and kind is not types.MethodWrapperType
        if holder is None or is_of_module:
            return top(function.__module__) in _PURE and function not in (eval, exec, __import__)
        return _is_plain(type(holder))
    if kind in (types.MethodDescriptorType, types.WrapperDescriptorType):
        return _is_plain(function.__objclass__)
    return is_rewritten(module_of(kind)) or _is_plain(kind)


def _is_made_by_rewritten_code(kind: type) -> bool:
    maker = find_in_class(kind, "__init__")[0]
    is_looked_at = type(maker) is not types.FunctionType or touches_itself(maker)
    return is_rewritten(module_of(kind)) and is_looked_at


def _is_plain(kind: type) -> bool:
    return kind in PLAIN or issubclass(kind, CONTAINERS) or top(module_of(kind)) in _PLAIN_TYPES


_PLAIN_TYPES = frozenset(
    {
        "builtins", "collections", "_collections", "_collections_abc", "itertools", "functools",
        "_functools", "array", "_io", "io", "datetime", "_datetime", "decimal", "_decimal",
        "fractions", "numbers", "uuid", "re", "string", "types", "weakref", "_weakref",
        "_weakrefset", "operator", "_operator", "enum", "random", "_random", "_struct",
        "contextlib", "typing", "dataclasses", "abc", "_abc", "freezegun", "pytest_supercache",
    }
)  # fmt: skip
"""Modules whose types hold nothing that could change, or only memory that is tracked."""

_PURE = _PLAIN_TYPES | {
    "math", "cmath", "bisect", "_bisect", "heapq", "_heapq", "json", "_json", "copy", "time",
    "base64", "binascii", "struct", "zlib", "hashlib", "_hashlib", "pickle", "_pickle", "textwrap",
    "posixpath", "genericpath",
}  # fmt: skip
"""Modules whose functions touch nothing but their arguments."""
