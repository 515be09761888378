"""Defines stand-ins for real locks: a stand-in holds its real lock while an actor holds it.

Code that is not under control, such as a library, and that takes the real lock then blocks, or is
noticed.
"""

from contextlib import suppress
from typing import Any

from pytest_supercache.core.waits import LockState
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.actor import Abandoned
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.memory.current import Current
from pytest_supercache.runtime.memory.names import is_real
from pytest_supercache.runtime.memory.real_primitives import PrimitiveName
from pytest_supercache.runtime.sync.locks import Lock, RLock


class LockStandIn(Lock):
    """Stands in for a real lock that could not be replaced."""

    def __init__(self, real: Any) -> None:
        self._begin("lock", LockState(reentrant=self._reentrant))
        self._real = real
        self._times_held = 0  # how often the real lock is held for it
        self._holds_real = True

    def name_after_use(self, name: PrimitiveName | None, *, is_per_node: bool) -> None:
        """Take the name of the real lock, which is not held if each node has its own."""
        super().name_after_use(name, is_per_node=is_per_node)
        self._holds_real = not is_per_node

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Acquire the lock, waiting for it if ``blocking``; False when that failed."""
        is_acquired = super().acquire(blocking, timeout)
        execution = controlled()
        if execution is not None and is_acquired and self._holds_real:
            if self._real.acquire(blocking=False):
                self._times_held += 1
            else:
                note_used_elsewhere(execution, self._real, self._name.partition(":")[2])
        return is_acquired

    def release(self) -> None:
        """Release the lock, for which all waiting actors then compete.

        A thread that leaves its code because the execution is over releases the real lock, too:
        no other one can, if that is re-entrant.
        """
        try:
            super().release()
        except Abandoned:
            self._release_once()
            raise
        if controlled() is not None:  # else it has released the real one
            self._release_once()

    def _release_once(self) -> None:
        if self._times_held:
            self._times_held -= 1
            self._real.release()

    def stop_holding_real(self) -> None:
        """Leave the real lock alone from now on: a condition releases it by itself."""
        self._holds_real = False
        self.release_real()

    def release_real(self) -> None:
        """Release the real lock if it is still held, at the end of the execution."""
        with suppress(RuntimeError):  # of a re-entrant lock: the thread that holds it will do so
            while self._times_held:
                self._real.release()
                self._times_held -= 1


class RLockStandIn(LockStandIn, RLock):
    """Stands in for a real re-entrant lock that could not be replaced."""


def note_used_elsewhere(execution: ExecutionContext, real: Any, name: str) -> None:
    """Note that code which is not under control holds, awaits or changes a real primitive."""
    kind = type(real).__name__
    execution.controller.hazard(
        f"{name or 'what the flow uses'} is a real {kind}, and code that is not under control uses "
        "it, too: a library, code of C, another thread, or what ran before the check. Let Python "
        "code of the flow make it (default_factory=lambda: ..., and not the class itself), and let "
        "only the flow use it"
    )


def lock_for_condition(lock: Any) -> Any:
    """Return the lock that a condition is to use: for a real one, its stand-in."""
    if not is_real(lock) or Current.stand_in is None:
        return lock
    stand_in = Current.stand_in(lock)
    if isinstance(stand_in, LockStandIn):
        stand_in.stop_holding_real()
    return stand_in
