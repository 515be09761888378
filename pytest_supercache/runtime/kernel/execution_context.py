"""Defines the context of one execution, through which code announces steps at switch points."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

from pytest_supercache.core.fault import DELAY_SECONDS
from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.schedule import Schedule, moves_made
from pytest_supercache.core.switch import Switch
from pytest_supercache.core.trace import Step, StepId
from pytest_supercache.core.waits import Wait, WaitState
from pytest_supercache.layers.messages import Mailbox
from pytest_supercache.runtime.kernel.actor import Actor, Announced
from pytest_supercache.runtime.kernel.calling import current_actor
from pytest_supercache.runtime.kernel.controller import Controller
from pytest_supercache.runtime.kernel.expiries import Expiries
from pytest_supercache.runtime.kernel.faults import Failure, Injection, Plan
from pytest_supercache.runtime.kernel.node_version import Dialect
from pytest_supercache.runtime.kernel.readings import Readings

WRITES = frozenset({"existing_cache.log:writes"})
"""The resource that every write touches when the order of all writes matters."""

SHARED_LAYERS = frozenset({"origin", "existing_cache"})
"""Layers that exist once; every other layer exists once per node."""


class ExecutionContext:
    """The interface of one execution for the code that runs in it."""

    def __init__(
        self,
        controller: Controller,
        switch: Switch,
        expiries: Expiries,
        faults: Injection,
    ) -> None:
        self.controller = controller
        self.switch = switch
        self.record = controller.record
        self.expiries = expiries
        self.contents: dict[str, Any] = {}  # of queues and similar objects, by wait object
        self.stand_ins: dict[int, Any] = {}  # of real locks and queues, by identity
        self.threads: dict[threading.Thread, Actor] = {}  # started by code under test
        self.workers: list[Any] = []  # of pools
        self.readings = Readings(self.record)
        self.faults = faults
        self.on_step: Callable[[Step], None] | None = None  # called by the actor that takes it
        self.commands: dict[str, str] = {}  # by actor: sent commands without a reply yet
        self.received: set[str] = set()  # actors whose last reply was a step
        self.ways: list[Any] = []  # of access to the existing cache in the race: pools, or a place
        self.servers: list[str] = []  # of Redis that clients name: all lead to the existing cache
        self.took_undivided = False  # whether a pipeline without a transaction was one step
        self.tracks = False  # whether a client uses server-assisted client-side caching
        is_divided = controller.shared_memory or controller.grain == "wire"
        self.is_undisturbed = not (self.faults.vector or is_divided)
        """Until the end no fault strikes a step, and no switch point follows its answer."""

    def step(
        self,
        label: str,
        footprint: Footprint,
        *,
        kind: str,
        wait: Wait | None = None,
        deadline: float | None = None,
        recheck_from: int | None = None,
        polls: bool = False,
        failure: Failure = ConnectionError,
    ) -> bool:
        """Announce a step of the calling actor and return when it may run.

        Returns:
            False when the step had a deadline that passed before it could be taken otherwise.
        """
        actor = current_actor()
        assert actor is not None, f"{label!r} was announced by a thread that is not an actor's"
        if actor.section is not None:
            self.controller.memory.sections.held_at_switch_point(actor)
        is_alone = not (actor.born or actor.inherited or actor.family)
        if self.is_undisturbed and deadline is None and is_alone:
            # The hot path: no enclosing watched call, and no fault.
            announced = Announced(label, kind, footprint, wait, None, recheck_from, polls)
        else:
            announced = self.announced(
                actor, label, footprint, kind, wait, deadline, recheck_from, polls, failure
            )
        self.controller.arrive(actor, announced)
        if self.on_step is not None or not self.is_undisturbed:
            self.begun(actor, announced)
        return not announced.fired

    def announced(
        self,
        actor: Actor,
        label: str,
        footprint: Footprint,
        kind: str,
        wait: Wait | None,
        deadline: float | None,
        recheck_from: int | None,
        polls: bool = False,
        failure: Failure = ConnectionError,
    ) -> Announced:
        """Make the announcement of a step, with the watched calls around it and its faults."""
        plan = self._plan(actor, label, kind, failure) if self.faults.vector else None
        if plan is not None:
            label, deadline = plan.label, deadline or plan.deadline
        footprint = self.widened(actor, label, footprint)
        if deadline is not None or (actor.born and not actor.taken):
            wait = _guard(actor, wait, deadline)
        return Announced(
            label, kind, footprint, wait, deadline, recheck_from, polls,
            plan=plan, is_paused=plan is not None and plan.deadline is not None,
        )  # fmt: skip

    def begun(self, actor: Actor, announced: Announced) -> None:
        """Call the listener and let faults strike, when a step is taken."""
        if self.on_step is not None and self.controller.phase == "race":
            self.on_step(self.record.steps[-1])
        if self.faults.vector:
            self.faults.forget_publication()
            if announced.plan is not None:
                self.faults.carry_out(announced.plan, actor, self.moves_made())

    def _plan(self, actor: Actor, label: str, kind: str, failure: Failure) -> Plan | None:
        """Return the effects of faults on a step of the race; None: there are none."""
        if self.controller.phase != "race" or actor.direct or kind == "memory":
            return None
        return self.faults.plan(actor, label, failure, self)

    def logged(self, footprint: Footprint) -> Footprint:
        """Add the order of all writes to a footprint, if a failover may lose the last writes."""
        if not self.faults.keeps_history or not any(
            resource.startswith("existing_cache:") for resource in footprint.writes
        ):
            return footprint
        return footprint | Footprint(WRITES, WRITES)

    def dialect(self) -> Dialect | None:
        """Return the dialect of the calling actor's node; None: it is of the same version."""
        if not self.faults.versions:
            return None
        actor = current_actor()
        if actor is None:
            return None
        fault = self.faults.versions.get(actor.node or "")
        if fault is None:
            return None
        return Dialect(fault.words[1], lambda: self.faults.strike(fault, 0))

    def published(self, mailbox: Mailbox, count: int) -> None:
        """Apply faults to the last ``count`` messages of ``mailbox``."""
        self.faults.published(mailbox, count, self.moves_made(), self.now())

    def moves_made(self) -> int:
        """Count the choices of actors so far."""
        return moves_made(self.controller.choices)

    def schedule(self) -> Schedule:
        """Return the choices that were made."""
        controller = self.controller
        return Schedule(
            tuple(controller.choices),
            tuple(self.faults.strikes),
            controller.grain,
            () if controller.parting is None else controller.parting.places(),
        )

    def farthest(self) -> float:
        """Return the time at which the last known timer or lease expires, else a default delay."""
        controller = self.controller
        farthest = controller.time.farthest(controller.actors.values())
        now = self.now()
        return now + DELAY_SECONDS if farthest is None or farthest <= now else farthest

    def last_step(self) -> StepId | None:
        """Return the id of the last step that the calling actor has taken in the race."""
        actor = current_actor()
        if actor is None or actor.direct or not actor.taken:
            return None
        return (actor.name, actor.taken - 1)

    def answered(self, label: str) -> None:
        """Make the answer of a step a switch point of its own, where memory is shared."""
        if self.is_undisturbed:
            return
        actor = current_actor()
        if actor is not None and actor.name in self.received:
            self.received.remove(actor.name)
        elif self.controller.shared_memory or (actor is not None and actor.callers):
            self.step(f"answer of {label}", Footprint(), kind="memory")
        raise_late(actor)

    @contextmanager
    def inside(self, label: str, footprint: Footprint) -> Iterator[None]:
        """Take the step of a watched call before it; steps inside it inherit its footprint."""
        actor = current_actor()
        assert actor is not None, "a watched call is announced by the actor that makes it"
        with CallSteps(self, label, footprint, "watched"):
            actor.inherited.append(footprint)
            try:
                yield
            finally:
                actor.inherited.pop()

    def now(self) -> float:
        """Return the virtual seconds since the start."""
        return self.controller.time.clock.now()

    def place_of(self, layer: str) -> str:
        """Return the name of ``layer`` for the calling actor: in-process layers are per node."""
        actor = current_actor()
        if layer in SHARED_LAYERS or actor is None or actor.node is None:
            return layer
        return f"{layer}@{actor.node}"

    def wait_state(self, name: str, initial: WaitState) -> WaitState:
        """Return the state of a wait object; ``initial`` when it is new."""
        return self.record.waits.declare(name, initial)

    def name_foreign_thread(self) -> None:
        """Note that a thread which runs no actor reached a controlled place."""
        name = unnumbered(threading.current_thread().name)
        self.controller.hazard(
            f"a thread that is not under control ({name}) came to a place that is: a library has "
            "started it, or somebody who is not in this execution; what it does is in no schedule"
        )

    def widened(self, actor: Actor, label: str, footprint: Footprint) -> Footprint:
        """Add to a step's footprint what its actor touches besides."""
        if self.controller.parting is not None:
            footprint = self.controller.parting.widened(actor.name, label, footprint)
        if actor.family is not None:
            footprint = footprint | actor.family
        if actor.inherited or self.controller.shared_memory or (actor.born and not actor.taken):
            footprint = self._widened(actor, footprint)
        return footprint

    def _widened(self, actor: Actor, footprint: Footprint) -> Footprint:
        """Add the enclosing watched calls, the actor's start and shared memory to a footprint."""
        for outer in actor.inherited:
            footprint = footprint | outer
        if actor.born and not actor.taken:
            footprint = footprint | Footprint(reads=frozenset({actor.born}))
        if self.controller.shared_memory and actor.node is not None:
            memory = frozenset({f"memory:{actor.node}"})
            footprint = footprint | Footprint(memory, memory)
        return footprint


