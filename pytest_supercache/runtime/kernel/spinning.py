"""Blocks an actor in a busy loop that would repeat the same question for ever.

``while not redis.set(lock, me, nx=True): pass`` has an infinite execution: the one in which no
other actor is scheduled. The loop is cut where it is proved to be one: the actor reaches a question
at the same place in its code as before, its variables have the same values, it has changed nothing
since, and no other actor has written what it has read since. Then the question waits for such a
write (fairness), unless no other actor is enabled. As many repeats as polls are allowed first, so
that code which gives up after a few tries does so in some schedule. Code that counts its tries is
no such loop: it is executed, up to ``COUNTED_MAX`` questions in a row.

Questions are commands that read, commands that have changed nothing (``SET key NX`` of a key that
is there), reads of shared memory, and ``asyncio.sleep(0)``: what a coroutine asks between two of
these belongs to the earlier one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_supercache.core.footprint import Footprint, touches
from pytest_supercache.core.operation import RACE
from pytest_supercache.layers.redis_commands import has_changed_nothing
from pytest_supercache.runtime.kernel.calling import current_actor
from pytest_supercache.runtime.kernel.polling import COUNTED_MAX, state_of_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_supercache.core.trace import Step
    from pytest_supercache.runtime.kernel.actor import Actor
    from pytest_supercache.runtime.kernel.execution_context import ExecutionContext


class Spin:
    """The questions of one actor since its last change or wait."""

    __slots__ = ("asked", "is_cut", "reads", "visits")

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}
        self.reads: frozenset[str] = frozenset()
        self.visits: dict[tuple[str, object], tuple[object, int]] = {}
        """By question and place in the code: the variables there, and the number of steps then."""
        self.is_cut = False

    def note(self, question: str, footprint: Footprint) -> None:
        """Record a question that has changed nothing."""
        self.asked[question] = self.asked.get(question, 0) + 1
        if not footprint.reads <= self.reads:
            self.reads |= footprint.reads

    def is_due(self, question: str, repeats: int) -> bool:
        """Say whether to compare the state of the code before a question.

        That is at first, then each time the number of questions has doubled, for two in a row.
        """
        more = self.asked.get(question, 0) - repeats
        if more <= 0:
            return False
        is_looked_at = more & (more - 1) == 0 or (more - 1) & (more - 2) == 0
        return self.is_cut or is_looked_at or more >= COUNTED_MAX


def take(execution: ExecutionContext, label: str, footprint: Footprint, kind: str) -> None:
    """Take a step, as a question if it writes nothing."""
    actor = current_actor()
    spin: Spin | None = None if actor is None else actor.spin
    if actor is None or footprint.writes or actor.direct or execution.controller.phase != RACE:
        execution.step(label, footprint, kind=kind)
        return
    if spin is None or spin.asked.get(label, 0) <= execution.controller.polls:  # the hot path
        execution.step(label, footprint, kind=kind)
        actor.spin = spin = spin or Spin()
        spin.note(label, footprint)
        return
    question = Question(execution, label, footprint)
    question.take(kind)
    question.note_unchanged()


class Question:
    """A step that may change nothing, and may be repeated.

    Args:
        execution: the running execution.
        label: the question.
        footprint: the resources that it may touch.
        is_pause: it only lets others in, between two questions that are no steps. Code may pause
            as often as it likes, so nothing is said of a pause that is not known to be in a loop.
    """

    __slots__ = ("_execution", "_is_pause", "_spin", "footprint", "label", "since")

    def __init__(
        self,
        execution: ExecutionContext,
        label: str,
        footprint: Footprint,
        *,
        is_pause: bool = False,
    ) -> None:
        actor = current_actor()
        is_alone = actor is None or actor.direct or execution.controller.phase != RACE
        if actor is not None and actor.is_task:
            # A token does not tell what coroutines touch, so nobody knows whom a write concerns.
            is_alone |= execution.controller.is_replay
        self._execution = execution
        self._is_pause = is_pause
        self.label = label
        self._spin: Spin | None = None if actor is None else actor.spin
        self.footprint = footprint
        """The resources it may touch, and those whose change would matter to its loop."""
        self.since: int | None = None
        """The step from which on it waits for a relevant write; None: it does not wait."""
        if self._spin is not None and actor is not None and not is_alone:
            self._look_back(actor, self._spin)

    def take(self, kind: str) -> None:
        """Take the step, when it may be repeated."""
        since = self.since
        self._execution.step(
            self.label, self.footprint, kind=kind, recheck_from=since, polls=since is not None
        )

    def answered(self, args: Sequence[Any], answer: Any) -> None:
        """Note the answer of a command, which may show that it has changed nothing."""
        if has_changed_nothing(args, answer):
            self.note_unchanged()

    def note_unchanged(self) -> None:
        """Note that the question changed nothing, so that a write it declared ends no wait."""
        actor, execution = current_actor(), self._execution
        if actor is None or actor.direct or execution.controller.phase != RACE:
            return
        spin = actor.spin = self._spin or Spin()
        spin.note(self.label, self.footprint)
        if self.footprint.writes:
            steps = execution.record.steps
            steps[_after_own_last(actor, steps) - 1].futile = True

    def _look_back(self, actor: Actor, spin: Spin) -> None:
        """Set the step from which on the question waits, if the code was in this state before."""
        controller, steps = self._execution.controller, self._execution.record.steps
        if not spin.is_due(self.label, controller.polls):
            return
        place, remembered = state_of_code(self._execution, actor)
        known = spin.visits.get((self.label, place))
        spin.visits[self.label, place] = (remembered, len(steps))
        own = _after_own_last(actor, steps)
        reads = spin.reads
        if known is not None and known[0] == remembered:
            seen = _read_unchanged(actor, steps[known[1] : own])
            if seen is None:
                return
            reads = seen
        elif spin.asked[self.label] > COUNTED_MAX and not self._is_pause:
            controller.leave_unproven(
                f"{actor.name} has asked the same {COUNTED_MAX} times in a row ({self.label}) and "
                "counts, or remembers, how often it asks: it may give up later, which was not "
                "tried. Let it wait on an event, or sleep between two questions"
            )
        else:
            return
        spin.is_cut = True
        self.since = own
        self.footprint |= Footprint(reads=reads)


def _after_own_last(actor: Actor, steps: Sequence[Step]) -> int:
    """Return the position behind the last step of an actor; 0: it has taken none."""
    at = len(steps)
    while at and steps[at - 1].actor != actor.name:
        at -= 1
    return at


def _read_unchanged(actor: Actor, turn: Sequence[Step]) -> frozenset[str] | None:
    """Return what an actor has read in one turn of its loop; None: some of it was written since.

    What was written before the turn read it is known to the turn. To count it would make the order
    of that write and of an earlier step matter, which have nothing in common.
    """
    seen: frozenset[str] = frozenset()
    for step in turn:
        if step.actor == actor.name:
            seen |= step.footprint.reads
        elif touches(step.footprint.writes, seen) and not step.futile:
            return None
    return seen
