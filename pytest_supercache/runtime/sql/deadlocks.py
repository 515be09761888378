"""Ends deadlocks of transactions as a server does: it rolls one of them back, the victim.

Which one depends on when each began to wait. Here all of a deadlock are let try again, and who
still meets its lock is the victim: the order of these tries is a choice of the search. A server
gives the locks of the victim to those who wait for them, so they try again before it is told.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.runtime.kernel import async_context
from pytest_supercache.runtime.kernel.calling import current_actor
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.sql.statements import EVERYTHING, LOCK, Calls

if TYPE_CHECKING:
    from pytest_supercache.runtime.kernel.actor import Actor

_SEVERAL_WAIT = (
    "several transactions of {} wait for locks while others are open: when the server would find a "
    "deadlock among them is not known"
)
_ALL = EVERYTHING.footprint(reads_lock=True, writes_lock=True)


@dataclass(slots=True, eq=False)
class Deadlock:
    """Transactions that wait for each other."""

    is_over: bool = False


@dataclass(slots=True, eq=False)
class Waiter:
    """The wait of one transaction for a lock."""

    process: int = 0  # of the server
    actor: "Actor | None" = None  # None: it waits for none
    blockers: "tuple[Waiter, ...] | None" = ()  # who has the lock; None: it is not known
    deadlock: Deadlock | None = None
    is_due: bool = False  # it must try again before a victim is told

    def is_over(self) -> None:
        """Note that the statement has ended, so that a deadlock in which it was is none."""
        if self.deadlock is not None:
            self.deadlock.is_over = True
        self.actor = self.deadlock = None
        self.is_due = False


@dataclass(slots=True, kw_only=True)
class BlockedStatement:
    """A statement that waits for a lock of another transaction.

    Args:
        execution: the running execution.
        server: the name of the server.
        waiter: the wait of this transaction.
        others: the waits of all other transactions that hold locks.
        roll_back: rolls this transaction back, and returns the error that tells of it.
        ask: returns the processes that have the lock; None: the server cannot be asked.
        awaits: whether steps are awaited.
    """

    execution: ExecutionContext
    server: str
    waiter: Waiter
    others: list[Waiter]
    roll_back: Callable[[], Calls]
    ask: Callable[[], Calls] | None = None
    awaits: bool = False

    def calls(self) -> Calls:
        """Make the calls that come before it waits.

        Raises:
            Exception: the error of the driver, if this transaction is the victim of a deadlock.
        """
        waiter, was_due = self.waiter, self.waiter.is_due
        waiter.actor, waiter.is_due = current_actor(), False
        if waiter.deadlock is not None and not waiter.deadlock.is_over:
            yield from self._be_rolled_back(waiter.deadlock)
        if not was_due:
            self.execution.record.note_futile(("origin", "busy"))
        waiter.blockers = yield from self._blockers()
        cycle = self._cycle()
        if not cycle:
            return
        deadlock = Deadlock()
        for one in cycle:
            one.deadlock = deadlock
        yield self._step("meet a deadlock")  # which lets the others try again
        yield self._step("be rolled back, or wait")
        if not deadlock.is_over:
            yield from self._be_rolled_back(deadlock)

    def _blockers(self) -> Calls:
        """Return who has the lock; None: it is not known which of several."""
        if len(self.others) < 2:
            return tuple(self.others)
        if self.ask is None:
            return None
        processes = yield from self.ask()
        return tuple(one for one in self.others if one.process in processes)

    def _cycle(self) -> list[Waiter]:
        """Return the transactions that wait for each other, with this one among them."""
        waiting = [one for one in self.others if self._waits(one)]
        if self.waiter.blockers is None or any(one.blockers is None for one in waiting):
            self._note_unknown(waiting)
            return []
        return self._path(self.waiter, set())

    def _path(self, one: Waiter, seen: set[Waiter]) -> list[Waiter]:
        """Return those who wait for each other, from ``one`` to this transaction."""
        for blocker in one.blockers or ():
            if blocker is self.waiter:
                return [one]
            if blocker not in seen and self._waits(blocker):
                seen.add(blocker)
                if found := self._path(blocker, seen):
                    return [one, *found]
        return []

    def _waits(self, one: Waiter) -> bool:
        return one.actor is not None and not self.execution.controller.is_ready(one.actor)

    def _note_unknown(self, waiting: list[Waiter]) -> None:
        """Note that a deadlock would be overlooked, if it is one."""
        why = _SEVERAL_WAIT.format(self.server)
        if len(waiting) == len(self.others):
            self.execution.controller.hazard(why)
        elif any(one.actor is not None for one in self.others):
            self.execution.controller.leave_unproven(why)

    def _be_rolled_back(self, deadlock: Deadlock) -> Calls:
        """Roll back as the server does, and let those who wait try again before it is told."""
        steps = self.execution.record.steps
        if LOCK - steps[-1].footprint.writes:
            yield self._step("be rolled back, or wait")
            if deadlock.is_over:
                return
        deadlock.is_over = True
        self.waiter.actor = None
        error = yield from self.roll_back()
        due = [one for one in self.others if one.actor is not None]
        for one in due:
            one.is_due = True
        while any(one.is_due for one in due):
            yield self._step("be told of the rollback", Footprint(reads=LOCK), len(steps))
        raise error

    def _step(
        self, label: str, footprint: Footprint = _ALL, recheck_from: int | None = None
    ) -> Callable[[], Any]:
        if not self.awaits:
            return partial(
                self.execution.step, label, footprint, kind="busy", recheck_from=recheck_from
            )
        return partial(
            async_context.step, self.execution, label, footprint, kind="busy",
            recheck_from=recheck_from,
        )  # fmt: skip
