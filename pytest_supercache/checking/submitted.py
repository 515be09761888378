"""Submits work to other processes and waits for it, so that Ctrl-C leaves no lock held.

An executor shares its locks with a thread of its own. If an interrupt left one held, neither that
thread nor Python, which joins it in the end, would go on.
"""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import Any, TypeVar

from pytest_supercache.core.real_clock import real_seconds
from pytest_supercache.runtime.process.interrupt import ctrl_c_deferred

HEARD_SECONDS = 0.05
"""How long Ctrl-C may wait for a process that waits for its workers."""

Result = TypeVar("Result")


def submit(executor: Executor, function: Callable[..., Any], *given: Any) -> "Future[Any]":
    """Submit a call; the first one forks the workers."""
    with ctrl_c_deferred():
        return executor.submit(function, *given)


def until_done(future: "Future[Result]") -> "Future[Result]":
    """Wait for a future and return it; its result is then available at once."""
    while True:
        with ctrl_c_deferred(), suppress(TimeoutError):
            future.exception(HEARD_SECONDS)
            return future


def until_any_done(futures: Iterable["Future[Result]"], within: float) -> "Future[Result] | None":
    """Wait until one of several futures is done, and return it.

    Args:
        futures: at least one.
        within: real seconds; None is returned if none is done by then.
    """
    waiting, end = list(futures), real_seconds() + within
    while real_seconds() < end:
        for future in waiting:
            if future.done():
                return future
        with ctrl_c_deferred(), suppress(TimeoutError):
            waiting[0].exception(HEARD_SECONDS / len(waiting))
    return None


def until_begun(executor: Executor) -> None:
    """Wait until the workers of an executor have been started."""
    until_done(submit(executor, os.getpid)).result()
