"""Whose code the calling thread runs."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pytest_supercache.runtime.actor import Actor

_local = threading.local()

tracers: list[Callable[..., Any]] = []
"""The trace function of every actor's thread, if there is one: see :mod:`runtime.lines`."""


def current_actor() -> Actor | None:
    """Return the actor whose code the calling thread runs, if it is under control."""
    actor: Actor | None = getattr(_local, "actor", None)
    if actor is None or actor.loop is None:
        return actor
    return actor.loop.acting() or actor


def be(actor: Actor, controller: Any) -> None:
    """Make the calling thread the one that runs ``actor``'s code in this execution.

    The thread is a daemon, so that it cannot keep the process. Its code must not see that: a thread
    is a daemon by default when the one that makes it is.
    """
    threading.current_thread()._daemonic = actor.daemon  # type: ignore[attr-defined] # noqa: SLF001
    _local.actor = actor
    _local.controller = controller
    if tracers:
        sys.settrace(tracers[-1])


def current_controller() -> Any:
    """Return the execution that the calling thread's actor belongs to."""
    return getattr(_local, "controller", None)


@contextmanager
def looking() -> Iterator[None]:
    """Let the calling thread look at layers: what it does meanwhile are no steps."""
    actor, _local.actor = getattr(_local, "actor", None), None
    _local.is_looking = True
    try:
        yield
    finally:
        _local.is_looking = False
        _local.actor = actor


def is_looking() -> bool:
    """Say whether the calling thread only looks."""
    return getattr(_local, "is_looking", False)
