"""Defines actors: users on real threads, tasks, and background work without a thread."""

import sys
import threading
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from enum import Enum
from types import FrameType
from typing import Any, ClassVar, NoReturn

from pytest_supercache.core.footprint import NOTHING, Footprint
from pytest_supercache.core.switch import Background
from pytest_supercache.core.trace import Pending, StepId
from pytest_supercache.core.waits import Wait
from pytest_supercache.runtime.kernel.baton import Baton
from pytest_supercache.runtime.kernel.functions_under_test import (
    frames_to,
    functions_of,
    sources_of,
)
from pytest_supercache.runtime.kernel.left_threads import wait_for_good

REFUSALS_MAX = 1000
"""How often code may catch what ends it, as a loop over a few entries does that cleans up."""

WORKED_OFF_MAX = 20
"""How many queue items an actor may process after every user has ended, each with a pause."""


class _Begun(threading.Event):
    """The started event of a thread, for which the starting thread does not wait."""

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - of the base class
        """Return at once: the baton shows when the thread has reached a switch point."""
        return True


class ActorThread(threading.Thread):
    """A thread that runs an actor; every other thread belongs to the code under test.

    Its methods are the unpatched ones, so none of them checks whether it is under control. Its
    start is no separate handoff: the thread begins when its starter waits for the baton.
    """

    start = threading.Thread.start
    join = threading.Thread.join
    is_alive = threading.Thread.is_alive

    def __init__(
        self, *, target: Callable[..., Any], name: str, args: tuple[Any, ...] = ()
    ) -> None:
        super().__init__(target=target, args=args, name=name, daemon=True)
        self._started: threading.Event = _Begun()  # the base class asks it, in every version

    def hand_on(self, give: Callable[[], None]) -> None:
        """Pass the baton on by calling ``give``, at the end of the thread's code."""
        give()


class Abandoned(BaseException):  # noqa: N818 - not an error: the execution is over, unwind
    """Raised at a switch point after the execution has ended; code under test must not see it."""


def leave(actor: "Actor | None") -> NoReturn:
    """Raise Abandoned into an actor's code."""
    refuse(actor, Abandoned())


def refuse(actor: "Actor | None", error: BaseException) -> NoReturn:
    """Raise an error into an actor's code; block for good if it has caught that time and again."""
    if actor is not None:
        if actor.stays:
            wait_for_good()
        actor.refusals += 1
    raise error


class State(Enum):
    """The state of an actor."""

    NEW = "new"
    PARKED = "parked"
    RUNNING = "running"
    DONE = "done"


NEW, PARKED, RUNNING, DONE = State
"""The states as module globals: looking up an enum member is slow in Python 3.11."""


@dataclass(slots=True, eq=False)
class Announced:
    """A step that an actor has announced and not taken yet."""

    label: str
    kind: str
    footprint: Footprint
    wait: Wait | None = None
    deadline: float | None = None  # virtual seconds; the step may be taken from then on
    recheck_from: int | None = None  # wait_until: enabled after a step from here on wrote its reads
    polls: bool = False  # repeats a question just answered; see runtime.kernel.polling
    fired: bool = False  # the deadline has passed
    is_paused: bool = False  # a fault blocks it until its deadline
    plan: Any = None  # what faults do to it
    has_answer: bool = False  # the actor goes on when an answer has come
    cause: StepId | None = None  # the step of another actor whose choice it was announced in


