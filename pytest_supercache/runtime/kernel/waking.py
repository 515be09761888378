"""Names the step that wakes a task, and the resource that stands for its wait."""

from pytest_supercache.core.schedule import CLOCK
from pytest_supercache.core.trace import StepId, last_chosen
from pytest_supercache.runtime.kernel.actor import Actor
from pytest_supercache.runtime.kernel.state import ExecutionState


def wait_of(actor: Actor) -> str:
    """Return the resource that stands for an actor's wait: code that ends the wait touches it."""
    return f"wait of {actor.name}"


def waker(state: ExecutionState, actor: Actor) -> StepId | None:
    """Return the step that woke a task for its next one; None: its own, or a tick.

    If the choice has only begun another actor, that beginning is to be a step.
    """
    step, choice = last_chosen(state.record.steps), len(state.choices) - 1
    if state.phase != "race" or state.memory is None or state.choices[choice] == CLOCK:
        return None
    if step is None or step.choice != choice:
        state.memory.sharing.note_start(state.choices[choice])
        return None
    if actor.taken:
        state.memory.note_synchronization(actor, wait_of(actor))
    return step.actor, step.index
