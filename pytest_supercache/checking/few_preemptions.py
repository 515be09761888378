"""Interrupts a long exhaustive search once, to execute the schedules with few preemptions.

Most conflicts need one or two preemptions (Musuvathi and Qadeer, PLDI 2007). A depth-first search
reaches those late if the tree is large, and its size is not known in advance. So when part of the
budget is spent, all schedules without a preemption are executed, then all with one, and so on, as
far as another part of the budget reaches.
"""

from pytest_supercache.checking.reduction_check import ReductionCheck
from pytest_supercache.checking.runner import Runner
from pytest_supercache.core.execution import Execution
from pytest_supercache.core.orders import Pair
from pytest_supercache.core.schedule import Schedule, Scheduler
from pytest_supercache.core.verdict import End
from pytest_supercache.oracle.cause import INTERLEAVINGS_MAX, Evidence
from pytest_supercache.search.all_schedules import AllSchedules, UpTo
from pytest_supercache.search.events import orders_of
from pytest_supercache.search.search import SearchEnded

BEFORE = 0.1
"""The share of executions and time after which the search is interrupted."""

SHARE = 0.1
"""The share of executions and time that schedules with few preemptions may use."""

EXECUTIONS_MIN = 10
"""If the share has fewer executions than this, the search is not interrupted."""


class FewPreemptions:
    """Interrupts a search when part of its budget is used.

    Args:
        runner: executes and judges, for both.
        reduction_check: knows the interleavings of the long search; gets these, too, if one fails.
    """

    def __init__(self, runner: Runner, reduction_check: ReductionCheck) -> None:
        self._runner = runner
        self._reduction_check = reduction_check
        settings = runner.settings
        self._search: AllSchedules | None = None  # while the other one is interrupted
        self._is_due = (
            settings.search == "auto"
            and settings.stop_at_first
            and settings.executions * SHARE >= EXECUTIONS_MIN
        )
        self._before = (0, 0.0)  # executions and seconds of the long search
        self._executions = 0
        self._idle = 0
        self._passing: list[tuple[list[Pair], Schedule]] = []
        self._level = -1  # the last one that was begun
        self.has_found = False
        """Whether one of these schedules fails."""
        self.is_everything = False
        """Whether these were all schedules that there are."""
        self.done: UpTo | None = None
        """Which schedules were all executed; None: too few to say."""

    def attempt(self, scheduler: Scheduler) -> Execution:
        """Execute one schedule of the long search; interrupt that first if it is time.

        Raises:
            SearchEnded: as of :meth:`Runner.attempt`; or no schedule is left.
        """
        self.interrupt_if_due()
        return self._runner.attempt(scheduler)

    def conclude(self, end: End) -> None:
        """Count in the runner only the executions of the search that has finished."""
        self._passing.clear()
        if end is not End.EXHAUSTED:
            return
        runner, executions, idle = self._runner, self._executions, self._idle
        if not self.is_everything:
            executions, idle = runner.executions - executions, runner.idle - idle
        runner.executions, runner.idle = executions, idle

    def _has_begun_in_vain(self) -> bool:
        executions, seconds = self._used()
        settings = self._runner.settings
        return max(executions / settings.executions, seconds / settings.time) >= BEFORE

    def _used(self) -> tuple[int, float]:
        """Return executions and seconds since the check began, or since the interruption."""
        executions, seconds = self._before
        runner = self._runner
        return runner.executions + runner.idle - executions, runner.seconds() - seconds

    def interrupt_if_due(self) -> None:
        """Execute the schedules with few preemptions if enough of the budget is used in vain.

        Raises:
            SearchEnded: one of them fails, or these were all schedules.
        """
        runner = self._runner
        if not (self._is_due and runner.found is None and self._has_begun_in_vain()):
            return
        self._is_due = False
        self._before = self._used()
        self._search = search = AllSchedules(None, self._is_enough)
        runner.goes_on = False
        try:
            end = search.explore(self._attempt)
        finally:
            runner.goes_on = True
            self.done = search.done
            self._search = None  # it refers to this: a circle is left to the collector
        if end is End.EXHAUSTED:
            self.is_everything = True
            raise SearchEnded(end)

    def _attempt(self, scheduler: Scheduler) -> Execution:
        runner = self._runner
        executions, idle = runner.executions, runner.idle
        try:
            execution = runner.attempt(scheduler)
        except SearchEnded:
            if runner.found is not None:
                self._tell(runner.found.execution)
            raise
        self._executions += runner.executions - executions
        self._idle += runner.idle - idle
        if execution.complete and not execution.missed:
            self._passing.append((self._orders(execution), execution.schedule))
        return execution

    def _tell(self, failing: Execution) -> None:
        """Add the executions of this search to the evidence with which the finding is compared."""
        self.has_found = True
        if self._reduction_check.evidence.size >= INTERLEAVINGS_MAX:
            self._reduction_check.evidence = Evidence()
        evidence = self._reduction_check.evidence
        evidence.add(self._orders(failing), fails=True, schedule=failing.schedule)
        for orders, schedule in self._passing:
            evidence.add(orders, fails=False, schedule=schedule)

    def _orders(self, execution: Execution) -> list[Pair]:
        return orders_of(self._reduction_check.events_of(execution))

    def _is_enough(self, _waiting: int) -> bool:
        """Say whether the share is used up, or too small for the next level."""
        search, settings = self._search, self._runner.settings
        assert search is not None, "it is the search that asks"
        executions, seconds = self._used()
        most = settings.executions * SHARE - executions
        left = settings.time * SHARE - seconds
        if most <= 0 or left <= 0:
            return True
        if search.level == self._level:
            return False
        self._level = search.level
        return bool(executions) and search.owed > min(most, left * executions / seconds)
