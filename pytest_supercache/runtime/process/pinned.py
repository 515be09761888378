"""Pins a check to one core: a handoff between threads is three times cheaper there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_STAT = Path("/proc/thread-self/stat")
_PROCESSOR = 36
"""The position of the core in that file, after the name of the thread, which may have spaces."""


@contextmanager
def pinned() -> Iterator[None]:
    """Pin this thread, and those it starts, to the core it runs on; then restore the allowed cores.

    The kernel has chosen that core by the load: workers, and runs that do not know of each other,
    are spread over the cores.
    """
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if len(allowed) <= 1:
        yield
        return
    core = core_of_this_thread()
    os.sched_setaffinity(0, {core if core in allowed else min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def core_of_this_thread() -> int | None:
    """Return the core that this thread runs on; None where the system does not say."""
    with suppress(OSError, IndexError, ValueError):
        return int(_STAT.read_text(encoding="utf-8").rpartition(")")[2].split()[_PROCESSOR])
    return None
