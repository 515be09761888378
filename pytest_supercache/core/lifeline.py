"""A pipe by which other processes notice that this one is gone, however it ended.

Nobody writes to it. Its write end belongs to this process alone: programs that it starts do not
inherit it, and a forked process closes it first of all. So whoever reads meets the end of the file
when this process has ended, by SIGKILL too. A signal at a parent's death (``PR_SET_PDEATHSIG``)
would come when the *thread* that started the child ends, and on Linux only.
"""

import os
import select
import weakref


class Lifeline:
    """Held by the process that made it until it ends or cuts it."""

    def __init__(self) -> None:
        self.far_end, end = os.pipe()
        self._end: int | None = end
        _held.add(self)

    @property
    def is_held(self) -> bool:
        """Whether this process is the one that made it, and has not cut it."""
        return self._end is not None

    def drop_far_end(self) -> None:
        """Close what was only made to be inherited."""
        if self.far_end >= 0:
            os.close(self.far_end)
            self.far_end = -1

    def cut(self) -> None:
        """Let those who read notice; in a process that does not hold it nothing happens."""
        end, self._end = self._end, None
        if end is not None:
            os.close(end)

    def is_cut(self, within: float | None) -> bool:
        """In another process: say whether the holder is gone, at the latest after some seconds.

        Args:
            within: real seconds; None: wait until it is gone.
        """
        poll = select.poll()  # not select.select: descriptors may be above 1,023
        poll.register(self.far_end, select.POLLIN)
        return bool(poll.poll(None if within is None else within * 1000))


_held: weakref.WeakSet[Lifeline] = weakref.WeakSet()


def _let_go() -> None:
    """After a fork: what keeps them whole is the other process alone."""
    for lifeline in list(_held):
        lifeline.cut()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
