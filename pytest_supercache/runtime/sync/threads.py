"""Turns threads and timers that code under test starts into actors.

They remain real threads, of the code's own class, but run only while they have the baton. Their
start sets a flag that their first step reads, their end sets one that ``join`` waits for, and their
steps belong to the operation that started them. A thread that the standard library or a client
library starts is not controlled, and is reported.
"""

import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.waits import FlagState, Wait
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.actor import Abandoned, Actor, ActorThread, name_of_child
from pytest_supercache.runtime.kernel.calling import this_actor
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.own_code import RUNTIME, WORLD
from pytest_supercache.runtime.kernel.polling import poll
from pytest_supercache.runtime.kernel.under_test import is_under_test_name
from pytest_supercache.runtime.memory.calls import touching
from pytest_supercache.runtime.memory.sharing import STARTED
from pytest_supercache.runtime.sync.locks import Event

Start = Callable[[threading.Thread], None]


def child_of(parent: Actor, target: Callable[[], Any], *, daemon: bool) -> Actor:
    """Make the actor for a thread or job that ``parent`` starts: ``alice/1``, then ``alice/2``.

    Actors that the body starts, in a factory or before the race, belong to the system.
    """
    name = name_of_child(parent)
    child = Actor(name, parent.node, target, daemon=daemon, born=f"started:{name}")
    child.begin_operation(parent.operation)
    child.operation_began = 0
    child.periods = parent.periods
    return child


def ended(actor: Actor) -> str:
    """Return the name of the flag that an actor's end sets."""
    return f"ended:{actor.name}"


def adopt(
    execution: ExecutionContext, child: Actor, thread: threading.Thread, start: Start
) -> None:
    """Start the thread of a new actor, which waits for its first turn."""
    child.thread = thread
    execution.controller.actors[child.name] = child
    execution.threads[thread] = child
    thread.daemon = True  # one that hangs must not keep the process
    start(thread)


class OwnThread(threading.Thread):
    """A thread of ours that is an actor like one of the code under test."""


def run_together(functions: Sequence[Callable[[], None]]) -> None:
    """Run functions in any order and interleaving: each but the first on a thread of its own."""
    first, *others = functions
    threads = [OwnThread(target=function) for function in others]
    for thread in threads:
        thread.start()
    first()
    for thread in threads:
        thread.join()


def start_under_control(thread: threading.Thread, start: Start) -> bool:
    """Start a thread of the code under test as an actor; False: it is not to be controlled.

    Raises:
        RuntimeError: the thread was started before, or not initialized; the real method raises it.
    """
    execution = controlled()
    is_ours = isinstance(thread, OwnThread)
    if execution is None or not (
        is_ours or _is_started_by_code_under_test() or _runs_its_code(thread)
    ):
        return False
    touched = touch_start(thread, writes=True)
    if not _may_be_started(thread):
        start(thread)
        return True
    _make_cooperative(thread)
    run = _own_code(thread)
    child = child_of(
        this_actor(), lambda: live_to_the_end(execution, child, run), daemon=thread.daemon
    )
    footprint = touched | Footprint(writes=frozenset({child.born}))
    execution.step(f"start {child.name}", footprint, kind="thread", wait=Wait(sets=(child.born,)))
    if not _may_be_started(thread):  # another actor has started it
        start(thread)
        return True
    child.cause = execution.last_step()
    patched: Any = thread  # of this thread alone
    patched.run = lambda: execution.controller.live(child)
    adopt(execution, child, thread, start)
    return True


def touch_start(thread: threading.Thread, *, writes: bool) -> Footprint:
    """Record an access to the started state of a thread, which other actors may use."""
    execution = controlled()
    memory = None if execution is None else execution.controller.memory
    touched = None if memory is None else memory.touch(thread, STARTED, writes=writes)
    return touched or Footprint()


def _may_be_started(thread: threading.Thread) -> bool:
    started = vars(thread).get("_started")
    return started is not None and not started.is_set()


def _own_code(thread: threading.Thread) -> Callable[[], None]:
    """Return the code that a thread runs; memory accesses of a C target are recorded, too."""
    target = getattr(thread, "_target", None)
    if target is None or type(thread).run is not threading.Thread.run:
        return thread.run
    arguments, keywords = vars(thread)["_args"], vars(thread)["_kwargs"]
    return lambda: touching(target, *arguments, **keywords)


