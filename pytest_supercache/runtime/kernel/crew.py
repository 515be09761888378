"""Reuses threads for actors, while each looks like a new thread to code under test.

Starting a thread costs as much as ten handoffs, so threads of actors are kept for the next
execution. What code can see of its thread is made anew for every actor: the ``Thread`` object, the
values of ``threading.local``, context variables, the trace function. Where thread-locals cannot be
cleared, every actor gets a thread of its own.

No two actors of one execution share a thread, even if one ends before the other begins: code that
stores values by thread id would find those of another user, in some schedules only. (With more than
``DISTINCT_MAX`` actors, threads are shared.)
"""

import _thread
import sys
import threading
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from functools import cache
from types import BuiltinFunctionType
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.runtime.kernel.actor import ActorThread
from pytest_supercache.runtime.kernel.baton import Baton
from pytest_supercache.runtime.kernel.thread_locals import Renewal, renewal, renews_locals

DISTINCT_MAX = 60
"""With more actors than this in one execution, later ones reuse threads of earlier ones."""


class Crew:
    """The pool of threads that the executions of a check share; :meth:`close` ends them.

    Raises:
        SupercacheError: what would be started are no threads.
    """

    def __init__(self) -> None:
        _refuse_green_threads()
        self._idle: list[_Worker] = []
        self._resting: list[_Worker] = []  # they have served in this execution
        self.begun = 0
        """How many threads have been started."""
        self._is_closed = False
        self._renews = renews_locals()
        self.hands_context_on = _hands_context_on(threading.Thread.start)
        """Whether a thread that is started now begins with the context variables of its starter."""
        self._blank = ActorThread(target=_nothing, name="")  # what every thread begins with
        self._blank._started.set()  # noqa: SLF001 - one event serves all: they start at once

    def thread(
        self, target: Callable[..., Any], name: str, args: tuple[Any, ...] = ()
    ) -> ActorThread:
        """Make the thread object that an actor sees; its ``start()`` runs it on a pooled thread."""
        if not self._renews:
            return ActorThread(target=target, name=name, args=args)
        return _Seen(self, self._blank, target, name, args)

    def begin(self) -> None:
        """Make all threads available again, for the next execution."""
        while self._resting:  # one whose actor hung may come at any time
            self._idle.append(self._resting.pop())
        self._idle.sort(key=lambda worker: -worker.number)  # the first one serves first

    def give(self, work: "_Seen") -> None:
        """Run ``work`` on an idle thread, or on a new one if all are busy or have been used."""
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
        """Return a thread to the pool after its actor; False: the pool is closed."""
        if not self._is_closed:
            self._resting.append(worker)
        return not self._is_closed

    def lose(self, worker: "_Worker") -> None:
        """Remove a thread that ends from the pool."""
        for workers in (self._idle, self._resting):
            if worker in workers:
                workers.remove(worker)

    def close(self) -> None:
        """End the idle threads; a thread whose actor hangs ends after its actor."""
        self._is_closed = True
        self.begin()
        while self._idle:
            worker = self._idle.pop()
            worker.work = None
            worker.baton.give()
            worker.join(1.0)


class _Seen(ActorThread):
    """The thread object that an actor's code sees: one for each actor and execution."""

    def __init__(
        self, crew: Crew, blank: threading.Thread, target: Any, name: str, args: tuple[Any, ...]
    ) -> None:
        vars(self).update(vars(blank), _target=target, _name=name, _args=args)
        self._crew = crew
        self._is_over = False
        self._waiter: Any = None
        self._give: Callable[[], None] = _nothing

    def hand_on(self, give: Callable[[], None]) -> None:
        """Pass the baton on, by ``give``, when everything of this thread has been cleared."""
        self._give = give

    def start(self) -> None:
        """Run on a thread of the crew."""
        self._crew.give(self)

    def live(self) -> None:
        """Run on the calling thread, as its current ``Thread`` object."""
        itself: Any = self  # the stubs have no private methods; Thread's bootstrap calls these two
        itself._set_ident()
        itself._set_native_id()
        present = threading._active  # type: ignore[attr-defined] # noqa: SLF001 - who is here
        present[self.ident] = self
        _trace(threading.gettrace(), threading.getprofile())
        try:
            Context().run(self.run)
        finally:
            _trace(None, None)  # what follows is nobody's
            present.pop(self.ident, None)

    def end(self) -> None:
        """Release the joining thread after everything was cleared, and pass the baton on."""
        self._is_over = True
        if self._waiter is not None:
            self._waiter.release()
        give, self._give = self._give, _nothing
        give()

    def is_alive(self) -> bool:
        """Say whether the actor's thread runs, or still has thread-locals to clear."""
        return self.ident is not None and not self._is_over

    def join(self, timeout: float | None = None) -> None:
        """Wait until the actor's thread has ended and its thread-locals are cleared."""
        if self._is_over:
            return
        waiter = threading._allocate_lock()  # type: ignore[attr-defined] # noqa: SLF001
        waiter.acquire()
        self._waiter = waiter
        if not self._is_over:
            waiter.acquire(timeout=-1 if timeout is None else timeout)


class _Worker(ActorThread):
    """A pooled thread."""

    def __init__(self, crew: Crew, number: int) -> None:
        super().__init__(target=self._work, name="supercache")
        self.number = number
        self.baton: Any = Baton()
        self.work: _Seen | None = None
        self._crew = crew

    def _work(self) -> None:
        present = threading._active  # type: ignore[attr-defined] # noqa: SLF001 - who is here
        present.pop(self.ident, None)  # nobody is here who has nothing to do
        renew = renewal()
        try:
            while self._serve(renew):
                pass
        finally:
            present[self.ident] = self

    def _serve(self, renew: Renewal) -> bool:
        """Run the next actor; False: there is none, or the thread cannot be reused."""
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
    """Set the trace and profile functions of the calling thread."""
    if sys.gettrace() is not trace:
        sys.settrace(trace)
    if sys.getprofile() is not profile:
        sys.setprofile(profile)


def _nothing() -> None:
    pass


@cache
def _hands_context_on(start: Callable[[threading.Thread], None]) -> bool:
    """Say whether a thread begins with the context variables of the thread that starts it.

    Python does so if ``sys.flags.thread_inherit_context`` is set (3.14). So do tools that replace
    ``Thread.start``: tracers, and ``pytest-check``, for which a user's check fails its test.
    """
    handed: ContextVar[bool] = ContextVar("supercache_handed", default=False)
    seen: list[bool] = []

    def try_it() -> None:
        handed.set(True)
        trying = threading.Thread(target=lambda: seen.append(handed.get()), name="supercache")
        start(trying)
        trying.join()

    copy_context().run(try_it)
    return seen == [True]


def _refuse_green_threads() -> None:
    """Refuse a check while gevent or eventlet has put coroutines in the place of threads.

    All of them are on one thread, where the execution's actors would wait for each other for ever.
    """
    start: Any = _thread.start_new_thread
    if not isinstance(start, BuiltinFunctionType):
        who = str(getattr(start, "__module__", None)).partition(".")[0]
        raise SupercacheError(
            f"{who} has replaced Python's threads (monkey.patch_all()), and users are threads: "
            "call it where the application starts, not where tests import the code"
        )