class CallSteps:
    """Wraps a call of the code under test: a step when it begins, its answer when it ends.

    The answer, or the error, is a switch point of its own; ``parts_answer`` is False where the code
    receives the answer only with that of a later step. With ``recheck_from`` the call repeats an
    earlier one, and waits until a step from there on has written what it reads.
    """

    __slots__ = (
        "_execution",
        "_failure",
        "_footprint",
        "_kind",
        "_label",
        "_late",
        "_parts_answer",
        "_recheck_from",
        "_true",
    )

    def __init__(
        self,
        execution: ExecutionContext,
        label: str,
        footprint: Footprint,
        kind: str,
        failure: Failure = ConnectionError,
        *,
        parts_answer: bool = True,
        recheck_from: int | None = None,
    ) -> None:
        self._parts_answer = parts_answer
        self._recheck_from = recheck_from
        self._execution = execution
        self._label = label
        self._footprint = footprint
        self._kind = kind
        self._failure = failure
        self._late: BaseException | None = None
        self._true: AbstractContextManager[None] | None = None

    def __enter__(self) -> None:
        execution = self._execution
        since = self._recheck_from
        execution.step(
            self._label, self._footprint, kind=self._kind, failure=self._failure,
            recheck_from=since, polls=since is not None,
        )  # fmt: skip
        if execution.is_undisturbed:
            return
        actor = current_actor()
        assert actor is not None, "a call is made by an actor"
        self._late, actor.late = actor.late, None
        if self._kind == "command" and execution.faults.skews:
            self._true = execution.controller.time.clock.true()  # the server's clock is right
            self._true.__enter__()

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if self._execution.is_undisturbed:
            return
        if self._true is not None:
            self._true.__exit__(None, None, None)
        if self._parts_answer if error is None else isinstance(error, Exception):
            self._execution.answered(self._label)
        if error is None and self._late is not None:
            raise self._late


def unnumbered(name: str) -> str:
    """Return a thread's name with every number replaced by N, so that equal reasons merge."""
    return re.sub(r"\d+", "N", name)


def raise_late(actor: Actor | None) -> None:
    """Raise the error that a fault has set as the answer of the current step, if any."""
    if actor is not None and actor.late is not None:
        late, actor.late = actor.late, None
        raise late


def _guard(actor: Actor, wait: Wait | None, deadline: float | None) -> Wait | None:
    """Add to a wait the timer that may end it, and the start of the actor itself."""
    if deadline is not None:
        timer = f"timer:{actor.name}#{actor.taken}"
        wait = Wait(guarded=True, timer=timer) if wait is None else replace(wait, timer=timer)
    if actor.born and not actor.taken:
        wait = wait or Wait()
        wait = replace(wait, flags=(*wait.flags, actor.born))
    return wait
