"""Counts and limits hung threads that executions leave behind.

A thread cannot be killed. Each keeps its stack, and with it the world of its execution, so the
number that a run may leave behind is limited. A task that goes on whatever is raised into it is
kept alive by a thread as well: where a coroutine is freed, Python raises into it once more and
waits until it has ended.
"""

import threading
from _thread import allocate_lock
from collections.abc import Iterable
from typing import Any, NoReturn

from pytest_supercache.core.errors import SupercacheError

LEFT_MAX = 32
"""How many threads may hang in one process."""

_left: list[threading.Thread] = []


class TooManyLeftError(SupercacheError):
    """A check is refused because earlier checks have left too many hung threads."""


def note_left(thread: threading.Thread) -> None:
    """Count a thread that did not end with its execution."""
    _left.append(thread)


def keep_tasks(tasks: Iterable[Any]) -> None:
    """Keep tasks that did not end with their execution, also while the process ends."""
    kept = list(tasks)
    if kept:
        thread = threading.Thread(target=_keep, args=(kept,), name="left tasks", daemon=True)
        thread.start()
        note_left(thread)


def _keep(kept: list[Any]) -> NoReturn:  # noqa: ARG001 - its frame refers to them
    wait_for_good()


def wait_for_good() -> NoReturn:
    """Block the calling thread for as long as the process lives."""
    lock = allocate_lock()
    while True:
        lock.acquire()


def why_no_more() -> str | None:
    """Say why this process should run no further check; None: it may continue."""
    _left[:] = [thread for thread in _left if thread.is_alive()]
    if len(_left) < LEFT_MAX:
        return None
    return (
        f"{len(_left)} threads hang in code under test that blocks outside of any switch point, or "
        "catches whatever would end it, and nothing can end them: this process checks nothing "
        "more. The first results that are UNKNOWN say where"
    )


def refuse_more() -> None:
    """Raise an error if too many threads hang to begin another check.

    Raises:
        TooManyLeftError: too many threads hang.
    """
    why = why_no_more()
    if why is not None:
        raise TooManyLeftError(why)
