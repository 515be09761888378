"""Searches without faults, then once for every set of faults that can strike.

The places for faults are learnt from the executions: those with one fault show the places for a
second one, such as a retry that only happens after the first. No two sets cover the same
executions, so each is a unit of work, in an order that does not depend on the process that does it.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future
from contextlib import contextmanager
from dataclasses import dataclass, replace

from pytest_supercache.checking import coverage
from pytest_supercache.checking.left_behind import LeftBehindError
from pytest_supercache.checking.submitted import until_done
from pytest_supercache.core.errors import ReplayDivergedError, SupercacheError
from pytest_supercache.core.fault import Fault, Vector
from pytest_supercache.core.fault_points import joined
from pytest_supercache.core.real_clock import real_seconds
from pytest_supercache.core.result import CheckResult
from pytest_supercache.core.schedule import Schedule
from pytest_supercache.core.settings import Exploration
from pytest_supercache.core.verdict import Verdict
from pytest_supercache.remote.program import NotCalledError


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSetResult:
    """The outcome of the search of one set of faults.

    ``points`` are the faults that could have struck besides; ``idle`` counts executions in which
    one of the vector's faults had nothing to strike: they are no executions of this vector;
    ``leases`` are keys that were locks in some execution, which larger vectors know then. What a
    worker found comes without its executions: they are recorded here.
    """

    vector: Vector
    result: CheckResult
    reduction: coverage.Reduction | None = None
    points: tuple[Fault, ...] = ()
    idle: int = 0
    leases: frozenset[str] = frozenset()


Rerun = Schedule | CheckResult
"""A schedule to be replayed, or a worker's finding to be recorded, instead of a search."""


def schedule_of(again: Rerun) -> Schedule:
    """Return the schedule that is to be executed again."""
    if isinstance(again, Schedule):
        return again
    assert again.counterexample is not None, "only a finding is executed again"
    return again.counterexample.schedule


SearchOne = Callable[[Vector, Exploration, Rerun | None], FaultSetResult]
"""Searches one vector within these settings; or executes a ``Rerun`` instead."""

SubmitOne = Callable[[Vector, Exploration], "Future[FaultSetResult]"]
"""Submits a vector to be searched by another process."""


def search_fault_sets(
    settings: Exploration,
    search_one: SearchOne,
    replay: Rerun | None,
    submit_one: SubmitOne | None = None,
) -> CheckResult:
    """Search the vector without faults, then all others, smaller ones first, within one budget.

    A rerun has the faults of its schedule and no others. Results of other processes are
    taken in the same order, so that the result does not depend on which was faster.
    """
    if replay is not None or settings.faults is None:
        vector = () if replay is None else schedule_of(replay).vector
        return search_one(vector, settings, replay).result
    progress = _Progress(settings)
    level: list[Vector] = [()]
    while level:
        following: dict[frozenset[Fault], Vector] = {}
        for vector, unit in _units(level, progress, search_one, submit_one):
            if unit is None:
                return progress.result(vector)
            progress.add(unit)
            if unit.result.verdict is Verdict.VIOLATED and settings.stop_at_first:
                return progress.result(vector)
            if len(vector) < settings.faults.max:
                for larger in joined(vector, unit.points):
                    following.setdefault(frozenset(larger), larger)
        progress.end_level(len(level[0]))
        level = list(following.values())
    return progress.result(None)


def _units(
    level: list[Vector],
    progress: "_Progress",
    search_one: SearchOne,
    submit_one: SubmitOne | None,
) -> Iterator[tuple[Vector, FaultSetResult | None]]:
    """Yield every vector of a level with its result; None: no budget is left for it."""
    futures: dict[Vector, Future[FaultSetResult]] = {}
    left = progress.left(is_clean=False)
    if submit_one is not None and left is not None and len(level) > 1:
        with _telling_of_dead_processes():  # one may have ended in the search without faults
            futures = {vector: submit_one(vector, left) for vector in level}
    try:
        for vector in level:
            left = progress.left(is_clean=not vector)
            if left is None:
                yield vector, None
            elif (found := _result_of(futures.get(vector))) is not None:
                yield vector, _confirmed(found, search_one, left)
            else:
                yield vector, search_one(vector, left, None)
    finally:
        for future in futures.values():
            future.cancel()


def _result_of(future: "Future[FaultSetResult] | None") -> FaultSetResult | None:
    """Return what another process has found; None: the vector is to be searched here."""
    if future is None:
        return None
    try:
        with _telling_of_dead_processes():
            return until_done(future).result()
    except (LeftBehindError, NotCalledError):
        return None


@contextmanager
def _telling_of_dead_processes() -> Iterator[None]:
    try:
        yield
    except BrokenExecutor as error:
        raise SupercacheError(
            f"a process that searched for faults ended before it was done: {error}. Run again "
            "without --supercache-workers to see where"
        ) from error


def _confirmed(unit: FaultSetResult, search_one: SearchOne, within: Exploration) -> FaultSetResult:
    """Repeat a worker's finding in this process: only what repeats may be reported."""
    if unit.result.counterexample is None:
        return unit
    try:
        return replace(unit, result=search_one(unit.vector, within, unit.result).result)
    except ReplayDivergedError as error:
        reasons = (f"a worker found a violation that does not repeat here: {error}",)
        return replace(unit, result=CheckResult(verdict=Verdict.UNKNOWN, reasons=reasons))