@dataclass(slots=True, eq=False)
class Actor:
    """One concurrent flow: its code runs on its own thread, while that thread has the baton."""

    is_task: ClassVar[bool] = False

    name: str
    node: str | None
    target: Callable[[], Any]
    daemon: bool = False
    function: Any = None  # of the code under test, that the target calls
    cause: StepId | None = None  # the step that started it; None: it was there from the beginning
    state: State = State.NEW
    pending: Announced | None = None
    dismissed: bool = False  # the execution has ended: it may only unwind
    refusals: int = 0  # how often what ends its code was raised into it
    direct: bool = False  # runs alone: its steps are taken at once, without the scheduler
    result: Any = None
    error: BaseException | None = None
    taken: int = 0  # steps so far
    operation: int | None = None
    operations: int = 0  # begun so far
    asks: int = 0  # on an event loop: commands in flight; its other sends are not inspected
    in_command: int = 0  # on an event loop: its awaits meanwhile belong to the client
    outside: int = 0  # steps outside of any operation
    late: BaseException | None = None  # raised as the answer of its present step
    operation_began: int = 0  # ``taken`` when the present operation began
    starts: int = 0  # steps that only record that its entry code has run
    has_acted: bool = False  # the present operation has started a timer, or something that runs
    carried: float = 0.0  # virtual seconds that passed while the present operation could go on
    inherited: list[Footprint] = field(default_factory=list)  # of the watched calls it is inside
    family: Footprint | None = None  # touched by each step of tasks that share unseen objects
    is_by_hand: bool = False  # its last step declares what the code up to the next one touches
    callers: int = 0  # enclosing calls that touch shared memory again at their answer
    lock_sites: dict[str, int] = field(default_factory=dict)  # number of locks created, by site
    born: str = ""  # the flag that its start set, when code under test started it
    started: int = 0  # threads, jobs and tasks that it has started
    is_through: bool = False  # its code has run: what remains touches no memory
    periods: int = 0  # wake-ups by time after every user had ended, without progress
    worked_off: int = 0  # queue items it has taken since then
    poll: Any = None  # its question answered "nothing"; see runtime.kernel.polling
    ended_at: int | None = None  # number of steps in the execution when it ended
    spin: Any = None  # its repeated questions; see runtime.kernel.spinning
    writes: int = 0  # to memory of the code under test; clocks and random numbers count
    baton: Any = field(default_factory=Baton)
    thread: threading.Thread | None = None
    context: Context | None = None  # the context variables that it begins with; None: none
    loop: Any = None  # the event loop that its thread runs now
    section: Any = None  # the critical section it is in; see runtime.memory.sections

    def begin(
        self, live: Callable[["Actor"], None], new_thread: Callable[..., ActorThread]
    ) -> None:
        """Start the actor's code."""
        if self.thread is not None:  # it waits on its thread already
            self.baton.give()
            return
        self.thread = new_thread(target=live, args=(self,), name=self.name)
        self.thread.start()

    def run(self) -> Any:
        """Run the actor's code, with the context variables that it begins with."""
        return self.target() if self.context is None else self.context.run(self.target)

    def wake(self) -> None:
        """Let the actor take the step it has announced."""
        self.baton.give()

    @property
    def stays(self) -> bool:
        """Whether the actor's code goes on, however often it is told to leave."""
        return self.refusals >= REFUSALS_MAX

    @property
    def in_flight(self) -> bool:
        """Whether the actor has begun an operation and not finished it."""
        return self.state is PARKED and self.taken > self.operation_began

    @property
    def is_resting(self) -> bool:
        """Whether the actor is between two operations, or at its end.

        One whose operation begins with a sleep is inside it.
        """
        return not (self.in_flight or (self.is_asleep and self._is_inside))

    @property
    def _is_inside(self) -> bool:
        """Whether the actor is inside an operation, or has none, and its code has begun."""
        return self.operation is not None or bool(self.starts and not self.operations)

    @property
    def has_begun(self) -> bool:
        """Whether the entry code of an operation has run, possibly without any step taken.

        Running the entry code of the first operation was a choice. A later operation counts as
        begun once it has started a timer or another actor, or has taken a step: until then it may
        as well begin later.
        """
        pending = self.pending
        if self.state is not PARKED or pending is None:
            return False
        if self.in_flight:
            return True
        if self.operation is None and (self.operations or pending.kind == "user"):
            return False
        return self.has_acted or (self.taken == self.starts and not pending.is_paused)

    @property
    def is_late(self) -> bool:
        """Whether its code runs in a later turn of its event loop than what was chosen."""
        return False

    @property
    def is_started(self) -> bool:
        """Whether code under test has started the actor: a thread, a job of a pool, a task."""
        return "/" in self.name

    @property
    def is_waiting(self) -> bool:
        """Whether the actor's thread waits for the baton."""
        return self.state is State.PARKED or (self.state is State.NEW and self.thread is not None)

    @property
    def waits_for_time(self) -> bool:
        """Whether the actor waits for a deadline that the clock can reach."""
        pending = self.pending
        return pending is not None and pending.deadline is not None and not pending.fired

    @property
    def is_asleep(self) -> bool:
        """Whether the actor waits for nothing but its deadline."""
        return self.waits_for_time and self.pending is not None and self.pending.kind == "clock"

    @property
    def is_paused(self) -> bool:
        """Whether a fault blocks the actor."""
        return self.pending is not None and self.pending.is_paused and not self.pending.fired

    @property
    def point(self) -> tuple[int, int]:
        """The number of the current operation (0: outside of any) and of the step within it."""
        if self.operation is None or not self.operations:  # or in that of who has started it
            return 0, self.outside
        return self.operations, self.taken - self.operation_began

    def work_off(self) -> None:
        """Note that the actor took an item off a queue, so that this wake-up was no repetition."""
        if self.periods and self.worked_off < WORKED_OFF_MAX:
            self.periods -= 1
            self.worked_off += 1

    def begin_operation(self, position: int | None) -> None:
        """Count the steps that follow towards the operation at ``position``."""
        self.operations += position is not None
        self.operation = position
        self.operation_began = self.taken
        self.has_acted = False
        self.carried = 0.0

    def end_first_lines(self) -> None:
        """Note that the step just taken only records that the actor's entry code has run."""
        self.starts += 1
        self.operation_began = self.taken

    def as_pending(self, *, enabled: bool) -> Pending:
        """Return the actor's next step, for the record."""
        announced = self.pending
        if announced is not None:
            return Pending(
                self.name, announced.label, announced.footprint, enabled, announced.wait,
                announced.deadline, announced.recheck_from is not None,
                announced.cause or self.cause,
            )  # fmt: skip
        if self.born:
            footprint = Footprint(reads=frozenset({self.born}))
            return Pending(self.name, "start", footprint, enabled, Wait(flags=(self.born,)))
        return Pending(self.name, "start", NOTHING, enabled)

    def as_blocked(self) -> Pending:
        """Return the step in which the actor is blocked for ever."""
        found, stack = self.as_pending(enabled=False), self.stack()
        found.functions, found.sources = functions_of(stack), sources_of(stack)
        del stack  # it may hold the frame of this call
        return found

    @property
    def holds_as(self) -> str:
        """The name under which it holds what belongs to a thread, on which others may run, too."""
        return getattr(self.thread, "holds_as", "") or self.name

    def stack(self) -> list[FrameType]:
        """Return the frames of the actor, the outermost first."""
        if self.thread is None:
            return []
        return frames_to(sys._current_frames().get(self.thread.ident or 0))


