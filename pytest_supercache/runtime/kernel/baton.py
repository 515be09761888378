"""Hands control from one thread to the next.

An eventfd hands over in half the time of a lock, because the writer releases the interpreter lock
inside the call: one wake-up instead of two. Platforms without eventfd use a semaphore.
"""

import os
import select
import threading


class _EventBaton:
    """A baton on a kernel counter; ``EFD_SEMAPHORE`` keeps two wake-ups from merging into one.

    The counter of a baton that was taken as often as given is reused for the next baton.
    """

    __slots__ = ("_descriptor", "_given", "_home", "_taken")

    def __init__(self) -> None:
        self._home = _spare  # of the process that made it
        self._descriptor = _spare.pop() if _spare else _counter()
        self._given = self._taken = 0

    def give(self) -> None:
        _end_unless_at(self._home)
        self._given += 1
        os.eventfd_write(self._descriptor, 1)

    def take(self) -> None:
        _end_unless_at(self._home)
        while True:
            try:
                os.eventfd_read(self._descriptor)
                break
            except InterruptedError:  # a signal whose handler has returned
                continue
        self._taken += 1

    def take_within(self, seconds: float) -> bool:
        _end_unless_at(self._home)
        poll = select.poll()  # not select.select: descriptors may be above 1,023
        poll.register(self._descriptor, select.POLLIN)
        if not poll.poll(seconds * 1000):
            return False
        os.eventfd_read(self._descriptor)
        self._taken += 1
        return True

    def __del__(self) -> None:
        if self._home is _spare and self._given == self._taken and len(_spare) < SPARE_MAX:
            _spare.append(self._descriptor)
        else:
            os.close(self._descriptor)


SPARE_MAX = 16
"""How many counters are kept for reuse by later batons."""

_spare: list[int] = []


def _begin_anew() -> None:
    """Drop the spare counters after a fork: the parent process has them, too."""
    global _spare
    for descriptor in _spare:
        os.close(descriptor)
    _spare = []


os.register_at_fork(after_in_child=_begin_anew)


def _end_unless_at(home: list[int]) -> None:
    """End this process if it is a fork that returned from the code under test, by any way.

    The threads that it would wake, or wait for, are those of the process that made the baton.
    """
    if home is not _spare:
        os._exit(1)


def _counter() -> int:
    return os.eventfd(0, os.EFD_SEMAPHORE | os.EFD_CLOEXEC)


class _SemaphoreBaton:
    __slots__ = ("_home", "_semaphore")

    def __init__(self) -> None:
        self._home = _spare
        self._semaphore = threading.Semaphore(0)

    def give(self) -> None:
        _end_unless_at(self._home)
        self._semaphore.release()

    def take(self) -> None:
        _end_unless_at(self._home)
        self._semaphore.acquire()

    def take_within(self, seconds: float) -> bool:
        _end_unless_at(self._home)
        return self._semaphore.acquire(timeout=seconds)


Baton = _EventBaton if hasattr(os, "eventfd") else _SemaphoreBaton
