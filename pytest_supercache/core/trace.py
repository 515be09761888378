"""What one execution did: its steps with footprints, its history, how it ended."""

from dataclasses import dataclass, field
from typing import Any

from pytest_supercache.core.fault import Vector
from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.operation import History
from pytest_supercache.core.schedule import Schedule
from pytest_supercache.core.verdict import Violation
from pytest_supercache.core.waits import Wait, WaitState

StepId = tuple[str, int]
"""An actor and the number of its step: the same step in every execution of a trace."""

Layers = dict[str, dict[str, Any]]
"""Place (``super_cache@a``, ``existing_cache``, ``origin``) -> key -> value."""


@dataclass(slots=True)
class Pending:
    """The step an actor is about to take, as announced before it runs."""

    actor: str
    label: str
    footprint: Footprint
    enabled: bool
    wait: Wait | None = None
    deadline: float | None = None
    recheck: bool = False
    cause: StepId | None = None
    functions: tuple[str, ...] = ()  # under test, in which it waits for ever; the outermost first


def is_unconditional(step: "Step | Pending") -> bool:
    """Say whether nothing but its own actor's earlier steps can hold a step back."""
    return not (step.wait or step.cause or step.recheck) and step.deadline is None


@dataclass(slots=True)
class Step:
    """One indivisible move between two switch points. Plain slots: this is the hot path."""

    actor: str
    index: int  # per actor, from 0
    label: str  # "GET product:42"
    kind: str  # "command", "watched", "origin", "super_cache", "message", "lock", "clock", "hand"
    footprint: Footprint
    node: str | None = None
    phase: str = "race"
    operation: int | None = None  # position in the history
    choice: int | None = None  # position in the schedule; None outside the race
    wait: Wait | None = None
    wait_before: WaitState | None = None
    wait_after: WaitState | None = None
    pending: tuple[Pending, ...] = ()  # every actor at the choice; as `layers`, only recorded when
    layers: Layers | None = None  # what they hold is: after this step, for a counterexample
    time: float = 0.0  # virtual seconds since the start
    deadline: float | None = None  # virtual seconds; could be taken from then on in any case
    fired: bool = False  # it was taken because its deadline had passed
    recheck: bool = False  # a condition checked again, after one of its reads was written
    futile: bool = False  # it met a lock and changed nothing, so it ends nobody's wait
    cause: StepId | None = None  # the step without which it could not be taken
    fires: tuple[str, ...] = ()  # timers whose deadline came with this tick
    point: tuple[int, int] | None = None  # operation and index in it: where a fault can strike
    memory: Layers | None = None  # what shared memory holds, where it was found; as `layers`
    functions: tuple[str, ...] = ()  # under test, that lead to it; as `layers`, outermost first

    @property
    def signature(self) -> tuple[str, str, Footprint]:
        """What must repeat in every re-execution: not the values, those may differ."""
        return (self.actor, self.label, self.footprint)

    @property
    def flags_set(self) -> tuple[str, ...]:
        """The flags that it has set."""
        wait = self.wait
        return () if wait is None else wait.flags_set(self.wait_before, self.wait_after)

    @property
    def content(self) -> Layers | None:
        """What layers and shared memory hold after this step; None: that was not recorded."""
        return self.layers if not self.memory else {**(self.layers or {}), **self.memory}


@dataclass(slots=True, kw_only=True)
class Settled:
    """What was found after everything had settled.

    ``layers`` is each place's visible content; ``probes`` what a ``get`` through the system
    answered on each node: (node, key) -> answer. A failed probe holds the exception.
    """

    layers: Layers = field(default_factory=dict)
    truth: dict[str, Any] | None = None  # the origin when the probes were asked, after `finally`
    probes: dict[tuple[str, str], Any] = field(default_factory=dict)
    encodings: dict[tuple[str, str], tuple[Any, ...]] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Execution:
    """One run under one schedule.

    ``blocked`` names the pending steps of actors that can never go on; ``hazards`` are reasons why
    nothing may be concluded (a step that never arrived, a connection elsewhere); ``unseen`` names
    operations that were answered without a step, so that undeclared memory must be assumed.
    """

    schedule: Schedule
    steps: list[Step]
    history: History
    settled: Settled = field(default_factory=Settled)
    blocked: tuple[Pending, ...] = ()
    waiting: tuple[Pending, ...] = ()  # the same, with daemons, which may end so
    hazards: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()  # why nothing is proved although nothing fails
    preemptions: int = 0  # how often an actor that could have gone on had to wait
    early_ticks: int = 0  # how many were allowed, as far as it went
    waited: tuple[float, ...] = ()  # virtual seconds of each early tick
    saw_deadline: bool = False  # something waited for time while an early tick was still allowed
    simplified: tuple[str, ...] = ()  # what was taken for simpler than it is
    undeclared: tuple[str, ...] = ()  # how actors met without a step: nothing may be skipped
    left_over: tuple[tuple[str, str], ...] = ()  # actor, and what it never finished
    seconds: float = 0.0  # of the virtual clock, at the end of the race
    complete: bool = True  # False: the scheduler ended it early
    broken: tuple[Violation, ...] = ()  # expectations of single steps that were not met
    errors: dict[str, BaseException] = field(default_factory=dict)  # actor -> what ended it
    actors: tuple[str, ...] = ()  # that took part in the race, pseudo-actors left out
    failure: BaseException | None = None  # raised by the test body itself, outside of actors
    results: dict[str, Any] = field(default_factory=dict)  # what the actors' functions returned
    missed: Vector = ()  # faults that were to strike and did not: the run does not count
    places: dict[str, str] = field(default_factory=dict)  # that can lose content: whose they are
    expired: bool = False  # the time to live of something ran out before the users had ended
    expiring: tuple[str, ...] = ()  # resources that were ever given a time to live
    start: Layers = field(default_factory=dict)  # content before the race, when layers are recorded
    memory_at_start: Layers = field(default_factory=dict)  # of shared memory that was found
    stock: Layers = field(default_factory=dict)  # at the very end, settled or not, when asked for
    waits: dict[str, WaitState] = field(default_factory=dict)  # as they were when the race began
    begun: tuple[str, ...] = ()  # actors that had begun by then: the body's code has started them

    @property
    def race(self) -> list[Step]:
        """The steps taken while users ran concurrently, ticks included."""
        return [step for step in self.steps if step.phase == "race"]

    @property
    def users(self) -> tuple[str, ...]:
        """The actors that were registered, in that order; what code started itself is no user."""
        race = self.race
        names = dict.fromkeys(self.actors if race else ())
        names.update(dict.fromkeys(step.actor for step in race))
        return tuple(name for name in names if "@" not in name and "/" not in name)

    def signatures(self) -> list[tuple[str, str, Footprint] | None]:
        """Return what must repeat when the schedule is repeated, one entry a choice.

        A choice has no entry when it only ran an actor's first lines.
        """
        found: list[tuple[str, str, Footprint] | None] = [None] * len(self.schedule.choices)
        for step in self.steps:
            if step.choice is not None:
                found[step.choice] = step.signature
        return found
