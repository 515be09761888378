"""Queues callbacks and coroutines that threads hand to an event loop.

A thread continues after it has handed over a callback, and the loop may be busy, so the moment at
which the loop takes the callback is a choice: the step of a pseudo-actor. Callbacks are taken one
at a time, first in, first out. Callbacks that a thread schedules in another way than
``call_soon_threadsafe`` do not wake the loop.
"""

import asyncio
from collections import deque
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from pytest_supercache.core.footprint import ANYTHING, Footprint
from pytest_supercache.core.schedule import LOOP_CALLS
from pytest_supercache.core.waits import Wait
from pytest_supercache.runtime.aio.loop import LoopInterface
from pytest_supercache.runtime.kernel import async_context
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.actor import (
    Abandoned,
    Actor,
    BackgroundActor,
    State,
    leave,
)
from pytest_supercache.runtime.kernel.calling import current_actor
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.task_actor import TaskActor, act_in
from pytest_supercache.runtime.kernel.unannounced import add_step
from pytest_supercache.runtime.sync.futures import Future

if TYPE_CHECKING:
    from pytest_supercache.core.trace import StepId

_real_run_coroutine_threadsafe = asyncio.run_coroutine_threadsafe


class Inbox:
    """A pseudo-actor for callbacks of other threads that an event loop has not taken yet.

    Args:
        loop: the loop that takes them.
        ready: the loop's own queue of ready callbacks.
    """

    name = LOOP_CALLS
    node: str | None = None
    kind = "thread"

    def __init__(self, loop: LoopInterface, ready: deque[asyncio.Handle]) -> None:
        self._loop = loop
        self._ready = ready
        self._flows: dict[str, TaskActor] = {}  # by the name of the calling thread's actor
        self._waiting: deque[tuple[asyncio.Handle, StepId | None, tuple[str, ...]]] = deque()
        self._unnoticed: list[asyncio.Handle] = []

    def put(self, handle: asyncio.Handle) -> bool:
        """Queue a callback until the loop takes it; False: no schedule can choose when."""
        actor, execution = current_actor(), controlled()
        if actor is None or execution is None or execution.controller.leaving():
            return False
        controller = execution.controller
        controller.note_undeclared(f"{actor.name} hands a callback to the event loop")
        if controller.fused is actor:  # the loop may take it before the first step of the thread
            add_step(controller, actor, "start", "thread", ANYTHING)
            controller.fused = None
        controller.backgrounds.setdefault(self.name, BackgroundActor(self))
        self._waiting.append((handle, execution.last_step(), self._loop.ready.flags()))
        return True

    def context_of_thread(self, context: Context | None) -> Context:
        """Return the context for a callback of the calling thread, as an actor of its own."""
        context = copy_context() if context is None else context
        thread = current_actor()
        if thread is not None and not thread.is_task:
            act_in(context, self._flow_of(thread))
        return context

    def _flow_of(self, thread: Actor) -> TaskActor:
        """Return the actor for the callbacks that a thread hands over."""
        if thread.name not in self._flows:
            self._flows[thread.name] = TaskActor(
                f"{thread.name}/calls", thread.node, lambda: None, home=self._loop, daemon=True,
                state=State.RUNNING,
            )  # fmt: skip
        return self._flows[thread.name]

    def put_end(self, handle: asyncio.Handle) -> None:
        """Queue a callback that ends a thread's job behind those the job has handed over."""
        if not (self._waiting and self.put(handle)):
            self._ready.append(handle)

    @property
    def has_unnoticed(self) -> bool:
        """Whether any callback is queued that did not wake the loop."""
        return bool(self._unnoticed)

    def leave_unnoticed(self, handle: asyncio.Handle) -> bool:
        """Queue a callback of a thread that does not wake the loop.

        False: the callback is the runtime's own, or the execution is ending. A loop that was awake
        at that moment would take it sooner, so nothing is proved.
        """
        actor = current_actor()
        if actor is None or actor.state is not State.RUNNING:
            return False
        execution = controlled()
        if execution is None or execution.controller.leaving():
            return False
        execution.controller.leave_unproven(
            f"{actor.name} uses an event loop, or an object of asyncio, of another thread, which "
            "does not wake the loop. Let it hand over the call: loop.call_soon_threadsafe(...)"
        )
        execution.controller.simplify(
            "a loop that sleeps takes what a thread schedules without call_soon_threadsafe when "
            "something else wakes it"
        )
        self._unnoticed.append(handle)
        return True

    def notice(self) -> None:
        """Make callbacks that did not wake the loop ready, before the one that woke it."""
        self._ready.extendleft(reversed(self._unnoticed))
        self._unnoticed.clear()

    @property
    def cause(self) -> "StepId | None":
        """The last step of the thread before it handed over the oldest callback."""
        return self._waiting[0][1] if self._waiting else None

    def pending(self) -> tuple[str, Footprint] | None:
        """Return the step in which the loop takes the oldest callback; None: there is none."""
        if not self._waiting:
            return None
        _, _, sooner = self._waiting[0]  # what was ready before
        is_set = self._loop.controller.record.waits.is_set
        return ("take the next callback", ANYTHING) if all(map(is_set, sooner)) else None

    def perform(self) -> None:
        """Make the oldest callback ready."""
        handle, _, _ = self._waiting.popleft()
        self._ready.append(handle)


