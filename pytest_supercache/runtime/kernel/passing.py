"""Takes the steps of blocking calls inside coroutines, which no scheduler can delay."""

from collections.abc import Iterable
from typing import Any

from pytest_supercache.runtime.kernel.actor import Actor, Announced, State, WaitsForEverError
from pytest_supercache.runtime.kernel.state import ExecutionState


def pass_by(state: ExecutionState, actor: Actor, announced: Announced) -> None:
    """Take the step of a call that blocks inside a coroutine: nobody on its loop can go between."""
    state.leave_if_over(actor)
    state.record.close()
    if state.phase == "race" and state.choices:
        state.note_memory(f"{actor.name} took the step {announced.label!r} without an await")
        state.simplify("blocking calls inside coroutines part of the step before")
    parked, actor.pending = actor.pending, announced  # a callback of a task that is parked
    _wait(state, announced, actor)
    state.take(actor)
    actor.pending = parked
    if state.memory is not None:
        state.memory.note_passing(actor)


def take_alone(state: ExecutionState, actor: Actor) -> bool:
    """Outside the race: let a parked task take its step, if it may."""
    if actor.state is not State.PARKED or actor.pending is None:
        return False
    if not state.may_take(actor, actor.pending):
        return False
    state.take(actor)
    return True


def _wait(state: ExecutionState, announced: Announced, actor: Actor) -> None:
    """Block the loop: nobody on it can end the wait, so time passes at once or it never ends."""
    if state.may_take(actor, announced):
        return
    if announced.deadline is None and _is_a_thread_left(state):
        state.hazard(
            f"{actor.name} waits inside of a coroutine ({announced.label!r}) while a thread goes "
            "on, which is not available in this version: wait with an await, as asyncio.Lock does, "
            "or on a thread, by asyncio.to_thread"
        )
    if announced.deadline is None:
        raise WaitsForEverError(
            f"{announced.label!r} would block its event loop for ever: nothing on it can end that"
        )
    clock = state.time.clock
    clock.move_to(max(announced.deadline, clock.now()))
    announced.fired = True
    if announced.wait is not None:
        state.record.waits.fire((announced.wait.timer,))


def _is_a_thread_left(state: ExecutionState) -> bool:
    """Say whether a thread beside the loop could end a wait."""
    return any(
        not actor.is_task and not actor.direct and actor.state is not State.DONE
        for actor in state.actors.values()
    )


def turn_of_loop(loops: Iterable[Any]) -> Actor | None:
    """Return an event loop that has work: callbacks come before the next choice."""
    for loop in loops:
        if loop.has_work():
            turn: Actor = loop.turn
            return turn
    return None
