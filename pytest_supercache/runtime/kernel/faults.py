"""Injects the faults of one execution at their points, and notes which ones struck.

It is consulted for each step before its announcement, for each publication after it was made, and
by doors for what they send. Without a fault vector none of these calls has an effect.
"""

import builtins
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.fault import DELAY_SECONDS, MESSAGES, POINTS, Fault, Vector, inject
from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.schedule import Strike
from pytest_supercache.core.settings import Assume
from pytest_supercache.layers.messages import Mailbox
from pytest_supercache.runtime.kernel.actor import Actor

Failure = Callable[[str], BaseException]


class Time(Protocol):
    """The view of the clock that faults need."""

    def now(self) -> float:
        """Return the virtual seconds since the start."""
        ...

    def farthest(self) -> float:
        """Return the time at which the last known timer or lease expires, else a default delay."""
        ...


@dataclass(slots=True)
class Plan:
    """The effects of faults on the step that an actor is about to announce."""

    faults: list[Fault]
    label: str
    deadline: float | None = None
    early: BaseException | None = None
    late: BaseException | None = None


class Injection:
    """The faults of one execution, with those that have struck.

    Args:
        vector: the faults; none of them may be left out in an execution that counts.
        assume: pauses that are promised not to happen.
    """

    def __init__(self, vector: Vector = (), *, assume: Assume | None = None) -> None:
        self.vector = vector
        self.strikes: list[Strike] = []
        self._skewed = {f.words[0]: f for f in vector if f.kind == "clock_skew"}
        self.skews = {node: float(fault.words[1]) for node, fault in self._skewed.items()}
        self.versions = {f.words[0]: f for f in vector if f.kind == "mixed_version"}
        self.keeps_history = any(fault.kind == "failover" for fault in vector)
        self.moves: list[Move] = []
        self._longest = None if assume is None else assume.pause
        self._by_point: dict[tuple[str, int, int], list[Fault]] = {}
        for fault in vector:
            if fault.kind in POINTS:
                self._by_point.setdefault(fault.point, []).append(fault)
        self._published: list[Fault] = []  # of the publication that is being made

    def strike(self, fault: Fault, at: int) -> None:
        """Note that a fault struck after ``at`` choices of actors."""
        if all(strike.fault != fault for strike in self.strikes):
            self.strikes.append(Strike(fault, at))

    def ahead(self, node: str | None) -> float:
        """Return how many seconds the clock of ``node`` is ahead."""
        if node in self._skewed:
            self.strike(self._skewed[node], 0)
        return self.skews.get(node or "", 0.0)

    @property
    def missed(self) -> Vector:
        """The faults that have not struck."""
        if not self.vector:
            return ()
        struck = {strike.fault for strike in self.strikes}
        struck |= {move.fault for move in self.moves if move.had_effect}
        return tuple(fault for fault in self.vector if fault not in struck)

    # -- steps -----------------------------------------------------------------------------------

    def plan(self, actor: Actor, label: str, failure: Failure, time: Time) -> Plan | None:
        """Return the effects of faults on the next step of ``actor``; None: there are none.

        ``failure`` makes the error of a connection that broke.
        """
        if not self._by_point:
            return None
        found = self._by_point.get((actor.name, *actor.point))
        if not found:
            return None
        plan = Plan([], label)
        for fault in found:
            self._add(plan, fault, failure, time)
        return plan if plan.faults else None

    def _add(self, plan: Plan, fault: Fault, failure: Failure, time: Time) -> None:
        if fault.kind == "pause":
            seconds = float(fault.rest[0]) if fault.rest else time.farthest() - time.now()
            if self._longest is not None and seconds >= self._longest:
                return
            plan.deadline = time.now() + seconds
            plan.label += f", after a pause of {seconds * 1000:.6g} ms"
        elif fault.kind in MESSAGES:
            plan.label += f", {_EFFECTS[fault.kind]} to {fault.rest[0]}"
        else:
            error = _error(fault, failure)
            name = type(error).__name__
            if fault.kind == "error_after":
                plan.late = error
                plan.label += f", took effect, then {name}"
            else:
                plan.early = error
                plan.label += f", no effect, {name}"
        plan.faults.append(fault)

    def carry_out(self, plan: Plan, actor: Actor, at: int) -> None:
        """Let the faults of a step strike when it is taken."""
        self._published = [fault for fault in plan.faults if fault.kind in MESSAGES]
        for fault in plan.faults:
            if fault.kind not in MESSAGES:
                self.strike(fault, at)
        actor.late = plan.late
        if plan.early is not None:
            raise plan.early

    def forget_publication(self) -> None:
        """Forget the faults of the previous publication, because another step has begun."""
        self._published = []

    # -- messages --------------------------------------------------------------------------------

    def published(self, mailbox: Mailbox, count: int, at: int, now: float) -> None:
        """Apply the publication's faults to the last ``count`` messages of ``mailbox``."""
        for fault in self._published:
            if fault.rest[0] == mailbox.node and _disturb(fault, mailbox, count, now):
                self.strike(fault, at)


_EFFECTS = {
    "drop_invalidation": "lost on the way",
    "delay_invalidation": "late on the way",
    "duplicate_invalidation": "sent twice",
    "reorder_invalidations": "overtaking others on the way",
}


def _disturb(fault: Fault, mailbox: Mailbox, count: int, now: float) -> bool:
    if fault.kind == "reorder_invalidations":
        return mailbox.overtake(count)
    if fault.kind == "drop_invalidation":
        mailbox.drop_last(count)
    elif fault.kind == "duplicate_invalidation":
        mailbox.repeat_last(count)
    else:
        seconds = float(fault.rest[1]) if len(fault.rest) > 1 else DELAY_SECONDS
        mailbox.hold_last(count, now + seconds)
    return True


def _error(fault: Fault, failure: Failure) -> BaseException:
    """Make the error that a fault raises: of the class it names, or of the default class."""
    text = f"injected fault {fault.kind}"
    if not fault.rest:
        return inject(RuntimeError(text) if fault.kind == "exception" else failure(text))
    kind = _class(fault.rest[0], fault.kind)
    try:
        return inject(kind(text))
    except TypeError:
        return inject(kind())


def _class(name: str, fault: str) -> type[BaseException]:
    module, _, member = name.rpartition(".")
    owner = sys.modules.get(module) if module else builtins  # no token may have a module imported
    found: Any = vars(owner).get(member) if owner else None
    if owner is None:
        raise SupercacheError(
            f"fault {fault}: there is no {name}: {module} is not imported; import it in the "
            "conftest, if it is right"
        )
    if found is None:
        raise SupercacheError(f"fault {fault}: there is no {name}")
    if not (isinstance(found, type) and issubclass(found, BaseException)):
        raise SupercacheError(f"fault {fault}: {name} is not an exception class")
    return found


class Move:
    """A fault of a layer: a pseudo-actor whose only step is placed by the schedule.

    The step is enabled until it has been taken; a fault without an effect has not struck.
    """

    kind = "fault"
    node: str | None = None
    cause = None

    def __init__(
        self, fault: Fault, label: str, footprint: Footprint, happen: Callable[[], bool]
    ) -> None:
        self.fault = fault
        self.name = fault.name
        self.had_effect = False
        self._announced = (label, footprint)
        self._happen = happen
        self._is_over = False

    def pending(self) -> tuple[str, Footprint] | None:
        """Return the announced step; None after it has been taken."""
        return None if self._is_over else self._announced

    def perform(self) -> None:
        """Let the fault happen."""
        self._is_over = True
        self.had_effect = self._happen()
