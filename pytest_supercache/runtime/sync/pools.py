"""Defines cooperative thread pools: each job is an actor of the operation that submitted it.

Jobs begin in the order of submission, and at most as many run at a time as the pool has workers.
If several workers are idle, the one that became idle last takes the next job; the coverage
sentence says so.
"""

import concurrent.futures as real
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.thread import BrokenThreadPool
from functools import partial
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.waits import BEGIN, FlagState, PoolState, Wait
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.actor import Abandoned, Actor, ActorThread, Announced, State
from pytest_supercache.runtime.kernel.calling import this_actor
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.memory.calls import touching
from pytest_supercache.runtime.sync.cooperative import Cooperative, changed
from pytest_supercache.runtime.sync.futures import Future, await_flags
from pytest_supercache.runtime.sync.pool_workers import BROKEN, Workers
from pytest_supercache.runtime.sync.threads import adopt, child_of

_CLOSED = "cannot schedule new futures after shutdown"


class ThreadPoolExecutor(Cooperative, real.ThreadPoolExecutor):
    """Stands in for ``concurrent.futures.ThreadPoolExecutor``."""

    def __init__(
        self, max_workers: int | None = None, thread_name_prefix: str = "",
        initializer: Callable[..., Any] | None = None, initargs: tuple[Any, ...] = (),
    ) -> None:  # fmt: skip
        super().__init__(max_workers, thread_name_prefix, initializer, initargs)
        self._begin("pool", PoolState(self._max_workers))
        self._prefix = thread_name_prefix or "ThreadPoolExecutor"
        self._starts = (initializer, initargs)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> real.Future[Any]:
        """Submit ``fn(*args, **kwargs)`` to the pool.

        Raises:
            RuntimeError: the pool was shut down.
        """
        execution = controlled()
        if execution is None:
            return super().submit(fn, *args, **kwargs)
        workers = self.workers(execution)
        if workers.is_broken:
            raise BrokenThreadPool(BROKEN)
        if self._max_workers > 1:
            execution.controller.simplify(
                "a pool's worker that became idle last takes the next job"
            )
        job = child_of(this_actor(), lambda: None, daemon=False)
        future = Future(job.name)
        execution.wait_state(future.flag, FlagState())
        execution.wait_state(future.ended, FlagState())
        if not changed(self.do(execution, f"submit {job.name}", sets=(job.born,))):
            raise RuntimeError(_CLOSED)
        job.cause = execution.last_step()
        call = partial(touching, fn, *args, **kwargs)
        job.target = lambda: self._live(execution, job, future, call)
        future.withdraw = lambda running: self._cancel(running, job, future)
        self._jobs(execution).append(future)
        self._adopt(execution, job, future)
        return future

    @property
    def workers_max(self) -> int:
        """The maximum number of jobs that run at a time."""
        return self._max_workers

    def jobs_of_loops(self, execution: ExecutionContext) -> list[tuple[str, Any]]:
        """Return the jobs submitted by event loops, each as its end flag and its future."""
        jobs: list[tuple[str, Any]] = execution.contents.setdefault(f"{self.name} of loops", [])
        return jobs

    def refuse_if_closed(self) -> None:
        """Refuse a job if the pool was shut down.

        Raises:
            RuntimeError: the pool was shut down.
        """
        execution = controlled()
        state = None if execution is None else self.state(execution)
        if state.closed if isinstance(state, PoolState) else self._shutdown:
            raise RuntimeError(_CLOSED)

    def _adopt(self, execution: ExecutionContext, job: Actor, future: Future) -> None:
        """Start the job's thread, with its first step announced: to begin when a worker is free."""
        resource = frozenset({self.name})
        job.pending = Announced(
            f"begin {job.name}", "lock", Footprint(resource | {job.born}, resource | {future.fate}),
            Wait(self.name, BEGIN, guarded=True, flags=(job.born,)),
        )  # fmt: skip
        job.state = State.PARKED
        thread = ActorThread(
            target=execution.controller.live, args=(job,), name=f"{self._prefix}-{job.name}"
        )
        adopt(execution, job, thread, threading.Thread.start)

    def _live(
        self, execution: ExecutionContext, job: Actor, future: Future, call: Callable[[], Any]
    ) -> None:
        """Run one job on its thread, after the step that begins it."""
        if real.Future.cancelled(future):
            return
        real.Future.set_running_or_notify_cancel(future)
        result, error = None, None
        workers = self.workers(execution)
        worker = workers.take(execution)
        try:
            result = workers.run(worker, job, execution, call)
        except Abandoned:
            raise
        except BaseException as raised:  # noqa: BLE001 - kept for whoever asks for the result
            error = raised
        job.is_through = not future.calls_back
        keep = partial(future.keep_result, result)
        if error is not None:
            keep = partial(future.keep_exception, error)
        if self._finish(execution, job, future):  # its worker takes no other job meanwhile
            keep()
            self.do(execution, "end", sets=(future.ended,))
            workers.give_back(worker)
        else:
            workers.give_back(worker)
            keep()

    def _finish(self, execution: ExecutionContext, job: Actor, future: Future) -> bool:
        """Complete a job; True: its worker has callbacks to call first, and then to end it.

        A callback may be added while the job's end is announced; the announced step then changes.
        """
        label, wait = f"finish {job.name}", Wait(sets=(future.flag,))

        def part() -> None:
            pending = job.pending
            if pending is not None and pending.wait is not None and pending.wait.verb == "end":
                pending.label, pending.wait = label, wait

        if future.calls_back:
            own, flags = frozenset({self.name}), frozenset({future.flag, future.ended})
            execution.step(label, Footprint(own, own | flags), kind="lock", wait=wait)
            return True
        future.called_back = part
        step = self.do(execution, "end", sets=(future.flag, future.ended))
        future.called_back = None
        return step.label == label

    def _cancel(self, execution: ExecutionContext, job: Actor, future: Future) -> bool:
        """Remove a job from the queue; False: it has begun."""
        flags = (future.flag, future.ended)
        step = self.do(execution, f"cancel {job.name}", sets=flags, sets_on_change=True)
        if changed(step):
            future.keep_cancelled()
        return real.Future.cancelled(future)

    def workers(self, execution: ExecutionContext) -> Workers:
        """Return the threads of the pool in an execution."""
        key = f"{self.name} workers"
        if key not in execution.contents:
            initializer, arguments = self._starts
            initialize = None if initializer is None else partial(initializer, *arguments)
            execution.contents[key] = Workers(self._prefix, self.name, initialize)
        workers: Workers = execution.contents[key]
        return workers

    def _jobs(self, execution: ExecutionContext) -> list[Future]:
        jobs: list[Future] = execution.contents.setdefault(self.name, [])
        return jobs

    def map(
        self, fn: Callable[..., Any], *iterables: Iterable[Any], timeout: float | None = None,
        chunksize: int = 1, **options: Any,
    ) -> Iterator[Any]:  # fmt: skip
        """Submit a job for each item and yield their results in order."""
        execution = controlled()
        if execution is None:
            return super().map(fn, *iterables, timeout=timeout, chunksize=chunksize, **options)
        end = None if timeout is None else execution.now() + timeout
        futures = [self.submit(fn, *arguments) for arguments in zip(*iterables, strict=False)]

        def results() -> Iterator[Any]:
            try:
                for future in futures:
                    yield future.result(None if end is None else end - execution.now())
            finally:
                for future in futures:
                    future.cancel()

        return results()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Refuse further jobs, and wait for the submitted ones if ``wait``."""
        execution = controlled()
        if execution is None:
            super().shutdown(wait, cancel_futures=cancel_futures)
            return
        if execution.controller.leaving():
            return
        self.do(execution, "close")
        jobs = self._jobs(execution)
        if cancel_futures:
            for future in jobs:
                future.cancel()
        given = [flag for flag, future in self.jobs_of_loops(execution) if not future.done()]
        if wait and (jobs or given):
            ended = tuple(dict.fromkeys([*(future.ended for future in jobs), *given]))
            await_flags(execution, f"await the jobs of {self.name}", ended, len(ended), None)
