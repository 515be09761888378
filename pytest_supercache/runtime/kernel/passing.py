"""Steps that no scheduler is asked about: in passing, alone, or before the next choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_supercache.runtime.kernel.actor import Actor, Announced, State, WaitsForEverError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_supercache.runtime.kernel.controller import Controller


def pass_by(controller: Controller, actor: Actor, announced: Announced) -> None:
    """Take the step of a call that blocks inside a coroutine: nobody on its loop can go between."""
    controller.leave_if_over(actor)
    controller.record.close()
    if controller.phase == "race" and controller.choices:
        controller.note_memory(f"{actor.name} took the step {announced.label!r} without an await")
        controller.simplify("blocking calls inside coroutines part of the step before")
    parked, actor.pending = actor.pending, announced  # a callback of a task that is parked
    _wait(controller, announced, actor)
    controller.take(actor)
    actor.pending = parked
    if controller.memory is not None:
        controller.memory.note_passing(actor)


def take_alone(controller: Controller, actor: Actor) -> bool:
    """Outside the race: let a parked task take its step, if it may."""
    if actor.state is not State.PARKED or actor.pending is None:
        return False
    if not controller.may_take(actor, actor.pending):
        return False
    controller.take(actor)
    return True


def _wait(controller: Controller, announced: Announced, actor: Actor) -> None:
    """Block the loop: nobody on it can end the wait, so time passes at once or it never ends."""
    if controller.may_take(actor, announced):
        return
    if announced.deadline is None and _is_a_thread_left(controller):
        controller.hazard(
            f"{actor.name} waits inside of a coroutine ({announced.label!r}) while a thread goes "
            "on, which is not available in this version: wait with an await, as asyncio.Lock does, "
            "or on a thread, by asyncio.to_thread"
        )
    if announced.deadline is None:
        raise WaitsForEverError(
            f"{announced.label!r} would block its event loop for ever: nothing on it can end that"
        )
    clock = controller.time.clock
    clock.move_to(max(announced.deadline, clock.now()))
    announced.fired = True
    if announced.wait is not None:
        controller.record.waits.fire((announced.wait.timer,))


def _is_a_thread_left(controller: Controller) -> bool:
    """Say whether a thread beside the loop could end a wait."""
    return any(
        not actor.is_task and not actor.direct and actor.state is not State.DONE
        for actor in controller.actors.values()
    )


def turn_of_loop(loops: Iterable[Any]) -> Actor | None:
    """Return an event loop that has work: callbacks come before the next choice."""
    for loop in loops:
        if loop.has_work():
            turn: Actor = loop.turn
            return turn
    return None
