"""Lets a process notice, through a pipe, that another one has ended, even by SIGKILL.

The pipe carries no data. Its write end belongs to the process that made it: programs which that
process starts do not inherit it, and its forks close it at once. So a reader meets the end of the
file when that process has ended. A signal at a parent's death (``PR_SET_PDEATHSIG``) would come
when the *thread* that started the child ends, and on Linux only.

xdist starts its workers without such a pipe. A worker asks for its parent's number instead.
"""

import os
import select
import signal
import threading
import weakref

from pytest_supercache.core.real_clock import real_sleep

ORPHAN_SECONDS = 0.25
"""The interval at which a worker of xdist checks whether it has become an orphan."""


class Lifeline:
    """A pipe that its process holds open until it ends or cuts it."""

    def __init__(self) -> None:
        self.far_end, end = os.pipe()
        self._end: int | None = end
        _held.add(self)

    @property
    def is_held(self) -> bool:
        """Whether this process is the one that made it, and has not cut it."""
        return self._end is not None

    def drop_far_end(self) -> None:
        """Close the read end, which was only made to be inherited."""
        if self.far_end >= 0:
            os.close(self.far_end)
            self.far_end = -1

    def cut(self) -> None:
        """Let readers notice; this has no effect in a process that does not hold the pipe."""
        end, self._end = self._end, None
        if end is not None:
            os.close(end)

    def is_cut(self, within: float | None) -> bool:
        """In another process: say whether the holder has ended; wait at most ``within`` seconds.

        Args:
            within: real seconds; None: wait until it has ended.
        """
        poll = select.poll()  # not select.select: descriptors may be above 1,023
        poll.register(self.far_end, select.POLLIN)
        return bool(poll.poll(None if within is None else within * 1000))


_held: weakref.WeakSet[Lifeline] = weakref.WeakSet()


def _let_go() -> None:
    """After a fork: close the write ends, which belong to the parent process."""
    for lifeline in list(_held):
        lifeline.cut()
    _held.clear()


_awaited: set[int] = set()  # parents


def interrupt_when_orphaned() -> None:
    """From now on interrupt this process, as Ctrl-C does, when its parent has ended.

    xdist would wait for five seconds, and then do the same.
    """
    parent = os.getppid()
    if parent not in _awaited:
        _awaited.add(parent)
        waiting = threading.Thread(target=_wait_for_end_of, args=(parent,), daemon=True)
        waiting.start()


def _wait_for_end_of(parent: int) -> None:
    while os.getppid() == parent:
        real_sleep(ORPHAN_SECONDS)
    os.kill(os.getpid(), signal.SIGINT)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