class _Progress:
    """The results so far, and what is left of the budget."""

    def __init__(self, settings: Exploration) -> None:
        assert settings.faults is not None
        self.size = 0  # all vectors of at most this many faults were searched
        self._settings = settings
        self._faults = settings.faults
        self._started = real_seconds()
        self._done: list[FaultSetResult] = []
        self._leases: frozenset[str] = frozenset()

    def add(self, unit: FaultSetResult) -> None:
        self._done.append(unit)

    def end_level(self, size: int) -> None:
        """Note that all vectors of ``size`` faults were searched; larger ones know their leases."""
        self.size = size
        self._leases = frozenset[str]().union(*(done.leases for done in self._done))

    def left(self, *, is_clean: bool) -> Exploration | None:
        """Return the budget of the next vector; the vector without faults leaves half of it."""
        used = sum(done.result.executions + done.idle for done in self._done)
        seconds = real_seconds() - self._started
        executions, time = self._settings.executions - used, self._settings.time - seconds
        if executions < 1 or time <= 0:
            return None
        if is_clean and self._faults.max:
            executions, time = max(executions // 2, 1), time / 2
        return replace(self._settings, executions=executions, time=time, leases=self._leases)

    def result(self, left_at: Vector | None) -> CheckResult:
        """Return the joint result; ``left_at``: the first vector that had no budget left."""
        results = [done.result for done in self._done]
        violated = next((r for r in results if r.verdict is Verdict.VIOLATED), None)
        if violated is not None:
            return self._violated(violated)
        reasons = [
            f"with {' and '.join(map(str, done.vector))}: {reason}" if done.vector else reason
            for done in self._done
            for reason in done.result.reasons
        ]
        if left_at is not None:
            reasons.append(
                f"the budget ran out before every set of at most {self._faults.max} faults was "
                "tried. Give more with --supercache-executions and --supercache-time, or name "
                "fewer kinds of faults"
            )
        exhausted = not reasons and all(result.exhausted for result in results)
        total, scope = self._sum(), self._scope(self._faults.max if exhausted else self._held())
        as_far = coverage.cut_off(total.executions, scope, None) if scope else ""
        return replace(
            total,
            verdict=Verdict.HOLDS if exhausted else Verdict.UNKNOWN,
            exhausted=exhausted,
            interleavings=self._all("interleavings") if exhausted else None,
            schedules=self._all("schedules") if exhausted else None,
            coverage=(
                coverage.exhausted(total.executions, self._reduction(), scope)
                if exhausted
                else as_far
            ),
            reasons=tuple(reasons),
            notes=(*total.notes, *(self._silent_kinds() if exhausted else ())),
            scope=scope,
        )

    def _violated(self, violated: CheckResult) -> CheckResult:
        vector = next(done.vector for done in self._done if done.result is violated)
        total, scope = self._sum(), self._scope(len(vector))
        return replace(
            total,
            verdict=Verdict.VIOLATED,
            label=violated.label,
            reproduce=violated.reproduce,
            statistics=violated.statistics,
            counterexample=violated.counterexample,
            coverage=(
                coverage.found(total.executions, total.violating, None, scope)
                if total.violating or not total.executions
                else coverage.found_by_turns(total.executions, scope)
            ),
            scope=scope,
        )

    def _sum(self) -> CheckResult:
        results = [done.result for done in self._done]
        notes = dict.fromkeys(note for result in results for note in result.notes)
        return CheckResult(
            verdict=Verdict.UNKNOWN,
            executions=sum(result.executions for result in results),
            violating=sum(result.violating for result in results),
            blocked=sum(result.blocked for result in results),
            seconds=real_seconds() - self._started,
            notes=tuple(notes),
            statistics=results[0].statistics,
        )

    def _all(self, counted: str) -> int | None:
        """Return the sum of interleavings, or schedules, over all sets of faults."""
        counts = [getattr(unit.result, counted) for unit in self._done if unit.result.executions]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    def _reduction(self) -> coverage.Reduction | None:
        """Return the joint evidence of all reductions; None: each schedule was executed."""
        reductions = [unit.reduction for unit in self._done if unit.result.executions]
        kept = [reduction for reduction in reductions if reduction is not None]
        if not kept:
            return None
        return coverage.Reduction(
            self._all("schedules"),
            sum(reduction.checks for reduction in kept),
            is_exact=all(reduction.is_exact for reduction in kept),
        )

    def _held(self) -> int:
        """Return the number of faults up to which all vectors were exhausted."""
        unfinished = [len(d.vector) for d in self._done if not d.result.exhausted]
        return max(min([*unfinished, self.size + 1]) - 1, 0)

    def _scope(self, faults: int) -> coverage.Scope:
        struck = [done for done in self._done if done.vector and done.result.executions]
        scope = dict(next((done.result.scope for done in self._done if done.result.scope), {}))
        for done in struck:
            ticks = max(int(scope["early ticks"]), int(done.result.scope["early ticks"]))
            scope["early ticks"] = ticks
        if scope and struck:
            scope["faults"] = faults
            scope["fault kinds"] = ", ".join(self._faults.named())
            scope["fault vectors"] = len(struck)
        elif scope:
            scope["faults"] = faults
        return scope

    def _silent_kinds(self) -> tuple[str, ...]:
        struck = {
            fault.kind for done in self._done if done.result.executions for fault in done.vector
        }
        silent = [kind for kind in self._faults.named() if kind not in struck]
        if not silent or not self._faults.max:
            return ()
        return (f"faults that had nothing to strike in this flow: {', '.join(silent)}",)
