"""Rewrites the functions of the code under test for the length of a check.

The functions of a module are found once, when it is new. Functions that were made later are
reported by the rewritten code that makes them, or found from the body. A module whose globals are
referred to more often than by the functions that are known is searched once more.
"""

import inspect
import sys
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from pytest_supercache.core.identity import identity
from pytest_supercache.runtime.kernel.kinds import (
    attributes_of,
    bases_of,
    forget_kinds,
    module_of,
    qualname_of,
)
from pytest_supercache.runtime.kernel.under_test import is_standard_name, modules_under_test
from pytest_supercache.runtime.memory.calls import CALL_HOOKS, touch_call, touching
from pytest_supercache.runtime.memory.current import Current
from pytest_supercache.runtime.memory.effects import (
    CONTAINER_MODULES,
    PLAIN,
    is_class_of_code,
    is_left_alone,
    is_rewritten,
    top,
)
from pytest_supercache.runtime.memory.entering import CALLING_FOR_C
from pytest_supercache.runtime.memory.files import listen
from pytest_supercache.runtime.memory.foreign import OF_TEMPLATES
from pytest_supercache.runtime.memory.hook_calls import CALLER, always, called_safely
from pytest_supercache.runtime.memory.hooks import HOOKS
from pytest_supercache.runtime.memory.iteration_hooks import TAKING_HOOKS
from pytest_supercache.runtime.memory.reach import WALKED, inside
from pytest_supercache.runtime.memory.real_primitives import PRIMITIVE_HOOKS
from pytest_supercache.runtime.memory.referring import (
    functions_of,
    functions_referring_to,
    references,
)
from pytest_supercache.runtime.memory.rewriting import (
    Hooks,
    Nested,
    rewritten,
    telling_of_entering,
)

BODY_OBJECTS_MAX = 5_000
"""The largest number of objects that are searched for functions made outside of any check."""


class _Original(NamedTuple):
    """The identity of rewritten code. Equal code may be of another file, as fresh copies are."""

    code: CodeType
    file: str
    name: str
    lines: bytes
    constants: frozenset[str]
    tells_of_return: bool = False


_rewritten: dict[_Original, CodeType] = {}
"""Original code -> rewritten code; kept for all checks of the process."""

_originals: dict[int, _Original] = {}
"""Rewritten code, by identity -> original code."""

_telling: dict[_Original, CodeType] = {}
"""Original code of the standard library -> code that only reports when it begins."""

_untold: dict[int, CodeType] = {}
"""Code that only reports when it begins, by identity -> original code."""


def _original(code: CodeType, constants: frozenset[str]) -> _Original:
    return _Original(code, code.co_filename, code.co_qualname, code.co_linetable, constants)


def _done(code: CodeType, constants: frozenset[str] = frozenset()) -> CodeType:
    return _rewritten_with(_HOOKS, code, constants, _done)


def _done_guarded(code: CodeType, constants: frozenset[str] = frozenset()) -> CodeType:
    return _rewritten_with(_GUARDED_HOOKS, code, constants, _done_guarded)


def _done_of_templates(code: CodeType, constants: frozenset[str] = frozenset()) -> CodeType:
    return _rewritten_with(_READING_HOOKS, code, constants, _done_of_templates)


def _rewritten_with(
    hooks: Hooks, code: CodeType, constants: frozenset[str], nested: Nested
) -> CodeType:
    original = _original(code, constants)
    made = _rewritten.get(original)
    if made is None:
        made = _rewritten[original] = rewritten(code, hooks, nested, constants)
        _originals[identity(made)] = original
    return made


def _telling_of_return(known: _Original) -> CodeType:
    """Return rewritten code that also reports when it returns."""
    original = known._replace(tells_of_return=True)
    made = _rewritten.get(original)
    if made is None:
        code = rewritten(known.code, _HOOKS, _done, known.constants, tells_of_return=True)
        made = _rewritten[original] = code
        _originals[identity(made)] = original
    return made


def _telling_of_entering(code: CodeType) -> CodeType:
    original = _original(code, frozenset())
    made = _telling.get(original)
    if made is None:
        made = _telling[original] = telling_of_entering(code, _HOOKS)
        _untold[identity(made)] = code
    return made


def as_written(code: CodeType) -> CodeType:
    """Return the code that a function had before it was rewritten."""
    known = _originals.get(identity(code))
    return _untold.get(identity(code), code) if known is None else known.code


def _is_rewritten_code(code: CodeType) -> bool:
    return identity(code) in _originals


class _Others(NamedTuple):
    """How many references to a module's globals are no known function's.

    A new function may take the place of another reference (`monkeypatch.setitem(vars(module), ...)`
    in an earlier test), so a number is usual only if two searches have found it, one after another.
    """

    usual: int
    last: int


