"""Runs each function that a framework hands to the worker threads of an event loop as an actor.

Starlette and FastAPI hand synchronous endpoints and dependencies to ``anyio.to_thread.run_sync``,
whose threads are shared by all requests. Here each call is an actor of its own, which runs on the
worker that was in use last, with the same effect on the awaiting task: its start and its end are
steps, and awaiting it is a step that waits for the end. So a search knows their happens-before
order.
"""

from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any

import anyio
import anyio.to_thread

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.waits import FlagState, Wait
from pytest_supercache.runtime.kernel import async_context
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.actor import Abandoned, Actor, ActorThread
from pytest_supercache.runtime.kernel.calling import current_actor
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.patches import Patches
from pytest_supercache.runtime.kernel.task_actor import TaskActor
from pytest_supercache.runtime.memory.calls import touching
from pytest_supercache.runtime.sync import threads
from pytest_supercache.runtime.sync.pool_workers import workers_named

_real_run_sync = anyio.to_thread.run_sync
_patches = Patches()


def open() -> list[tuple[Any, Any]]:
    """Replace ``anyio.to_thread.run_sync``."""
    _patches.put(anyio.to_thread, "run_sync", run_sync)
    return [(_real_run_sync, run_sync)]


def close() -> None:
    """Restore ``anyio.to_thread.run_sync``."""
    _patches.undo()


def close_opened() -> None:
    """Do nothing: threads of an execution end with it."""


async def run_sync(
    func: Callable[..., Any],
    *args: Any,
    abandon_on_cancel: bool = False,
    cancellable: bool | None = None,
    limiter: anyio.CapacityLimiter | None = None,
) -> Any:
    """Stand in for ``anyio.to_thread.run_sync``: in a race the thread is an actor."""
    execution, parent = controlled(), current_actor()
    context = copy_context()
    if execution is not None and parent is not None and _is_alone(parent):
        return context.run(func, *args)
    if execution is None or not isinstance(parent, TaskActor):
        return await _real_run_sync(
            func, *args, abandon_on_cancel=abandon_on_cancel, cancellable=cancellable,
            limiter=limiter,
        )  # fmt: skip
    async with limiter or anyio.to_thread.current_default_thread_limiter():
        with anyio.CancelScope(shield=not (abandon_on_cancel or cancellable)):
            call = partial(context.run, touching, func, *args)
            return await _run_as_actor(execution, parent, call)


def _is_alone(actor: Actor) -> bool:
    """Say whether no other actor runs, so that the function can run on the calling thread."""
    if isinstance(actor, TaskActor):
        return actor.dismissed or not actor.home.racing
    return actor.direct


async def _run_as_actor(
    execution: ExecutionContext, parent: TaskActor, function: Callable[[], Any]
) -> Any:
    answers: list[Any] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            workers = workers_named(execution, "anyio", "AnyIO worker thread")
            answers.append(workers.run_job(child, execution, function))
        except Abandoned:
            raise
        except BaseException as error:  # noqa: BLE001 - the future raises it again
            errors.append(error)

    child = threads.child_of(
        parent, lambda: threads.live_to_the_end(execution, child, run), daemon=parent.daemon
    )
    await async_context.step(
        execution, f"start {child.name}", Footprint(writes=frozenset({child.born})), kind="thread",
        wait=Wait(sets=(child.born,)),
    )  # fmt: skip
    child.cause = execution.last_step()
    thread = ActorThread(target=lambda: execution.controller.live(child), name=child.name)
    threads.adopt(execution, child, thread, ActorThread.start)
    flag = threads.ended(child)
    execution.wait_state(flag, FlagState())
    await async_context.step(
        execution, f"await {child.name}", Footprint(reads=frozenset({flag})), kind="thread",
        wait=Wait(flags=(flag,)),
    )  # fmt: skip
    if errors:
        raise errors[0]
    return answers[0]
