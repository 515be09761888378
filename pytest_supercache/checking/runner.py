"""Runs one body under many schedules: executes, judges, counts, and enforces the budget."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from hashlib import blake2b
from typing import Any

from pytest_supercache.checking import coverage
from pytest_supercache.checking.environment import Body, CheckEnvironment
from pytest_supercache.core.errors import (
    ReplayDivergedError,
    SupercacheError,
)
from pytest_supercache.core.execution import Execution
from pytest_supercache.core.fault import Fault, Vector
from pytest_supercache.core.fault_points import points
from pytest_supercache.core.progress import Progress
from pytest_supercache.core.real_clock import real_seconds
from pytest_supercache.core.schedule import Schedule, Scheduler
from pytest_supercache.core.settings import Exploration
from pytest_supercache.core.verdict import End, Violation
from pytest_supercache.oracle.guarantee import Guarantee
from pytest_supercache.oracle.judge import Judgement, judge
from pytest_supercache.runtime.kernel.under_test import missed_name
from pytest_supercache.runtime.redis.topologies import WITH_FAILOVER
from pytest_supercache.search.counting import merges_of
from pytest_supercache.search.replay import Replay
from pytest_supercache.search.search import SearchEnded
from pytest_supercache.search.serial import Serial

FURTHER = 2_000
"""The largest number of executions after a finding, to find the smallest one and its causes."""

FURTHER_SHARE = 0.1
"""The share of an item's time that these executions may take; at least one second."""


KEPT_SHARE = 0.1
"""The share of executions and time reserved for PCT by a search of unknown size."""

KEPT_MIN = 10
"""The smallest number of runs that are reserved: fewer would say nothing."""

_ORDERED = frozenset({"pause", "expire", "reorder_invalidations"})


RESTARTS_MAX = 200
"""The number of restarts of a search because it has learnt what else the code touches."""


class SharedMemoryNeeded(Exception):  # noqa: N818 - a change of plan, not an error
    """An operation was answered without a step, so it uses memory that is not declared."""


class StepsHaveChanged(Exception):  # noqa: N818 - a change of plan, not an error
    """An import, or new knowledge, changes footprints from now on: the search starts over."""

    def __init__(self, execution: Execution | None = None) -> None:
        self.execution = execution
        """The execution that has shown it."""
        super().__init__()


