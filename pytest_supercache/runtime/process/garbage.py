"""Runs the garbage collector between executions, never within one.

The time of a collection depends on the allocations of the whole process. During an execution it
would clear weak references, and call destructors on the thread with the baton, at a different step
in every run.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_supercache.runtime.kernel import frozen_objects
from pytest_supercache.runtime.kernel.actor import Actor
from pytest_supercache.runtime.kernel.controller import Controller


def break_cycles(controller: Controller, body: Actor) -> None:
    """Break the reference cycles of an execution, so that its resources are freed with it."""
    controller.record.snapshot = controller.timeless = None
    if controller.memory is not None:
        controller.memory.let_go()
        controller.memory = controller.parting = None
    for actor in (body, *controller.actors.values()):
        actor.error = None  # its traceback refers back to the actor


class Collector:
    """The garbage collector during one check, enabled only before an execution is set up.

    By then most objects of the last execution are freed, so that a collection is short. What
    destructors change then is restored with all else.
    """

    def __init__(self) -> None:
        self.is_on = gc.isenabled()

    def enable(self) -> None:
        """Enable the collector, if it was enabled before the check."""
        if self.is_on:
            gc.enable()

    def disable(self) -> None:
        """Disable the collector until :meth:`enable`."""
        gc.disable()


_GROWTH = 1.25
_MORE = 400_000
"""A full collection is due when the blocks in use exceed ``_GROWTH`` times those after the last one
by ``_MORE`` blocks; the first check makes none."""

_in_use = 0  # blocks of memory after the last full collection, or before the first check


@contextmanager
def collector_disabled() -> Iterator[Collector]:
    """Disable the collector, and exclude all existing objects from it until the end."""
    collector = Collector()
    is_frozen = frozen_objects.is_any_frozen()  # by other code
    try:
        if not is_frozen:
            _freeze(may_collect=collector.is_on)
        collector.disable()
        yield collector
    finally:
        collector.enable()
        if not is_frozen:
            frozen_objects.unfreeze()


def _freeze(*, may_collect: bool) -> None:
    """Freeze all objects, after a collection if the garbage among them may have become large.

    Frozen objects count as old and as examined from then on. So the collector alone would never
    find the garbage of a process that runs one check after another.
    """
    global _in_use
    if not _in_use:
        _in_use = sys.getallocatedblocks()
    elif may_collect and sys.getallocatedblocks() > _in_use * _GROWTH + _MORE:
        gc.collect()
        _in_use = sys.getallocatedblocks()
    frozen_objects.freeze()
