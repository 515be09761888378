"""Refuses answers that are code that has not run: coroutines, iterators, context managers."""

from contextlib import asynccontextmanager, contextmanager
from functools import partial
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.runtime.kernel.under_test import is_standard_name

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
_ITERATE = (
    "a function with `yield` does nothing before it is iterated, and a generator is no value that "
    "could be compared. Take `return` instead of `yield`, or return the values: list(...)"
)


_OF_ITERATORS = (
    "what it calls is not called before that, and it is no value that could be compared. Return "
    "the values: list(...)"
)


def ran(answer: Any, what: str) -> Any:
    """Return an answer, unless it is code that has not run to its end.

    A generator that was iterated to its end is an answer like any other.

    Args:
        answer: the result of a function.
        what: the name of the function in a message.

    Raises:
        SupercacheError: such an answer would pass for executed code.
    """
    kind = type(answer)
    if kind not in _NAMES or _has_ended(answer):
        return answer
    if kind is CoroutineType:
        answer.close()
        raise SupercacheError(
            f"{what} returned a coroutine, which nobody runs: the function is not a coroutine "
            "function itself. Write `async def`, or give the coroutine function and its arguments"
        )
    if kind in _MANAGERS:
        raise SupercacheError(
            f"{what} returned a context manager, which nobody enters: what stands before `yield` "
            "did not run. Enter it (`with ...:`) in the function that is called"
        )
    advice = _OF_ITERATORS if kind in _LAZY else _ITERATE
    raise SupercacheError(f"{what} returned {_NAMES[kind]}, which nobody iterates: {advice}")


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
    return frame is None and type(code) is not CoroutineType
