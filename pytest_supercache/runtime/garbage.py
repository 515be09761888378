"""What executions throw away goes at once; the collector has little to do, and only between them.

When it comes depends on how much the whole process has made. In the midst of an execution it would
empty weak references, and call destructors on whichever thread had the baton, at other steps in
every run.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pytest_supercache.runtime.actor import Actor
from pytest_supercache.runtime.controller import Controller


def let_go(controller: Controller, body: Actor) -> None:
    """Open the circles of an execution: what it holds, descriptors too, shall go with it."""
    controller.record.snapshot = None
    for actor in (body, *controller.actors.values()):
        actor.error = None  # its traceback leads to the code that has the actor


def without_collector(run: Callable[[], Actor]) -> Actor:
    """Run something while the collector rests; what it would have done is done afterwards."""
    is_on = gc.isenabled()
    gc.disable()
    try:
        return run()
    finally:
        if is_on:
            gc.enable()


@contextmanager
def past_is_no_garbage() -> Iterator[None]:
    """Let the collector look only at what executions make, not at all that was there before."""
    if gc.get_freeze_count():  # somebody else's decision
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
