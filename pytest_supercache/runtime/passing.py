"""Steps that no scheduler is asked about: in passing, alone, or before the next choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_supercache.runtime.actor import Actor, Announced, State, WaitsForEverError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_supercache.runtime.controller import Controller


def pass_by(controller: Controller, actor: Actor, announced: Announced) -> None:
    """Take the step of a call that blocks inside a coroutine: nobody on its loop can go between."""
    controller.leave_if_over(actor)
    controller.record.close()
    if controller.phase == "race":
        controller.note_memory(f"{actor.name} took the step {announced.label!r} without an await")
        controller.simplify("blocking calls inside coroutines part of the step before")
    actor.pending = announced
    wait_alone(controller, actor, announced)
    controller.take(actor)


def take_alone(controller: Controller, actor: Actor) -> bool:
    """Outside the race: let a parked task take its step, if it may."""
    if actor.state is not State.PARKED or actor.pending is None:
        return False
    if not controller.may_take(actor, actor.pending):
        return False
    controller.take(actor)
    return True


def wait_alone(controller: Controller, actor: Actor, announced: Announced) -> None:
    """Outside the race there is nobody to wait for: time passes at once, a lock never frees."""
    clock = controller.time.clock
    if announced.deadline is not None and announced.deadline > clock.now():
        if announced.wait is not None and controller.record.allows(actor.name, announced.wait):
            return
        clock.move_to(announced.deadline)
        announced.fired = True
    elif not controller.record.allows(actor.name, announced.wait):
        raise WaitsForEverError(
            f"{announced.label!r} would wait for ever: nothing else runs now that could end it"
        )


def turn_of_loop(loops: Iterable[Any]) -> Actor | None:
    """Return an event loop that has work: callbacks come before the next choice."""
    for loop in loops:
        if loop.has_work():
            turn: Actor = loop.turn
            return turn
    return None
