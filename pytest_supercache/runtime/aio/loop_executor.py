"""Runs functions given to `run_in_executor` and `to_thread` as actors of their own.

A job given to a pool of the code under test waits until a worker is free. The loop's default pool
is assumed to have a free worker for every job, the one that was in use last if there are several.
"""

import asyncio
import concurrent.futures
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.waits import FlagState, Wait
from pytest_supercache.runtime.aio.loop import LoopInterface
from pytest_supercache.runtime.aio.tasks import fill
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.actor import (
    Actor,
    ActorThread,
    Announced,
    State,
    name_of_child,
)
from pytest_supercache.runtime.kernel.calling import current_actor
from pytest_supercache.runtime.memory.calls import touching
from pytest_supercache.runtime.sync.pool_workers import workers_named
from pytest_supercache.runtime.sync.pools import ThreadPoolExecutor
from pytest_supercache.runtime.sync.threads import adopt, child_of, ended, live_to_the_end

if TYPE_CHECKING:
    from pytest_supercache.runtime.kernel.execution_context import ExecutionContext


def run_on_thread(
    loop: LoopInterface, parent: Any, executor: Any, func: Any, args: tuple[Any, ...]
) -> asyncio.Future[Any]:
    """Run a function on the thread of a new actor; outside of the race, at once.

    Raises:
        RuntimeError: the executor was shut down.
    """
    controller = loop.controller
    if isinstance(executor, ThreadPoolExecutor):
        executor.refuse_if_closed()
    future: asyncio.Future[Any] = loop.create_future()
    execution = controlled()
    call = func if execution is None else _on_worker(execution, executor, loop, func)
    if parent is None or not loop.racing or parent.dismissed:
        _answer(loop, loop.host if parent is None else parent, future, call, args)
        return future
    controller.note_undeclared(f"{parent.name} runs code on a thread of an executor")
    if controller.memory is not None:
        controller.memory.note_blocking_call(parent)
    work = partial(_work, loop, future, call, args)
    if execution is not None and isinstance(executor, ThreadPoolExecutor):
        _queue(execution, executor, parent, work, future)
        return future
    name = name_of_child(parent)
    child = Actor(name, parent.node, work, daemon=parent.daemon)
    child.operation = parent.operation
    controller.actors[name] = child
    return future


def _on_worker(
    execution: "ExecutionContext", executor: Any, loop: LoopInterface, func: Callable[..., Any]
) -> Callable[..., Any]:
    """Return a function that runs ``func`` on a worker of the pool, which keeps what it leaves."""
    is_ours = isinstance(executor, ThreadPoolExecutor)
    name = f"asyncio of {loop.host.name}"

    def run(*args: Any) -> Any:
        job = current_actor()
        assert job is not None, "the thread of a job is an actor's"
        workers = (
            executor.workers(execution) if is_ours else workers_named(execution, name, "asyncio")
        )
        return workers.run_job(job, execution, partial(touching, func, *args))

    return run


def _queue(
    execution: "ExecutionContext",
    pool: ThreadPoolExecutor,
    parent: Any,
    work: Callable[[], None],
    future: asyncio.Future[Any],
) -> None:
    """Queue a job to begin when enough jobs before it have ended, so that a worker is free."""
    child = child_of(parent, lambda: live_to_the_end(execution, child, work), daemon=parent.daemon)
    jobs = pool.jobs_of_loops(execution)
    before, waits_for = tuple(flag for flag, _ in jobs), len(jobs) + 1 - pool.workers_max
    jobs.append((ended(child), future))
    execution.wait_state(ended(child), FlagState())
    child.pending = Announced(
        f"begin {child.name}", "lock", Footprint(reads=frozenset(before)),
        Wait(any_of=before, enough=waits_for) if waits_for > 0 else None,
    )  # fmt: skip
    child.state = State.PARKED
    thread = ActorThread(target=execution.controller.live, args=(child,), name=child.name)
    adopt(execution, child, thread, ActorThread.start)


def _work(
    loop: LoopInterface, future: asyncio.Future[Any], func: Any, args: tuple[Any, ...]
) -> None:
    """Run a function on a thread; a context switch may precede the arrival of its answer.

    The loop takes the answer after the callbacks that the function has handed over.
    """
    answer: concurrent.futures.Future[Any] = concurrent.futures.Future()
    fill(answer, func, args)
    actor = current_actor()
    assert actor is not None, "the thread of a job is an actor's"
    actor.is_through = True
    memory = loop.controller.memory
    if memory is not None and memory.sharing.locations:
        memory.part("hand over the result")
    loop.put_end(asyncio.Handle(_answer, (loop, actor, future, answer.result, ()), loop))


def _answer(
    loop: LoopInterface,
    actor: Actor,
    future: asyncio.Future[Any],
    func: Callable[..., Any],
    args: tuple[Any, ...],
) -> None:
    """Set the outcome of a job on its future, and remember an exception until it is retrieved."""
    fill(future, func, args)
    if is_lost(future):
        loop.failed.append((actor.name, future))


def is_lost(future: asyncio.Future[Any]) -> bool:
    """Say whether a future has failed and its exception was never retrieved."""
    return future._log_traceback  # noqa: SLF001 - asyncio tells it nowhere else
