"""Empty polls: who asks again what it was just told waits until the answer may have changed.

``while queue.empty(): pass`` would otherwise have endlessly many schedules that differ in nothing.
The first question is always answered. The next one, when the actor did nothing in between that we
see, is a waiting step: it is enabled again when somebody has written what it reads, or when nobody
else can go on, so that code which gives up after some questions does so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_supercache.runtime.actor import Actor, State

if TYPE_CHECKING:
    from pytest_supercache.runtime.controller import Controller

RELEASES_MAX = 100
"""Questions that are asked again although nothing has changed; more is UNKNOWN."""


def asked_before(actor: Actor, question: str) -> int | None:
    """Return how many steps there were when the actor was last told "nothing", if just now."""
    if actor.idle is None or actor.idle[:2] != (question, actor.taken):
        return None
    return actor.idle[2]


def note_nothing(actor: Actor, question: str, steps: int) -> None:
    """Remember that the question had an empty answer, when there were so many steps."""
    actor.idle = (question, actor.taken, steps)


def release_polls(controller: Controller) -> bool:
    """Let those ask again who are no daemons; nobody else can go on. False: there are none."""
    waiting = [
        actor.pending
        for actor in controller.actors.values()
        if actor.state is State.PARKED and not actor.daemon and actor.pending is not None
        and actor.pending.polls and actor.pending.recheck_from is not None
    ]  # fmt: skip
    if not waiting:
        return False
    controller.releases += 1
    if controller.releases > RELEASES_MAX:
        controller.hazard(
            f"{waiting[0].label!r} was asked {RELEASES_MAX} times while nothing else could go on; "
            "code that polls should wait on an event, a condition or a queue instead"
        )
        controller.complete = False
        return False
    for pending in waiting:
        pending.recheck_from = None
    return True
