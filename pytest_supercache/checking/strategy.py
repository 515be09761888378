"""Chooses the searches of a check and their order.

``auto`` searches exhaustively while that fits the budget, and samples by PCT afterwards. If the
reduction of the exhaustive search cannot be trusted, every schedule is executed instead.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_supercache.checking.divided import (
    WorkerProcesses,
    is_long,
    search_divided,
)
from pytest_supercache.checking.few_preemptions import FewPreemptions
from pytest_supercache.checking.reduction_check import HiddenState, ReductionCheck
from pytest_supercache.checking.runner import Runner, SharedMemoryNeeded, UndividedError
from pytest_supercache.core.errors import NotDeterministicError, ReplayDivergedError
from pytest_supercache.core.execution import Execution
from pytest_supercache.core.schedule import Schedule, Scheduler
from pytest_supercache.core.settings import SAMPLERS
from pytest_supercache.core.verdict import End
from pytest_supercache.search.all_schedules import AllSchedules, UpTo
from pytest_supercache.search.sampler import Sampler, sampler
from pytest_supercache.search.search import Interrupted, Search, SearchEnded
from pytest_supercache.search.walk import ReductionAlarm

if TYPE_CHECKING:
    from pytest_supercache.search.generated import Generated


OfHypothesis = tuple[int | None, tuple[str, bytes] | None]
"""The seed, and the version and blob of ``@reproduce_failure``."""


@dataclass(slots=True)
class Searched:
    """The outcome of the searches of one check."""

    end: End = End.OUT_OF_BUDGET
    is_smallest: bool = False
    """Whether all schedules with fewer preemptions were executed before the finding."""
    up_to: UpTo | None = None
    """Which schedules were all executed although the search did not finish."""
    reduction_check: ReductionCheck | None = None
    """The test of the reduction that was relied on; None: there was no reduction."""
    sampler: Sampler | None = None
    """The last search, if it drew at random."""
    generated: "Generated | None" = None
    """The search by Hypothesis, if that was asked for."""
    note: str | None = None
    """Why the reduction was given up."""


def search(
    runner: Runner, item: str, hypothesis: OfHypothesis, others: WorkerProcesses | None = None
) -> Searched:
    """Run the chosen searches, one after the other, until one gives the answer.

    ``others`` take parts of an exhaustive search that becomes long.

    Raises:
        NotDeterministicError: another process has found what does not occur here.
        SharedMemoryNeeded: steps share memory that is not declared.
        SupercacheError: a guarantee cannot be judged, whatever is executed.
    """
    runner.refuse_what_cannot_be_judged()
    searched = Searched()
    if _may_reduce(runner):
        try:
            _reduced(runner, searched, others)
        except UndividedError as undivided:
            runner.start_again()
            _reduced(runner, searched, None)
            _take(undivided.schedule, runner, searched)
        if searched.end is not End.OUT_OF_BUDGET or runner.is_over_budget():
            return searched
    for each in _searches(runner, searched, item, hypothesis):
        try:
            searched.end = each.explore(runner.attempt)
        except SearchEnded as ended:
            searched.end = ended.end
        runner.outside = False
        searched.sampler = each if isinstance(each, Sampler) else None
        searched.is_smallest = isinstance(each, AllSchedules)
        if isinstance(each, AllSchedules):
            searched.up_to = each.done
        if searched.end is not End.OUT_OF_BUDGET or runner.is_over_budget():
            break
    return searched


def _no_reduction(runner: Runner) -> str | None:
    """Say why no schedule may be skipped; None: some may."""
    for guarantee in runner.guarantees:
        if guarantee.real_time and guarantee.find_patterns is None:
            return (
                f"partial-order reduction is off: {guarantee.name} is about real time and "
                "does not say which orders of independent steps may break it"
            )
    return None


def _may_reduce(runner: Runner) -> bool:
    return (
        runner.settings.search in {"auto", "exhaustive"}
        and runner.settings.preemptions is None
        and runner.is_reducible
    )


def _take(schedule: Schedule | None, runner: Runner, searched: Searched) -> None:
    """Take the violation that another process has found if this one has not come to it.

    Raises:
        NotDeterministicError: it does not occur here.
    """
    if schedule is None or runner.found is not None:
        return
    said = "a violation that another process found does not repeat here"
    try:
        execution = runner.replay(schedule)
    except ReplayDivergedError as error:
        raise NotDeterministicError(f"{said}: {error}") from error
    violations = runner.judge(execution).violations
    if not violations:
        raise NotDeterministicError(f"{said}: everything holds under its schedule")
    runner.report(execution, violations)
    searched.end = End.FOUND


def _reduced(runner: Runner, searched: Searched, others: WorkerProcesses | None) -> None:
    """Execute every interleaving once, and test that this was enough.

    Raises:
        UndividedError: it has to be done without help.
    """
    searched.note = _no_reduction(runner)
    if searched.note is not None:
        return
    reduction_check = ReductionCheck(runner)
    few = FewPreemptions(runner, reduction_check)
    reduction_check.search.is_hopeless = (
        runner.is_hopeless
        if runner.settings.search == "auto"
        else reduction_check.search.is_hopeless
    )
    runner.goes_on = True
    try:
        try:
            searched.end = _explored(runner, reduction_check, few, others)
        except SearchEnded as ended:
            searched.end = ended.end
        few.conclude(searched.end)
        searched.reduction_check = None if few.is_everything else reduction_check
        searched.is_smallest, searched.up_to = few.has_found, few.done
        if (
            searched.end is End.EXHAUSTED
            and runner.found is None
            and searched.reduction_check is not None
        ):
            reduction_check.conclude()
    except SearchEnded:
        searched.end = End.OUT_OF_BUDGET
    except (HiddenState, ReductionAlarm) as alarm:
        if (
            isinstance(alarm, HiddenState)
            and runner.settings.memory == "auto"
            and not runner.shared
        ):
            raise SharedMemoryNeeded(str(alarm)) from alarm
        searched.reduction_check, searched.end = None, End.OUT_OF_BUDGET
        searched.note = f"partial-order reduction is off: {alarm}"
        runner.forget_findings()
    finally:
        runner.goes_on = False


def _explored(
    runner: Runner,
    reduction_check: ReductionCheck,
    few: FewPreemptions,
    others: WorkerProcesses | None,
) -> End:
    """Execute every interleaving; as soon as that becomes long, with the help of others."""
    if others is None:
        return reduction_check.search.explore(few.attempt)
    since = runner.seconds() + others.patience
    earlier = None if others.journal is None else others.journal.division
    runs = 0

    def is_interrupted() -> bool:
        if earlier is not None:  # so that the frontier is the same
            return runs == earlier.runs and runner.found is None
        seconds = runner.seconds() - since
        return is_long(runner, reduction_check, seconds) and others.are_ready()

    def attempt(scheduler: Scheduler) -> Execution:
        nonlocal runs
        if is_interrupted():
            raise Interrupted
        runs += 1
        return few.attempt(scheduler)

    try:
        return reduction_check.search.explore(attempt)
    except Interrupted:
        return search_divided(others, runner, reduction_check, few, runs)


def _searches(
    runner: Runner, searched: Searched, item: str, hypothesis: OfHypothesis
) -> Iterator[Search]:
    settings = runner.settings
    is_auto = settings.search == "auto"
    if settings.search == "hypothesis":
        from pytest_supercache.search.generated import Generated

        runner.outside = True  # Hypothesis draws on the thread that called it only
        vector = "".join(f";{fault}" for fault in runner.vector)
        searched.generated = Generated(settings.executions, f"{item}{vector}", *hypothesis)
        yield searched.generated
    all_of_them = settings.search == "all-schedules" or settings.preemptions is not None
    all_of_them |= not runner.is_reducible and settings.search in {"auto", "exhaustive"}
    if (all_of_them and settings.search not in SAMPLERS) or searched.note is not None:
        yield AllSchedules(settings.preemptions, runner.is_hopeless if is_auto else _never)
    if settings.search in SAMPLERS - {"hypothesis"} or (is_auto and settings.preemptions is None):
        assert runner.first is not None, "users have taken turns"
        yield sampler(settings.search, settings.seed, runner.first.schedule.choices)


def _never(_owed: int) -> bool:
    return False
