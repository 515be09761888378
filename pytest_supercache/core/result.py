"""The result of a check: the verdict, its coverage, and a counterexample if there is one."""

from dataclasses import dataclass, field

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.memory_use import MemoryUse
from pytest_supercache.core.odds import Odds
from pytest_supercache.core.operation import History
from pytest_supercache.core.orders import Cause, Passing, Share, Tried
from pytest_supercache.core.schedule import Schedule
from pytest_supercache.core.trace import Step
from pytest_supercache.core.verdict import Label, Verdict, Violation


@dataclass(frozen=True, slots=True)
class StoryPart:
    """One sentence of what happened, and the step that it tells; the end has no step."""

    text: str
    number: int | None = None  # of the step in the picture
    position: int | None = None  # of the step among all steps of the execution
    actor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterexample:
    """The smallest interleaving that breaks a guarantee, with everything needed to show it."""

    token: str
    schedule: Schedule
    preemptions: int
    violation: Violation
    violations: tuple[Violation, ...]
    execution: Execution  # recorded with the content of every layer after each step
    replays: str  # "10/10"
    minimal: bool  # every schedule with fewer preemptions was executed and held
    serial: bool = False  # the users took turns: no concurrency is needed
    faults: tuple[str, ...] = ()  # each with its place, in words
    conflict_class: str | None = None
    possible_classes: frozenset[str] = frozenset()  # others, of which a full search would name one
    explanation: str | None = None
    story: tuple[StoryPart, ...] = ()  # what happened; the explanation has it in one line
    fingerprint: str | None = None
    former_fingerprints: tuple[str, ...] = ()  # by which older waivers know it, the newest first
    causes: tuple[Cause, ...] = ()  # which orders of steps force the violation
    causes_are_all: bool = False  # they explain every failing interleaving there is
    tried: Tried | None = None  # what became of other orders of its steps
    end_is_judged: bool = True  # a guarantee may judge what nodes answer when all has settled
    passing: Passing | None = None  # what is most like it and breaks nothing, if any was found

    @property
    def history(self) -> History:
        """The operations of the failing execution."""
        return self.execution.history

    @property
    def trace(self) -> list[Step]:
        """The steps of the failing execution."""
        return self.execution.steps


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The outcome of a check.

    ``executions`` counts the search's own runs; serial, determinism, shrinking and replay runs are
    not in it. ``interleavings`` are classes of equivalent schedules, ``schedules``
    are all orders: how many there are, when that is known. ``reasons`` says
    why the verdict is UNKNOWN, one sentence each.
    """

    verdict: Verdict
    label: Label | None = None
    executions: int = 0
    violating: int = 0
    blocked: int = 0
    interleavings: int | None = None
    schedules: int | None = None
    exhausted: bool = False
    coverage: str = ""
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    counterexample: Counterexample | None = None
    seconds: float = 0.0
    scope: dict[str, str | int] = field(default_factory=dict)
    reproduce: str = ""  # the decorator that repeats a schedule which Hypothesis found
    share: Share | None = None  # how much of everything fails, if everything was executed
    statistics: str = ""  # what Hypothesis says of a search that it drove
    memory: tuple[MemoryUse, ...] = ()  # that users share, if it was to be listed
    odds: Odds | None = None  # of the conflict in simulated traffic, if that was simulated
