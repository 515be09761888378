"""Defines cooperative locks, events and semaphores, and sleep in virtual time."""

import threading
from operator import index
from time import sleep as real_sleep
from types import TracebackType
from typing import Any, SupportsIndex

from pytest_supercache.core.footprint import NOTHING, Footprint
from pytest_supercache.core.waiting import SET
from pytest_supercache.core.waits import CounterState, FlagState, LockState
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.calling import this_actor
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.sync.cooperative import Cooperative, changed, in_time


class _Entered:
    """A mixin of locks and semaphores for the ``with`` statement."""

    def acquire(self) -> bool:
        raise NotImplementedError

    def _leave(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave()


class Lock(Cooperative, _Entered):
    """Stands in for ``threading.Lock``."""

    _reentrant = False
    _not_held = "release unlocked lock"

    def __init__(self) -> None:
        self._begin("lock", LockState(reentrant=self._reentrant))
        self._real: Any = threading.RLock() if self._reentrant else threading.Lock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Acquire the lock, waiting for it if ``blocking``; False when that failed.

        Raises:
            ValueError: ``timeout`` is negative, or is given for a non-blocking call.
        """
        execution = controlled()
        if execution is None or not _is_timeout(timeout, blocking=blocking):
            return bool(self._real.acquire(blocking, timeout))
        seconds = None if timeout == -1 else timeout
        if not blocking or seconds is not None:
            self._note_question(execution)
        elif self._enters(execution):
            return True
        if blocking and seconds != 0:
            return in_time(execution, self.do(execution, "acquire", guarded=True, timeout=seconds))
        return self.attempt(execution, "try")

    def _enters(self, execution: ExecutionContext) -> bool:
        """Acquire the lock as a critical section without a step; False: it takes a step."""
        memory = execution.controller.memory
        if self._besides or memory is None or (actor := memory.actor()) is None:
            return False
        return bool(memory.sections.enter(actor, self.name, self.lock_state(execution)))

    def _note_question(self, execution: ExecutionContext) -> None:
        """Note that an actor may observe that the lock is held, or may stop waiting for it."""
        memory = execution.controller.memory
        if memory is not None and memory.actor() is not None:
            memory.sections.note_loud(self.name)

    def release(self) -> None:
        """Release the lock, for which all waiting actors then compete.

        Raises:
            RuntimeError: the lock is not held (for a re-entrant lock: not by the caller).
        """
        execution = controlled()
        if execution is None:
            self._real.release()
            return
        if execution.controller.leaving():
            self.undo(execution, "release")
            return
        memory = execution.controller.memory
        if memory is not None and memory.sections.leave(this_actor(), self.name):
            return
        step = self.do(execution, "release")
        if memory is not None and getattr(step.wait_before, "holder", None) != self.holder():
            memory.sharing.note_open(self.name)
        if not changed(step):
            raise RuntimeError(self._not_held)

    def _leave(self) -> None:
        self.release()

    def holder(self) -> str:
        """Return the name under which the calling actor holds the lock."""
        return self._thread() or this_actor().name

    def lock_state(self, execution: ExecutionContext) -> LockState:
        """Return the state of its wait object."""
        state = self.state(execution)
        assert isinstance(state, LockState)
        return state

    def locked(self) -> bool:
        """Say whether the lock is held."""
        execution = controlled()
        if execution is None:
            if not self._real.acquire(blocking=False):
                return True
            self._real.release()
            return False
        self._note_question(execution)
        self.do(execution, "look at", reads_only=True)
        return self.lock_state(execution).holder is not None


class RLock(Lock):
    """Stands in for ``threading.RLock``, which a thread holds, whatever task or job runs there."""

    _reentrant = True
    _not_held = "cannot release un-acquired lock"

    def _thread(self) -> str:
        return this_actor().holds_as


def _is_timeout(timeout: Any, *, blocking: bool) -> bool:
    """Say whether a lock accepts these arguments; else the real one raises the right error."""
    return isinstance(timeout, int | float) and (timeout == -1 or (blocking and timeout >= 0))


class Event(Cooperative):
    """Stands in for ``threading.Event``."""

    def __init__(self, is_set: bool = False) -> None:
        self._begin("event", FlagState(is_set))
        self._real = threading.Event()
        if is_set:
            self._real.set()

    def is_set(self) -> bool:
        """Say whether the event is set."""
        execution = controlled()
        if execution is None:
            return self._real.is_set()
        return self.ask(execution, "look at", lambda: self.state(execution) == SET)

    isSet = is_set  # noqa: N815 - its old name

    def set(self) -> None:
        """Set the event, which enables all waiting actors."""
        self._change("set")

    def clear(self) -> None:
        """Clear the event."""
        self._change("clear")

    def _change(self, verb: str) -> None:
        execution = controlled()
        if execution is None:
            getattr(self._real, verb)()
        elif execution.controller.leaving():
            self.undo(execution, verb)
        else:
            self.do(execution, verb)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the event is set; False when ``timeout`` seconds passed first."""
        execution = controlled()
        if execution is None:
            return self._real.wait(timeout)
        if timeout is not None and timeout <= 0:
            return self.is_set()
        step = self.do(execution, "await", guarded=True, reads_only=True, timeout=timeout)
        return in_time(execution, step)


class Semaphore(Cooperative, _Entered):
    """Stands in for ``threading.Semaphore``."""

    _bounded = False

    def __init__(self, value: int = 1) -> None:
        if value < 0:
            raise ValueError("semaphore initial value must be >= 0")
        self._begin("semaphore", CounterState(value, value if self._bounded else None))
        self._real = (threading.BoundedSemaphore if self._bounded else threading.Semaphore)(value)

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Acquire the semaphore, waiting if ``blocking``; False when that failed.

        Raises:
            ValueError: a timeout is given for a non-blocking call.
        """
        execution = controlled()
        if execution is None or not (blocking or timeout is None):
            return self._real.acquire(blocking, timeout)
        if blocking and (timeout is None or timeout > 0):
            return in_time(execution, self.do(execution, "acquire", guarded=True, timeout=timeout))
        return self.attempt(execution, "try")

    def release(self, n: int = 1) -> None:
        """Release the semaphore ``n`` times.

        Raises:
            ValueError: ``n`` is less than one, or exceeds the bound of a bounded semaphore.
        """
        if n < 1:
            raise ValueError("n must be one or more")
        verb = "release" if n == 1 else f"release {n}"
        execution = controlled()
        if execution is None:
            self._real.release(n)
        elif execution.controller.leaving():
            self.undo(execution, verb)
        elif not changed(self.do(execution, verb)):
            raise ValueError("Semaphore released too many times")

    def _leave(self) -> None:
        self.release()


class BoundedSemaphore(Semaphore):
    """Stands in for ``threading.BoundedSemaphore``."""

    _bounded = True


def sleep(seconds: float | SupportsIndex) -> None:
    """Stand in for ``time.sleep``: in an execution only the virtual clock moves."""
    execution = controlled()
    if execution is None:
        real_sleep(seconds)
        return
    seconds = seconds if isinstance(seconds, float) else index(seconds)
    if not seconds >= 0:
        real_sleep(seconds)  # raises at once
    if not seconds:
        execution.step("sleep 0 ms", NOTHING, kind="clock")
    else:
        execution.step(
            f"sleep {seconds * 1000:g} ms",
            Footprint(reads=frozenset({"clock:now"})),
            kind="clock",
            deadline=execution.now() + seconds,
        )
