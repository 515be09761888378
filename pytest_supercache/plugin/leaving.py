"""A body that leaves its test, as pytest and Hypothesis let it: ``pytest.skip``, ``assume``.

It runs many times, and on a thread of its own. What ends the test ends the whole exploration, and
is raised again where the exploration was begun; what it tells Hypothesis is told once.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import pytest

from pytest_supercache.core.errors import SupercacheError

_LEAVES: tuple[type[BaseException], ...] = (
    pytest.skip.Exception, pytest.xfail.Exception, pytest.exit.Exception
)  # fmt: skip


class Leaving:
    """Runs a body, again and again.

    Args:
        is_example: it is explored as an example of ``@given``, on the calling thread.
    """

    def __init__(self, *, is_example: bool) -> None:
        self._reason: BaseException | None = None
        self._leaves = _LEAVES
        self._part_of_example: Any = None
        if is_example:
            from pytest_supercache.search.generated import Example, Rejected

            self._leaves = (*_LEAVES, Rejected)
            self._part_of_example = Example()

    def run(self, body: Callable[[], Any]) -> Any:
        """Return what the body returns; a coroutine of it takes part when it is awaited."""
        with self._taking_part():
            result = body()
        return self._awaited(result) if inspect.iscoroutine(result) else result

    async def _awaited(self, coroutine: Any) -> Any:
        with self._taking_part():
            return await coroutine

    @contextmanager
    def _taking_part(self) -> Iterator[None]:
        try:
            if self._part_of_example is None:
                yield
            else:
                with self._part_of_example.again():
                    yield
        except self._leaves as reason:
            self._leave(reason)

    def _leave(self, reason: BaseException) -> NoReturn:
        self._reason = reason
        raise _HasLeft("the body has left its test") from reason

    @contextmanager
    def at_the_end(self) -> Iterator[None]:
        """Raise again what the body has left with, when the exploration has ended for it."""
        try:
            yield
        except _HasLeft:
            if self._reason is None:
                raise
        if self._reason is not None:
            raise self._reason


class _HasLeft(SupercacheError):
    """Ends an exploration: nothing is found, and nothing is proved."""
