"""Cooperative locks, events and sleeps: what code under test gets in place of the real ones.

Who may go on is decided by a wait object of the running execution, never by a real lock, so a
waiting thread is a step that is not enabled. How an object behaves is decided by the thread that
calls: outside of an execution it is an ordinary one. A lock is named by the place that made it and
by its number there within the actor, so that its name is the same in every execution.
"""

import sys
import threading
from collections import Counter
from pathlib import PurePath
from time import sleep as real_sleep
from types import TracebackType
from typing import Any

from pytest_supercache.core.footprint import NOTHING, Footprint
from pytest_supercache.core.waits import CounterState, FlagState, LockState, Wait, WaitState
from pytest_supercache.runtime.active import controlled
from pytest_supercache.runtime.calling import current_actor
from pytest_supercache.runtime.stepping import Stepping

_OWN = str(PurePath(__file__))
_REAL_LOCK = type(threading.Lock())
_REAL_RLOCK = type(threading.RLock())
_imported: Counter[str] = Counter()


def _name_of_new(kind: str) -> str:
    """Name an object by its creation site and its number there within the actor."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename == _OWN and frame.f_back is not None:
        frame = frame.f_back
    site = f"{PurePath(frame.f_code.co_filename).name}:{frame.f_lineno}"
    actor = current_actor()
    if actor is None:
        number = _imported[site]
        _imported[site] += 1
        return f"{kind}:{site}#{number}"
    number = actor.lock_sites.get(site, 0)
    actor.lock_sites[site] = number + 1
    owner = "" if actor.direct else f"{actor.name}/"
    return f"{kind}:{owner}{site}#{number}"


class _Cooperative:
    """What they share: a name, the state they begin with, and how a verb becomes a step."""

    def __init__(self, kind: str, initial: WaitState) -> None:
        self._kind = kind
        self._name = _name_of_new(kind)
        self._is_per_node = current_actor() is None  # made at import: each process has its own
        self._initial = initial

    @property
    def name(self) -> str:
        """The name of its wait object, for the actor that asks."""
        actor = current_actor()
        if self._is_per_node and actor is not None and actor.node is not None:
            return f"{self._name}@{actor.node}"
        return self._name

    def found_at(self, place: str) -> None:
        """Take the name of the place where the real one was found."""
        self._name = f"{self._kind}:{place}"

    def _do(
        self, execution: Stepping, verb: str, *, guarded: bool = False,
        reads_only: bool = False, timeout: float | None = None,
    ) -> bool:  # fmt: skip
        """Take the step ``verb``; False when its timeout passed first.

        Acquire reads *and* writes the lock: without the read a reduction would lose schedules.
        """
        execution.wait_state(self.name, self._initial)
        resource = frozenset({self.name})
        footprint = Footprint(reads=resource) if reads_only else Footprint(resource, resource)
        deadline = None if timeout is None else execution.now() + timeout
        if deadline is not None:
            footprint = footprint | Footprint(reads=frozenset({"clock:now"}))
        shown = self.name.partition(":")[2]
        return execution.step(
            f"{verb} {shown}",
            footprint,
            kind="lock",
            wait=Wait(self.name, verb, guarded=guarded),
            deadline=deadline,
        )

    def _release(self, execution: Stepping, verb: str = "release") -> None:
        """Release, also while the execution is abandoned: then without a step."""
        if execution.controller.leaving():
            actor = current_actor()
            assert actor is not None
            state = execution.wait_state(self.name, self._initial)
            execution.record.waits[self.name] = state.after(actor.name, verb)
            return
        self._do(execution, verb)


class Lock(_Cooperative):
    """Stands in for ``threading.Lock``."""

    _reentrant = False

    def __init__(self) -> None:
        super().__init__("lock", LockState(reentrant=self._reentrant))
        self._real: Any = threading.RLock() if self._reentrant else threading.Lock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, waiting for it if ``blocking``; False when it could not be had."""
        execution = controlled()
        if execution is None:
            return bool(self._real.acquire(blocking, timeout))
        if not blocking:
            return self._try(execution)
        return self._do(
            execution, "acquire", guarded=True, timeout=timeout if timeout >= 0 else None
        )

    def _try(self, execution: Stepping) -> bool:
        self._do(execution, "try")
        step = execution.record.steps[-1]
        return step.wait_before != step.wait_after

    def release(self) -> None:
        """Give the lock back; all who wait for it compete.

        Raises:
            RuntimeError: it is not held (for a re-entrant lock: not by the caller).
        """
        execution = controlled()
        if execution is None:
            self._real.release()
            return
        state = execution.wait_state(self.name, self._initial)
        assert isinstance(state, LockState)
        actor = current_actor()
        assert actor is not None
        if state.holder is None or (self._reentrant and state.holder != actor.name):
            if execution.controller.leaving():
                return
            raise RuntimeError("release unlocked lock")
        self._release(execution)

    def locked(self) -> bool:
        """Say whether somebody holds it."""
        execution = controlled()
        if execution is None:
            if not self._real.acquire(blocking=False):
                return True
            self._real.release()
            return False
        self._do(execution, "look at", reads_only=True)
        state = execution.wait_state(self.name, self._initial)
        assert isinstance(state, LockState)
        return state.holder is not None

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


