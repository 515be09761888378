"""Defines tasks under control, and runs a user's coroutine or a function that fills a future."""

import asyncio
import concurrent.futures
from collections.abc import Generator
from contextvars import copy_context
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.identity import hash_of_name
from pytest_supercache.runtime.kernel.actor import Abandoned
from pytest_supercache.runtime.kernel.controller import Controller
from pytest_supercache.runtime.kernel.task_actor import TaskActor
from pytest_supercache.runtime.memory.calls import touching


class Task(asyncio.Task[Any]):
    """A task that tells its loop when it is cancelled, awaited, or asked whether it has ended."""

    tells_of_looks = True
    """Whether the loop records each actor that awaits or inspects the task."""

    def __init__(self, coro: Any, *, actor: str, **rest: Any) -> None:
        self._hash = hash_of_name(actor)  # asyncio keeps the task in a set at once
        super().__init__(coro, **rest)

    def __hash__(self) -> int:
        """Return a number that depends on the actor's name only, for the order of sets."""
        return self._hash

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait for the end of the task, as asyncio does."""
        self._tell()
        return super().__await__()

    def add_done_callback(self, callback: Any, *, context: Any = None) -> None:
        """Call a function when the task has ended, as asyncio does."""
        self._tell()
        context = copy_context() if context is None else context  # C code takes None as one
        super().add_done_callback(callback, context=context)

    def done(self) -> bool:
        """Say whether the task has ended."""
        self._tell()
        return super().done()

    def result(self) -> Any:
        """Return what the task has returned, or raise its error."""
        self._tell()
        return super().result()

    def exception(self) -> BaseException | None:
        """Return the error that has ended the task."""
        self._tell()
        return super().exception()

    def cancelled(self) -> bool:
        """Say whether the task was cancelled."""
        self._tell()
        return super().cancelled()

    def _tell(self) -> None:
        loop: Any = self.get_loop()
        loop.note_look(self)

    def cancel(self, msg: Any | None = None) -> bool:
        """Ask the task to end, as asyncio does."""
        loop: Any = self.get_loop()
        loop.note_cancel(self)
        return super().cancel(msg)


async def live(actor: TaskActor, controller: Controller) -> None:
    """Run a user's code in its task."""
    try:
        actor.result = await actor.target()
    except Abandoned:
        pass
    except SupercacheError as error:  # the scenario is at fault, not the code under test
        controller.crashed(error)
    except BaseException as error:  # noqa: BLE001 - judged by the guarantee `answers`
        if not actor.dismissed:
            actor.error = error
    controller.ended(actor)


def fill(
    future: asyncio.Future[Any] | concurrent.futures.Future[Any], func: Any, args: tuple[Any, ...]
) -> None:
    """Call a function and set its result or exception on a future."""
    try:
        result = touching(func, *args)
    except Abandoned:
        raise
    except BaseException as error:  # noqa: BLE001 - the future raises it again
        if not future.done():
            future.set_exception(error)
    else:
        if not future.done():
            future.set_result(result)
