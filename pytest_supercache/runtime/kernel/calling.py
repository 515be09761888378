"""Tells which actor the calling thread runs."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pytest_supercache.runtime.kernel.actor import Actor


class _Here(threading.local):
    """The actor and the controller of the calling thread."""

    actor: Actor | None = None
    controller: Any = None
    is_looking = False
    is_importing = False
    in_hook: Any = False  # while one runs: True, or an error of the code, which it raises


here = _Here()

tracers: list[Callable[..., Any]] = []
"""The trace function for every actor's thread, if any; see :mod:`runtime.observe.line_grain`."""


def current_actor() -> Actor | None:
    """Return the actor whose code the calling thread runs; None for a thread not under control."""
    actor = here.actor
    if actor is None or actor.loop is None:
        return actor
    return actor.loop.acting() or actor


def this_actor() -> Actor:
    """Return the calling actor, which every controlled thread has."""
    actor = current_actor()
    assert actor is not None, "only an actor's thread is under control"
    return actor


def bind_thread(actor: Actor, controller: Any) -> None:
    """Make the calling thread run ``actor``'s code in this execution.

    The thread is a daemon, so that it cannot keep the process alive. Its code must not see that: a
    new thread inherits the daemon flag of the thread that creates it.
    """
    threading.current_thread()._daemonic = actor.daemon  # type: ignore[attr-defined] # noqa: SLF001
    here.actor = actor
    here.controller = controller
    if tracers:
        sys.settrace(tracers[-1])


def unbind_thread() -> None:
    """Detach the calling thread from its actor: what it still does is in no schedule."""
    here.actor = here.controller = None


@contextmanager
def importing() -> Iterator[None]:
    """Let the calling thread import a module of the code under test without taking steps.

    What leaves control is heard meanwhile: see :func:`runtime.kernel.active.hearing`.
    """
    here.is_importing = True
    try:
        with looking():
            yield
    finally:
        here.is_importing = False


@contextmanager
def looking() -> Iterator[None]:
    """Let the calling thread inspect layers without taking steps."""
    actor, here.actor = here.actor, None
    here.is_looking = True
    try:
        yield
    finally:
        here.is_looking = False
        here.actor = actor
