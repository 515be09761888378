"""Choices that a scheduler has made before: see ``script`` in :class:`core.schedule.Scheduler`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_supercache.runtime.kernel.controller import Controller


def repeat(controller: "Controller", choice: str) -> bool:
    """Make a choice of the script, if nobody needs to know who else could have been chosen.

    A preemption is counted as by :meth:`core.schedule.Choices.preempts`.

    Returns:
        False: nothing was done, the scheduler has to be asked.
    """
    if controller.record.is_full or not controller.time.is_idle:
        return False
    actor, last = controller.actors.get(choice), controller.record.last
    if actor is None or not controller.is_ready(actor):
        return False
    if last is not None and last != choice:
        other = controller.actors.get(last)
        if other is None:
            return False
        controller.preemptions += controller.is_ready(other)
    controller.choices.append(choice)
    return True
