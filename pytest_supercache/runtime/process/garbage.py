"""Runs the garbage collector between executions, never within one.

When it comes depends on how much the whole process has made. In the midst of an execution it would
empty weak references, and call destructors on whichever thread had the baton, at other steps in
every run.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_supercache.runtime.kernel.actor import Actor
from pytest_supercache.runtime.kernel.controller import Controller


def let_go(controller: Controller, body: Actor) -> None:
    """Open the circles of an execution: what it holds, descriptors too, shall go with it."""
    controller.record.snapshot = None
    if controller.memory is not None:
        controller.memory.let_go()
        controller.memory = None
    for actor in (body, *controller.actors.values()):
        actor.error = None  # its traceback leads to the code that has the actor


class Collector:
    """The collector of cyclic garbage during one check: it may come while an execution is set up.

    Then most of what the last one made is gone, and there is little to look at.
    """

    def __init__(self) -> None:
        self.is_on = gc.isenabled()

    def may_come(self) -> None:
        """Let it come when it is due."""
        if self.is_on:
            gc.enable()

    def rests(self) -> None:
        """Let it not come before it may again."""
        gc.disable()


_GROWTH = 1.25
_MORE = 400_000
"""A full collection is due when the blocks in use exceed ``_GROWTH`` times those after the last one
by ``_MORE`` blocks; the first check makes none."""

_in_use = 0  # blocks of memory after the last full collection, or before the first check


@contextmanager
def collector_at_rest() -> Iterator[Collector]:
    """Let the collector rest; what was there before is none of its business until the end."""
    collector = Collector()
    is_frozen = gc.get_freeze_count() > 0  # by somebody else
    try:
        if not is_frozen:
            _freeze(may_collect=collector.is_on)
        collector.rests()
        yield collector
    finally:
        collector.may_come()
        if not is_frozen:
            gc.unfreeze()


def _freeze(*, may_collect: bool) -> None:
    """Put all objects aside; collect the garbage among them when it may have become much.

    What was put aside counts as old from then on, and as looked at. So the collector alone would
    never see the garbage of a process that runs one check after another.
    """
    global _in_use
    if not _in_use:
        _in_use = sys.getallocatedblocks()
    elif may_collect and sys.getallocatedblocks() > _in_use * _GROWTH + _MORE:
        gc.collect()
        _in_use = sys.getallocatedblocks()
    gc.freeze()