class BackgroundActor:
    """A pseudo-actor for background work: without a thread, run by the thread that schedules."""

    __slots__ = ("name", "node", "pending", "taken", "widened", "work")

    operation: None = None
    point: None = None  # where faults can strike is counted by actors

    def __init__(self, work: Background) -> None:
        self.name = work.name
        self.node = work.node
        self.work = work
        self.pending = work.pending
        self.taken = 0
        self.widened: Callable[[str, str, Footprint], Footprint] | None = None

    @property
    def cause(self) -> StepId | None:
        """The step that made this work possible."""
        return self.work.cause

    def stack(self) -> list[FrameType]:
        """Return no frames: the scheduling thread performs the work."""
        return []

    def announced(self) -> Announced | None:
        """Return the next step of the work; None when nothing is pending."""
        pending = self.pending()
        if pending is None:
            return None
        label, footprint = pending
        if self.widened is not None:
            footprint = self.widened(self.name, label, footprint)
        return Announced(label, getattr(self.work, "kind", "message"), footprint)


def name_of_child(parent: Actor) -> str:
    """Return the name of the next actor that ``parent`` starts: ``alice/1``, then ``alice/2``.

    Actors that the body starts, in a factory or before the race, belong to the system.
    """
    parent.started += 1
    parent.has_acted = True
    root = ("system" if parent.node else "body") if parent.direct else parent.name
    return f"{root}/{parent.started}"
