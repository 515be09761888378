"""Ends a test from inside of its body, for ``pytest.skip`` and Hypothesis's ``assume``.

A body runs many times, on a thread of its own. An exception that ends the test ends the whole
exploration, and is raised again where the exploration was started; Hypothesis sees it once.

An example of ``@given`` is rejected if its body rejects it in every interleaving. An example that
is rejected in some interleavings only is kept: the findings of the others would be lost.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import pytest

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.result import CheckResult
from pytest_supercache.core.verdict import Verdict
from pytest_supercache.world.world import World

_LEAVES: tuple[type[BaseException], ...] = (
    pytest.skip.Exception, pytest.xfail.Exception, pytest.exit.Exception
)  # fmt: skip
_IN_SOME_ONLY = (
    "the body rejects its example (assume, reject) in some interleavings and not in others, so "
    "what it checks was not checked in all of them: reject by what @given draws, before the race"
)


class EarlyExit:
    """Runs a body repeatedly, and remembers the exception that ends its test early.

    Args:
        is_example: explore it as an example of ``@given``, on the calling thread.
    """

    def __init__(self, *, is_example: bool) -> None:
        self._reason: BaseException | None = None
        self._leaves = _LEAVES
        self._rejected: tuple[type[BaseException], ...] = ()
        self._rejection: BaseException | None = None  # the last one that did not end it all
        self._rejects: set[bool] = set()  # whether executions rejected the example
        self._part_of_example: Any = None
        if is_example:
            from pytest_supercache.search.generated import Example, Rejected

            self._rejected = (Rejected,)
            self._part_of_example = Example()

    def run(self, body: Callable[[World], Any], world: World) -> Any:
        """Return the result of the body; a coroutine is wrapped likewise when it is awaited."""
        result = None
        with self._taking_part(world):
            result = body(world)
            if not inspect.iscoroutine(result):
                self._note(world, rejects=False)
        return self._awaited(result, world) if inspect.iscoroutine(result) else result

    async def _awaited(self, coroutine: Any, world: World) -> Any:
        result = None
        with self._taking_part(world):
            result = await coroutine
            self._note(world, rejects=False)
        return result

    @contextmanager
    def _taking_part(self, world: World) -> Iterator[None]:
        try:
            if self._part_of_example is None:
                yield
            else:
                with self._part_of_example.again():
                    yield
        except self._leaves as reason:
            self._leave(reason)
        except self._rejected as reason:
            self._reject(world, reason)

    def _reject(self, world: World, reason: BaseException) -> None:
        """End the exploration if every execution must reject the example; else let it continue."""
        has_raced = world.context.controller.phase != "before"
        if not (has_raced or self._rejects):
            self._leave(reason)
        self._rejection = reason
        self._note(world, rejects=True)
        if not has_raced and len(self._rejects) > 1:
            world.context.controller.hazard(_IN_SOME_ONLY)

    def _note(self, world: World, *, rejects: bool) -> None:
        self._rejects.add(rejects)
        if len(self._rejects) > 1:
            world.context.controller.leave_unproven(_IN_SOME_ONLY)

    def _leave(self, reason: BaseException) -> NoReturn:
        self._reason = reason
        raise _HasLeft("the body has left its test") from reason

    def reject_example(self, result: CheckResult) -> None:
        """Raise the example's rejection if every execution rejected it and the result HOLDS."""
        if self._rejects == {True} and result.verdict is Verdict.HOLDS:
            assert self._rejection is not None, "an execution rejected the example"
            raise self._rejection

    @contextmanager
    def at_the_end(self) -> Iterator[None]:
        """Raise the exception that the body has left with, after the exploration has ended."""
        try:
            yield
        except _HasLeft:
            if self._reason is None:
                raise
        if self._reason is not None:
            raise self._reason


class _HasLeft(SupercacheError):
    """Ends an exploration: it finds nothing, and proves nothing."""
