"""Library code that is rewritten on demand, so that its own memory accesses are seen.

That is code of the standard library which is given what is shared, and the wrapper that a decorator
of cachetools has put around a function: it keeps results in a mapping of the code under test.
"""

import types
import weakref
from collections import Counter
from typing import Any

from pytest_supercache.runtime.kernel.kinds import attributes_of, bases_of, module_of
from pytest_supercache.runtime.kernel.under_test import members_of
from pytest_supercache.runtime.memory.current import Current
from pytest_supercache.runtime.memory.effects import (
    CONTAINER_MODULES,
    CONTAINERS,
    is_of_cython,
    is_rewritten,
    top,
)
from pytest_supercache.runtime.memory.foreign import OF_TEMPLATES


def is_container_in_python(kind: type) -> bool:
    """Say whether a type is, or derives from, a library container written in Python."""
    known = Current.prepared.get(kind)
    if known is None:
        bases = [module_of(base) for base in bases_of(kind)[:-1]]
        known = not CONTAINER_MODULES.isdisjoint(bases) and not issubclass(kind, CONTAINERS)
        known = known and kind not in weakref.ProxyTypes
        known = known and all(CONTAINER_MODULES & {base} or is_rewritten(base) for base in bases)
        if known and Current.rewrite_container is not None:
            Current.rewrite_container(kind)
        Current.prepared[kind] = known
    return known


def prepare_counter(kind: type) -> None:
    """Rewrite the operators of counters, which are Python code of the library."""
    rewrite, knows = Current.rewrite_container, Current.knows_code
    if rewrite is not None and knows is not None and not knows(Counter.__add__.__code__):
        rewrite(kind)


def touches_itself(function: Any) -> bool:
    """Say whether a function reports its own accesses; it is rewritten first if necessary."""
    if is_of_cython(type(function)):
        return False
    module = getattr(function, "__module__", None)
    is_looked_into = module in CONTAINER_MODULES or module in Current.looked_into
    if is_looked_into and type(function) is types.FunctionType:
        if function.__globals__.get("__name__") != module:  # ours, before one of `random`
            return False
        if Current.rewrite is not None:
            Current.rewrite(function)
        return True
    return _is_rewritten_now(function) or is_rewritten(module)


def _is_rewritten_now(function: Any) -> bool:
    """Say whether a function is rewritten; one of the code under test is from now on."""
    knows, rewrite = Current.knows_code, Current.rewrite_generated
    if type(function) is not types.FunctionType or knows is None or rewrite is None:
        return False
    module = function.__globals__.get("__name__")
    if not knows(function.__code__) and (is_rewritten(module) or module in OF_TEMPLATES):
        rewrite(function)
    return knows(function.__code__)


def rewrite_nameless(function: types.FunctionType) -> None:
    """Rewrite a function that is called by itself and whose globals name no module.

    `exec` has made it: for a template, or a rule. A method that the standard library makes so
    belongs to a class of that.
    """
    if Current.rewrite_generated is not None and "__name__" not in function.__globals__:
        Current.rewrite_generated(function)


DECORATING = frozenset({"cachetools"})
"""Libraries with decorators that keep results in a mapping that they are given."""

_WRAPPING = DECORATING | {"functools"}


def is_wrapper(function: Any) -> bool:
    """Say whether a function was made by a decorator of such a library, or of `functools`."""
    return function.__closure__ is not None and top(_defined_in(function)) in _WRAPPING


def is_of_functools(wrapper: Any) -> bool:
    """Say whether a wrapper was made by a decorator of `functools`."""
    return type(wrapper) is types.FunctionType and _defined_in(wrapper) == "functools"


def code_of_wrapper(wrapper: Any) -> types.FunctionType | None:
    """Return the function that runs when such a wrapper is called.

    None: it keeps results in a cache of the library, whose accesses a table declares.
    """
    code: Any = wrapper
    if type(wrapper) is types.FunctionType:
        held = list(map(_content, wrapper.__closure__ or ()))
    else:
        calls = (attributes_of(base).get("__call__") for base in bases_of(type(wrapper)))
        code = next(filter(None, calls), None)
        held = list(members_of(wrapper).values())
    is_declared = any(module_of(base) in DECORATING for one in held for base in bases_of(type(one)))
    return None if is_declared or type(code) is not types.FunctionType else code


def _content(cell: Any) -> Any:
    return cell.cell_contents if cell != types.CellType() else None


def _defined_in(function: types.FunctionType) -> Any:
    return function.__globals__.get("__name__")
