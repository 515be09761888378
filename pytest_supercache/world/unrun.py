"""Refuses answers whose code has not run: awaitables, iterators, context managers."""

from asyncio import Future
from contextlib import asynccontextmanager, contextmanager
from dis import get_instructions
from functools import partial
from itertools import islice
from types import AsyncGeneratorType, CoroutineType, FunctionType, GeneratorType, MethodType
from typing import TYPE_CHECKING, Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.runtime.kernel.kinds import of_kind
from pytest_supercache.runtime.kernel.under_test import is_standard_name
from pytest_supercache.runtime.memory.functions import as_written

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@contextmanager
def _managed() -> "Iterator[None]":
    yield


@asynccontextmanager
async def _managed_on_a_loop() -> "AsyncIterator[None]":
    yield


_LAZY = (map, filter)
"""Iterators that call a function for each item when they are iterated."""

_MANAGERS = frozenset({type(_managed()), type(_managed_on_a_loop())})
_NAMES: dict[type, str] = {
    CoroutineType: "a coroutine",
    GeneratorType: "a generator",
    AsyncGeneratorType: "an async generator",
    **{kind: f"an iterator ({kind.__name__})" for kind in _LAZY},
    **dict.fromkeys(_MANAGERS, "a context manager"),
}
_CONTAINERS = (list, tuple, dict, set, frozenset)
_CALLABLES = (FunctionType, MethodType, partial)
_CALLS = frozenset({"CALL", "CALL_KW", "CALL_FUNCTION_EX"})
_ITERATE = (
    "a function with `yield` does nothing before it is iterated, and a generator is no value that "
    "could be compared. Take `return` instead of `yield`, or return the values: list(...)"
)


_OF_ITERATORS = (
    "what it calls is not called before that, and it is no value that could be compared. Return "
    "the values: list(...)"
)


ELEMENTS_MAX = 100
"""How many elements of a container are looked at."""


def ran(answer: Any, what: str, function: Any = None) -> Any:
    """Return an answer, unless it is code that has not run to its end, or contains such code.

    A generator that was iterated to its end is an answer like any other. So is a function, unless
    ``function`` can only have named it.

    Args:
        answer: the result of a function.
        what: the name of the function in a message.
        function: the function itself, where its answer should not be one.

    Raises:
        SupercacheError: such an answer would pass for executed code.
    """
    kind = type(answer)
    if kind is CoroutineType or _is_unrun(answer):
        raise SupercacheError(f"{what} returned {_told(answer)}")
    if kind in _CONTAINERS:
        _refuse_elements(answer, what)
    if kind in _CALLABLES and type(function) is FunctionType and _only_names(function, answer):
        raise SupercacheError(
            f"{what} returned {_name_of(answer)} itself, which nobody calls: none of its code ran. "
            f"Call it: {_name_of(answer)}(...)"
        )
    return answer


def _refuse_elements(answer: Any, what: str) -> None:
    """Refuse a container with code that has not run, as a list of coroutines without `gather`."""
    elements = answer.values() if type(answer) is dict else answer
    unrun = [one for one in islice(elements, ELEMENTS_MAX) if _is_unrun(one)]
    if unrun:
        told = [_told(one) for one in unrun]
        raise SupercacheError(f"{what} returned a {type(answer).__name__} with {told[0]}")


def _is_unrun(answer: Any) -> bool:
    kind = type(answer)
    return not _has_ended(answer) if kind in _NAMES else _is_lazy(kind)


def _told(answer: Any) -> str:
    """Describe code that has not run, with what to do; a coroutine is closed."""
    kind = type(answer)
    if kind is CoroutineType:
        answer.close()
        return (
            "a coroutine, which nobody runs: the function is not a coroutine "
            "function itself. Write `async def`, or give the coroutine function and its arguments"
        )
    if kind in _MANAGERS:
        return (
            "a context manager, which nobody enters: what stands before `yield` "
            "did not run. Enter it (`with ...:`) in the function that is called"
        )
    if kind not in _NAMES:
        return (
            f"an awaitable ({kind.__name__}), which nobody awaits: its code has not run. "
            "Await it in a coroutine function (`async def`), and return the result"
        )
    advice = _OF_ITERATORS if kind in _LAZY else _ITERATE
    return f"{_NAMES[kind]}, which nobody iterates: {advice}"


@of_kind
def _is_lazy(kind: type) -> bool:
    """Say whether awaiting an object is how its code is run, as of a query of an async ORM.

    A future is filled by others. What can be entered as well is a client or a connection, which
    awaiting only opens.
    """
    methods = {name for base in kind.__mro__ for name in vars(base)}
    if "__await__" not in methods or issubclass(kind, Future):
        return False
    return "__aenter__" not in methods or {"send", "throw", "close"} <= methods


def _only_names(function: FunctionType, answer: Any) -> bool:
    """Say whether a function can have done nothing but name its answer: `lambda: shop.reload`.

    It calls nothing, or only `partial`, which it returns.
    """
    code = as_written(function.__code__)
    names = {*code.co_names, *code.co_freevars}
    calls = sum(one.opname in _CALLS for one in get_instructions(code))
    if type(answer) is partial:
        return calls == 1 and "partial" in names
    return calls == 0 and answer.__name__ in names


def _name_of(answer: Any) -> str:
    called = answer.func if type(answer) is partial else answer
    name = getattr(called, "__qualname__", type(called).__name__)
    return f"partial({name})" if called is not answer else str(name)


def _has_ended(answer: Any) -> bool:
    """Say whether a generator, or that of a context manager, has run to its end.

    So has an iterator that calls the standard library only, for values that are there.
    """
    if type(answer) in _LAZY:
        called = answer.__reduce__()[1][0]
        while type(called) is partial:
            called = called.func
        module = getattr(called, "__module__", None)
        return module is None or is_standard_name(str(module).partition(".")[0])
    code = getattr(answer, "gen", answer)
    frame = getattr(code, "gi_frame", None) or getattr(code, "ag_frame", None)
    frame = frame or getattr(code, "cr_frame", None)
    return frame is None
