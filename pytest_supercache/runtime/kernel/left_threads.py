"""Counts and limits hung threads that executions leave behind.

A thread cannot be killed. Each keeps its stack, and with it the world of its execution, so the
number that a run may leave behind is limited.
"""

import threading

from pytest_supercache.core.errors import SupercacheError

LEFT_MAX = 32
"""How many threads may hang in one process."""

_left: list[threading.Thread] = []


class TooManyLeftError(SupercacheError):
    """A check is refused because earlier checks have left too many hung threads."""


def note_left(thread: threading.Thread) -> None:
    """Count a thread that did not end with its execution."""
    _left.append(thread)


def why_no_more() -> str | None:
    """Say why this process should run no further check; None: it may continue."""
    _left[:] = [thread for thread in _left if thread.is_alive()]
    if len(_left) < LEFT_MAX:
        return None
    return (
        f"{len(_left)} threads hang in code under test that blocks outside of any switch point, "
        "and nothing can end them: this process checks nothing more. The first results that are "
        "UNKNOWN say where they block"
    )


def refuse_more() -> None:
    """Raise an error if too many threads hang to begin another check.

    Raises:
        TooManyLeftError: too many threads hang.
    """
    why = why_no_more()
    if why is not None:
        raise TooManyLeftError(why)
