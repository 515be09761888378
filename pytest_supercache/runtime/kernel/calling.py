"""Which actor the calling thread runs."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pytest_supercache.runtime.kernel.actor import Actor


class _Here(threading.local):
    """What is known of the calling thread."""

    actor: Actor | None = None
    controller: Any = None
    is_looking = False


here = _Here()

tracers: list[Callable[..., Any]] = []
"""The trace function of every actor's thread, if there is one: see :mod:`runtime.lines`."""


def current_actor() -> Actor | None:
    """Return the actor whose code the calling thread runs, if it is under control."""
    actor = here.actor
    if actor is None or actor.loop is None:
        return actor
    return actor.loop.acting() or actor


def be(actor: Actor, controller: Any) -> None:
    """Make the calling thread the one that runs ``actor``'s code in this execution.

    The thread is a daemon, so that it cannot keep the process. Its code must not see that: a thread
    is a daemon by default when the one that makes it is.
    """
    threading.current_thread()._daemonic = actor.daemon  # type: ignore[attr-defined] # noqa: SLF001
    here.actor = actor
    here.controller = controller
    if tracers:
        sys.settrace(tracers[-1])


def be_nobody() -> None:
    """Make the calling thread nobody's: what it still does is in no schedule."""
    here.actor = here.controller = None


@contextmanager
def looking() -> Iterator[None]:
    """Let the calling thread look at layers: what it does meanwhile are no steps."""
    actor, here.actor = here.actor, None
    here.is_looking = True
    try:
        yield
    finally:
        here.is_looking = False
        here.actor = actor