class _KnownFunctions:
    """Functions of the code under test that are alive, by module."""

    def __init__(self) -> None:
        self._modules: dict[int, weakref.ref[ModuleType]] = {}
        self._functions: dict[int, dict[int, weakref.ref[FunctionType]]] = {}
        self._others: dict[int, _Others] = {}

    def add(self, function: FunctionType) -> None:
        """Remember a function for as long as it lives."""
        number = identity(function)
        mine = self._functions.setdefault(identity(function.__globals__), {})
        if number not in mine:
            mine[number] = weakref.ref(function, lambda _: mine.pop(number, None))

    def of(self, modules: Iterable[ModuleType]) -> Iterator[FunctionType]:
        """Yield the functions of these modules."""
        for module in modules:
            for reference in list(self._functions.get(identity(vars(module)), {}).values()):
                function = reference()
                if function is not None:
                    yield function

    def look_into(self, modules: list[ModuleType]) -> None:
        """Find the functions of modules that were not searched yet."""
        new = [module for module in modules if not self._knows(module)]
        for module in new:
            self._functions.pop(identity(vars(module)), None)  # of one that is gone
            self._modules[identity(module)] = weakref.ref(module)
        for function in functions_of(new):
            self.add(function)
        self._others.update((identity(module), _Others(0, 0)) for module in new)

    def look_again(self, modules: list[ModuleType]) -> list[ModuleType]:
        """Search modules where functions may have been made outside of any check; return these."""
        unclear = [
            module
            for module in modules
            if self._other_references(module) != self._others[identity(module)].usual
        ]
        for function in functions_referring_to(unclear):
            self.add(function)
        for module in unclear:
            now, before = self._other_references(module), self._others[identity(module)]
            is_usual = now == before.last
            self._others[identity(module)] = _Others(now if is_usual else before.usual, now)
        return unclear

    def _other_references(self, module: ModuleType) -> int:
        return references(module) - len(self._functions.get(identity(vars(module)), ()))

    def _knows(self, module: ModuleType) -> bool:
        reference = self._modules.get(identity(module))
        return reference is not None and reference() is module


_known = _KnownFunctions()


def _made_function(function: Any) -> None:
    """Register a function that rewritten code has made."""
    if type(function) is FunctionType and _swapped:
        _swapped[-1].note(function)


def _is_meant() -> bool:
    """Say whether a hook of library code is to record: code under test has called that."""
    if Current.accesses is None:
        return False
    frame: Any = sys._getframe(CALLER)
    is_called_by_actor = False
    while frame is not None and _is_of_library(frame.f_globals.get("__name__")):
        is_called_by_actor = frame.f_code is touching.__code__
        frame = frame.f_back
    is_counted = frame is not None and is_rewritten(frame.f_globals.get("__name__"))
    if is_counted or is_called_by_actor:
        Current.accesses.let_dead_go()
        return True
    return False


def _nothing(*_operands: Any) -> None:
    """Do nothing: the globals of the standard library are its own."""


def _is_of_library(name: Any) -> bool:
    """Say whether code of a module is that of a library, or ours that calls it."""
    return is_standard_name(top(name)) or name in Current.looked_into or name in CALLING_FOR_C


_ALL_HOOKS = {
    **HOOKS, **CALL_HOOKS, **TAKING_HOOKS, **PRIMITIVE_HOOKS, "made_function": _made_function,
}  # fmt: skip


def _hooks(is_meant: Callable[[], bool]) -> dict[str, Callable[..., Any]]:
    return {name: called_safely(hook, is_meant) for name, hook in _ALL_HOOKS.items()}


_HOOKS = _hooks(always)
_GUARDED_HOOKS: dict[str, Callable[..., Any]] = {
    **_hooks(_is_meant),
    **dict.fromkeys(
        ("load_global", "store_global", "delete_global", "load_name", "store_name", "delete_name"),
        _nothing,
    ),
    "entered": _HOOKS["entered"],
}
_READING_HOOKS = _HOOKS | {
    name: called_safely(_ALL_HOOKS[name], lambda: False)
    for name in (
        "store_attribute", "delete_attribute", "store_global", "delete_global", "store_name",
        "delete_name", "store_cell", "store_item", "delete_item", "store_slice",
    )
}  # fmt: skip
"""Hooks for code that gets what templates name, and otherwise changes only what is its own."""

_swapped: list["Functions"] = []

_ANSWERS_AT_ONCE = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
"""Flags of code that runs only after its call has returned, when the result is advanced."""
_AWAITED = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
"""Flags of code that an event loop runs, never code of C in the middle of something else."""