def live_to_the_end(execution: ExecutionContext, child: Actor, run: Callable[[], None]) -> None:
    """Run a thread's own code, then take the step of its end."""
    error: BaseException | None = None
    try:
        run()
    except Abandoned:
        raise
    except SystemExit:
        pass  # ends a thread silently
    except BaseException as raised:  # noqa: BLE001 - judged by the guarantee `answers`
        error = None if _is_handled(child.thread, raised) else raised
    flag = ended(child)
    child.is_through = True
    execution.step(
        f"end {child.name}", Footprint(writes=frozenset({flag})), kind="thread",
        wait=Wait(sets=(flag,)),
    )  # fmt: skip
    if error is not None:
        raise error


def _is_handled(thread: threading.Thread | None, error: BaseException) -> bool:
    """Call the ``threading.excepthook`` of code under test; False: it has none."""
    hook = threading.excepthook
    if not is_under_test_name(str(getattr(hook, "__module__", None))):
        return False
    hook(threading.ExceptHookArgs((type(error), error, error.__traceback__, thread)))
    return True


def _is_started_by_code_under_test() -> bool:
    """Say whether code under test called ``start``, skipping frames of the runtime."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_between(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
    name = str(frame.f_globals.get("__name__", "?"))
    is_target = frame.f_code is threading.Thread.run.__code__  # world.actor("alice", thread.start)
    return is_target or is_under_test_name(name) or name.startswith(WORLD)


def _runs_its_code(thread: threading.Thread) -> bool:
    """Say whether a library starts the thread to run code under test, as ``run_in_thread`` does."""
    return type(thread).__name__ == "PubSubWorkerThread"


def _is_between(name: str) -> bool:
    return name.startswith(RUNTIME)


def _make_cooperative(thread: threading.Thread) -> None:
    """Replace the real event in a timer whose class derives from the real timer."""
    if isinstance(thread, threading.Timer) and type(thread.finished) is threading.Event:
        timer: Any = thread  # it is declared to have a real event
        timer.finished = Event(timer.finished.is_set())


def actor_of(thread: threading.Thread) -> tuple[ExecutionContext, Actor] | None:
    """Return the execution and the actor of a thread; None if it or the caller is no actor's."""
    execution = controlled()
    actor = None if execution is None else execution.threads.get(thread)
    return None if execution is None or actor is None else (execution, actor)


def actor_looked_at(thread: threading.Thread) -> tuple[ExecutionContext, Actor] | None:
    """Return :func:`actor_of` for `is_alive` or `join`, which read whether a thread was started."""
    if not isinstance(thread, ActorThread):
        touch_start(thread, writes=False)
    return actor_of(thread)


def join(execution: ExecutionContext, actor: Actor, timeout: float | None) -> None:
    """Wait until an actor has ended, or until ``timeout`` virtual seconds have passed."""
    if actor is this_actor():
        raise RuntimeError("cannot join current thread")
    flag = ended(actor)
    execution.wait_state(flag, FlagState())
    footprint = Footprint(reads=frozenset({flag}))
    if timeout is not None and timeout <= 0:
        execution.step(f"look at {actor.name}", footprint, kind="thread")
        return
    if timeout is not None:
        footprint = footprint | Footprint(reads=frozenset({"clock:now"}))
    execution.step(
        f"join {actor.name}", footprint, kind="thread", wait=Wait(flags=(flag,)),
        deadline=None if timeout is None else execution.now() + timeout,
    )  # fmt: skip


def is_alive(execution: ExecutionContext, actor: Actor) -> bool:
    """Say whether an actor has not ended yet."""
    flag, question = ended(actor), f"look at {actor.name}"
    execution.wait_state(flag, FlagState())
    if actor is this_actor():
        return True
    footprint, waits = Footprint(reads=frozenset({flag})), execution.record.waits
    return not poll(execution, question, footprint, lambda: waits.is_set(flag), kind="thread")


class Timer(threading.Timer):
    """Stands in for ``threading.Timer``: waits in virtual time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.finished: Any = Event()

    def run(self) -> None:
        """Wait, then call the function unless the timer was cancelled."""
        was_cancelled = self.finished.wait(self.interval)
        execution = controlled()
        if execution is not None:  # as read in the step of the wait: no further step
            was_cancelled = self.finished.state(execution) == FlagState(is_set=True)
        if not was_cancelled:
            touching(self.function, *self.args, **self.kwargs)
        self.finished.set()
