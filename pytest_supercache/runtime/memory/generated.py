"""Rewrites methods that were generated for a class: attrs and `dataclasses` compile their source.

No module leads to such a function, or only to its class, so it is rewritten when its class is first
used in a check. What a library sets in a class but runs in code of its own, as pydantic does, is
not rewritten: it does not report what it accesses.
"""

from types import FunctionType
from typing import Any

from pytest_supercache.runtime.kernel.kinds import attributes_of, bases_of, module_of, of_kind
from pytest_supercache.runtime.memory.current import Current
from pytest_supercache.runtime.memory.effects import (
    IMMUTABLE,
    find_in_class,
    is_class_of_code,
    is_left_alone,
    top,
)
from pytest_supercache.runtime.memory.library import is_container_in_python

_GENERATING = frozenset({"attr"})
"""Libraries whose own functions, set in a class, are Python code down to the attribute."""


@of_kind
def rewrite_generated(kind: type) -> None:
    """Rewrite the methods that were generated for a class, and for those it derives from."""
    if Current.rewrite_generated is None:
        return
    for base in filter(is_class_of_code, bases_of(kind)):
        for member in list(attributes_of(base).values()):
            if type(member) is FunctionType and _is_generated(member, module_of(base)):
                Current.rewrite_generated(member)


def _is_generated(function: FunctionType, module: str) -> bool:
    """Say whether a function is code of a class of this module, wherever it was compiled."""
    name: Any = function.__globals__.get("__name__")
    if name is None or name == module:
        return True
    return top(name) in _GENERATING and function.__module__ == module


def tells(method: Any) -> bool:
    """Say whether a method is a function that reports what it accesses."""
    knows = Current.knows_code
    return type(method) is FunctionType and knows is not None and knows(method.__code__)


@of_kind
def is_compared_unseen(kind: type) -> bool:
    """Say whether code that reports nothing compares what objects of a class hold.

    Those are models of pydantic and of Django, and tuples of a class of their own.
    """
    return _runs_unseen(kind, "__eq__") and not is_container_in_python(kind)


@of_kind
def is_taken_unseen(kind: type) -> bool:
    """Say whether code that reports nothing goes through the attributes of a class's objects."""
    is_tuple = issubclass(kind, tuple | frozenset)
    return not is_tuple and _runs_unseen(kind, "__iter__") and not is_container_in_python(kind)


def _runs_unseen(kind: type, method: str) -> bool:
    if is_left_alone(kind) or not is_class_of_code(kind):
        return False
    rewrite_generated(kind)
    found, base = find_in_class(kind, method)
    if base in (tuple, frozenset):
        return True
    return base is not None and top(module_of(base)) not in IMMUTABLE and not tells(found)