class Functions:
    """The functions that are rewritten now."""

    def __init__(self) -> None:
        self._swapped: dict[int, weakref.ref[FunctionType]] = {}

    def rewrite_modules(self) -> bool:
        """Rewrite the functions of all imported code under test; True if any were new."""
        modules = _modules()
        _known.look_into(modules)
        return self._rewrite([*_known.of(modules), *_entered_by_templates()])

    def rewrite_copies(self, modules: Iterable[ModuleType]) -> None:
        """Rewrite the functions of fresh copies of modules, which will be thrown away."""
        copies = [module for module in modules if is_rewritten(module.__name__)]
        _known.look_into(copies)
        self._rewrite(_known.of(copies))

    def rewrite_body(self, body: Any) -> None:
        """Rewrite the functions that were made since the last check, most of them for the body."""
        reached = list(_reached(body))
        for function in reached:
            _known.add(function)
        self._rewrite(reached)
        modules = _modules()
        _known.look_into(modules)
        self._rewrite(_known.of(_known.look_again(modules)))

    def rewrite_container(self, kind: type) -> None:
        """Rewrite the methods that a type inherits from containers of the standard library."""
        for base in bases_of(kind):
            if module_of(base) in CONTAINER_MODULES:
                for method in attributes_of(base).values():
                    if type(method) is FunctionType:
                        self.rewrite(method)

    def rewrite(self, function: FunctionType) -> None:
        """Rewrite one function of the standard library."""
        if identity(function.__code__) not in _originals:
            self.note(function)
            code = function.__code__
            function.__code__ = _done_guarded(_untold.get(identity(code), code))

    def rewrite_generated(self, function: FunctionType) -> None:
        """Rewrite a function that was generated for a class of the code under test."""
        self._rewrite([function])

    def tell_of_entering(self, function: FunctionType) -> None:
        """Make a library function report when it begins, if it does not yet."""
        code = function.__code__
        if not (
            code.co_flags & _AWAITED or identity(code) in _originals or identity(code) in _untold
        ):
            self.note(function)
            function.__code__ = _telling_of_entering(code)

    def tell_of_return(self, function: FunctionType) -> None:
        """Make a rewritten function also report when it returns a result."""
        known = _originals.get(identity(function.__code__))
        if (
            known is not None
            and not known.tells_of_return
            and is_rewritten(function.__globals__.get("__name__"))
            and not known.code.co_flags & _ANSWERS_AT_ONCE
        ):
            function.__code__ = _telling_of_return(known)

    def note(self, function: FunctionType) -> None:
        """Register a function that has rewritten code, so that its own code can be restored."""
        self._swapped[identity(function)] = weakref.ref(function)

    def undo(self) -> None:
        """Restore the original code of every function."""
        for reference in self._swapped.values():
            function = reference()
            if function is not None:
                code = function.__code__
                known = _originals.get(identity(code))
                function.__code__ = (
                    _untold.get(identity(code), code) if known is None else known.code
                )
                if is_rewritten(function.__globals__.get("__name__")):
                    _known.add(function)
        self._swapped.clear()

    def _rewrite(self, functions: Iterable[FunctionType]) -> bool:
        any_new = False
        for function in functions:
            code = function.__code__
            if identity(code) not in _originals:
                self.note(function)
                is_of_templates = function.__globals__.get("__name__") in OF_TEMPLATES
                function.__code__ = (_done_of_templates if is_of_templates else _done)(code)
                any_new = True
        return any_new


def _modules() -> list[ModuleType]:
    """Return the modules whose functions are rewritten."""
    return [module for module in modules_under_test() if is_rewritten(module.__name__)]


def _entered_by_templates() -> Iterator[FunctionType]:
    """Yield the functions by which libraries begin to get what templates name."""
    for name, prefix in OF_TEMPLATES.items():
        module = sys.modules.get(name)
        if module is not None and prefix is not None:
            _known.look_into([module])
            yield from (f for f in _known.of([module]) if f.__qualname__.startswith(prefix))


@contextmanager
def functions_rewritten() -> Iterator[Functions]:
    """Rewrite the code under test for the length of a check."""
    functions = Functions()
    _swapped.append(functions)
    Current.rewrite = functions.rewrite
    Current.rewrite_container = functions.rewrite_container
    Current.rewrite_generated = functions.rewrite_generated
    Current.rewrite_code = _done
    Current.tell_of_return = functions.tell_of_return
    Current.tell_of_entering = functions.tell_of_entering
    Current.touch_call = touch_call
    Current.knows_code = _is_rewritten_code
    try:
        functions.rewrite_modules()
        listen()
        yield functions
    finally:
        Current.execution = Current.accesses = None
        Current.rewrite = Current.rewrite_container = Current.knows_code = None
        Current.rewrite_generated = Current.rewrite_code = None
        Current.tell_of_return = Current.tell_of_entering = None
        Current.looked_into.clear()
        Current.prepared.clear()
        forget_kinds()
        _swapped.remove(functions)
        functions.undo()


def _reached(body: Any) -> Iterator[FunctionType]:
    """Yield the functions of the code under test that can be reached without their modules."""
    waiting: deque[Any] = deque([body])
    seen = {identity(body)}
    while waiting and len(seen) < BODY_OBJECTS_MAX:
        value = waiting.popleft()
        if type(value) is FunctionType and is_rewritten(value.__module__ or ""):
            yield value
        held = [inner for inner, _ in inside(value)]
        for inner in (*held, type(value)):
            if identity(inner) not in seen and _leads_on(inner):
                seen.add(identity(inner))
                waiting.append(inner)


def _leads_on(value: Any) -> bool:
    """Say whether a value may lead to functions of the code under test."""
    kind = type(value)
    if kind in PLAIN:
        return kind in WALKED or kind is frozenset
    if issubclass(kind, type):
        return is_class_of_code(value) and "<locals>" in qualname_of(value)
    return not issubclass(kind, ModuleType) and not is_left_alone(kind)
