"""The steps of an execution, taken and pending, with their footprints."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.statement import SqlStatement
from pytest_supercache.core.waits import Wait, WaitState

StepId = tuple[str, int]
"""An actor and the number of its step: the same step in every execution of a trace."""

Layers = dict[str, dict[str, Any]]
"""Place (``super_cache@a``, ``existing_cache``, ``origin``) -> key -> value."""


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of the code under test, and the function that it is in."""

    file: str
    line: int
    function: str


@dataclass(slots=True)
class Pending:
    """The step that an actor is about to take, as announced before it runs."""

    actor: str
    label: str
    footprint: Footprint
    enabled: bool
    wait: Wait | None = None
    deadline: float | None = None
    recheck: bool = False
    cause: StepId | None = None
    functions: tuple[str, ...] = ()  # under test, in which it waits for ever; the outermost first
    sources: tuple[SourceLine, ...] = ()  # the lines where it waits for ever; as those of a step


def is_unconditional(step: "Step | Pending") -> bool:
    """Say whether a step is enabled as soon as its actor has taken the steps before."""
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
    sources: tuple[SourceLine, ...] = ()  # that take it: the innermost, and the project's own
    statement: SqlStatement | None = None  # that was executed in it, without an error
    row_count: int | None = None  # how many rows that statement has changed; None: not known
    is_timeless: bool = False  # an early tick may as well come before it as after it
    is_early: bool = False  # a tick that came although an actor was enabled

    @property
    def signature(self) -> tuple[str, str, Footprint]:
        """The part that must be equal in every re-execution; values may differ."""
        return (self.actor, self.label, self.footprint)

    @property
    def flags_set(self) -> tuple[str, ...]:
        """The flags that the step has set."""
        wait = self.wait
        return () if wait is None else wait.flags_set(self.wait_before, self.wait_after)

    @property
    def content(self) -> Layers | None:
        """The content of layers and shared memory after this step; None: it was not recorded."""
        return self.layers if not self.memory else {**(self.layers or {}), **self.memory}


def last_chosen(steps: Sequence[Step]) -> Step | None:
    """Return the step that the latest choice led to; None: no choice has led to any.

    What a coroutine does after it without an await is of the same choice, and a part of that step.
    """
    found = None
    for step in reversed(steps):
        if step.choice is None:
            continue
        if found is not None and step.choice != found.choice:
            break
        found = step
    return found
