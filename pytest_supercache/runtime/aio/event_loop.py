"""Defines the event loop of an execution: its selector asks the controller, its clock is virtual.

asyncio calls its selector when no callback is ready. Here that means: every task has reached a
switch point or waits inside asyncio, so the scheduler chooses the next step or moves the clock.
Callbacks that are ready before that run in asyncio's own order. Where they touch what others see,
they are steps (`ready_queue`), which answers may precede as they do in production.
"""

import asyncio
import selectors
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from types import FrameType
from typing import Any, TypeVarTuple
from weakref import WeakSet

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.waits import WaitsForEverError
from pytest_supercache.runtime.aio.await_grain import Parted
from pytest_supercache.runtime.aio.loop import LoopInterface
from pytest_supercache.runtime.aio.loop_callbacks import called_by_loop, eager_flow
from pytest_supercache.runtime.aio.loop_executor import run_on_thread
from pytest_supercache.runtime.aio.loop_inbox import Inbox
from pytest_supercache.runtime.aio.loop_sleepers import Sleepers
from pytest_supercache.runtime.aio.loop_waits import Waiting, note_waits
from pytest_supercache.runtime.aio.memory_net import Network, Server
from pytest_supercache.runtime.aio.ready_queue import ReadyQueue
from pytest_supercache.runtime.aio.tasks import Task, live
from pytest_supercache.runtime.aio.timers import Timers, seconds_at, shown_at
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.actor import (
    Actor,
    Announced,
    State,
    name_of_child,
)
from pytest_supercache.runtime.kernel.baton import Baton
from pytest_supercache.runtime.kernel.blocking_calls import take_alone
from pytest_supercache.runtime.kernel.calling import current_actor
from pytest_supercache.runtime.kernel.controller import Controller
from pytest_supercache.runtime.kernel.coroutines import is_inner, serves
from pytest_supercache.runtime.kernel.readings import MICROSECOND, ORDER
from pytest_supercache.runtime.kernel.task_actor import ACTING, TaskActor, act_in
from pytest_supercache.runtime.kernel.timekeeper import TICKS_MAX
from pytest_supercache.runtime.kernel.under_test import is_under_test_name
from pytest_supercache.runtime.kernel.waking import wait_of
from pytest_supercache.runtime.memory.shown_times import note_if_shown_to_two

Args = TypeVarTuple("Args")

_MAKES_TASKS = "sqlalchemy.ext.asyncio."
"""A framework that shields the end of a session in a task, and awaits it: that is seen, too."""

_FOR_ONE_REQUEST = ("starlette.", "fastapi.")
"""Frameworks whose tasks share nothing with those of another request."""

_PASS_ON = frozenset({"asyncio", "anyio"})
"""Packages that make tasks for others."""

SOCKET_SECONDS = 0.05
"""How long to wait for sockets at a time, while a command is on its way to a real server."""


_OWN_READERS = frozenset({"asyncio", "pytest_supercache"})
"""Packages that read a loop's time for their own ends."""