def run_coroutine_threadsafe(coro: Any, loop: Any) -> Any:
    """Stand in for ``asyncio.run_coroutine_threadsafe``: the task sets the result in a step."""
    execution, actor = controlled(), current_actor()
    if execution is None or actor is None or execution.controller.phase != "race":
        return _real_run_coroutine_threadsafe(coro, loop)
    if not asyncio.iscoroutine(coro):
        raise TypeError("A coroutine object is required")
    if not hasattr(loop, "child_of"):
        coro.close()
        _end(execution, actor)
    handed = _Handed(execution, loop, coro)
    loop.call_soon_threadsafe(handed.start, loop.child_of(actor, coro))
    return handed.future


def _end(execution: ExecutionContext, actor: Actor) -> None:
    """End an execution that hands a coroutine to an event loop not under control."""
    controller = execution.controller
    controller.hazard(
        f"{actor.name} hands a coroutine to an event loop that a thread of the code under test "
        "runs; such a loop is not under control. Let the body, or the verb, be a coroutine (async "
        "def), and hand over to the loop that runs it"
    )
    controller.complete = False
    leave(actor)


class _Handed:
    """A coroutine that a thread has handed to a loop."""

    def __init__(self, execution: ExecutionContext, loop: LoopInterface, coro: Any) -> None:
        self.future = Future()
        self.future.withdraw = self._cancel
        self._loop = loop
        self._coroutine = coro
        self._task: asyncio.Task[Any] | None = None
        self._execution = execution

    def start(self, child: "TaskActor") -> None:
        """Start the coroutine on the loop as the task of ``child``."""
        self._task = self._loop.start(child, self._run(), context=copy_context())

    async def _run(self) -> None:
        try:
            result = await self._coroutine
        except Abandoned:
            raise
        except asyncio.CancelledError:
            if await self._ends("cancel"):
                self.future.keep_cancelled()
            raise
        except BaseException as error:  # noqa: BLE001 - the future raises it again
            if await self._ends("set exception of"):
                self.future.keep_exception(error)
        else:
            if await self._ends("set result of"):
                self.future.keep_result(result)

    async def _ends(self, what: str) -> bool:
        """Take the step that completes the future; False: the future was cancelled before."""
        if self._is_over():
            return False
        await async_context.step(
            self._execution, f"{what} {self.future.shown}", self._touched(), kind="lock",
            wait=Wait(sets=(self.future.flag,)),
        )  # fmt: skip
        return not self._is_over()

    def _is_over(self) -> bool:
        return super(Future, self.future).done()

    def _cancel(self, execution: ExecutionContext) -> bool:
        """Cancel from another thread: the future at once, the task later on the loop."""
        execution.step(
            f"cancel {self.future.shown}", self._touched(), kind="lock",
            wait=Wait(sets=(self.future.flag,)),
        )  # fmt: skip
        if self._is_over():
            return super(Future, self.future).cancelled()
        self.future.keep_cancelled()
        self._loop.call_soon_threadsafe(self._cancel_task)
        return True

    def _cancel_task(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _touched(self) -> Footprint:
        flag = frozenset({self.future.flag})
        return Footprint(flag, flag)
