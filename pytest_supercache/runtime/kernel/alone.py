"""Outside the race: the body goes on alone, and what code under test started runs while it waits.

Before the race a factory may warm a cache through a pool; after it a probe may ask one. The body's
own steps are taken at once. Only when it waits for something do the threads that were started run,
in a fixed order, and then time passes, until its wait is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_supercache.runtime.kernel.actor import (
    Abandoned,
    Actor,
    Announced,
    BackgroundActor,
    State,
    WaitsForEverError,
)
from pytest_supercache.runtime.kernel.moves import perform
from pytest_supercache.runtime.kernel.timekeeper import TICKS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_supercache.core.switch import Background
    from pytest_supercache.runtime.kernel.controller import Controller

MOVES_MAX = 10_000
"""How often others may move while the body waits once; more is UNKNOWN."""


def wait_alone(controller: Controller, body: Actor, announced: Announced) -> None:
    """Return when the body may take its step, after others have run as far as that needs.

    Raises:
        WaitsForEverError: nobody can end its wait.
    """
    moved = 0
    for _ in range(MOVES_MAX):
        if controller.may_take(body, announced):
            return
        if let_run(controller):
            continue
        if announced.polls:  # nobody will change the answer: the code may do something else
            return
        moved += 1
        if moved > TICKS_MAX or not pass_time(controller, announced):
            break
    else:
        controller.hazard(f"{announced.label!r} waits while others take {MOVES_MAX} steps")
    raise WaitsForEverError(
        f"{announced.label!r} would wait for ever: nothing else runs now that could end it"
    )


def let_run(controller: Controller) -> bool:
    """Let the first thread that can go on move to its next switch point; False: nobody can."""
    for actor in list(controller.actors.values()):
        if actor.born and not actor.dismissed and controller.is_ready(actor):
            if actor.state is State.PARKED:
                controller.take(actor)
            controller.pass_on(actor)
            controller.finished.take()
            if controller.given_up:
                raise Abandoned
            return True
    return False


def drain(controller: Controller, works: Iterable[Background]) -> None:
    """Perform background work outside the race until nothing is pending, in this order."""
    backgrounds = [BackgroundActor(work) for work in works]
    taken = True
    while taken:
        taken = False
        for background in backgrounds:
            if background.announced() is not None:
                taken = True
                perform(controller, background)
        taken = taken or let_run(controller)


def pass_time(
    controller: Controller, own: Announced | None = None, *, timer: float | None = None
) -> bool:
    """Move the clock to the next deadline; False when nothing waits for time.

    Args:
        controller: of the execution.
        own: what the body waits for.
        timer: when the next timer of the body's event loop is due.
    """
    clock = controller.time.clock
    waiting = [] if own is None else [own]
    waiting += [
        actor.pending
        for actor in controller.actors.values()
        if (actor.born or actor.is_task) and actor.waits_for_time and actor.pending is not None
    ]
    deadlines = [step.deadline for step in waiting if step.deadline is not None]
    if timer is not None:
        deadlines.append(timer)
    if not deadlines:
        return False
    clock.move_to(max(min(deadlines), clock.now()))
    for step in waiting:
        if step.deadline is not None and step.deadline <= clock.now():
            step.fired = True
            if step.wait is not None:
                controller.record.waits.fire((step.wait.timer,))
    return True
