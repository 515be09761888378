"""Pins a check to one core: a handoff between threads is three times cheaper there."""

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def pinned() -> Iterator[None]:
    """Pin this thread, and those it starts, to one core; then restore the allowed cores.

    The workers of xdist, and those of a process pool, are spread over the cores.
    """
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if len(allowed) <= 1:
        yield
        return
    cores = sorted(allowed)
    os.sched_setaffinity(0, {cores[_number() % len(cores)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _number() -> int:
    """Return the worker's number: 1 for ``gw1`` and ``ForkProcess-1``; 0: there are no workers."""
    names = os.environ.get("PYTEST_XDIST_WORKER", ""), multiprocessing.current_process().name
    number = names[0].removeprefix("gw") or names[1].rpartition("-")[2]
    return int(number) if number.isdecimal() else 0
