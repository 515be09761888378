"""Wakes the sleeping tasks of one loop in the order of their deadlines.

However late a loop is, it runs due timers in that order. So a task may wake only after its
predecessor has, which flags tell the search: each wake-up sets one, and waits for the one before.
What another timer makes ready, such as the end of a time limit, comes after the sleepers that were
due before it.
"""

from bisect import bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.waits import FlagState, Wait

if TYPE_CHECKING:
    from pytest_supercache.runtime.kernel.actor import Announced
    from pytest_supercache.runtime.kernel.controller import Controller
    from pytest_supercache.runtime.kernel.task_actor import TaskActor


class Sleeper(NamedTuple):
    """A task that sleeps."""

    actor: "TaskActor"
    deadline: float
    flag: str
    """The flag that its wake-up sets."""
    step: "Announced"
    footprint: Footprint
    """The step's footprint without the flag it waits for."""


class _Follower(NamedTuple):
    """What a timer has made ready."""

    step: "Announced"
    due: float
    """When the timer was due."""
    flag: str
    """The flag of the last sleeper that was due before."""


class Sleepers:
    """The sleeping tasks of one loop, in the order in which they wake.

    Args:
        controller: the execution's controller.
    """

    def __init__(self, controller: "Controller") -> None:
        self._controller = controller
        self._asleep: list[Sleeper] = []
        self._woken = ""
        """The flag of the one that woke last: whoever falls asleep by now wakes after it, too."""
        self._followers: list[_Follower] = []

    def add(self, actor: "TaskActor", step: "Announced") -> None:
        """Add a task that falls asleep; equal deadlines wake in the order of addition."""
        if step.kind != "clock" or step.deadline is None:
            return
        flag = f"woken:{actor.name}#{actor.taken}"
        self._controller.record.waits.declare(flag, FlagState())
        step.wait = replace(step.wait or Wait(), sets=(flag,))
        footprint = step.footprint | Footprint(writes=frozenset({flag}))
        at = bisect_right([sleeper.deadline for sleeper in self._asleep], step.deadline)
        self._asleep.insert(at, Sleeper(actor, step.deadline, flag, step, footprint))
        self._put_behind(at)
        self._put_behind(at + 1)

    def remove(self, step: "Announced", *, woke: bool) -> None:
        """Remove a task that has woken, or was cancelled while asleep."""
        for at, sleeper in enumerate(self._asleep):
            if sleeper.step is step:
                del self._asleep[at]
                if woke:
                    self._woken = sleeper.flag
                else:
                    self._put_behind(at)
                    self._lead_by_others(sleeper.flag)
                return

    def over(self, actor: "TaskActor", due: float) -> Sleeper | None:
        """Return a sleeping task whose sleep is over when a timer is due."""
        own = (one for one in self._asleep if one.actor is actor and one.deadline <= due)
        return next(own, None)

    def let_follow(self, step: "Announced", due: float, stead: Sleeper | None) -> None:
        """Let what a timer has made ready come after the sleepers that were due before it.

        A task that it has cancelled in its sleep goes on when it would have woken, if that is over.
        """
        if stead is not None:
            due = stead.deadline
            known = step.wait or Wait()
            step.wait = replace(known, sets=(*known.sets, stead.flag))
            step.footprint |= Footprint(writes=frozenset({stead.flag}))
        flag = self._last_before(due)
        if flag:
            _await_instead(step, "", flag)
            self._followers.append(_Follower(step, due, flag))

    def has_before(self, due: float) -> bool:
        """Say whether a sleeper that will still wake was due before a timer."""
        return bool(self._last_before(due))

    def _last_before(self, due: float) -> str:
        """Return the flag of the last sleeper that is due before a timer, and still wakes.

        One that the timer has cancelled in its sleep does not.
        """
        flags = [
            sleeper.flag
            for sleeper in self._asleep
            if sleeper.deadline < due and (gate := sleeper.actor.gate) and not gate.cancelled()
        ]
        return flags[-1] if flags else ""

    def _lead_by_others(self, flag: str) -> None:
        """Let those who follow a sleeper that does not wake follow the one before it."""
        for at, follower in enumerate(self._followers):
            if follower.flag == flag:
                before = self._last_before(follower.due)
                _await_instead(follower.step, flag, before)
                self._followers[at] = follower._replace(flag=before)

    def _put_behind(self, at: int) -> None:
        """Make the sleeper at index ``at`` wait for the one before it."""
        if at >= len(self._asleep):
            return
        flag = self._asleep[at - 1].flag if at else self._woken
        step, footprint = self._asleep[at].step, self._asleep[at].footprint
        assert step.wait is not None, "a sleeper waits for its time"
        step.wait = replace(step.wait, after=flag)
        step.footprint = footprint | Footprint(reads=frozenset({flag} if flag else ()))


def _await_instead(step: "Announced", former: str, flag: str) -> None:
    """Let a step wait for a flag instead of a former one, if there is one."""
    known = step.wait or Wait()
    flags = tuple(one for one in known.flags if one != former)
    step.wait = replace(known, flags=(*flags, flag) if flag else flags)
    if flag:
        step.footprint |= Footprint(reads=frozenset({flag}))
