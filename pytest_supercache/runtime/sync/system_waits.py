"""Stands in for waits of the operating system, which take no virtual time.

While an actor waits in one, the clock that it reads stands still and nobody else goes on. So a wait
that may take time is a reason for UNKNOWN; one that only asks is the real one.
"""

import select
import selectors
import signal
from collections.abc import Iterable
from typing import Any

from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.calling import current_actor

_real_select = select.select
_real_poll = select.poll
_real_sigtimedwait = signal.sigtimedwait


def note_wait(name: str, timeout: Any) -> None:
    """Report a wait of the calling actor, unless it only asks; no timeout is for ever."""
    execution, actor = controlled(), current_actor()
    is_question = isinstance(timeout, int | float) and timeout == 0
    if execution is None or actor is None or actor.direct or is_question:
        return
    execution.controller.hazard(
        f"{actor.name} waits by {name}, which takes real time and no virtual time here: the clock "
        "stands still meanwhile, and nobody goes on. Wait by time.sleep, an event or a queue"
    )


def wait_for_files(
    rlist: Iterable[Any], wlist: Iterable[Any], xlist: Iterable[Any], timeout: float | None = None,
    /,
) -> Any:  # fmt: skip
    """Stand in for ``select.select``."""
    note_wait("select.select()", timeout)
    return _real_select(rlist, wlist, xlist, timeout)


def wait_for_signal(sigset: Iterable[int], timeout: float, /) -> Any:
    """Stand in for ``signal.sigtimedwait``."""
    note_wait("signal.sigtimedwait()", timeout)
    return _real_sigtimedwait(sigset, timeout)


class PollObject:
    """Stands in for what ``select.poll`` makes."""

    def __init__(self) -> None:
        self._real = _real_poll()

    def poll(self, timeout: float | None = None, /) -> Any:
        """Wait for events; the timeout is in milliseconds."""
        note_wait("select.poll()", timeout)
        return self._real.poll(timeout)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def _noting(kind: Any) -> Any:
    """Return a class of selectors that report their waits."""

    class NotingSelector(kind):  # type: ignore[misc] # the base is known only at run time
        """Stands in for a class of ``selectors``."""

        def select(self, timeout: float | None = None) -> Any:
            """Wait for events; the timeout is in seconds."""
            note_wait(f"selectors.{kind.__name__}", timeout)
            return super().select(timeout)

    NotingSelector.__name__ = kind.__name__
    NotingSelector.__qualname__ = kind.__qualname__
    return NotingSelector


_KINDS = ("SelectSelector", "PollSelector", "EpollSelector", "DevpollSelector", "KqueueSelector")
_OF_SELECTORS = {
    name: _noting(getattr(selectors, name)) for name in _KINDS if hasattr(selectors, name)
}
SELECTORS: dict[str, Any] = {
    **_OF_SELECTORS,
    "DefaultSelector": _OF_SELECTORS[selectors.DefaultSelector.__name__],
}
"""The classes of ``selectors``, as code under test sees them."""
