"""Reuses threads for actors, while each looks like a new thread to code under test.

To start a thread costs as much as ten handoffs, so those that run actors are kept for the next
execution. What code can see of the thread it runs on is made anew for every actor: the ``Thread``
object, what ``threading.local`` holds, context variables, the trace function. Where thread-locals
cannot be taken away, every actor gets a thread of its own.

No two actors of one execution run on one thread, though one may end before the other begins: code
that keeps something by the number of its thread would find what another user has left, in some
schedules only.
"""

import ctypes
import gc
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from functools import cache
from typing import Any

from pytest_supercache.runtime.kernel.actor import ActorThread
from pytest_supercache.runtime.kernel.baton import Baton
from pytest_supercache.runtime.kernel.calling import be_nobody, here

Renewal = Callable[[], bool]
"""Takes away what thread-locals hold for the calling thread; says whether all of it is gone."""

Taker = Callable[[], bool]
"""Takes away what they hold now; says whether there was anything."""

_ROUNDS = 3
"""How often something is taken away: destructors may have made new ones."""

_Local = threading.local  # as it was: somebody may put another one there

DISTINCT_MAX = 60
"""With more actors than this in one execution, those that begin later take over threads of others.
"""

_LOCALS = "thread.local."
"""How CPython names what a ``threading.local`` holds for one thread, in the thread's own dict."""


class Crew:
    """The threads of one check after the other execution; :meth:`close` ends them."""

    def __init__(self) -> None:
        self._idle: list[_Worker] = []
        self._resting: list[_Worker] = []  # they have served in this execution
        self.begun = 0
        """How many threads there are, or were."""
        self._is_closed = False
        self._renews = renews_locals()
        self._blank = ActorThread(target=_nothing, name="")  # what every thread begins with
        self._blank._started.set()  # noqa: SLF001 - one event serves all: they start at once

    def thread(
        self, target: Callable[..., Any], name: str, args: tuple[Any, ...] = ()
    ) -> ActorThread:
        """Make what an actor sees as its thread; ``start()`` lets one of the crew run it."""
        if not self._renews:
            return ActorThread(target=target, name=name, args=args)
        return _Seen(self, self._blank, target, name, args)

    def begin(self) -> None:
        """Let all threads serve again: another execution begins."""
        while self._resting:  # one whose actor hung may come at any time
            self._idle.append(self._resting.pop())
        self._idle.sort(key=lambda worker: -worker.number)  # the first one serves first

    def give(self, work: "_Seen") -> None:
        """Let a thread run ``work``; a new one if all are busy, or have served already."""
        if not self._idle and len(self._resting) >= DISTINCT_MAX:
            self.begin()
        if self._idle:
            worker = self._idle.pop()
        else:
            self.begun += 1
            worker = _Worker(self, self.begun)
            worker.start()
        worker.work = work
        worker.baton.give()

    def take_back(self, worker: "_Worker") -> bool:
        """Let a thread wait for its next actor; False: there will be none."""
        if not self._is_closed:
            self._resting.append(worker)
        return not self._is_closed

    def lose(self, worker: "_Worker") -> None:
        """Give nothing more to a thread that ends."""
        for workers in (self._idle, self._resting):
            if worker in workers:
                workers.remove(worker)

    def close(self) -> None:
        """End the threads that wait; one whose actor hangs ends when that does."""
        self._is_closed = True
        self.begin()
        while self._idle:
            worker = self._idle.pop()
            worker.work = None
            worker.baton.give()
            worker.join(1.0)


class _Seen(ActorThread):
    """A thread as its actor's code sees it: there is one for each actor and execution."""

    def __init__(
        self, crew: Crew, blank: threading.Thread, target: Any, name: str, args: tuple[Any, ...]
    ) -> None:
        vars(self).update(vars(blank), _target=target, _name=name, _args=args)
        self._crew = crew
        self._is_over = False
        self._waiter: Any = None
        self._give: Callable[[], None] = _nothing

    def hand_on(self, give: Callable[[], None]) -> None:
        """Let somebody else have the baton when nothing of it is left."""
        self._give = give

    def start(self) -> None:
        """Let somebody of the crew run it."""
        self._crew.give(self)

    def live(self) -> None:
        """Run on the calling thread, as its present self."""
        self._set_ident()  # type: ignore[attr-defined]
        self._set_native_id()  # type: ignore[attr-defined]
        present = threading._active  # type: ignore[attr-defined] # noqa: SLF001 - who is here
        present[self.ident] = self
        _trace(threading.gettrace(), threading.getprofile())
        try:
            Context().run(self.run)
        finally:
            _trace(None, None)  # what follows is nobody's
            present.pop(self.ident, None)

    def end(self) -> None:
        """Say that nothing of it is left, and pass the baton on."""
        self._is_over = True
        if self._waiter is not None:
            self._waiter.release()
        give, self._give = self._give, _nothing
        give()

    def is_alive(self) -> bool:
        """Say whether it runs, or has not taken away yet what it leaves."""
        return self.ident is not None and not self._is_over

    def join(self, timeout: float | None = None) -> None:
        """Wait until nothing of it is left."""
        if self._is_over:
            return
        waiter = threading._allocate_lock()  # type: ignore[attr-defined] # noqa: SLF001
        waiter.acquire()
        self._waiter = waiter
        if not self._is_over:
            waiter.acquire(timeout=-1 if timeout is None else timeout)