class HazardMet(Exception):  # noqa: N818 - a reason for UNKNOWN
    """An execution proves nothing, for these reasons."""

    def __init__(self, reasons: Iterable[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("; ".join(self.reasons))


class UndividedError(Exception):
    """The search has to be made by one process.

    Args:
        reason: why.
        schedule: one that violates a guarantee, if that is why.
    """

    def __init__(self, reason: str, schedule: Schedule | None = None) -> None:
        super().__init__(reason, schedule)
        self.schedule = schedule


@dataclass(frozen=True, slots=True)
class Failure:
    """An execution that violates a guarantee."""

    execution: Execution
    violations: tuple[Violation, ...]
    serial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """What another process observes while it executes its part of a search."""

    executions: int
    idle: int
    blocked: int
    different: set[int]
    early_ticks: int
    expired: bool
    keeps_keys: bool
    simplified: dict[str, None]
    isolation: set[tuple[str, str]]
    left_by_body: dict[str, None]
    reach: coverage.Reach
    not_judged: dict[str, None]
    never_judged: frozenset[str] | None


@dataclass(slots=True, kw_only=True)
class Runner:
    """The state of one check while it runs."""

    environment: CheckEnvironment
    body: Body
    settings: Exploration
    guarantees: tuple[Guarantee, ...]
    shared: bool  # treat memory as shared
    own_checks: str = ""  # what the body checks itself, in words
    vector: Vector = ()  # the faults that strike in every execution that counts
    started: float = field(default_factory=real_seconds)
    outside: bool = False  # ask the scheduler on the calling thread
    executions: int = 0
    different: set[int] = field(default_factory=set)  # hashes of the schedules that were executed
    violating: int = 0
    blocked: int = 0
    idle: int = 0  # executions in which a fault had nothing to strike: they do not count
    points: dict[Fault, None] = field(default_factory=dict)  # where others could strike
    first: Execution | None = None
    early_ticks: int = 0
    executed_before: int = 0  # schedules, by earlier runs
    note_of_first: str = ""  # how the very first run differed from those that were searched
    expired: bool = False  # a time to live ran out before the users had ended
    keeps_keys: bool = False  # a key with a time to live was read, and could not expire early
    simplified: dict[str, None] = field(default_factory=dict)
    isolation: set[tuple[str, str]] = field(default_factory=set)
    left_by_body: dict[str, None] = field(default_factory=dict)
    found: Failure | None = None
    violations: tuple[Violation, ...] = ()  # of the last execution
    owed: int = 0  # the least number of runs that the search still has to do
    goes_on: bool = False  # after a finding, to find the smallest one
    _found_after: float = 0.0  # seconds
    further: int = 0  # executions since the finding
    seconds_elsewhere: float = 0.0  # for which other processes have searched
    reach: coverage.Reach = field(default_factory=coverage.Reach)
    not_judged: dict[str, None] = field(default_factory=dict)
    never_judged: frozenset[str] | None = None  # by any execution so far; None: there was none

    def attempt(self, scheduler: Scheduler) -> Execution:
        """Execute and judge one schedule of the search.

        Raises:
            SearchEnded: a violation was found and the first is enough, or the budget is used up.
        """
        is_enough = self.found is not None and self.settings.stop_at_first
        if is_enough and (self.further >= FURTHER or self._is_late()):
            raise SearchEnded(End.FOUND)
        if not is_enough and self.is_over_budget():
            raise SearchEnded(End.OUT_OF_BUDGET)
        execution = self.execute(scheduler, look=self.goes_on and self.found is None)
        self.violations = ()
        if not execution.complete:
            return execution  # the search gave it up: there is nothing to judge
        if execution.missed:
            self.idle += 1
            return execution
        self.reach.note(execution, self.environment.given)
        violations = self.violations = self.judge(execution).violations
        if is_enough:
            self.further += 1
            return execution
        self.executions += 1
        self.different.add(_hash_of(execution.schedule.choices))
        self._tell()
        if violations:
            self.violating += 1
            self._keep(Failure(execution, violations))
            if self.settings.stop_at_first and not self.goes_on:
                raise SearchEnded(End.FOUND)
        return execution

    def observations(self) -> Observations:
        """Return what was observed, for the process that divides the search."""
        return Observations(**{one.name: getattr(self, one.name) for one in fields(Observations)})

    def add(self, part: Observations) -> None:
        """Take in what another process observed."""
        self.executions += part.executions
        self.idle += part.idle
        self.blocked += part.blocked
        self.different |= part.different
        self.early_ticks = max(self.early_ticks, part.early_ticks)
        self.expired |= part.expired
        self.keeps_keys |= part.keeps_keys
        self.simplified |= part.simplified
        self.isolation |= part.isolation
        self.left_by_body |= part.left_by_body
        self.reach.add(part.reach)
        self.not_judged |= part.not_judged
        never = (self.never_judged, part.never_judged)
        known = [one for one in never if one is not None]
        self.never_judged = frozenset.intersection(*known) if known else None
        self._tell()

    def start_again(self) -> None:
        """Begin the search again, with all of its time."""
        self.forget_findings()
        self.started, self.seconds_elsewhere = real_seconds(), 0.0
        self.executed_before = 0

    def _tell(self) -> None:
        """Report the progress of the search."""
        tell, found = self.environment.observers.on_execution, self.found
        if tell is None:
            return
        tell(
            Progress(
                executions=self.executions,
                executions_max=self.settings.executions,
                seconds=self.seconds(),
                seconds_max=self.settings.time,
                owed=self.owed,
                schedules=merges_of(self.first) if self.first else 0,
                violating=self.violating,
                best=found.execution.preemptions if found else None,
                guarantee=found.violations[0].guarantee if found else None,
                faults=" and ".join(map(str, self.vector)),
            )
        )

    def replace_first(self, cold: Execution, warm: Execution, *, is_told: bool) -> None:
        """Replace the first run, which found caches of the process cold, by the next one."""
        self.first = warm
        self.points.clear()
        if is_told:
            self.tell_of_first(len(cold.steps), len(warm.steps), "step")

    def tell_of_first(self, count: int, later: int, what: str) -> None:
        """Note that the first run took other steps, or commands, than the runs that were searched.

        Args:
            count: how many steps, or commands, it took.
            later: how many later ones took.
            what: a step, or a command.
        """
        self.environment.fills = True
        counted = f"{count} {what}{'' if count == 1 else 's'} and then {later}"
        took = counted if count != later else f"other {what}s than later"
        self.note_of_first = self.note_of_first or (
            f"the first run took {took}: something that no execution gives back was filled "
            "once in this process. What was searched is what comes after that"
        )

    def report(self, execution: Execution, violations: tuple[Violation, ...]) -> None:
        """Record a violation in an execution that is not one of the search's own."""
        self.violating += 1
        self._keep(Failure(execution, violations))

    def _keep(self, found: Failure) -> None:
        if self.found is None:
            self.found, self._found_after = found, self.seconds()

    def _is_late(self) -> bool:
        return self.seconds() - self._found_after > max(self.settings.time * FURTHER_SHARE, 1.0)

    def is_hopeless(self, owed: int) -> bool:
        """Say whether a search that needs ``owed`` more runs should leave the rest to PCT.

        It is when the rest of the budget cannot be enough; and when the last tenth begins, because
        the rest is of unknown size, and a search that was cut off says nothing of it.
        """
        self.owed = owed
        done, seconds = self.tried, self.seconds()
        executions, time = self.settings.executions, self.settings.time
        used = max(done / executions, seconds / time)
        if self.found is not None or not done or used < 0.5:
            return False
        left = min(executions - done, done * (time - seconds) / seconds)
        return owed > left or (used >= 1 - KEPT_SHARE and left >= KEPT_MIN)

    @property
    def is_reducible(self) -> bool:
        """Whether equivalent schedules stay equivalent under the faults.

        How long a pause lasts, what comes due with a key that expires, and which message overtakes
        which depends on the order of steps that have nothing else in common.
        """
        return not any(fault.kind in _ORDERED for fault in self.vector)

    def forget_findings(self) -> None:
        """Reset the counts and findings for another search."""
        self.executions = self.violating = self.further = self.idle = 0
        self.found = None
        self.not_judged.clear()

    def execute(self, scheduler: Scheduler, *, record: bool = False, **options: Any) -> Execution:
        """Execute one schedule; ``record`` the content of the layers after every step.

        Raises:
            SupercacheError: the body or a declaration is at fault.
            HazardMet: nothing may be concluded.
            SharedMemoryNeeded: an answer came without a step.
            StepsHaveChanged: start over.
        """
        execution = self.environment.execute(
            self.body,
            scheduler,
            shared_memory=self.shared,
            outside=self.outside,
            record=record or any(guarantee.needs_contents for guarantee in self.guarantees),
            ignores_time=all(guarantee.ignores_time for guarantee in self.guarantees),
            vector=self.vector,
            **options,
        )
        if self.environment.steps_have_changed():  # a replay may have failed for this
            raise StepsHaveChanged(execution)
        if isinstance(execution.failure, SupercacheError):
            raise execution.failure
        hazards = dict.fromkeys((*execution.hazards, *self.environment.ways_out))
        if hazards:
            raise HazardMet(tuple(hazards))
        if not execution.actors and execution.failure is None:
            raise SupercacheError(
                "the body registered no actor, so there is nothing to interleave: call "
                "world.actor(name, function, ...) and world.run()"
            )
        if execution.unseen and self.settings.memory == "auto" and not self.shared:
            raise SharedMemoryNeeded(execution.unseen[0])
        if self.settings.faults is not None and not execution.missed:
            self.points.update(dict.fromkeys(points(execution, self.settings.faults)))
        self.first = self.first or execution
        self.early_ticks = max(self.early_ticks, execution.early_ticks)
        self.simplified.update(dict.fromkeys(execution.simplified))
        self.isolation.update(execution.isolation)
        self.left_by_body.update(dict.fromkeys(execution.left_by_body))
        self.expired |= execution.expired
        self.keeps_keys |= self.settings.keeps_keys and coverage.outlives_a_key(execution)
        self.not_judged.update(dict.fromkeys(execution.unproven))
        return execution

    def replay(self, schedule: Schedule, *, record: bool = False) -> Execution:
        """Execute a recorded schedule.

        Raises:
            ReplayDivergedError: it does not fit, or has choices left when all actors have ended.
        """
        execution = self.execute(Replay(schedule), unlimited_ticks=True, record=record)
        left = len(schedule.choices) - len(execution.schedule.choices)
        if left:
            raise ReplayDivergedError(
                f"everybody had ended when {left} of the {len(schedule.choices)} recorded choices "
                "were left. The scenario or the code under test has changed since."
            )
        if execution.missed or execution.schedule.strikes != schedule.strikes:
            raise ReplayDivergedError(
                f"the faults {', '.join(map(str, self.vector))} do not strike any more where they "
                "struck. The scenario or the code under test has changed since."
            )
        return execution

    def judge(self, execution: Execution) -> Judgement:
        """Judge one execution, and note what could not be judged."""
        judgement = judge(execution, self.guarantees)
        if judgement.violations:
            _refuse_missed_names(execution)
        if not judgement.violations:
            self.not_judged.update(dict.fromkeys(judgement.not_judged))
        never = frozenset(judgement.never_judged)
        self.never_judged = never if self.never_judged is None else self.never_judged & never
        return judgement

    def refuse_what_cannot_be_judged(self) -> None:
        """Refuse a search with guarantees that were judged in no serial order, nor ever will be.

        What was found before counts: then there is an answer. Faults may leave nothing to judge.

        Raises:
            SupercacheError: its text says what is missing.
        """
        if self.never_judged and self.found is None and not self.vector:
            raise SupercacheError(
                f"{'; '.join(sorted(self.never_judged))}. Or take what cannot be judged out of the "
                "guarantees"
            )

    def is_over_budget(self) -> bool:
        """Say whether executions or time are used up."""
        return self.tried >= self.settings.executions or self.seconds() > self.settings.time

    @property
    def tried(self) -> int:
        """How many schedules this run has executed."""
        return self.executions + self.idle - self.executed_before

    def seconds(self) -> float:
        """Return the real seconds since the check began."""
        return real_seconds() - self.started

    def _simplified(self) -> Iterator[str]:
        """Yield what is simpler here than it is, in words."""
        faults = self.settings.faults
        fails_over = faults is not None and "failover" in faults.named()
        instead = WITH_FAILOVER if fails_over else {}
        return filter(None, (instead.get(one, one) for one in self.simplified))

    def _said_of_keys(self) -> tuple[str, ...]:
        return (coverage.NO_KEY_EXPIRED,) if self.keeps_keys and not self.expired else ()

    def scope(self) -> coverage.Scope:
        """Return the bounds within which a verdict holds."""
        if self.first is None:
            return {}
        sharing, is_blind = self.environment.sharing, not self.settings.finds_memory
        self.reach.reads_memory = is_blind or sharing.is_touched
        self.reach.writes_memory = is_blind or sharing.is_written
        self.reach.shares_memory = is_blind or sharing.is_common
        self.reach.note(self.first, self.environment.given)
        scope = coverage.scope_of(
            self.first, self.settings, backend=self.environment.backend, shared=self.shared,
            early_ticks=self.early_ticks, simplified=(*self._simplified(), *self._said_of_keys()),
            raced=sharing.names(), faults=len(self.vector),
            atomic=tuple(sorted(sharing.taken_as_atomic)), reach=self.reach,
            given=self.environment.given, guarantees=self.guarantees,
            own_checks=self.own_checks, isolation=tuple(sorted(self.isolation)),
            left_by_body=tuple(sorted(self.left_by_body)), replaced=self.environment.replaced,
        )  # fmt: skip
        return scope | coverage.orders_of(scope, len(self.different))


def _refuse_missed_names(execution: Execution) -> None:
    """Raise the error of our own code, in a call by code under test, that lacks a library's name.

    Raises:
        AttributeError: a mistake of this package.
    """
    answers = (*(op.error for op in execution.history), *execution.settled.probes.values())
    for error in (execution.failure, *execution.errors.values(), *answers):
        if isinstance(error, AttributeError) and missed_name(error):
            raise error


def look_ahead(environment: CheckEnvironment, preflight: Body | None) -> None:
    """Run once a body that raises if the declaration of the system is wrong."""
    if preflight is not None:
        first = again = environment.execute(preflight, Serial(()), unlimited_ticks=True).failure
        while (
            environment.steps_have_changed()
        ):  # it has imported a library, whose state is known now
            environment.stack.forget_nodes()
            again = environment.execute(preflight, Serial(()), unlimited_ticks=True).failure
        if isinstance(again, SupercacheError):  # memo functions have answered the first time
            raise first if isinstance(first, SupercacheError) else again
        environment.stack.forget_nodes()
        environment.notice_new_modules()
    environment.hash_globals()


def _hash_of(choices: tuple[str, ...]) -> int:
    """Return a hash that is the same in every process."""
    text = "\n".join(choices).encode(errors="surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest())
