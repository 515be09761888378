"""Defines cooperative conditions and barriers.

A condition has no wait object of its own: its wait set is part of its lock, because it is accessed
only under the lock. A wait takes two steps: one releases the lock for a ticket; the other, enabled
once the ticket was notified and the lock is free, acquires the lock again.
"""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from pytest_supercache.core.waits import BarrierState, LockState
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.memory.real_primitives import PrimitiveName
from pytest_supercache.runtime.sync.cooperative import Cooperative, in_time, name_of_new
from pytest_supercache.runtime.sync.lock_stand_ins import lock_for_condition
from pytest_supercache.runtime.sync.locks import Lock, RLock


class Condition:
    """Stands in for ``threading.Condition``; with a real lock it behaves like the real class."""

    def __init__(self, lock: Any = None) -> None:
        self._lock = RLock() if lock is None else lock_for_condition(lock)
        self._real = threading.Condition(
            self._lock._real if isinstance(self._lock, Lock) else self._lock
        )
        self._name = name_of_new("condition").partition(":")[2]
        self.acquire = self._lock.acquire
        self.release = self._lock.release

    def name_after_place(self, place: str) -> None:
        """Name the condition after the place where the real one was found."""
        self._name = place

    def name_after_use(self, name: PrimitiveName | None, *, is_per_node: bool) -> None:
        """Take the name of a real condition that could not be replaced; its lock has the nodes."""
        self._name = self._name if name is None else name.text

    def __enter__(self) -> bool:
        return bool(self._lock.__enter__())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lock.__exit__(kind, error, traceback)

    def _controlled(self) -> ExecutionContext | None:
        return controlled() if isinstance(self._lock, Lock) else None

    def _check_held(self, execution: ExecutionContext, what: str) -> None:
        state = self._lock.lock_state(execution)
        holder = self._lock.holder() if isinstance(self._lock, RLock) else state.holder
        if state.holder is None or state.holder != holder:
            raise RuntimeError(f"cannot {what} on un-acquired lock")

    def wait(self, timeout: float | None = None) -> bool:
        """Release the lock, wait for a notification, and acquire the lock again.

        Returns:
            False when ``timeout`` seconds passed first.
        """
        execution = self._controlled()
        if execution is None:
            return self._real.wait(timeout)
        self._check_held(execution, "wait")
        held = self._lock.lock_state(execution).depth
        self._lock.do(execution, f"wait {self._name}")
        try:
            step = self._lock.do(
                execution, f"resume {self._name}", guarded=True,
                timeout=None if timeout is None else max(timeout, 0.0),
                otherwise=f"leave {self._name}",
            )  # fmt: skip
        finally:
            if execution.controller.leaving():  # unwinding code believes that it holds the lock
                self._lock.undo(execution, f"acquire {held}")
        if in_time(execution, step):
            return True
        assert isinstance(step.wait_before, LockState)
        assert step.wait is not None
        self._lock.do(execution, "acquire" if held == 1 else f"acquire {held}", guarded=True)
        return step.wait_before.is_woken(step.wait.holder(step.actor))

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        """Wait until the predicate is true, or the timeout is over; return its last result."""
        execution = self._controlled()
        if execution is None:
            return self._real.wait_for(predicate, timeout)
        end = None if timeout is None else execution.now() + timeout
        found = predicate()
        while not found:
            left = None if end is None else end - execution.now()
            if left is not None and left <= 0:
                break
            self.wait(left)
            found = predicate()
        return found

    def notify(self, n: int = 1) -> None:
        """Wake the ``n`` threads that have waited longest."""
        self._notify(str(n), lambda: self._real.notify(n))

    def notify_all(self) -> None:
        """Wake all waiting threads."""
        self._notify("*", self._real.notify_all)

    notifyAll = notify_all  # noqa: N815 - its old name

    def _notify(self, count: str, notify_really: Callable[[], None]) -> None:
        execution = self._controlled()
        if execution is None:
            notify_really()
        elif execution.controller.leaving():
            self._lock.undo(execution, f"notify {count} {self._name}")
        else:
            self._check_held(execution, "notify")
            self._lock.do(execution, f"notify {count} {self._name}")


class Barrier(Cooperative):
    """Stands in for ``threading.Barrier``."""

    def __init__(
        self, parties: int, action: Callable[[], Any] | None = None, timeout: float | None = None
    ) -> None:
        self._real = threading.Barrier(parties, action, timeout)
        self._begin("barrier", BarrierState(parties, acts=action is not None))
        self._action = action
        self._timeout = timeout

    def _barrier_state(self, execution: ExecutionContext) -> BarrierState:
        state = self.state(execution)
        assert isinstance(state, BarrierState)
        return state

    def wait(self, timeout: float | None = None) -> int:
        """Wait for all parties; return the number of those that arrived before the caller.

        Raises:
            threading.BrokenBarrierError: the barrier is broken, was reset, or a party timed out.
        """
        execution = controlled()
        if execution is None:
            return self._real.wait(timeout)
        timeout = self._timeout if timeout is None else timeout
        step = self.do(execution, "arrive", guarded=True)
        before, after = step.wait_before, step.wait_after
        assert isinstance(before, BarrierState)
        assert isinstance(after, BarrierState)
        if before.phase == "broken":
            raise threading.BrokenBarrierError
        if after.phase == "acting":
            self._act(execution)
        elif after.phase == "filling" and after.inside:
            self._pass(execution, timeout)
        return before.inside

    def _act(self, execution: ExecutionContext) -> None:
        assert self._action is not None, "a barrier that acts has an action"
        try:
            self._action()
        except Exception:
            self.do(execution, "fail")
            raise
        self.do(execution, "open")

    def _pass(self, execution: ExecutionContext, timeout: float | None) -> None:
        step = self.do(
            execution, "pass", guarded=True, otherwise="give up",
            timeout=None if timeout is None else max(timeout, 0.0),
        )  # fmt: skip
        assert isinstance(step.wait_before, BarrierState)
        if step.wait_before.phase in {"filling", "resetting", "broken"}:
            raise threading.BrokenBarrierError

    def reset(self) -> None:
        """Raise an error in all waiting threads, and reset the barrier."""
        self._change("reset", self._real.reset)

    def abort(self) -> None:
        """Break the barrier."""
        self._change("break", self._real.abort)

    def _change(self, verb: str, really: Callable[[], None]) -> None:
        execution = controlled()
        if execution is None:
            really()
        elif execution.controller.leaving():
            self.undo(execution, verb)
        else:
            self.do(execution, verb)

    @property
    def parties(self) -> int:
        """The number of threads the barrier waits for."""
        return self._real.parties

    @property
    def n_waiting(self) -> int:
        """The number of threads that are waiting."""
        execution = controlled()
        if execution is None:
            return self._real.n_waiting
        self.do(execution, "look at", reads_only=True)
        state = self._barrier_state(execution)
        return state.inside if state.phase == "filling" else 0

    @property
    def broken(self) -> bool:
        """Whether the barrier is broken."""
        execution = controlled()
        if execution is None:
            return self._real.broken
        self.do(execution, "look at", reads_only=True)
        return self._barrier_state(execution).phase == "broken"