class ControlledLoop(LoopInterface):
    """Runs the tasks of one execution on the thread of ``host``.

    Args:
        controller: chooses the next step when no callback is ready.
        host: the actor whose thread runs the loop: the body of an execution.
    """

    def __init__(self, controller: Controller, host: Actor) -> None:
        self._gate = Selector(self._pause)
        self.swaps_state = controller.swaps_state
        super().__init__(self._gate)  # type: ignore[arg-type] # it has each method that asyncio calls
        self.controller, self.host = controller, host
        self.turn = Actor("event loop", None, _nothing, state=State.RUNNING)
        self.racing, self.context = False, copy_context()  # the body's, at the race's start
        self.answers_awaited = 0  # commands in flight to a real server
        self.actors: dict[asyncio.Task[Any], TaskActor] = {}
        self.connections: WeakSet[Any] = WeakSet()  # of redis-py, on sockets
        self.lost: list[tuple[str, BaseException]] = []
        self.failed: list[tuple[str, asyncio.Future[Any]]] = []  # jobs of executors
        self._network = Network(self)
        self.tools: dict[int, tuple[TaskActor, Any]] = {}  # by id: its first user
        self.stuck: BaseException | None = None
        self._callbacks: Any = vars(self)["_ready"]  # asyncio's own
        self.inbox = Inbox(self, self._callbacks)
        self.ready = ReadyQueue(self)
        self.turn_of_choice = 0
        self._baton = self.turn.baton = Baton()
        self._ident = threading.get_ident()
        self._clock = controller.time.clock
        # A timer is due when its time has come; in a float of today less than this is not seen.
        self._clock_resolution = 0.5 * MICROSECOND
        self._rest: asyncio.Future[None] | None = None
        self._ticks = 0
        self._waiting: Waiting | None = None
        self.lookers: dict[asyncio.Task[Any], dict[str, TaskActor]] = {}
        self.timers = Timers(self)
        self.sleepers = defaultdict[str | None, Sleepers](partial(Sleepers, controller))

    # -- the interface that asyncio expects of a loop ----------------------------------------------

    def time(self) -> float:
        """Return the time that `time.monotonic` shows, as the loops of asyncio do.

        Code that reads it in a loop is in a new state each time, as with every other clock. asyncio
        reads it for its own timers.
        """
        name = str(sys._getframe(1).f_globals.get("__name__"))
        passed = 0
        if name.partition(".")[0] not in _OWN_READERS and (actor := current_actor()) is not None:
            actor.writes += 1
            self.controller.record.readings += 1
            passed = self._passed(actor, name)
        return shown_at(self._clock.now()) + passed * MICROSECOND

    def _passed(self, actor: Actor, module: str) -> int:
        """Return the logical clock, in microseconds, of code that reads the loop's time."""
        execution, memory = controlled(), self.controller.memory
        if execution is None or (actor.is_task and memory is None):
            return 0
        if not actor.is_task or actor.direct:
            return execution.readings.latest()
        is_ordered = module in memory.sharing.clocks and memory.join_reading(actor, ORDER)
        passed = execution.readings.next(actor, is_step=is_ordered)
        note_if_shown_to_two(execution, actor, passed, module)
        return passed

    def _make_self_pipe(self) -> None:
        """Do nothing: no other thread wakes this loop, because one thread runs at a time."""

    def _close_self_pipe(self) -> None:
        """Do nothing: there is no self-pipe."""

    def _write_to_self(self) -> None:
        """Do nothing: callbacks of another thread run when it reaches a switch point."""

    def _check_thread(self) -> None:
        """Allow calls from another thread, which are safe while this one waits for the baton."""

    def call_soon(
        self, callback: Callable[[*Args], object], *args: *Args, context: Context | None = None
    ) -> asyncio.Handle:
        """Schedule a callback, which will run with the module-level state of its actor's node."""
        called, given = called_by_loop(self._nodes, callback, args, context)
        if self.is_closed():  # asyncio raises
            return super().call_soon(called, *given, context=context)
        handle = asyncio.Handle(called, given, self, context)
        is_here = threading.get_ident() == self._ident or not self.racing
        if is_here or not self.inbox.leave_unnoticed(handle):
            self._callbacks.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Args], object], *args: *Args, context: Context | None = None
    ) -> asyncio.Handle:
        """Schedule a callback; if from another thread, at a moment that the scheduler chooses."""
        is_here = threading.get_ident() == self._ident or not self.racing
        context = context if is_here else self.inbox.context_of_thread(context)
        called, given = called_by_loop(self._nodes, callback, args, context)
        handle = asyncio.Handle(called, given, self, context)
        if is_here or not self.inbox.put(handle):
            return super().call_soon_threadsafe(called, *given, context=context)
        return handle

    def create_task(
        self, coro: Any, *, name: Any = None, context: Context | None = None, **rest: Any
    ) -> asyncio.Task[Any]:
        """Create a task as a new actor, named after the calling actor."""
        parent = self.acting() or self.host
        context = copy_context() if context is None else context
        if is_inner(coro):
            task = super().create_task(coro, name=name, context=context, **rest)
            if isinstance(parent, TaskActor):
                self.actors[task] = parent
                asyncio.Task.add_done_callback(task, self._forget)
            return task
        return self.start(self.child_of(parent, coro), coro, name=name, context=context, **rest)

    def start(
        self, child: TaskActor, coro: Any, *, name: Any = None, context: Context, **rest: Any
    ) -> asyncio.Task[Any]:
        """Start a coroutine as the task of ``child``, the actor made for it."""
        name = child.name if name is None else name
        act_in(context, child)
        task = self._made(child, self._parted(coro), name, context, **rest)
        self._adopt(child, task, context)
        asyncio.Task.add_done_callback(task, self._ended)  # no use by the code under test
        return task

    def _made(
        self, actor: TaskActor, coro: Any, name: str, context: Context, **rest: Any
    ) -> asyncio.Task[Any]:
        """Create a task; a task made by a custom task factory does not report its cancellation."""
        if self.get_task_factory() is None and not rest:
            return Task(coro, actor=actor.name, loop=self, name=name, context=context)
        return super().create_task(coro, name=name, context=context, **rest)

    def note_look(self, task: asyncio.Task[Any]) -> None:
        """Note that a task is awaited, or asked whether it has ended, maybe by another one."""
        actor = self.acting() if self.racing else None
        if actor is not None and actor is not self.actors.get(task) and not self._is_told(task):
            self.lookers.setdefault(task, {})[actor.name] = actor
            looked_at = self.actors.get(task, self.host)  # it has ended
            self.note_synchronization(actor, f"task {looked_at.name}", wait_of(actor))

    def _is_told(self, task: asyncio.Task[Any]) -> bool:
        """Say whether a callback of asyncio looks at a task: it was called because that ended."""
        if asyncio.current_task(self) is not None:
            return False
        caller: str = sys._getframe(4).f_globals.get("__name__", "")
        return caller.startswith("asyncio.")

    def note_synchronization(self, actor: TaskActor, *what: str) -> None:
        """Note that a task waits for another one, or uses a primitive that tasks wait on."""
        memory = self.controller.memory
        if memory is not None:
            memory.note_turn(actor)
            if not self.controller.shared_memory:
                memory.note_synchronization(actor, *what)

    def note_cancel(self, task: asyncio.Task[Any]) -> None:
        """Note that another actor cancels a task, which may be before the answer of any step."""
        actor, memory = self.actors.get(task), self.controller.memory
        if actor is None or memory is None or asyncio.Task.done(task) or self.controller.leaving():
            return
        if self.racing and task is not asyncio.current_task(self) and not actor.dismissed:
            memory.sharing.note_cancelled(actor.name)
            other = self.acting()
            if other not in {None, actor} and not _are_one_family(other, actor):
                self.controller.note_undeclared(f"{other.name} cancels the task of {actor.name}")

    def create_future(self) -> asyncio.Future[Any]:
        """Create a future; one that code under test creates counts as memory shared by tasks."""
        actor = self.acting() if self.racing and not self.controller.shared_memory else None
        if actor is not None:
            caller = sys._getframe(1).f_globals.get("__name__", "")
            if is_under_test_name(caller):
                self.controller.note_memory(f"{actor.name} made a future")
        return super().create_future()

    async def create_server(  # type: ignore[override] # less precise types
        self, protocol_factory: Any, host: Any = None, port: Any = None, **_options: Any
    ) -> Server:
        """Create a server in memory: requests from outside could not be controlled."""
        return self._network.listen(protocol_factory, host, port)

    async def create_connection(
        self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> tuple[Any, Any]:
        """Connect in memory to a server of this loop; to any other server as usual."""
        if self._network.serves(port):
            return self._network.connect(protocol_factory, port)
        return await super().create_connection(protocol_factory, host, port, **options)

    def serves(self, port: int | None) -> bool:
        """Say whether the code under test has its own server on ``port``."""
        return self._network.serves(port)

    def note_exchange(self) -> None:
        """Note that tasks exchange data that no footprint declares."""
        if self.racing:
            self.controller.note_memory("tasks talk over a connection in memory")

    def run_in_executor(  # type: ignore[override] # less precise types
        self, executor: Any, func: Any, *args: Any
    ) -> asyncio.Future[Any]:
        """Run a function on a thread that is an actor; outside of the race, at once."""
        return run_on_thread(self, self.acting(), executor, func, args)

    def put_end(self, handle: asyncio.Handle) -> None:
        """Queue the end of a job behind the callbacks that the job has handed over."""
        self.inbox.put_end(handle)

    # -- tasks and their actors ------------------------------------------------------------------

    def acting(self) -> TaskActor | None:
        """Return the actor whose task or callback is running; None: the body's own code."""
        task = asyncio.current_task(self)
        actor = ACTING.get() if task is None else self.actors.get(task)
        is_unknown = actor is None and task is not None and self.racing
        return eager_flow(self.controller) if is_unknown else actor

    def main(self, coroutine: Any) -> asyncio.Task[Any]:
        """Create the task of the body, which acts as the body itself."""
        return super().create_task(coroutine, name="body")

    def begin(self, actor: TaskActor) -> None:
        """Start the task of a user that was chosen for the first time."""
        context = self.context.copy()
        flow = self._parted(live(actor, self.controller))
        task = self._made(actor, flow, actor.name, context)
        self._adopt(actor, task, context)
        self.wake()

    def runs_on(self, thread: int) -> bool:
        """Say whether the loop is running on ``thread``."""
        return thread == self._ident and self.is_running()

    def wake(self) -> None:
        """Pass the baton to the loop's thread, if another thread has it."""
        if threading.get_ident() != self._ident:
            self._baton.give()

    def keep(self, connection: Any) -> None:
        """Remember a connection to close, if the loop uses real sockets."""
        if self._gate.sockets is not None:
            self.connections.add(connection)

    def has_work(self) -> bool:
        """Say whether a callback is ready or a timer is due."""
        if self._callbacks:
            return True
        deadline = self.timers.next_deadline()
        return deadline is not None and deadline < self._clock.now() + 1e-9

    def call_at(
        self, when: float, callback: Callable[[*Args], object], *args: *Args, **context: Any
    ) -> asyncio.TimerHandle:
        """Start a timer, and remember the actor that did."""
        called, given = called_by_loop(self._nodes, callback, args, context.get("context"))
        due = shown_at(seconds_at(when))  # to the microsecond: sums of floats may miss each other
        handle = super().call_at(due, self._run_timer, seconds_at(when), called, given, **context)
        actor = self.acting() or self.host
        self.timers.start(handle, actor, callback)
        self.controller.time.note_timer(actor)
        return handle

    def _run_timer(
        self, due: float, callback: Callable[..., object], args: tuple[Any, ...]
    ) -> None:
        before = len(self._callbacks)
        callback(*args)
        if self.racing and self._resumes_in_steps:
            self.ready.note_timer(due, list(self._callbacks)[before:])

    def child_of(self, parent: Actor, coro: Any) -> TaskActor:
        """Make the actor for a coroutine that ``parent`` is about to start."""
        child = TaskActor(
            name_of_child(parent), parent.node, _nothing, home=self,
            daemon=parent.daemon or parent is self.host or serves(coro), state=State.RUNNING,
        )  # fmt: skip
        child.family = parent.family
        if parent is not self.host and not self._is_followed(parent, child):
            self.controller.note_undeclared(f"{parent.name} starts the task {child.name}")
        child.operation = parent.operation
        child.periods = parent.periods
        child.inherited = list(parent.inherited)
        child.dismissed = parent.dismissed
        return child

    def _is_followed(self, parent: Actor, child: TaskActor) -> bool:
        """Say whether it is seen when tasks meet, as code under test has made this one.

        What tasks of a task group of anyio, or of one request, share inside of the framework is not
        seen: they become a family, whose steps depend on each other.
        """
        if self.controller.memory is None or self.get_task_factory() is not None:
            return False
        maker, is_usual = _maker_of_task()
        if is_usual and (is_under_test_name(maker) or maker.startswith(_MAKES_TASKS)):
            return True
        if not (is_under_test_name(maker) or maker.startswith(_FOR_ONE_REQUEST)):
            return False
        return child.family is not None or self._found_family(parent, child)

    def _found_family(self, parent: Actor, child: TaskActor) -> bool:
        """Make one family of two tasks; False: a step of another one has been announced by now."""
        actors = self.controller.actors
        inside = f"{parent.name}/"
        if any(one.pending is not None for name, one in actors.items() if name.startswith(inside)):
            return False
        both = frozenset({f"memory:tasks of {parent.name}"})
        parent.family = child.family = Footprint(both, both)
        return True

    @property
    def _nodes(self) -> Controller | None:
        return self.controller if self.swaps_state else None

    def _parted(self, coro: Any) -> Any:
        """Wrap a coroutine to make each suspension a switch point, at grain ``await``."""
        return Parted(coro, self.acting) if self.controller.grain == "await" else coro

    def _adopt(self, actor: TaskActor, task: asyncio.Task[Any], context: Context) -> None:
        actor.task = task
        self.actors[task] = actor
        act_in(context, actor)
        if self.racing:
            self.controller.actors[actor.name] = actor

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self.actors.pop(task, None)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        actor = self.actors[task]
        memory = self.controller.memory
        if self.racing and memory is not None and memory.sharing.tasks_synchronize:
            lookers = self.lookers.pop(task, {})
            memory.note_synchronization(
                actor, f"task {actor.name}", *map(wait_of, lookers.values())
            )
        self.controller.ended(actor)

    # -- steps -----------------------------------------------------------------------------------

    async def arrive(self, actor: TaskActor, announced: Announced) -> None:
        """Announce a step of a task, and return when it is taken.

        Raises:
            Abandoned: the execution has ended; leave.
        """
        if actor.stays:
            await super().create_future()  # nobody ends it
        if self._callbacks or self.timers.next_deadline() is not None:
            self.controller.fused = None  # these may run before
        self.ready.note_sent(actor, announced)
        sleepers = self.sleepers[actor.node]  # each node has a loop of its own
        sleepers.add(actor, announced)
        if self.controller.announce(actor, announced):
            sleepers.remove(announced, woke=True)
            return
        actor.gate = super().create_future()  # internal, so no shared memory
        try:
            await actor.gate
        except BaseException:  # cancelled: the step is not taken, now or later
            actor.pending = None
            sleepers.remove(announced, woke=False)
            raise
        finally:
            actor.gate = None
            actor.state = State.RUNNING
        sleepers.remove(announced, woke=True)
        self.controller.leave_if_over(actor)

    async def rest(self) -> None:
        """Wait, outside of the race, until only the clock can enable anything."""
        self._rest = self.create_future()
        await self._rest

    def _pause(self, timeout: float | None) -> Any:
        """Wait until something wakes the loop; then also take callbacks that did not wake it."""
        was_racing = self.racing
        events = self._woken(self._at_end_of_turn(timeout))
        is_end_of_race = was_racing and not self.racing  # that wakes the loop of the body only here
        if self.inbox.has_unnoticed and not is_end_of_race and (events or self.has_work()):
            self.inbox.notice()
        return events

    def _at_end_of_turn(self, timeout: float | None) -> float | None:
        """Make steps of what became ready; return how long to wait, 0: something runs at once."""
        if not self.racing or self.controller.given_up:
            left = self.ready.release_all()
            self._callbacks.extend(left)
            return 0 if left else timeout
        if self.answers_awaited:
            return timeout
        self.turn_of_choice += 1
        if not (self._resumes_in_steps and self.controller.choices):
            return timeout
        self.ready.hold(self._callbacks, self._is_note)
        return 0 if self._callbacks else None

    @property
    def _resumes_in_steps(self) -> bool:
        memory = self.controller.memory
        return memory is not None and memory.sharing.resumes and self.controller.grain != "await"

    def _is_note(self, function: Any) -> bool:
        """Say whether a callback only notes that a task has ended."""
        return function in (self._ended, self._forget)

    def resume(self, actor: TaskActor) -> None:
        """Run the callback that is an actor's next step."""
        self._callbacks.extend(self.ready.release(actor))

    def _woken(self, timeout: float | None) -> Any:
        """Wait for a real answer, or let the controller choose, when no callback is ready."""
        sockets = self._gate.sockets
        if sockets is not None and (events := sockets.select(0)):
            return events
        if timeout == 0:
            return []
        if self.answers_awaited and sockets is not None:
            return sockets.select(SOCKET_SECONDS)
        self.controller.progress += 1
        if self.racing:
            self._ask()
        else:
            self._alone()
        return []

    def _ask(self) -> None:
        self._waiting = note_waits(self, self._waiting, self._gate.sockets)
        chosen = self.controller.ask()
        self._callbacks.extend(self.ready.take_postponed())
        self.turn_of_choice = 0
        if chosen is self.turn:
            return
        self.controller.pass_on(chosen)
        if chosen is not None and not isinstance(chosen, TaskActor):
            self._baton.take()

    def _alone(self) -> None:
        """Run tasks outside the race in the order of their creation, then let time pass."""
        for actor in self.actors.values():
            if take_alone(self.controller, actor):
                actor.wake()
                return
        if self.controller.let_run():
            return
        if self._rest is not None:
            self._rest.set_result(None)
            self._rest = None
            return
        self._ticks += 1
        is_over = self._ticks > TICKS_MAX * 10
        if is_over or not self.controller.pass_time(timer=self.timers.next_deadline()):
            self.controller.look_outside(self.controller)
            self.stuck = WaitsForEverError(
                "the body waits for ever: nothing else runs now that could end it"
            )
            self.stop()

    # -- the end ---------------------------------------------------------------------------------

    def forget(self) -> None:
        """Drop all references, so that an execution that is over is not kept alive."""
        for task, actor in self.actors.items():
            if task.done() and not task.cancelled():
                task.exception()
            actor.task = actor.home = None  # no cycles: batons are closed now
        self.controller.left_tasks += [one for one in self.actors if not one.done()]
        self.actors.clear()
        self.failed.clear()
        self.tools.clear()
        self.lookers.clear()
        self._waiting = None
        self.timers.forget()
        self._network.close()
        with suppress(RuntimeError):
            self.close()
        self.swaps_state = False  # fakeredis keeps the loop for a while: leave it empty
        del self._gate, self._network, self.controller, self.host, self.turn, self._baton
        del self.ready


def _nothing() -> None:
    return None


class Selector:
    """A selector for asyncio that pauses by a callback; real sockets use a real selector."""

    def __init__(self, pause: Callable[[float | None], Any]) -> None:
        self._pause = pause
        self.sockets: selectors.BaseSelector | None = None

    def select(self, timeout: float | None) -> Any:
        """Return the ready events, after the loop's pause."""
        return self._pause(timeout)

    def close(self) -> None:
        """Close the real selector."""
        if self.sockets is not None:
            self.sockets.close()

    def get_map(self) -> Any:
        """Return the registered sockets."""
        return {} if self.sockets is None else self.sockets.get_map()

    def __getattr__(self, name: str) -> Any:  # register, unregister, modify, get_key
        if self.sockets is None:
            self.sockets = selectors.DefaultSelector()
        return getattr(self.sockets, name)


def _maker_of_task() -> tuple[str, bool]:
    """Return the module that makes a task, and whether it does so by asyncio's functions alone."""
    frame: FrameType | None = sys._getframe(4)
    is_usual = True
    while frame is not None and _module_of(frame).partition(".")[0] in _PASS_ON:
        is_usual &= _module_of(frame).partition(".")[0] == "asyncio"
        frame = frame.f_back
    return ("" if frame is None else _module_of(frame)), is_usual


def _module_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _are_one_family(one: Actor | None, other: Actor) -> bool:
    return one is not None and one.family is not None and one.family is other.family
