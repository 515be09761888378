"""Code of the standard library that touches for itself: it is rewritten when it is needed."""

import types
from collections import Counter
from typing import Any

from pytest_supercache.runtime.memory.current import Current
from pytest_supercache.runtime.memory.effects import CONTAINER_MODULES, CONTAINERS, is_rewritten


def is_container_in_python(kind: type) -> bool:
    """Say whether a type is, or is derived from, a container of Python code in the library."""
    known = Current.prepared.get(kind)
    if known is None:
        bases = [base.__module__ for base in kind.__mro__[:-1]]
        known = not CONTAINER_MODULES.isdisjoint(bases) and not issubclass(kind, CONTAINERS)
        known = known and all(CONTAINER_MODULES & {base} or is_rewritten(base) for base in bases)
        if known and Current.rewrite_container is not None:
            Current.rewrite_container(kind)
        Current.prepared[kind] = known
    return known


def prepare_counter(kind: type) -> None:
    """Let the operators of counters touch for themselves: they are Python code of the library."""
    rewrite, knows = Current.rewrite_container, Current.knows_code
    if rewrite is not None and knows is not None and not knows(Counter.__add__.__code__):
        rewrite(kind)


def touches_itself(function: Any) -> bool:
    """Say whether a function is rewritten, as some of the standard library are at need."""
    module = getattr(function, "__module__", None)
    is_looked_into = module in CONTAINER_MODULES or module in Current.looked_into
    if is_looked_into and type(function) is types.FunctionType:
        if function.__globals__.get("__name__") != module:  # ours, before one of `random`
            return False
        if Current.rewrite is not None:
            Current.rewrite(function)
        return True
    return is_rewritten(module)