class _Worker(ActorThread):
    """A thread of the crew."""

    def __init__(self, crew: Crew, number: int) -> None:
        super().__init__(target=self._work, name="supercache")
        self.number = number
        self.baton: Any = Baton()
        self.work: _Seen | None = None
        self._crew = crew

    def _work(self) -> None:
        present = threading._active  # type: ignore[attr-defined] # noqa: SLF001 - who is here
        present.pop(self.ident, None)  # nobody is here who has nothing to do
        renew = _renewal()
        try:
            while self._serve(renew):
                pass
        finally:
            present[self.ident] = self

    def _serve(self, renew: Renewal) -> bool:
        """Run the next actor; False: there is none, or nobody may come after it."""
        self.baton.take()
        work, self.work = self.work, None
        if work is None:
            return False
        is_renewed = False
        try:
            work.live()
            is_renewed = renew()
        finally:
            goes_on = is_renewed and self._crew.take_back(self)
            try:
                work.end()
            except BaseException:  # there is no other thread to go on, for example
                self._crew.lose(self)
                raise
        return goes_on


def _trace(trace: Any, profile: Any) -> None:
    """Let the calling thread be traced so from now on."""
    if sys.gettrace() is not trace:
        sys.settrace(trace)
    if sys.getprofile() is not profile:
        sys.setprofile(profile)


def _nothing() -> None:
    pass


def _renewal() -> Renewal:
    """Return the renewal of the calling thread; what we know of it ourselves stays.

    Raises:
        ValueError: thread-locals are not as we know them.
    """
    be_nobody()  # what stays says nothing, and is there
    take = _taker_from_thread() if sys.version_info < (3, 13) else _taker_from_locals()

    def renew() -> bool:
        return not all(take() for _ in range(_ROUNDS))

    return renew


def _taker_from_thread() -> Taker:
    """Until 3.12 the interpreter keeps everything in a dict of the thread, under a name each."""
    get = ctypes.pythonapi.PyThreadState_GetDict
    get.restype = ctypes.c_void_p  # a borrowed reference
    state: dict[Any, Any] = ctypes.cast(get(), ctypes.py_object).value
    own = f"{_LOCALS}{id(here):#x}"
    if own not in state:
        raise ValueError("thread-locals have other names")

    def take() -> bool:
        if len(state) == 1:  # that is our own
            return False
        held = [key for key in list(state) if key != own and _is_local(key)]
        for key in held:
            state.pop(key, None)
        return bool(held)

    return take


def _taker_from_locals() -> Taker:
    """From 3.13 on each ``threading.local`` keeps everything itself, and watches threads end.

    A thread has one object for all of them to watch, which dies with it. We call what they would
    have called then (``clear_locals`` in ``Modules/_threadmodule.c``).
    """
    mine = _Local()
    mine.is_known = True
    [watchers] = [kept for kept in gc.get_referents(mine) if isinstance(kept, set)]
    [watcher] = watchers
    watched = watcher()

    def take() -> bool:
        watching = [
            one for one in weakref.getweakrefs(watched) if _clears(one) and not _is_ours(one)
        ]
        for one in watching:
            one.__callback__(one)
        return bool(watching)

    return take


def _is_local(key: object) -> bool:
    return isinstance(key, str) and key.startswith(_LOCALS)


def _clears(reference: Any) -> bool:
    """Say whether a weak reference is that of a thread-local, and not of somebody who looks."""
    return getattr(reference.__callback__, "__name__", None) == "clear_locals"


def _is_ours(reference: Any) -> bool:
    """Say whether it is that of what we know of a thread: its callback has a reference to that."""
    bound = reference.__callback__.__self__
    return isinstance(bound, tuple) and bound[0]() is here


@cache
def renews_locals() -> bool:
    """Say whether thread-locals can be taken away from a thread that goes on, in this Python."""
    if sys.implementation.name != "cpython":
        return False
    seen: list[bool] = []

    def try_it() -> None:
        with suppress(ValueError):
            renew, mine = _renewal(), _Local()
            mine.value = left = _Left()
            gone = renew()
            seen.append(gone and not hasattr(mine, "value") and sys.getrefcount(left) == _ONE_OWNER)

    trying = threading.Thread(target=try_it, name="supercache")
    trying.start()
    trying.join()
    return seen == [True]


class _Left:
    """Something that a thread-local holds."""


_ONE_OWNER = 2
"""What ``sys.getrefcount`` says of what only one variable holds."""
