"""What is settled before the race begins: a search looks at nothing but the race.

A factory or the body may have started threads and tasks. They have run while it waited for
something, and now stand somewhere.
"""

from typing import TYPE_CHECKING

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.runtime.kernel.actor import NEW, PARKED

if TYPE_CHECKING:
    from pytest_supercache.runtime.kernel.controller import Controller


def freeze_start_state(controller: "Controller") -> None:
    """Note which actors have begun, and let those that poll ask again if anything has changed.

    Raises:
        SupercacheError: code does not see the clock that the search moves.
    """
    complaint = controller.time.clock.complaint()
    if complaint is not None:
        raise SupercacheError(complaint)
    for actor in controller.actors.values():
        pending = actor.pending if actor.state is PARKED else None
        if pending is not None and pending.recheck_from is not None and controller.is_ready(actor):
            pending.recheck_from = None
    begun = [actor.name for actor in controller.actors.values() if actor.state is not NEW]
    controller.begun = tuple(begun)
