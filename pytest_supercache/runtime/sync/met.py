"""Defines stand-ins of real locks, which hold these while an actor holds the stand-in.

Whoever takes the real lock unseen, such as a library, then waits, or is noticed.
"""

from contextlib import suppress
from typing import Any

from pytest_supercache.core.waits import LockState
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.stepping import Stepping
from pytest_supercache.runtime.memory.current import Current
from pytest_supercache.runtime.memory.names import is_real
from pytest_supercache.runtime.memory.tools_met import NameOfMet
from pytest_supercache.runtime.sync.locks import Lock, RLock


class MetLock(Lock):
    """Stands in for a real lock that could not be replaced."""

    def __init__(self, real: Any) -> None:
        self._begin("lock", LockState(reentrant=self._reentrant))
        self._real = real
        self._times_held = 0  # how often the real lock is held for it
        self._holds_real = True

    def met_as(self, name: NameOfMet | None, *, is_per_node: bool) -> None:
        """Take the name of the real lock, which is not held if each node has its own."""
        super().met_as(name, is_per_node=is_per_node)
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
        """Release the lock, for which all waiting actors then compete."""
        super().release()
        if self._times_held:
            self._times_held -= 1
            self._real.release()

    def leave_real(self) -> None:
        """Leave the real lock alone from now on: a condition gives it away by itself."""
        self._holds_real = False
        self.let_go()

    def let_go(self) -> None:
        """Release the real lock if it is still held: the execution ends."""
        with suppress(RuntimeError):  # of a re-entrant lock that another thread has left held
            for _ in range(self._times_held):
                self._real.release()
        self._times_held = 0


class MetRLock(MetLock, RLock):
    """Stands in for a real re-entrant lock that could not be replaced."""


def note_used_elsewhere(execution: Stepping, real: Any, name: str) -> None:
    """Note that code which is not under control holds a real object, waits for it or changes it."""
    kind = type(real).__name__
    execution.controller.hazard(
        f"{name or 'what the flow uses'} is a real {kind}, and code that is not under control uses "
        "it, too: a library, code of C, another thread, or what ran before the check. Let Python "
        "code of the flow make it (default_factory=lambda: ..., and not the class itself), and let "
        "only the flow use it"
    )


def of_condition(lock: Any) -> Any:
    """Return the lock that a condition is to use: the stand-in of a real one."""
    if not is_real(lock) or Current.stand_in is None:
        return lock
    stand_in = Current.stand_in(lock)
    if isinstance(stand_in, MetLock):
        stand_in.leave_real()
    return stand_in
