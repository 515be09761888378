"""Divides the search of one flow among processes, once it has become long.

Other processes only ever say that all they have executed holds. If one finds anything else, this
process searches by itself from the start, so that verdict, witness and token are those of a search
without help. What the others observe counts as if it were observed here.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_supercache.checking.few_preemptions import FewPreemptions
from pytest_supercache.checking.journal import Division, Entry, Journal
from pytest_supercache.checking.reduction_check import ReductionCheck, Tally, outcome_of
from pytest_supercache.checking.runner import Observations, Runner, UndividedError
from pytest_supercache.checking.serial_runs import repeat_first, warm_up
from pytest_supercache.checking.submitted import until_any_done
from pytest_supercache.core.execution import Execution
from pytest_supercache.core.real_clock import real_seconds
from pytest_supercache.core.schedule import Scheduler
from pytest_supercache.core.verdict import End
from pytest_supercache.runtime.memory.sharing import Sharing
from pytest_supercache.runtime.process.pinned import give_up_claim
from pytest_supercache.search.dpor import Exhaustive
from pytest_supercache.search.frontier import Claim, Explored, Frontier, Leaf, Subtree
from pytest_supercache.search.knowledge import Knowledge
from pytest_supercache.search.search import Interrupted, SearchEnded

if TYPE_CHECKING:
    from concurrent.futures import Future

DIVIDED_AFTER = 1.0
"""The real seconds after which a search is divided; opening an environment takes a tenth."""

PART_SECONDS = 2.0
"""How long a process works on a part before it returns what is left of it."""

PART_SHARE = 0.1
"""The share of the time so far that it may work on a part, if that is longer."""

PART_SECONDS_MAX = 10.0
"""The longest that it may: what is left is divided anew."""

ANSWER_SECONDS = 120.0
"""How long this process waits for any part before it takes the others for dead."""

SUBTREES_MAX = 16
"""The largest number of subtrees in a part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkUnit:
    """A part of a search for another process, and all that was learnt about the code so far."""

    subtrees: tuple[Subtree, ...]
    seconds: float
    """How long it may be explored, in real seconds."""
    sharing: Sharing
    leases: frozenset[str]
    in_turns: int
    """The outcome of the first run, in which users take turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkUnitResult:
    """The outcome of a part: everything in it has held."""

    explored: tuple[Explored, ...]
    """Of the subtrees that were begun, in their order."""
    tally: Tally
    observations: Observations
    seconds: float
    """How long it took."""


class WorkerProcesses(NamedTuple):
    """Processes that help with some work, and may take parts of a search."""

    number: int
    submit: Callable[..., "Future[Any]"]
    """Submits a call: a function of this package and its arguments after the work; in a search that
    may be divided, the arguments alone."""
    patience: float = 0.0
    """How many seconds longer than usual a search takes before it is divided."""
    journal: Journal | None = None
    """Keeps the parts that are done, for another run."""
    are_ready: Callable[[], bool] = lambda: True
    """Says of a search that has become long whether any of them could take a part now."""


def is_long(runner: Runner, reduction_check: ReductionCheck, seconds: float) -> bool:
    """Say whether a search that has taken some seconds is long enough to be divided."""
    return (
        runner.found is None
        and runner.settings.stop_at_first
        and seconds > DIVIDED_AFTER
        and not reduction_check.are_few
    )


def search_divided(
    others: WorkerProcesses,
    runner: Runner,
    reduction_check: ReductionCheck,
    few: FewPreemptions,
    runs: int,
) -> End:
    """Let other processes finish a search that was interrupted after some runs.

    Raises:
        UndividedError: this process has to search by itself.
        SearchEnded: a violation was found here meanwhile, with few preemptions.
    """
    give_up_claim()
    division = _Division(others, runner, reduction_check)
    journal = others.journal
    if journal is None:
        return division.finish(few)
    try:
        division.go_on(journal, runs)
        end = division.finish(few)
    except UndividedError:
        journal.end()
        raise
    except SearchEnded as ended:
        if ended.end is End.FOUND:
            journal.end()
        raise
    if end is End.EXHAUSTED:
        journal.end()
    return end


class _Division:
    """What is left of a search, and the parts of it that others work on."""

    def __init__(
        self, others: WorkerProcesses, runner: Runner, reduction_check: ReductionCheck
    ) -> None:
        self._others = others
        self._runner = runner
        self._reduction_check = reduction_check
        self._frontier: Frontier = reduction_check.search.frontier()
        assert runner.first is not None, "users have taken turns"
        self._in_turns = outcome_of(runner.first, ())
        self._out: dict[Future[WorkUnitResult], list[Claim]] = {}

    def go_on(self, journal: Journal, runs: int) -> None:
        """Take in what an earlier run has executed, and keep what this one does."""
        environment = self._runner.environment
        leases = sorted(environment.stack.existing_cache.leases.known)
        backend = str(self._runner.scope().get("backend"))
        known = " ".join((environment.sharing.digest(), backend, str(self._in_turns), *leases))
        division = Division(runs=runs, known=known)
        if journal.division != division:
            journal.begin(division)
            return
        for at, entry in enumerate(journal.entries()):
            claims = self._claims(entry.leaves)
            if claims is None:
                journal.cut(at)
                return
            self._put(claims, entry)
            seen = entry.observations
            self._runner.executed_before += seen.executions + seen.idle

    def _claims(self, leaves: tuple[Leaf, ...]) -> list[Claim] | None:
        """Return the subtrees of these names; None: not all of them are there."""
        claims = list[Claim]()
        for leaf in leaves:
            claim = self._frontier.claim(leaf)
            if claim is None:
                for one in claims:
                    self._frontier.put_back(one)
                return None
            claims.append(claim)
        return claims

    def finish(self, few: FewPreemptions) -> End:
        try:
            self._hand_out()
            while self._out:
                few.interrupt_if_due()  # while others go on
                done = until_any_done(self._out, ANSWER_SECONDS)
                if done is None:
                    raise UndividedError("no other process has answered for a long time")
                self._take_in(done)
                if self._is_given_up():
                    return End.OUT_OF_BUDGET
                self._hand_out()
        finally:
            for future in self._out:
                future.cancel()
        assert not self._frontier.owed, "a subtree that waits can be handed out if none is out"
        return End.EXHAUSTED

    def _is_given_up(self) -> bool:
        """Say whether something is left that does not fit the budget."""
        owed = self._frontier.owed + sum(map(len, self._out.values()))
        is_hopeless = self._reduction_check.search.is_hopeless
        return owed > 0 and (self._runner.is_over_budget() or is_hopeless(owed))

    def _hand_out(self) -> None:
        """Give every process a part, and one more to begin with when it has done that."""
        while len(self._out) < 2 * self._others.number:
            share = self._frontier.owed // (2 * self._others.number)
            most = min(max(share, 1), SUBTREES_MAX)
            claims = list(islice(iter(self._frontier.take, None), most))
            if not claims:
                return
            with failing_as_undivided():  # a process may have ended meanwhile
                self._out[self._others.submit(self._unit(claims))] = claims

    def _unit(self, claims: list[Claim]) -> WorkUnit:
        runner = self._runner
        used = runner.seconds()
        seconds = min(max(PART_SECONDS, used * PART_SHARE), PART_SECONDS_MAX)
        return WorkUnit(
            subtrees=tuple(claim.subtree for claim in claims),
            seconds=min(seconds, max(runner.settings.time - used, 0.0)),
            sharing=deepcopy(runner.environment.sharing),  # a thread of the pool sends it later
            leases=runner.environment.stack.existing_cache.leases.known,
            in_turns=self._in_turns,
        )

    def _take_in(self, future: "Future[WorkUnitResult]") -> None:
        claims = self._out.pop(future)
        with failing_as_undivided():
            result = future.result()
        self._runner.seconds_elsewhere += result.seconds
        begun = claims[: len(result.explored)]
        entry = Entry(
            leaves=tuple(claim.subtree.leaf for claim in begun),
            explored=result.explored,
            tally=result.tally,
            observations=result.observations,
        )
        self._put(begun, entry)
        for claim in claims[len(begun) :]:
            self._frontier.put_back(claim)
        if self._others.journal is not None:
            self._others.journal.add(entry)

    def _put(self, claims: list[Claim], entry: Entry) -> None:
        """Take in what was found in some subtrees."""
        with failing_as_undivided():
            self._reduction_check.add(entry.tally)
        self._runner.add(entry.observations)
        for claim, explored in zip(claims, entry.explored, strict=True):
            self._frontier.put(claim, explored)


@contextmanager
def failing_as_undivided() -> Iterator[None]:
    """Take whatever fails in or around a part for a reason to search in one process.

    Errors of the code under test may be such that cannot be read back, which breaks a pool.

    Raises:
        UndividedError: it has failed.
        SearchEnded: it has used up what the whole search may use.
    """
    try:
        yield
    except (UndividedError, SearchEnded):
        raise
    except Exception as error:  # also of the code under test, which raises it again if it recurs
        raise UndividedError(f"a process failed: {type(error).__name__}: {error}") from error


def explore_subtrees(runner: Runner, unit: WorkUnit) -> WorkUnitResult:
    """Explore a part of another process's search, in an environment of its own.

    Raises:
        UndividedError: something does not hold, or is not known to that process.
    """
    first = warm_up(runner)
    if runner.judge(first).violations:
        raise UndividedError("users who take turns fail", first.schedule)
    if outcome_of(first, ()) != unit.in_turns:
        raise UndividedError("users who take turns see something else")
    end = real_seconds() + unit.seconds
    is_begun = False

    def is_over() -> bool:
        return is_begun and (real_seconds() > end or runner.is_over_budget())

    runner.goes_on = True  # its findings are raised below

    def attempt(scheduler: Scheduler) -> Execution:
        nonlocal is_begun
        _refuse_violations(runner)
        if is_over():
            raise Interrupted
        is_begun = True
        execution = runner.attempt(scheduler)
        _refuse_violations(runner)
        return execution

    knowledge, explored = Knowledge(), []
    reduction_check = ReductionCheck(runner, is_part=True)
    for subtree in unit.subtrees:
        if is_over():
            break
        is_begun = False
        reduction_check.search = search = Exhaustive(reduction_check.see, knowledge=knowledge)
        explored.append(search.explore_subtree(subtree, attempt))
    _refuse_violations(runner)
    repeat_first(runner)
    return WorkUnitResult(
        explored=tuple(explored),
        tally=reduction_check.tally(),
        observations=runner.observations(),
        seconds=runner.seconds(),
    )


def _refuse_violations(runner: Runner) -> None:
    if runner.found is not None:
        raise UndividedError("a violation was found", runner.found.execution.schedule)
