"""What executions throw away goes at once; the collector has little to do, and only with them."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_supercache.runtime.actor import Actor
from pytest_supercache.runtime.controller import Controller


def let_go(controller: Controller, body: Actor) -> None:
    """Open the circles of an execution: what it holds, descriptors too, shall go with it."""
    controller.record.snapshot = None
    for actor in (body, *controller.actors.values()):
        actor.error = None  # its traceback leads to the code that has the actor


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
