"""Holds what a search has learnt about a program: it is the same in every execution."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.trace import Pending, Step, StepId
from pytest_supercache.core.waiting import SET, allows
from pytest_supercache.core.waits import BEGIN, WaitState
from pytest_supercache.search.events import Dependence, StepEvent


@dataclass(slots=True)
class Knowledge:
    """The knowledge that earlier executions gave about the program."""

    dependence: Dependence = field(default_factory=Dependence)
    firsts: dict[str, Step | Pending] = field(default_factory=dict)  # see `learn`
    waits: dict[str, WaitState] = field(default_factory=dict)  # wait objects before any step

    def learn(self, events: Sequence[StepEvent], known: int, execution: Execution) -> None:
        """Learn what is the same in every execution, and each actor's first step in this one.

        What an actor does first may depend on what its starter has seen: it is the same wherever
        the same steps came before, so it is known of the parts of this execution. The first
        ``known`` events are those of the execution before.
        """
        self.waits.update(execution.waits)
        for event in events[known:]:
            step = event.step
            if not event.index:
                self.firsts[event.actor] = step
            if step.wait is not None and step.wait_before is not None:
                self.waits.setdefault(step.wait.object, step.wait_before)
        begun = {event.actor for event in events} if execution.waiting else ()
        for pending in execution.waiting:
            if pending.actor not in begun:  # it has no event
                self.firsts[pending.actor] = pending

    def can_wait(self, actor: str, steps: Sequence[Step]) -> bool:
        """Say whether an actor that begins after these steps only waits, and takes no step."""
        first = self.firsts.get(actor)
        if first is None or (first.cause and not _is_there(first.cause, steps)):
            return False
        if first.cause and not (first.wait and first.wait.flags):
            return False  # a task: its loop has begun it
        if first.wait is None:
            return first.deadline is not None
        if first.wait.verb == BEGIN:
            return False  # of a job the step is there from the start: it never only begins

        def is_set(flag: str) -> bool:
            return self.waits.get(flag) == SET or any(flag in step.flags_set for step in steps)

        guard = replace(first.wait, timer="")  # its time has only begun
        return not allows(actor, guard, is_set, lambda name: self._state(name, steps))

    def must_wait(self, actor: str, steps: Sequence[Step]) -> bool:
        """Say whether an actor that has not begun would only run into its first wait."""
        first = self.firsts.get(actor)
        if first is None or first.wait is None or not first.wait.is_guarded_by_object:
            return False
        state = self._state(first.wait.object, steps)
        return state is not None and not state.allows(actor, first.wait.verb)

    def _state(self, name: str, steps: Sequence[Step]) -> WaitState | None:
        for step in reversed(steps):
            if step.wait is not None and step.wait.object == name and step.wait_after:
                return step.wait_after
        return self.waits.get(name)


def _is_there(cause: StepId, steps: Sequence[Step]) -> bool:
    return any((step.actor, step.index) == cause for step in steps)
