"""Actors: users on real threads, tasks, and background work without a thread."""

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar

from pytest_supercache.core.footprint import NOTHING, Footprint
from pytest_supercache.core.switch import Background
from pytest_supercache.core.trace import Pending, StepId
from pytest_supercache.core.waits import Wait
from pytest_supercache.runtime.kernel.baton import Baton
from pytest_supercache.runtime.kernel.functions_under_test import functions_on_stack

WORKED_OFF_MAX = 20
"""How many things an actor may work off, with a pause for each, once every user has ended."""


class _Begun(threading.Event):
    """Says that a thread has begun; whoever starts it does not wait for that."""

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - of the base class
        """Return at once: the baton says when the thread has got somewhere."""
        return True


class ActorThread(threading.Thread):
    """A thread that runs an actor; every other one is the code under test's own.

    Its methods are those of before any check: nobody has to ask whether it is under control. And
    its start is no handoff of its own: the thread begins when the starter waits for the baton.
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
        """At the end of its code: let somebody else have the baton."""
        give()


class Abandoned(BaseException):  # noqa: N818 - not an error: the execution is over, unwind
    """Raised at a switch point when the execution has ended; code under test must not see it."""


class WaitsForEverError(Exception):
    """Raised into code under test that would wait although nothing else runs."""


class State(Enum):
    """Where an actor stands."""

    NEW = "new"
    PARKED = "parked"
    RUNNING = "running"
    DONE = "done"


NEW, PARKED, RUNNING, DONE = State
"""The same by names that are found at once: to ask an enum is slow in Python 3.11."""


@dataclass(slots=True, eq=False)
class Announced:
    """A step that an actor has announced and not taken yet."""

    label: str
    kind: str
    footprint: Footprint
    wait: Wait | None = None
    deadline: float | None = None  # virtual seconds; the step may be taken from then on
    recheck_from: int | None = None  # wait_until: enabled after a step from here on wrote its reads
    polls: bool = False  # asks again what it was just told; see runtime.polling
    fired: bool = False  # the deadline has passed
    is_paused: bool = False  # a fault holds it back until its deadline
    plan: Any = None  # what faults do to it


@dataclass(slots=True, eq=False)
class Actor:
    """One concurrent flow. Only its own thread runs its code, and only while it has the baton."""

    is_task: ClassVar[bool] = False

    name: str
    node: str | None
    target: Callable[[], Any]
    daemon: bool = False
    cause: StepId | None = None  # the step that started it; None: it was there from the beginning
    state: State = State.NEW
    pending: Announced | None = None
    dismissed: bool = False  # the execution has ended: it may only unwind
    direct: bool = False  # alone: its steps are taken at once, nobody is asked
    result: Any = None
    error: BaseException | None = None
    taken: int = 0  # steps so far
    operation: int | None = None
    operations: int = 0  # begun so far
    asks: int = 0  # on an event loop: commands under way; what else it sends is not looked at
    in_command: int = 0  # on an event loop: what it awaits meanwhile is the client's business
    outside: int = 0  # steps outside of any operation
    late: BaseException | None = None  # raised as the answer of its present step
    operation_began: int = 0  # ``taken`` when the present operation began
    starts: int = 0  # steps that only say that its first lines have run
    has_acted: bool = False  # the present operation has started a timer, or something that runs
    carried: float = 0.0  # virtual seconds that passed while the present operation could go on
    inherited: list[Footprint] = field(default_factory=list)  # of the watched calls it is inside
    is_by_hand: bool = False  # its last step declares what the code up to the next one touches
    callers: int = 0  # calls it is inside that touch shared memory again when they are answered
    lock_sites: dict[str, int] = field(default_factory=dict)  # how many locks it made where
    born: str = ""  # the flag that its start set, when code under test started it
    started: int = 0  # threads, jobs and tasks that it has started
    is_through: bool = False  # its code has run: what is left to do touches no memory
    periods: int = 0  # how often time woke it after every user had ended, for nothing new
    worked_off: int = 0  # things that it has taken off a queue since then
    poll: Any = None  # the question that was answered "nothing"; see runtime.polling
    ended_at: int | None = None  # how many steps there were when it had ended
    spin: Any = None  # what it asks again and again; see runtime.spinning
    writes: int = 0  # to memory of the code under test, clocks and dice included
    baton: Any = field(default_factory=Baton)
    thread: threading.Thread | None = None
    loop: Any = None  # the event loop that its thread runs now
    section: Any = None  # the critical section it is in; see runtime.memory.sections

    def begin(
        self, live: Callable[["Actor"], None], new_thread: Callable[..., ActorThread]
    ) -> None:
        """Start its code."""
        if self.thread is not None:  # it waits on its thread already
            self.baton.give()
            return
        self.thread = new_thread(target=live, args=(self,), name=self.name)
        self.thread.start()

    def wake(self) -> None:
        """Let it take the step it has announced."""
        self.baton.give()

    @property
    def in_flight(self) -> bool:
        """Whether it has begun an operation and not finished it."""
        return self.state is PARKED and self.taken > self.operation_began

    @property
    def has_begun(self) -> bool:
        """Whether the first lines of an operation have run, though it may have taken no step.

        To run those of the first one was a choice. A later one counts as begun when it has started
        a timer or something that runs, or has taken a step: until then it may as well begin later.
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
    def is_started(self) -> bool:
        """Whether code under test has started it: a thread, a job of a pool, a task."""
        return "/" in self.name

    @property
    def is_waiting(self) -> bool:
        """Whether its thread waits for the baton."""
        return self.state is State.PARKED or (self.state is State.NEW and self.thread is not None)

    @property
    def waits_for_time(self) -> bool:
        """Whether the clock can bring it on."""
        pending = self.pending
        return pending is not None and pending.deadline is not None and not pending.fired

    @property
    def is_paused(self) -> bool:
        """Whether a fault holds it back."""
        return self.pending is not None and self.pending.is_paused and not self.pending.fired

    @property
    def point(self) -> tuple[int, int]:
        """Where it is: the number of its operation (0: outside of any) and of the step there."""
        if self.operation is None or not self.operations:  # or in that of who has started it
            return 0, self.outside
        return self.operations, self.taken - self.operation_began

    def work_off(self) -> None:
        """Note that it has taken something off a queue: waking for that was no repetition."""
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
        """Note that the step that was just taken only says that its first lines have run."""
        self.starts += 1
        self.operation_began = self.taken

    def as_pending(self, *, enabled: bool) -> Pending:
        """Describe what it is about to do, for the record."""
        announced = self.pending
        if announced is not None:
            return Pending(
                self.name, announced.label, announced.footprint, enabled, announced.wait,
                announced.deadline, announced.recheck_from is not None, self.cause,
            )  # fmt: skip
        if self.born:
            footprint = Footprint(reads=frozenset({self.born}))
            return Pending(self.name, "start", footprint, enabled, Wait(flags=(self.born,)))
        return Pending(self.name, "start", NOTHING, enabled)

    def as_blocked(self) -> Pending:
        """Describe where it waits for ever."""
        found = self.as_pending(enabled=False)
        found.functions = self.functions()
        return found

    def functions(self) -> tuple[str, ...]:
        """Return the functions under test that it is in, the outermost first."""
        if self.thread is None:
            return ()
        return functions_on_stack(sys._current_frames().get(self.thread.ident or 0))


class BackgroundActor:
    """A pseudo-actor around background work: it has no thread, whoever schedules performs it."""

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
        """The step without which it could not be done."""
        return self.work.cause

    def functions(self) -> tuple[str, ...]:
        """Return no functions: whoever schedules performs it."""
        return ()

    def announced(self) -> Announced | None:
        """Return what it would do next."""
        pending = self.pending()
        if pending is None:
            return None
        label, footprint = pending
        if self.widened is not None:
            footprint = self.widened(self.name, label, footprint)
        return Announced(label, getattr(self.work, "kind", "message"), footprint)


def name_of_child(parent: Actor) -> str:
    """Name the next actor that ``parent`` starts: ``alice/1``, ``alice/2`` and so on.

    What the body starts, in a factory or before the race, belongs to the system.
    """
    parent.started += 1
    parent.has_acted = True
    root = ("system" if parent.node else "body") if parent.direct else parent.name
    return f"{root}/{parent.started}"
