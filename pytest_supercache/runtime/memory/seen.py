"""Which calls touch nothing that is not looked at."""

import functools
import types
from typing import Any

from pytest_supercache.runtime.memory.effects import CONTAINERS, PLAIN, Memo, is_rewritten, top
from pytest_supercache.runtime.memory.touching import touches_itself


def is_seen(function: Any) -> bool:
    """Say whether all that a call touches is looked at: by hooks of its own, or in a table."""
    kind = type(function)
    if kind in (types.MethodType, functools.partial):
        return is_seen(function.__func__ if kind is types.MethodType else function.func)
    if kind is types.FunctionType:
        return touches_itself(function) or top(function.__module__) in _PURE
    if kind is Memo:
        return is_seen(function.__wrapped__)
    if issubclass(kind, type):
        maker = getattr(function, "__init__", None)
        return top(function.__module__) in _PURE or (
            is_rewritten(function.__module__)
            and (type(maker) is not types.FunctionType or touches_itself(maker))
        )
    if kind in (types.BuiltinFunctionType, types.MethodWrapperType):
        holder = function.__self__
        if holder is None or type(holder) is types.ModuleType:
            return top(function.__module__) in _PURE and function not in (eval, exec, __import__)
        return _is_plain(type(holder))
    if kind in (types.MethodDescriptorType, types.WrapperDescriptorType):
        return _is_plain(function.__objclass__)
    return is_rewritten(kind.__module__) or _is_plain(kind)


def _is_plain(kind: type) -> bool:
    return kind in PLAIN or issubclass(kind, CONTAINERS) or top(kind.__module__) in _PURE


_PURE = frozenset(
    {
        "builtins", "math", "cmath", "operator", "_operator", "itertools", "functools",
        "_functools", "collections", "_collections", "_collections_abc", "bisect", "_bisect",
        "heapq", "_heapq", "json", "_json", "copy", "time", "datetime", "_datetime", "string",
        "re", "decimal", "_decimal", "fractions", "numbers", "hashlib", "_hashlib", "base64",
        "binascii", "struct", "_struct", "zlib", "pickle", "_pickle", "textwrap", "typing",
        "dataclasses", "uuid", "random", "_random", "enum", "types", "weakref", "_weakref",
        "_weakrefset", "array", "contextlib", "_thread", "threading", "logging", "_io", "io",
        "abc", "_abc", "posixpath", "genericpath", "freezegun",
    }
)  # fmt: skip
"""Modules whose functions and types touch nothing but what they are given, or guard it."""
