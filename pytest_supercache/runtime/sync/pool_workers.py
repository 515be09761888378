"""Runs the jobs of a pool on worker threads, which live as long as the pool.

A job is an actor, whose code runs on a worker's thread. So per-thread values (``threading.local``,
context variables) are there for the next job of that worker, as in production, and an initializer
is called once per worker.
"""

from collections.abc import Callable, Iterator
from concurrent.futures.thread import BrokenThreadPool
from contextlib import contextmanager
from typing import Any

from pytest_supercache.runtime.kernel.actor import Actor, ActorThread
from pytest_supercache.runtime.kernel.baton import Baton
from pytest_supercache.runtime.kernel.calling import bind_thread, unbind_thread
from pytest_supercache.runtime.kernel.controller import Controller
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext

_FINISH_SECONDS = 1.0
"""How long to wait for a worker to end; one whose job hangs ends after its job."""

BROKEN = "A thread initializer failed, the thread pool is not usable anymore"
"""CPython's message."""


@contextmanager
def workers_of(execution: ExecutionContext) -> Iterator[None]:
    """End the workers that were started during the execution."""
    try:
        yield
    finally:
        for worker in execution.workers:
            worker.finish()
        for worker in execution.workers:
            worker.join(_FINISH_SECONDS)
        execution.workers.clear()


class Worker(ActorThread):
    """A thread of a pool.

    Args:
        name: the thread's name.
        holds_as: the name under which its jobs hold what belongs to a thread.
        initialize: called before the worker's first job.
    """

    def __init__(self, name: str, holds_as: str, initialize: Callable[[], Any] | None) -> None:
        super().__init__(target=self._serve, name=name)
        self.holds_as = holds_as
        self._initialize = initialize
        self.is_broken = False
        """Whether the initializer has failed."""
        self._given: Any = Baton()
        self._done: Any = Baton()
        self._work: tuple[Actor, Controller, Callable[[], Any]] | None = None
        self._result: Any = None
        self._error: BaseException | None = None

    def run_for(self, actor: Actor, controller: Controller, call: Callable[[], Any]) -> Any:
        """Run a job's code on this thread, as the job's actor, while the calling thread waits.

        Raises:
            BrokenThreadPool: the initializer has failed.
            BaseException: the job's own error.
        """
        self._work = (actor, controller, call)
        self._given.give()
        self._done.take()
        (result, self._result), (error, self._error) = (self._result, None), (self._error, None)
        if error is not None:
            raise error
        return result

    def finish(self) -> None:
        """Stop after the current job, because the execution is over."""
        self._work = None
        self._given.give()

    def _serve(self) -> None:
        while True:
            self._given.take()
            if self._work is None:
                return
            actor, controller, call = self._work
            bind_thread(actor, controller)
            try:
                self._begin()
                self._result = call()
            except BaseException as error:  # noqa: BLE001 - `run_for` raises it again
                self._error = error
            unbind_thread()
            del actor, controller, call
            self._work = None
            self._done.give()

    def _begin(self) -> None:
        initialize, self._initialize = self._initialize, None
        if initialize is not None:
            try:
                initialize()
            except Exception as error:  # an initializer may raise anything
                self.is_broken = True
                raise BrokenThreadPool(BROKEN) from error


def workers_named(execution: ExecutionContext, name: str, prefix: str) -> "Workers":
    """Return the workers of a pool that a library keeps for itself."""
    workers: Workers = execution.contents.setdefault(f"{name} workers", Workers(prefix, name, None))
    return workers


class Workers:
    """The workers of one pool in one execution; the one idle last takes the next job.

    Args:
        prefix: the prefix of their threads' names, which several pools may have.
        pool: the name of the pool.
        initialize: called by each worker before its first job.
    """

    def __init__(self, prefix: str, pool: str, initialize: Callable[[], Any] | None) -> None:
        self._prefix, self._pool = prefix, pool
        self._initialize = initialize
        self._idle: list[Worker] = []
        self._count = 0
        self.is_broken = False
        """Whether an initializer has failed, so that the pool takes no more jobs."""

    def run_job(self, actor: Actor, execution: ExecutionContext, call: Callable[[], Any]) -> Any:
        """Run the whole code of a job on an idle worker, or a new one.

        Raises:
            BrokenThreadPool: an initializer has failed, now or before.
            BaseException: what the job raises.
        """
        worker = self.take(execution)
        try:
            return self.run(worker, actor, execution, call)
        finally:
            self.give_back(worker)

    def give_back(self, worker: Worker) -> None:
        """Return a worker to the idle ones after its job."""
        self._idle.append(worker)

    def take(self, execution: ExecutionContext) -> Worker:
        """Return an idle worker, or a new one, for a job that begins."""
        return self._idle.pop() if self._idle else self._hire(execution)

    def run(
        self, worker: Worker, actor: Actor, execution: ExecutionContext, call: Callable[[], Any]
    ) -> Any:
        """Run a job's code on a worker.

        Raises:
            BrokenThreadPool: an initializer has failed, now or before.
            BaseException: what the job raises.
        """
        if self.is_broken:
            raise BrokenThreadPool(BROKEN)
        thread, actor.thread = actor.thread, worker
        try:
            return worker.run_for(actor, execution.controller, call)
        finally:
            actor.thread = thread
            self.is_broken |= worker.is_broken

    def _hire(self, execution: ExecutionContext) -> Worker:
        number = self._count
        worker = Worker(f"{self._prefix}_{number}", f"{self._pool} {number}", self._initialize)
        self._count += 1
        execution.workers.append(worker)
        worker.start()
        return worker
