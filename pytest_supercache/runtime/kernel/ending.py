"""How an execution ends: who still waits is noted, then everybody leaves their code.

Users leave when the race is over. What code under test has started itself stays until the body has
ended, because later steps may still need it, unless the race has failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_supercache.runtime.kernel.actor import Actor, State
from pytest_supercache.runtime.kernel.alone import MOVES_MAX, let_run
from pytest_supercache.runtime.kernel.timekeeper import TICKS_MAX
from pytest_supercache.runtime.kernel.whereabouts import where

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_supercache.runtime.kernel.controller import Controller

UNWIND_SECONDS = 1.0
"""How long a parked actor may take to leave its code when an execution ends."""


WAITING_MAX = 5
"""How many of those who wait for the clock are named."""

STEPS_MAX = 10_000
"""Steps in one execution; more is UNKNOWN: something polls without waiting."""


def note_limit(controller: Controller) -> None:
    """Note it if a race that goes on no more has gone on for longer than it may.

    That proves nothing.
    """
    if len(controller.record.steps) >= STEPS_MAX:
        controller.hazard(
            f"an execution took {STEPS_MAX} steps without an end; something polls. Let it wait "
            "on a lock, an event or world.wait_until instead"
        )
    elif controller.time.is_exhausted and controller.time.is_awaited(controller.actors.values()):
        controller.hazard(
            f"the clock has moved {TICKS_MAX} times and somebody still waits for it"
            f"{_who_waits(controller)}"
        )
    else:
        return
    controller.complete = False


def _who_waits(controller: Controller) -> str:
    """Name the actors that wait for the clock, each with its step and line."""
    names = controller.time.awaited_by(controller.actors.values())
    found = [controller.actors.get(name) for name in names]
    told = [where(actor) for actor in found if actor is not None and actor.state is not State.DONE]
    more = [f"{len(told) - WAITING_MAX} more"] if len(told) > WAITING_MAX else []
    return f": {', '.join([*told[:WAITING_MAX], *more])}" if told else ""


def note_blocked(controller: Controller) -> None:
    """Nobody goes on any more: note who should have."""
    controller.record.close()
    if controller.time.cut_short:
        controller.simplify("threads that repeat cut off soon after the users")
    left = [actor for actor in controller.actors.values() if actor.state is not State.DONE]
    if not left:
        return
    blocked = [actor for actor in left if not actor.daemon]
    if controller.complete:
        controller.waiting = tuple(actor.as_pending(enabled=False) for actor in left)
        if any(not actor.born for actor in blocked):
            controller.blocked += tuple(actor.as_blocked() for actor in blocked)


def let_leave(controller: Controller) -> None:
    """Dismiss the actors that are no longer needed, and stop recording memory accesses."""
    failed = bool(controller.blocked) or not controller.complete
    unwind(controller, [a for a in controller.actors.values() if failed or not a.born])
    if controller.memory is not None:
        controller.memory.end_race()


def unwind(controller: Controller, actors: Iterable[Actor]) -> None:
    """Let parked actors leave their code, one after the other; locks come free on the way."""
    for actor in actors:
        if actor.is_task:
            continue  # its loop has seen to that
        actor.dismissed = True
        if actor.is_waiting:
            actor.baton.give()
            if not controller.finished.take_within(UNWIND_SECONDS):
                controller.hazard(f"{actor.name} did not leave its code when the execution ended")


def end_body(controller: Controller) -> None:
    """At the end of the body: see who still waits, then let everybody leave.

    A thread that is no daemon and waits for something that nobody will do is without an answer; one
    that waits for time is not judged.
    """
    actors = controller.started()
    if not actors:
        return
    if controller.complete and not controller.given_up and not controller.blocked:
        for _ in range(MOVES_MAX):
            if not let_run(controller):
                break
        controller.blocked += tuple(
            actor.as_blocked()
            for actor in actors
            if actor.state is State.PARKED and not actor.daemon and not actor.waits_for_time
        )
    unwind(controller, actors)
