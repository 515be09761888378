"""Finds the steps beside which the clock may move before as well as after.

An early tick depends on steps that read the clock, start or end a timed wait, touch an entry with a
time to live, or end their actor. It is independent of every other step: both orders of the two
are one interleaving (docs/decisions/0093).
"""

from typing import Any

from pytest_supercache.core.footprint import EVERYTHING, touches
from pytest_supercache.core.trace import Step, is_unconditional
from pytest_supercache.runtime.kernel.actor import DONE
from pytest_supercache.runtime.kernel.state import ExecutionState

_KINDS = frozenset({"command", "origin", "super_cache", "watched", "memory"})
"""Kinds of steps that may be timeless: they touch data, and wait for nobody."""

_NOW = "clock:now"

_Involved = tuple[object, ...]
"""What involves time, at a choice."""


class Timeless:
    """Marks the timeless steps of one race.

    Args:
        state: the race, before its first choice.
        sharing: learns whether there are any in this check.
    """

    def __init__(self, state: ExecutionState, sharing: Any) -> None:
        self._state = state
        self._sharing = sharing
        self._seen = 0  # steps of which it is known what they have given a time to live
        self._timed: set[str] = set()
        self._before: _Involved = ()

    def mark(self) -> None:
        """Mark the steps of the latest choice, all of whose code has run."""
        if self._sharing.ticks_meet_all:
            return
        if self._may_do_anything():
            self._sharing.note_ticks()
            return
        now = self._involved()
        if self._state.choices and now == self._before:
            steps = self._latest()
            if all(map(self._is_timeless, steps)):
                for step in steps:
                    step.is_timeless = True
        self._before = now

    def _may_do_anything(self) -> bool:
        """Say whether a tick may have effects beyond ending timed waits and expiring entries.

        A timer of an event loop may cancel a task. A blocked poll is enabled again by a tick,
        because its answer may depend on time.
        """
        if any(alarms.next_deadline() is not None for alarms in self._state.time.alarms):
            return True
        announced = (actor.pending for actor in self._state.actors.values())
        return any(
            one is not None and (one.polls or one.recheck_from is not None) for one in announced
        )

    def _latest(self) -> list[Step]:
        """Return the steps of the latest choice."""
        choice, found = len(self._state.choices) - 1, []
        for step in reversed(self._state.record.steps):
            if step.choice != choice:
                break
            found.append(step)
        return found

    def _is_timeless(self, step: Step) -> bool:
        if step.kind not in _KINDS or not is_unconditional(step):
            return False
        touched = step.footprint.reads | step.footprint.writes
        is_general = _NOW in touched or EVERYTHING in touched
        return not is_general and not touches(touched, self._with_life())

    def _with_life(self) -> frozenset[str]:
        """Return what has been written by steps that may have given it a time to live.

        They set one, or pass on that of another entry of the same place, as RENAME does.
        """
        steps = self._state.record.steps
        for step in steps[self._seen :]:
            reads, writes = step.footprint.reads, step.footprint.writes
            if _NOW in reads:
                self._timed |= writes
            elif self._timed and writes:
                timed = frozenset(self._timed)
                places = {_place(one) for one in reads if touches(frozenset({one}), timed)}
                self._timed |= {one for one in writes if _place(one) in places}
        self._seen = len(steps)
        return frozenset(self._timed)

    def _involved(self) -> _Involved:
        """Return all state that ties actors to time.

        That is how often the clock was read, which actors have ended, the deadlines of timed waits,
        and the callbacks that are ready.
        """
        state = self._state
        waiting = tuple(
            (actor.name, actor.state is DONE, None if one is None else one.deadline)
            for actor in state.actors.values()
            for one in (actor.pending,)
            if actor.state is DONE or (one is not None and one.deadline is not None)
        )
        return state.record.readings, waiting, tuple(loop.ready.flags() for loop in state.loops)


def _place(resource: str) -> str:
    return resource.partition(":")[0]
