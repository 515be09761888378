"""Records one execution: its schedule, its steps, its history, and how it ended."""

from dataclasses import dataclass, field
from typing import Any

from pytest_supercache.core.fault import Vector
from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.operation import History
from pytest_supercache.core.schedule import Schedule
from pytest_supercache.core.trace import Layers, Pending, Step
from pytest_supercache.core.verdict import Violation
from pytest_supercache.core.waits import WaitState

STEPS_MAX = 10_000
"""The largest number of steps in one execution; more is UNKNOWN: code polls without waiting."""


@dataclass(slots=True, kw_only=True)
class Settled:
    """The state that was found after everything had settled.

    ``layers`` is each place's visible content; ``probes`` are the answers of the system to ``get``
    on each node: (node, key) -> answer. A failed probe holds the exception.
    """

    layers: Layers = field(default_factory=dict)
    truth: dict[str, Any] | None = None  # the origin when the probes were asked, after `finally`
    probes: dict[tuple[str, str], Any] = field(default_factory=dict)


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
    ways_out: tuple[str, ...] = ()  # those of them that later executions may not show again
    unseen: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()  # why nothing is proved although nothing fails
    preemptions: int = 0  # how often an actor that could have gone on had to wait
    early_ticks: int = 0  # how many were allowed, as far as it went
    waited: tuple[float, ...] = ()  # virtual seconds of each early tick
    saw_deadline: bool = False  # something waited for time while an early tick was still allowed
    simplified: tuple[str, ...] = ()  # what was taken for simpler than it is
    isolation: tuple[tuple[str, str], ...] = ()  # database, and a level of its transactions
    left_by_body: tuple[str, ...] = ()  # what the body read, and an earlier execution's had left
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
    ended: dict[str, int] = field(default_factory=dict)  # user -> steps that were taken by then
    has_read_clock: bool = False  # code under test, or a library that it uses
    begun: tuple[str, ...] = ()  # actors that had begun by then: the body's code has started them

    @property
    def race(self) -> list[Step]:
        """The steps taken while users ran concurrently, ticks included."""
        return [step for step in self.steps if step.phase == "race"]

    @property
    def users(self) -> tuple[str, ...]:
        """The registered actors, in their order, without those that the code itself has started."""
        race = self.race
        names = dict.fromkeys(self.actors if race else ())
        names.update(dict.fromkeys(step.actor for step in race))
        return tuple(name for name in names if "@" not in name and "/" not in name)

    def signatures(self) -> list[tuple[str, str, Footprint] | None]:
        """Return, for each choice, what must be equal when the schedule is repeated.

        A choice has no entry if it only ran an actor's entry code.
        """
        found: list[tuple[str, str, Footprint] | None] = [None] * len(self.schedule.choices)
        for step in self.steps:
            if step.choice is not None:
                found[step.choice] = step.signature
        return found
