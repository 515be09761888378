"""Defines cooperative queues, each method of which is one step.

The wait object holds only the number of items; the items themselves are kept per execution and,
for a queue created at import, per node.
"""

import copy
import queue
from typing import Any

from pytest_supercache.core.waits import QueueState
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.calling import this_actor
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.sync.cooperative import Cooperative, changed, in_time

_ShutDown: type[Exception] = getattr(queue, "ShutDown", RuntimeError)  # from 3.13 on


class Queue(Cooperative, queue.Queue[Any]):
    """Stands in for ``queue.Queue``."""

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__(maxsize)
        self._begin("queue", QueueState(room=maxsize))
        self._outside: Any = None  # the items outside of executions
        self._of: Any = None  # the items of the execution that ``self.queue`` holds

    def _enter(self) -> ExecutionContext | None:
        """Switch to the items of the running execution; without one, to those outside of all."""
        execution = controlled()
        if execution is None:
            if self._of is not None:
                self.queue, self._of = self._outside, None
            return None
        if self._of is None:
            self._outside = self.queue
        if self.name not in execution.contents:
            execution.contents[self.name] = copy.copy(self._outside)
        self.queue = self._of = execution.contents[self.name]
        return execution

    def state(self, execution: ExecutionContext) -> QueueState:
        """Return the state of its wait object; items put in at import are in it from the start."""
        if self.name not in execution.record.waits.initial:
            size = self._qsize()
            self._initial = QueueState(size, self.maxsize, self.unfinished_tasks)
        state = super().state(execution)
        assert isinstance(state, QueueState)
        return state

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put an item in, waiting for room if ``block``.

        Raises:
            queue.Full: the queue had no room in time.
        """
        execution = self._enter()
        if execution is None:
            super().put(item, block, timeout)
            return
        if self._try_or_wait(execution, "put", block, timeout):
            self._enter()
            self._put(item)
            return
        if self.state(execution).closed:
            raise _ShutDown
        raise queue.Full

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take an item out, waiting for one if ``block``.

        Raises:
            queue.Empty: the queue had no item in time.
        """
        execution = self._enter()
        if execution is None:
            return super().get(block, timeout)
        if self._try_or_wait(execution, "get", block, timeout):
            self._enter()
            this_actor().work_off()
            return self._get()
        if self.state(execution).closed:
            raise _ShutDown
        raise queue.Empty

    def _try_or_wait(
        self, execution: ExecutionContext, verb: str, block: bool, timeout: float | None
    ) -> bool:
        """Take the step ``verb``, waiting if ``block``, and say whether it changed the queue."""
        if timeout is not None and timeout < 0:
            raise ValueError("'timeout' must be a non-negative number")
        if block and timeout != 0:
            step = self.do(execution, verb, guarded=True, timeout=timeout)
            return in_time(execution, step) and changed(step)
        return self.attempt(execution, f"try {verb}")

    def _look(self, execution: ExecutionContext) -> QueueState:
        self.ask(execution, "look at", lambda: self.state(execution).size)
        return self.state(execution)

    def qsize(self) -> int:
        """Return the number of items."""
        execution = self._enter()
        return super().qsize() if execution is None else self._look(execution).size

    def empty(self) -> bool:
        """Say whether the queue is empty."""
        execution = self._enter()
        return super().empty() if execution is None else not self._look(execution).size

    def full(self) -> bool:
        """Say whether the queue is full."""
        execution = self._enter()
        if execution is None:
            return super().full()
        return not self._look(execution).allows("", "put")

    def task_done(self) -> None:
        """Mark an item that was taken out as processed.

        Raises:
            ValueError: more items were marked than put in.
        """
        execution = self._enter()
        if execution is None:
            super().task_done()
        elif execution.controller.leaving():
            self.undo(execution, "done")
        elif not changed(self.do(execution, "done")):
            raise ValueError("task_done() called too many times")

    def join(self) -> None:
        """Wait until every item put in has been processed."""
        execution = self._enter()
        if execution is None:
            super().join()
        else:
            self.do(execution, "join", guarded=True, reads_only=True)

    def shutdown(self, immediate: bool = False) -> None:
        """Close the queue for further items (from Python 3.13 on)."""
        execution = self._enter()
        if execution is None:
            getattr(super(), "shutdown")(immediate)  # noqa: B009 - not there before 3.13
            return
        self.do(execution, "close at once" if immediate else "close")
        self._enter()
        while immediate and self._qsize():
            self._get()


class LifoQueue(Queue, queue.LifoQueue[Any]):
    """Stands in for ``queue.LifoQueue``."""


class PriorityQueue(Queue, queue.PriorityQueue[Any]):
    """Stands in for ``queue.PriorityQueue``."""


class _Absent:
    """A descriptor for inherited methods that the real class does not have."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> Any:
        raise AttributeError(f"'_queue.SimpleQueue' object has no attribute {self._name!r}")


class SimpleQueue(Queue):
    """Stands in for ``queue.SimpleQueue``."""

    task_done: Any = _Absent()
    join: Any = _Absent()
    full: Any = _Absent()
    shutdown: Any = _Absent()

    def __init__(self) -> None:
        super().__init__(0)
