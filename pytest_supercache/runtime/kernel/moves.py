"""Moves that nobody announces: an actor's first lines, code without a step, messages, the clock."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from pytest_supercache.core.footprint import EVERYTHING, Footprint
from pytest_supercache.core.schedule import CLOCK
from pytest_supercache.core.trace import Pending, Step
from pytest_supercache.runtime.kernel.actor import DONE

if TYPE_CHECKING:
    from pytest_supercache.runtime.kernel.actor import Actor, Announced, BackgroundActor
    from pytest_supercache.runtime.kernel.controller import Controller


def begin(controller: Controller, actor: Actor) -> None:
    """Choose an actor for the first time: its first lines run before its first step.

    These lines are a step of their own if they may touch memory that is shared.
    """
    controller.fused = actor
    if controller.shared_memory:
        controller.fused = None
        memory = frozenset({f"memory:{actor.node}"})
        add_move(controller, actor, "start", "memory", Footprint(memory, memory))
        actor.operation_began = actor.taken
    elif controller.memory and controller.memory.starts_with_step(actor.name):
        controller.fused = None
        born = Footprint(reads=frozenset({actor.born} if actor.born else ()))
        touched = controller.memory.widened(actor.name, "start", born)
        add_move(controller, actor, "start", "memory", touched)
        actor.operation_began = actor.taken


def place_of_step(controller: Controller) -> tuple[str, int | None]:
    """Return the phase of a step that is taken now, and the choice that led to it, if one did.

    What tasks do before the first choice is before the race: in no schedule does it come later.
    """
    if controller.phase == "race" and controller.choices:
        return "race", len(controller.choices) - 1
    return ("before" if controller.phase == "race" else controller.phase), None


def add_move(
    controller: Controller, actor: Actor, label: str, kind: str, footprint: Footprint
) -> None:
    """Record a choice of an actor that had no step to announce."""
    phase, choice = place_of_step(controller)
    controller.record.close()
    controller.record.add(
        Step(
            actor.name, actor.taken, label, kind, footprint, actor.node,
            phase=phase, choice=choice,
            pending=() if choice is None else all_pending(controller),
            time=controller.time.clock.now(), cause=actor.cause,
        )
    )  # fmt: skip
    controller.record.last = actor.name
    actor.taken += 1


def read_clock(controller: Controller, actor: Actor, announced: Announced) -> None:
    """Record that first lines have read the clock, before the step that waits for it."""
    controller.fused = None
    touched = announced.footprint.reads & {"clock:now", actor.born}
    add_move(controller, actor, "start", "thread", Footprint(reads=touched))
    actor.operation_began = actor.taken


def perform(controller: Controller, background: BackgroundActor) -> None:
    """Take a step of background work."""
    announced = background.announced()
    assert announced is not None, f"{background.name} was chosen without anything to do"
    phase, choice = place_of_step(controller)
    pending = () if choice is None else all_pending(controller)
    controller.record.close()
    controller.record.take(background, announced, phase, choice, pending)
    background.taken += 1
    with nullcontext() if controller.memory is None else controller.memory.performed_by(background):
        background.work.perform()
    controller.record.close()


def tick(controller: Controller) -> None:
    """Move the clock to the next deadline: a step of its own."""
    pending = all_pending(controller)
    index = controller.time.moved
    moved = controller.time.tick(controller.actors.values())
    fires = controller.time.fired(controller.actors.values())
    controller.record.waits.fire(fires)
    everything = frozenset({EVERYTHING})
    controller.record.add(
        Step(
            CLOCK, index, f"+{moved * 1000:g} ms", "clock", Footprint(everything, everything),
            phase=controller.phase, choice=len(controller.choices) - 1, pending=pending,
            time=controller.time.clock.now(), fires=fires,
        )
    )  # fmt: skip
    controller.record.close()


def all_pending(controller: Controller) -> tuple[Pending, ...]:
    """Describe what everyone was about to do at the last choice, if the record is that full."""
    if not controller.record.is_full:
        return ()
    found = [
        actor.as_pending(enabled=name in controller.ready)
        for name, actor in controller.actors.items()
        if actor.state is not DONE
    ]
    for name, work in controller.backgrounds.items():
        announced = work.announced()
        if announced is not None and name in controller.ready:
            found.append(Pending(name, announced.label, announced.footprint, enabled=True))
    return tuple(found)
