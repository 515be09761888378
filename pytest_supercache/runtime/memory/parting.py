"""Makes starts and answers of coroutines steps of their own, with ``memory: declared``.

A coroutine makes a declared call that does not suspend within the step that it was chosen for: its
start, or an answer. Others may come between its start and its first command, and between the effect
of a command and the answer. So these are steps as soon as such a call is seen after them.
"""

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.schedule import Place
from pytest_supercache.core.trace import last_chosen
from pytest_supercache.runtime.kernel.actor import Actor
from pytest_supercache.runtime.kernel.ordering import RESUMES
from pytest_supercache.runtime.kernel.record import Record
from pytest_supercache.runtime.memory.sharing import Sharing, place_of_answer

WITHOUT_ANSWER = frozenset({"memory", RESUMES})
"""Kinds of steps of tasks that are answers themselves, or have none."""


class Parting:
    """The starts and answers of one execution that are steps, with ``memory: declared``.

    Args:
        sharing: which they are, as far as is known.
        record: the steps of the execution.
    """

    def __init__(self, sharing: Sharing, record: Record) -> None:
        self.sharing = sharing
        self._record = record
        self._places: set[Place] = set()

    def join_blocking_call(self, actor: Actor, footprint: Footprint) -> None:
        """Add a declared call without an await to the footprint of the step before it.

        If that is the start of its task, or an answer, it becomes a step of its own instead, to
        which the call belongs from the next execution on.
        """
        last = last_chosen(self._record.steps)
        is_new = not actor.taken and self.sharing.note_start(actor.name)
        if last is not None and last.kind not in WITHOUT_ANSWER:
            is_new = self.sharing.note_answer(last.actor, last.label) or is_new
        if last is not None and not is_new:
            self.sharing.join(last.actor, last.label, footprint)

    def widened(self, actor: str, label: str, footprint: Footprint) -> Footprint:
        """Return a step's footprint, widened by the declared calls that belong to it."""
        return self.sharing.widened(actor, label, footprint)

    def answer_is_step(self, actor: Actor, label: str) -> bool:
        """Say whether the answer of a step is itself a step."""
        is_step = actor.is_task and self.sharing.is_answer_step(actor.name, label)
        if is_step:
            self._places.add(place_of_answer(actor.name, label))
        return is_step

    def note_entry(self, actor: str) -> None:
        """Note that the code before an actor's first step is a step of its own now."""
        self._places.add(place_of_answer(actor))

    def places(self) -> tuple[Place, ...]:
        """Return which starts and answers were steps, as a token records it."""
        return tuple(sorted(self._places))
