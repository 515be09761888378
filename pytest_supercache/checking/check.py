"""`check`: searches the interleavings of a body, judges each execution, and gives a verdict.

Read this first. A body is run under one schedule after another; every execution is judged; the
search decides which schedule comes next. A counterexample is minimized and replayed before it is
reported.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any

from pytest_supercache.checking import coverage
from pytest_supercache.checking.diagnose import diagnosed, place_of_conflict
from pytest_supercache.checking.divided import (
    WorkerProcesses,
    WorkUnit,
    WorkUnitResult,
    explore_subtrees,
    failing_as_undivided,
)
from pytest_supercache.checking.environment import (
    UNOBSERVED,
    Body,
    CheckEnvironment,
    Observers,
    open_environment,
)
from pytest_supercache.checking.fault_sets import (
    FaultSetResult,
    Rerun,
    schedule_of,
    search_fault_sets,
)
from pytest_supercache.checking.kept import filled_before, kept_before, note_filled, note_kept
from pytest_supercache.checking.minimize import (
    DoesNotReplay,
    confirm,
    recorded,
    replayed,
    simplest,
    smallest,
)
from pytest_supercache.checking.nearest_passing import find_passing
from pytest_supercache.checking.runner import (
    RESTARTS_MAX,
    Failure,
    HazardMet,
    Runner,
    SharedMemoryNeeded,
    StepsHaveChanged,
    UndividedError,
    look_ahead,
)
from pytest_supercache.checking.serial_runs import repeat_first, take_turns
from pytest_supercache.checking.simulated_odds import with_odds
from pytest_supercache.checking.strategy import Searched, search
from pytest_supercache.checking.workers import (
    Dispatch,
    Work,
    in_process,
    lean,
    sent_to,
)
from pytest_supercache.core.errors import KeptError, NotDeterministicError, ReplayDivergedError
from pytest_supercache.core.fault import Faults, Vector
from pytest_supercache.core.masking import masked
from pytest_supercache.core.mistakes import reported_as_unknown
from pytest_supercache.core.orders import Share
from pytest_supercache.core.real_clock import real_seconds
from pytest_supercache.core.result import CheckResult
from pytest_supercache.core.schedule import Schedule
from pytest_supercache.core.settings import Assume, Exploration, refuse_unavailable
from pytest_supercache.core.verdict import End, Label, Verdict
from pytest_supercache.declare.held import OfOthers, thread_locals_of
from pytest_supercache.declare.registry import REGISTRY, named_system
from pytest_supercache.declare.switched import doubled, exchanged, switched
from pytest_supercache.layers.servers import AnyServer, start_server
from pytest_supercache.oracle.guarantee import Guarantee, as_guarantees, complete
from pytest_supercache.oracle.judge import DEFAULT
from pytest_supercache.runtime.kernel.thread_locals import LocalsOfTest
from pytest_supercache.runtime.memory.sharing import not_tried
from pytest_supercache.runtime.process.fingerprints import not_deterministic
from pytest_supercache.runtime.process.fresh_stack import with_room
from pytest_supercache.runtime.process.other_variables import reads_reported
from pytest_supercache.runtime.process.taking_back import taken_back
from pytest_supercache.world.history import Given


def check(
    body: Body,
    *,
    search: str = "auto",
    grain: str = "command",
    seed: int = 0,
    executions: int = 20_000,
    time: float = 120.0,
    ticks: int | str = "auto",
    preemptions: int | None = None,
    polls: int = 3,
    memory: str = "auto",
    atomic: Sequence[str] = (),
    faults: Faults | None = None,
    guarantees: Iterable[Guarantee] = (),
    assume: Assume | None = None,
    stop_at_first: bool = True,
    executor: Executor | None = None,
) -> CheckResult:
    """Run ``body`` under every schedule that the search chooses, and judge each execution.

    Args:
        body: called with a :class:`~pytest_supercache.world.world.World`, once per execution.
        search: ``auto``, ``exhaustive``, ``all-schedules``, ``pct``, ``random``, ``uniform`` or
            ``hypothesis``.
        grain: where switch points are: ``command``, ``wire``, ``await`` or ``line``
            (docs/grains.md).
        seed: of the random search, and of ``random``, ``secrets`` and ``uuid`` in the code under
            test.
        executions: the largest number of schedules that are executed.
        time: real seconds after which the search stops.
        ticks: how often the clock may move although an actor could go on; ``auto``: once, when the
            code under test started a sleep, a timed wait or a lock lease.
        preemptions: try only schedules with at most so many; HOLDS only if there are no others.
        polls: how many repeats of a question that was told "nothing" are answered at any time
            (``acquire(blocking=False)``, ``queue.empty()``); then it waits for another answer.
        memory: ``declared``, ``shared`` or ``auto`` (docs/runtime.md).
        atomic: memory that is shared on purpose, and whose accesses may be taken as one with the
            steps around them, by the names that a verdict gives: ``Stats.hits``, ``Shop.near``.
        faults: what may go wrong meanwhile; None: nothing (docs/faults.md).
        guarantees: what must hold beside the body's own checks; ``answers`` is always on.
        assume: what production promises.
        stop_at_first: stop at the first violation instead of counting all.
        executor: searches fault vectors, and parts of a long search, in other processes; these must
            be able to import the body.

    Returns:
        The verdict, with a counterexample if it is VIOLATED.

    Raises:
        SupercacheError: an option is wrong, or the body misuses its world.
    """
    settings = Exploration(
        search=search, grain=grain, seed=seed, executions=executions, time=time, ticks=ticks,
        preemptions=preemptions, polls=polls, memory=memory, atomic=atomic, faults=faults,
        assume=assume, stop_at_first=stop_at_first,
    )  # fmt: skip
    wanted = as_guarantees(guarantees)
    place = sent_to(executor)
    server = start_server("fakeredis")
    return check_on(server, body, settings, guarantees=wanted, on=place)


_SHARED = (
    "memory is treated as shared: {needed}. Declare what it looks into with watch(...) to make "
    "the search cheaper"
)


@with_room
@reported_as_unknown
def check_on(
    server: AnyServer,
    body: Body,
    settings: Exploration,
    *,
    guarantees: tuple[Guarantee, ...] = DEFAULT,
    given: Given | None = None,
    state: Iterable[str] = (),
    clients: Iterable[str] = (),
    isolate: Iterable[str] = (),
    item: str = "check",
    system: str = "",
    own_checks: str = "what the body asserts",
    preflight: Body | None = None,
    replay: Rerun | None = None,
    hypothesis_seed: int | None = None,
    reproduce: tuple[str, bytes] | None = None,
    on: Dispatch = in_process,
    observers: Observers = UNOBSERVED,
) -> CheckResult:
    """Check ``body`` with every option given; :func:`check` and the plugin both call this."""
    refuse_unavailable(settings)
    schedule = None if replay is None else schedule_of(replay)
    settings = settings if schedule is None else replace(settings, grain=schedule.grain)
    work = Work(
        body=body, settings=settings, guarantees=complete(guarantees), state=tuple(state),
        clients=tuple(clients), hypothesis=(hypothesis_seed, reproduce), own_checks=own_checks,
        isolate=tuple(isolate), backend=server.backend, item=item, system=system, given=given or {},
    )  # fmt: skip
    dispatch = on if replay is None else in_process
    with taken_back(), dispatch(work) as workers, _environment_for(server, work) as environment:
        environment.observers = observers
        look_ahead(environment, preflight)

        def explore(*, shared: bool) -> CheckResult:
            search_here = partial(_search_one, environment, work, shared, workers)
            submit_one = workers and partial(workers.submit, search_unit, shared)
            with environment.as_recorded(schedule):
                result = search_fault_sets(settings, search_here, replay, submit_one)
            return result if replay is not None else _with_odds(environment, work, shared, result)

        try:
            return explore(shared=settings.shares_memory or environment.is_shared_in(schedule))
        except SharedMemoryNeeded as needed:
            note = _SHARED.format(needed=needed)
        except ReplayDivergedError:
            if replay is None or settings.memory != "auto" or settings.shares_memory:
                raise
            note = "the token fits only with memory treated as shared"
        one = explore(shared=True)
        # A result that is replayed has the note already: the worker has said it.
        return one if isinstance(replay, CheckResult) else replace(one, notes=(*one.notes, note))


def search_unit(work: Work, shared: bool, vector: Vector, within: Exploration) -> FaultSetResult:
    """Search one set of faults in an environment of its own: the work of a worker."""
    server = start_server(work.backend)
    try:
        with taken_back(), _environment_for(server, work) as environment:
            environment.hash_globals()
            unit = _search_one(environment, work, shared, None, vector, within, None)
            return replace(unit, result=lean(unit.result))
    finally:
        server.close()


RESTARTS_OF_PART_MAX = 5
"""The number of times that a part starts over; an import changes steps once."""


def search_subtrees(
    work: Work, shared: bool, vector: Vector, within: Exploration, unit: WorkUnit
) -> WorkUnitResult:
    """Explore a part of a search in an environment of its own: the work of a worker.

    Raises:
        UndividedError: what it has met is to be searched by the process that divides the search.
        SearchEnded: the budget of the whole search is used up.
    """
    server = start_server(work.backend)
    try:
        with (
            failing_as_undivided(),
            taken_back(),
            _environment_for(server, work) as environment,
        ):
            for _ in range(RESTARTS_OF_PART_MAX):
                environment.hash_globals()
                environment.know(deepcopy(unit.sharing))
                environment.stack.existing_cache.leases.start(unit.leases)
                runner = _runner(environment, work, within, shared=shared, vector=vector)
                with suppress(StepsHaveChanged):  # by an import, or by what is learnt
                    result = explore_subtrees(runner, unit)
                    if not environment.sharing.has_learnt_since(unit.sharing):
                        return result
                    break
            raise UndividedError("more is known by now of what the code touches")
    finally:
        server.close()


@contextmanager
def _environment_for(server: AnyServer, work: Work) -> Iterator[CheckEnvironment]:
    opened = open_environment(
        server, work.settings, work.given, state=work.state, clients=work.clients,
        isolate=work.isolate,
    )  # fmt: skip
    told, replaced = _switched(work), _exchanged(work)  # before the check rewrites the code
    code = _code_of(work)
    kept, filled = kept_before(code, work.item), filled_before(code, work.item)
    of_test = LocalsOfTest(thread_locals_of(code))
    with reads_reported(_of_others(work)), opened as environment:
        environment.ways_out |= dict.fromkeys(told)
        environment.replaced = tuple(replaced)
        environment.kept_before, environment.filled_before = kept, filled
        environment.locals_of_test = of_test
        yield environment
    if environment.keeps:
        note_kept(code, work.item)
    if environment.fills:
        note_filled(code, work.item)


def _code_of(work: Work) -> Callable[..., Any]:
    """Return the factory of the system, or the body, that a check is of."""
    declared = REGISTRY.systems.get(work.system)
    return inspect.unwrap(work.body) if declared is None else declared.factory


def _of_others(work: Work) -> OfOthers:
    """Return what is not as the factory, or the test, was declared with."""
    declared = REGISTRY.systems.get(work.system)
    if declared is None:
        return OfOthers.found(inspect.unwrap(work.body))
    return OfOthers.found(declared.factory, named_system(work.system))


_SWITCHED = (
    "the code under test leads to {}, which had another value when {} was registered, and which "
    "was set since, when {}. Set it in the factory or in a fixture, or hand the factory what it "
    "needs"
)


_DOUBLED = (
    "the code under test leads to {}, which another test, or its module while it was imported, has "
    "replaced. Replace it in a fixture, which takes it back"
)


def _exchanged(work: Work) -> list[str]:
    """Return the code, and the plain values, that fixtures have replaced."""
    declared = REGISTRY.systems.get(work.system)
    if declared is None:
        return exchanged(inspect.unwrap(work.body))
    return exchanged(declared.factory, named_system(work.system))


def _switched(work: Work) -> list[str]:
    """Return why the code of a system or a test is not as it was meant."""
    declared, named = REGISTRY.systems.get(work.system), named_system(work.system)
    if declared is None:
        double = doubled(inspect.unwrap(work.body))
        return [] if double is None else [_DOUBLED.format(double)]
    found = switched(declared.factory, named)
    return [] if found is None else [_SWITCHED.format(found[0], named, found[1])]


def _search_one(
    environment: CheckEnvironment,
    work: Work,
    shared: bool,
    workers: WorkerProcesses | None,
    vector: Vector,
    within: Exploration,
    again: Rerun | None,
) -> FaultSetResult:
    began = real_seconds()
    environment.sharing.is_everything = shared and not work.settings.shares_memory
    environment.stack.existing_cache.leases.start(within.leases)

    others = None
    if workers is not None and not (within.faults is not None and within.faults.max):
        submit = partial(workers.submit, search_subtrees, shared, vector, within)
        others = workers._replace(submit=submit)

    def fresh() -> tuple[Runner, _Check]:
        runner = _runner(environment, work, within, shared=shared, vector=vector)
        runner.started = began
        return runner, _Check(runner, work, again, others)

    runner, one = fresh()
    for _ in range(RESTARTS_MAX):
        try:
            result = one.result()
            break
        except StepsHaveChanged:  # what is learnt only grows, so this usually comes to an end
            environment.hash_globals()
            runner, one = fresh()
    else:
        told = _other_names(environment)
        if not shared:
            raise SharedMemoryNeeded(told)
        result = one.unknown((told,))
    return FaultSetResult(
        vector=vector,
        result=replace(
            result,
            notes=one.notes(result),
            scope=one.scope(result),
            memory=environment.sharing.listed(),
        ),
        reduction=one.reduction(),
        points=tuple(runner.points),
        idle=runner.idle,
        leases=environment.stack.existing_cache.leases.known,
    )


def _runner(
    environment: CheckEnvironment, work: Work, within: Exploration, *, shared: bool, vector: Vector
) -> Runner:
    return Runner(
        environment=environment, body=work.body, settings=within, guarantees=work.guarantees,
        shared=shared, vector=vector, own_checks=work.own_checks,
    )  # fmt: skip


def _other_names(environment: CheckEnvironment) -> str:
    """Return why a search that starts over again and again comes to no end, with an example."""
    names = sorted(environment.stack.existing_cache.leases.known) or environment.sharing.names()
    example = f", for example {masked(names[-1])!r}" if names else ""
    return (
        f"what the code touches has other names in every run{example}, so no run can be repeated. "
        "Name keys and locks after what they stand for, not after id() or a random number"
    )


def _with_odds(
    environment: CheckEnvironment, work: Work, shared: bool, result: CheckResult
) -> CheckResult:
    found = result.counterexample
    environment.sharing.stop_learning()
    runner = Runner(
        environment=environment, body=work.body, guarantees=work.guarantees, shared=shared,
        settings=replace(work.settings, memory="shared" if shared else "declared"),
        vector=() if found is None else found.schedule.vector,
    )  # fmt: skip
    return with_odds(runner, result)


class _Check:
    """One check, from the first serial run to the result."""

    def __init__(
        self, runner: Runner, work: Work, again: Rerun | None, others: WorkerProcesses | None
    ) -> None:
        self._runner = runner
        self._others = others
        self._item = work.item
        self._place = place_of_conflict(work.item, work.system, work.body)
        self._again = again
        self._hypothesis = work.hypothesis
        self._searched = Searched()

    def notes(self, result: CheckResult) -> tuple[str, ...]:
        """Return the notes that accompany the verdict."""
        earlier = coverage.of_earlier_runs(self._runner.executed_before, self._runner.executions)
        first = self._runner.note_of_first or self._runner.environment.filled_before
        own = filter(None, (self._searched.note, first, earlier, self._kept()))
        slow = coverage.of_slowness(result.counterexample)
        return (*result.notes, *own, *self._runner.environment.sharing.notes(), *slow)

    def _kept(self) -> str:
        """Say what an unfinished search has left for the next run, if anything."""
        journal = None if self._others is None else self._others.journal
        is_unfinished = self._searched.end is End.OUT_OF_BUDGET
        if journal is None or journal.division is None or not is_unfinished:
            return ""
        return coverage.of_what_is_kept(journal.problem, journal.passed_over)

    def scope(self, result: CheckResult) -> coverage.Scope:
        """Return the bounds of the verdict, and whether a first run was left out of them."""
        runner, environment = self._runner, self._runner.environment
        if not result.scope:
            return {}
        is_left_out = runner.note_of_first or environment.filled_before
        first = {"first run": "not searched"} if is_left_out else {}
        earlier = {"executed": "partly by earlier runs"} if runner.executed_before else {}
        return {**result.scope, **first, **earlier}

    def result(self) -> CheckResult:
        """Search, and draw the conclusion."""
        runner, environment = self._runner, self._runner.environment
        if environment.keeps or environment.kept_before:
            return self.unknown(filter(None, [environment.kept_before]))
        try:
            if isinstance(self._again, CheckResult):
                return recorded(runner, self._again, self._item)
            if self._again is not None:
                return self._replayed(self._again)
            label, runner.found, met = take_turns(runner)
            if runner.found is not None and runner.settings.stop_at_first:
                return self._violated(End.FOUND, label)
            self._searched = search(runner, self._item, self._hypothesis, self._others)
            runner.found = runner.found or met
            return self._told(self._concluded(self._searched.end, label))
        except HazardMet as hazard:
            return self.unknown(hazard.reasons)
        except (NotDeterministicError, DoesNotReplay) as error:
            return self._unsteady(error)

    def _unsteady(self, error: NotDeterministicError | DoesNotReplay) -> CheckResult:
        """Search again with containers as wholes, since their keys may differ in every run.

        Raises:
            StepsHaveChanged: there are containers that are not wholes yet.
        """
        may_search = self._again is None or isinstance(error, NotDeterministicError)
        if may_search and self._runner.environment.sharing.take_as_wholes():
            raise StepsHaveChanged from error
        self._runner.environment.keeps |= isinstance(error, KeptError)
        if isinstance(error, NotDeterministicError):
            return self.unknown(
                (not_deterministic(error, self._runner.environment.globals_before),)
            )
        return self.unknown((str(error),))

    def _told(self, result: CheckResult) -> CheckResult:
        """Add what users of Hypothesis expect to see, and let it remember the witness."""
        generated, found, again = self._searched.generated, result.counterexample, ""
        if generated is None:
            return result
        if found is not None and not found.serial:
            again = generated.remember(found.schedule, self._runner.execute)
        return replace(result, reproduce=again, statistics=generated.statistics)

    def _replayed(self, schedule: Schedule) -> CheckResult:
        """Execute one recorded schedule and judge it: no search, no proof."""
        runner = self._runner
        execution = replayed(runner, schedule)
        violations = runner.judge(execution).violations
        runner.executions = 1
        if not violations:
            return self.unknown((_REPLAYED_AND_HELD,))
        runner.violating = 1
        runner.found = Failure(execution, violations)
        self._searched.is_smallest = True  # a replay shows what it was given
        return self._violated(End.FOUND, take_turns(runner).label)

    def _concluded(self, end: End, label: Label) -> CheckResult:
        runner = self._runner
        if runner.found is not None:
            return self._violated(end, label)
        if not_shown := (*runner.not_judged, *not_tried(runner.environment.sharing)):
            return self.unknown(not_shown)
        if end is not End.EXHAUSTED:
            assert runner.first is not None, "a search has executed something"
            reduction_check = self._searched.reduction_check
            interleavings = 0 if reduction_check is None else reduction_check.interleavings
            why = coverage.why_unfinished(
                runner.tried, runner.seconds(), runner.settings, runner.first,
                self._searched.sampler, self._searched.up_to,
                different=(len(runner.different), interleavings),
                elsewhere=runner.seconds_elsewhere,
            )  # fmt: skip
            return self.unknown((why,))
        repeat_first(runner)
        held = CheckResult(
            verdict=Verdict.HOLDS,
            executions=runner.executions,
            blocked=runner.blocked,
            exhausted=True,
            coverage=coverage.exhausted(runner.executions, self.reduction(), runner.scope()),
            seconds=runner.seconds(),
            scope=runner.scope(),
        )
        return self._counted(held)

    def _violated(self, end: End, label: Label) -> CheckResult:
        runner = self._runner
        assert runner.found is not None, "a violation needs a finding"
        reduction_check = self._searched.reduction_check
        follow = None if reduction_check is None else reduction_check.witness
        exhausted = end is End.EXHAUSTED
        if reduction_check is not None and follow is not None and not runner.found.serial:
            found, minimal = (
                simplest(runner, runner.found, follow),
                exhausted and reduction_check.is_minimal,
            )
        else:
            is_smallest = self._searched.is_smallest
            found, minimal = smallest(runner, runner.found, is_smallest=is_smallest)
        counterexample = confirm(runner, found, self._item, minimal=minimal and self._again is None)
        counterexample = diagnosed(
            counterexample, label, reduction_check, exhausted=exhausted, of=self._place
        )
        share = self._share() if exhausted else None
        result = CheckResult(
            verdict=Verdict.VIOLATED,
            label=label,
            executions=runner.executions,
            violating=runner.violating,
            blocked=runner.blocked,
            exhausted=exhausted,
            coverage=coverage.found(runner.executions, runner.violating, share, runner.scope()),
            counterexample=counterexample,
            seconds=runner.seconds(),
            scope=runner.scope(),
            share=share,
        )
        result = self._counted(result) if exhausted else result
        passing = find_passing(runner, counterexample, reduction_check)
        return replace(result, counterexample=replace(counterexample, passing=passing))

    def unknown(self, reasons: Iterable[str]) -> CheckResult:
        """Return a result that proves nothing, for these reasons."""
        runner = self._runner
        scope = runner.scope()
        up_to = (
            None
            if runner.not_judged or not_tried(runner.environment.sharing)
            else self._searched.up_to
        )
        return CheckResult(
            verdict=Verdict.UNKNOWN,
            executions=runner.executions,
            violating=runner.violating,
            blocked=runner.blocked,
            coverage=coverage.cut_off(runner.executions, scope, up_to) if scope else "",
            reasons=tuple(reasons),
            seconds=runner.seconds(),
            scope=scope,
        )

    def _counted(self, result: CheckResult) -> CheckResult:
        """Add the numbers of interleavings and schedules, as far as they are known."""
        found = self._searched.reduction_check
        if found is None:
            return replace(result, schedules=self._runner.executions)
        return replace(result, interleavings=found.interleavings, schedules=found.schedules)

    def _share(self) -> Share | None:
        """Return the share of interleavings and schedules that fail, if all were executed."""
        reduction_check = self._searched.reduction_check
        return None if reduction_check is None else reduction_check.share()

    def reduction(self) -> coverage.Reduction | None:
        """Return the evidence for the reduction, if there was one."""
        reduction_check = self._searched.reduction_check
        if reduction_check is None:
            return None
        return coverage.Reduction(
            reduction_check.schedules, reduction_check.further, is_exact=reduction_check.is_exact
        )


_REPLAYED_AND_HELD = (
    "the recorded schedule was replayed and everything held; one schedule proves nothing. Run the "
    "scenario without --supercache-replay to search it"
)