class RLock(Lock):
    """Stands in for ``threading.RLock``."""

    _reentrant = True


class Event(_Cooperative):
    """Stands in for ``threading.Event``."""

    def __init__(self) -> None:
        super().__init__("event", FlagState())
        self._real = threading.Event()

    def is_set(self) -> bool:
        """Say whether the event is set."""
        execution = controlled()
        if execution is None:
            return self._real.is_set()
        self._do(execution, "look at", reads_only=True)
        state = execution.wait_state(self.name, self._initial)
        assert isinstance(state, FlagState)
        return state.is_set

    def set(self) -> None:
        """Set the event: everyone who waits may go on."""
        execution = controlled()
        if execution is None:
            self._real.set()
        else:
            self._release(execution, "set")

    def clear(self) -> None:
        """Clear the event."""
        execution = controlled()
        if execution is None:
            self._real.clear()
        else:
            self._release(execution, "clear")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the event is set; False when ``timeout`` seconds passed first."""
        execution = controlled()
        if execution is None:
            return self._real.wait(timeout)
        return self._do(execution, "await", guarded=True, reads_only=True, timeout=timeout)


class Semaphore(_Cooperative):
    """Stands in for ``threading.Semaphore``."""

    def __init__(self, value: int = 1) -> None:
        super().__init__("semaphore", CounterState(value))
        self._real = threading.Semaphore(value)

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Enter, waiting if ``blocking``; False when it was not possible."""
        execution = controlled()
        if execution is None:
            return self._real.acquire(blocking, timeout)
        if blocking:
            return self._do(execution, "acquire", guarded=True, timeout=timeout)
        self._do(execution, "try")
        step = execution.record.steps[-1]
        return step.wait_before != step.wait_after

    def release(self, n: int = 1) -> None:
        """Let ``n`` more in."""
        execution = controlled()
        if execution is None:
            self._real.release(n)
            return
        for _ in range(n):
            self._release(execution)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


class BoundedSemaphore(Semaphore):
    """Stands in for ``threading.BoundedSemaphore``."""

    def __init__(self, value: int = 1) -> None:
        super().__init__(value)
        self._value = value
        self._real = threading.BoundedSemaphore(value)

    def release(self, n: int = 1) -> None:
        """Let ``n`` more in.

        Raises:
            ValueError: more were let in than there is room for.
        """
        execution = controlled()
        if execution is not None and not execution.controller.leaving():
            state = execution.wait_state(self.name, self._initial)
            assert isinstance(state, CounterState)
            if state.free + n > self._value:
                raise ValueError("Semaphore released too many times")
        super().release(n)


def sleep(seconds: float) -> None:
    """Stand in for ``time.sleep``: in an execution only the virtual clock moves."""
    execution = controlled()
    if execution is None:
        real_sleep(seconds)
    elif seconds <= 0:
        execution.step("sleep 0 ms", NOTHING, kind="clock")
    else:
        execution.step(
            f"sleep {seconds * 1000:g} ms",
            Footprint(reads=frozenset({"clock:now"})),
            kind="clock",
            deadline=execution.now() + seconds,
        )


def replacement_for(lock: Any, place: str) -> Any:
    """Return a fresh cooperative lock for a real one that was found at ``place``, or None.

    A lock that is held at this moment is left alone: its holder would never release ours.
    """
    if type(lock) is _REAL_LOCK:
        return None if lock.locked() else _named(Lock(), place)
    if type(lock) is _REAL_RLOCK:
        if not lock.acquire(blocking=False):
            return None
        lock.release()
        return _named(RLock(), place)
    if type(lock) is threading.Event:
        return None if lock.is_set() else _named(Event(), place)
    return None


def _named(lock: "_Cooperative", place: str) -> "_Cooperative":
    lock.found_at(place)
    return lock
