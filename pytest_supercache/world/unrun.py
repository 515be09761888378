"""Refuses answers that are code that has not run: coroutines, generators, context managers."""

from contextlib import asynccontextmanager, contextmanager
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any

from pytest_supercache.core.errors import SupercacheError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@contextmanager
def _managed() -> "Iterator[None]":
    yield


@asynccontextmanager
async def _managed_on_a_loop() -> "AsyncIterator[None]":
    yield


_MANAGERS = frozenset({type(_managed()), type(_managed_on_a_loop())})
_NAMES: dict[type, str] = {
    CoroutineType: "a coroutine",
    GeneratorType: "a generator",
    AsyncGeneratorType: "an async generator",
    **dict.fromkeys(_MANAGERS, "a context manager"),
}
_ITERATE = (
    "a function with `yield` does nothing before it is iterated, and a generator is no value that "
    "could be compared. Take `return` instead of `yield`, or return the values: list(...)"
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
    raise SupercacheError(f"{what} returned {_NAMES[kind]}, which nobody iterates: {_ITERATE}")


def _has_ended(answer: Any) -> bool:
    """Say whether a generator, or that of a context manager, has run to its end."""
    code = getattr(answer, "gen", answer)
    frame = getattr(code, "gi_frame", None) or getattr(code, "ag_frame", None)
    return frame is None and type(code) is not CoroutineType
