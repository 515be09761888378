"""Search x execute x judge: the one place where they meet, and the owner of the budget.

Read this first. A body is run under one schedule after another; every execution is judged; the
search decides what comes next. What is found is made small, replayed, and only then reported.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial

from pytest_supercache.checking import coverage
from pytest_supercache.checking.diagnose import diagnosed, found_in
from pytest_supercache.checking.environment import Body, Given, Stand, test_stand
from pytest_supercache.checking.fault_sets import Again, Unit, schedule_of, search_vectors
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
    Found,
    HazardMet,
    SharedMemoryNeeded,
    StepsHaveChanged,
    Trial,
    look_ahead,
)
from pytest_supercache.checking.serial_runs import repeat_first, take_turns
from pytest_supercache.checking.simulated_odds import with_odds
from pytest_supercache.checking.strategy import Searched, search
from pytest_supercache.checking.workers import Place, Work, here, sent_to
from pytest_supercache.core.errors import NotDeterministicError, ReplayDivergedError
from pytest_supercache.core.fault import Faults, Vector
from pytest_supercache.core.mistakes import told_as_unknown
from pytest_supercache.core.orders import Share
from pytest_supercache.core.progress import Progress
from pytest_supercache.core.real_clock import real_seconds
from pytest_supercache.core.result import CheckResult
from pytest_supercache.core.schedule import Schedule
from pytest_supercache.core.settings import Assume, Exploration, refuse_unavailable
from pytest_supercache.core.trace import Step
from pytest_supercache.core.verdict import End, Label, Verdict
from pytest_supercache.layers.servers import AnyServer, start_server
from pytest_supercache.oracle.guarantee import Guarantee, complete
from pytest_supercache.oracle.judge import DEFAULT
from pytest_supercache.runtime.fingerprints import not_deterministic
from pytest_supercache.runtime.memory.sharing import not_tried
from pytest_supercache.runtime.room import with_room


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
        executions: how many schedules to execute at most.
        time: real seconds after which the search stops.
        ticks: how often the clock may move although somebody could go on; ``auto``: once, when the
            code under test started a sleep, a timed wait or a lock lease.
        preemptions: try only schedules with at most so many; HOLDS only if there are no others.
        polls: how many repeats of a question that was told "nothing" are answered at any time
            (``acquire(blocking=False)``, ``queue.empty()``); then it waits for another answer.
        memory: ``declared``, ``shared`` or ``auto`` (docs/architecture.md, "Memory").
        atomic: memory that is shared on purpose, and whose accesses may be taken as one with the
            steps around them, by the names that a verdict gives: ``Stats.hits``, ``Shop.near``.
        faults: what may go wrong meanwhile; None: nothing (docs/faults.md).
        guarantees: what must hold beside the body's own checks; ``answers`` is always on.
        assume: what production promises.
        stop_at_first: stop at the first violation instead of counting all.
        executor: searches fault vectors, in other processes; it must be able to import the body.

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
    place = sent_to(executor, search_unit)
    server = start_server("fakeredis")
    return check_on(server, body, settings, guarantees=tuple(guarantees), on=place)


@with_room
@told_as_unknown
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
    replay: Again | None = None,
    hypothesis_seed: int | None = None,
    reproduce: tuple[str, bytes] | None = None,
    on: Place = here,
    on_step: Callable[[Step], None] | None = None,
    on_execution: Callable[[Progress], None] | None = None,
) -> CheckResult:
    """Check ``body`` with everything spelled out; :func:`check` and the plugin both come here."""
    refuse_unavailable(settings)
    schedule = None if replay is None else schedule_of(replay)
    settings = settings if schedule is None else replace(settings, grain=schedule.grain)
    work = Work(
        body=body, settings=settings, guarantees=complete(guarantees), state=tuple(state),
        clients=tuple(clients), hypothesis=(hypothesis_seed, reproduce), own_checks=own_checks,
        isolate=tuple(isolate), backend=server.backend, item=item, system=system, given=given or {},
    )  # fmt: skip
    with (on if replay is None else here)(work) as elsewhere, _stand_for(server, work) as stand:
        stand.on_step, stand.on_execution = on_step, on_execution
        look_ahead(stand, preflight)

        def explore(*, shared: bool) -> CheckResult:
            search_here = partial(_search_one, stand, work, shared)
            search_there = None if elsewhere is None else partial(elsewhere, shared)
            with stand.as_recorded(schedule):
                result = search_vectors(settings, search_here, replay, search_there)
            return result if replay is not None else _with_odds(stand, work, shared, result)

        try:
            return explore(shared=settings.shares_memory)
        except SharedMemoryNeeded as needed:
            note = (
                f"memory is treated as shared: {needed}. Declare what it looks into with "
                "watch(...) to make the search cheaper"
            )
        except ReplayDivergedError:
            if replay is None or settings.memory != "auto" or settings.shares_memory:
                raise
            note = "the token fits only with memory treated as shared"
        one = explore(shared=True)
        # A result that is replayed has the note already: the worker has said it.
        return one if isinstance(replay, CheckResult) else replace(one, notes=(*one.notes, note))


def search_unit(work: Work, shared: bool, vector: Vector, within: Exploration) -> Unit:
    """Search one vector on a stand of its own: what a worker does."""
    server = start_server(work.backend)
    try:
        with _stand_for(server, work) as stand:
            stand.hash_globals()
            return _search_one(stand, work, shared, vector, within, None)
    finally:
        server.close()


def _stand_for(server: AnyServer, work: Work) -> AbstractContextManager[Stand]:
    return test_stand(
        server, work.settings, work.given, state=work.state, clients=work.clients,
        isolate=work.isolate,
    )  # fmt: skip


def _search_one(
    stand: Stand,
    work: Work,
    shared: bool,
    vector: Vector,
    within: Exploration,
    again: Again | None,
) -> Unit:
    began = real_seconds()
    stand.stack.existing_cache.leases.start(within.leases)
    for _ in range(RESTARTS_MAX):
        trial = Trial(
            stand=stand, body=work.body, settings=within, started=began,
            guarantees=work.guarantees, shared=shared, vector=vector, own_checks=work.own_checks,
        )  # fmt: skip
        one = _Check(trial, work, again)
        try:
            result = one.result()
            break
        except StepsHaveChanged:  # what is learnt only grows, so this comes to an end
            stand.hash_globals()
    else:
        raise SharedMemoryNeeded("what the code touches has other names in every run")
    return Unit(
        vector=vector,
        result=replace(result, notes=one.notes(result), memory=stand.sharing.listed()),
        reduction=one.reduction(),
        points=tuple(trial.points),
        idle=trial.idle,
        leases=stand.stack.existing_cache.leases.known,
    )


def _with_odds(stand: Stand, work: Work, shared: bool, result: CheckResult) -> CheckResult:
    found = result.counterexample
    stand.sharing.stop_learning()
    trial = Trial(
        stand=stand, body=work.body, guarantees=work.guarantees, shared=shared,
        settings=replace(work.settings, memory="shared" if shared else "declared"),
        vector=() if found is None else found.schedule.vector,
    )  # fmt: skip
    return with_odds(trial, result)


class _Check:
    """One check from the first serial run to the result."""

    def __init__(self, trial: Trial, work: Work, again: Again | None) -> None:
        self._trial = trial
        self._item = work.item
        self._found_in = found_in(work.item, work.system, work.body)
        self._again = again
        self._hypothesis = work.hypothesis
        self._searched = Searched()

    def notes(self, result: CheckResult) -> tuple[str, ...]:
        """Return what should be said beside the verdict."""
        own = filter(None, (self._searched.note, self._trial.warmed))
        slow = coverage.of_slowness(result.counterexample)
        return (*result.notes, *own, *self._trial.stand.sharing.notes(), *slow)

    def result(self) -> CheckResult:
        """Explore and conclude."""
        trial = self._trial
        try:
            if isinstance(self._again, CheckResult):
                return recorded(trial, self._again, self._item)
            if self._again is not None:
                return self._replayed(self._again)
            label, trial.found, met = take_turns(trial)
            if trial.found is not None and trial.settings.stop_at_first:
                return self._violated(End.FOUND, label)
            self._searched = search(trial, self._item, self._hypothesis)
            trial.found = trial.found or met
            return self._told(self._concluded(self._searched.end, label))
        except HazardMet as hazard:
            return self._unknown(hazard.reasons)
        except (NotDeterministicError, DoesNotReplay) as error:
            return self._unsteady(error)

    def _unsteady(self, error: NotDeterministicError | DoesNotReplay) -> CheckResult:
        """Search again with containers as wholes, since their keys may be others in every run.

        Raises:
            StepsHaveChanged: there are containers that are not wholes yet.
        """
        may_search = self._again is None or isinstance(error, NotDeterministicError)
        if may_search and self._trial.stand.sharing.take_as_wholes():
            raise StepsHaveChanged from error
        if isinstance(error, NotDeterministicError):
            return self._unknown((not_deterministic(error, self._trial.stand.globals_before),))
        return self._unknown((str(error),))

    def _told(self, result: CheckResult) -> CheckResult:
        """Add what users of Hypothesis expect to be told, and let it remember the witness."""
        generated, found, again = self._searched.generated, result.counterexample, ""
        if generated is None:
            return result
        if found is not None and not found.serial:
            again = generated.remember(found.schedule, self._trial.execute)
        return replace(result, reproduce=again, statistics=generated.statistics)

    def _replayed(self, schedule: Schedule) -> CheckResult:
        """Execute one recorded schedule and judge it: no search, no proof."""
        trial = self._trial
        execution = replayed(trial, schedule)
        violations = trial.judge(execution).violations
        trial.executions = 1
        if not violations:
            return self._unknown((_REPLAYED_AND_HELD,))
        trial.violating = 1
        trial.found = Found(execution, violations)
        self._searched.is_smallest = True  # a replay shows what it was given
        return self._violated(End.FOUND, take_turns(trial).label)

    def _concluded(self, end: End, label: Label) -> CheckResult:
        trial = self._trial
        if trial.found is not None:
            return self._violated(end, label)
        if not_shown := (*trial.not_judged, *not_tried(trial.stand.sharing)):
            return self._unknown(not_shown)
        if end is not End.EXHAUSTED:
            assert trial.first is not None, "a search has executed something"
            doubt = self._searched.doubt
            why = coverage.why_unfinished(
                trial.executions + trial.idle, trial.seconds(), trial.settings, trial.first,
                self._searched.sampler, self._searched.up_to,
                different=(len(trial.different), 0 if doubt is None else doubt.interleavings),
            )  # fmt: skip
            return self._unknown((why,))
        repeat_first(trial)
        return CheckResult(
            verdict=Verdict.HOLDS,
            executions=trial.executions,
            blocked=trial.blocked,
            interleavings=self._interleavings(),
            exhausted=True,
            coverage=coverage.exhausted(trial.executions, self.reduction(), trial.scope()),
            seconds=trial.seconds(),
            scope=trial.scope(),
        )

    def _violated(self, end: End, label: Label) -> CheckResult:
        trial = self._trial
        assert trial.found is not None, "a violation needs a finding"
        doubt = self._searched.doubt
        follow = None if doubt is None else doubt.witness
        exhausted = end is End.EXHAUSTED
        if doubt is not None and follow is not None and not trial.found.serial:
            found, minimal = simplest(trial, trial.found, follow), exhausted and doubt.is_minimal
        else:
            is_smallest = self._searched.is_smallest
            found, minimal = smallest(trial, trial.found, is_smallest=is_smallest)
        counterexample = confirm(trial, found, self._item, minimal=minimal and self._again is None)
        counterexample = diagnosed(
            counterexample, label, doubt, exhausted=exhausted, of=self._found_in
        )
        share = self._share() if exhausted else None
        result = CheckResult(
            verdict=Verdict.VIOLATED,
            label=label,
            executions=trial.executions,
            violating=trial.violating,
            blocked=trial.blocked,
            interleavings=self._interleavings() if exhausted else None,
            exhausted=exhausted,
            coverage=coverage.found(trial.executions, trial.violating, share, trial.scope()),
            counterexample=counterexample,
            seconds=trial.seconds(),
            scope=trial.scope(),
            share=share,
        )
        passing = find_passing(trial, counterexample, doubt)
        return replace(result, counterexample=replace(counterexample, passing=passing))

    def _unknown(self, reasons: Iterable[str]) -> CheckResult:
        trial = self._trial
        scope = trial.scope()
        up_to = None if trial.not_judged or not_tried(trial.stand.sharing) else self._searched.up_to
        return CheckResult(
            verdict=Verdict.UNKNOWN,
            executions=trial.executions,
            violating=trial.violating,
            blocked=trial.blocked,
            coverage=coverage.cut_off(trial.executions, scope, up_to) if scope else "",
            reasons=tuple(reasons),
            seconds=trial.seconds(),
            scope=scope,
        )

    def _interleavings(self) -> int | None:
        """Return how many schedules there are, if that is known."""
        doubt = self._searched.doubt
        return self._trial.executions if doubt is None else doubt.schedules

    def _share(self) -> Share | None:
        """Return how much of everything fails, if everything was executed."""
        doubt = self._searched.doubt
        return None if doubt is None else doubt.share()

    def reduction(self) -> coverage.Reduction | None:
        """Tell what the reduction, if there was one, rests on."""
        doubt = self._searched.doubt
        if doubt is None:
            return None
        return coverage.Reduction(doubt.schedules, doubt.further, is_exact=doubt.is_exact)


_REPLAYED_AND_HELD = (
    "the recorded schedule was replayed and everything held; one schedule proves nothing. Run the "
    "scenario without --supercache-replay to search it"
)
