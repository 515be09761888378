"""Minimizes a counterexample and replays it ten times before it is reported."""

from collections.abc import Sequence
from dataclasses import replace

from pytest_supercache.checking.runner import (
    Failure,
    HazardMet,
    Runner,
    SharedMemoryNeeded,
    StepsHaveChanged,
)
from pytest_supercache.checking.serial_runs import warm_up
from pytest_supercache.core.errors import ReplayDivergedError, SupercacheError
from pytest_supercache.core.execution import Execution
from pytest_supercache.core.fault_points import described
from pytest_supercache.core.footprint import without_memory
from pytest_supercache.core.orders import Passing
from pytest_supercache.core.result import CheckResult, Counterexample
from pytest_supercache.core.schedule import Schedule, Scheduler, read_token
from pytest_supercache.core.verdict import End, Violation
from pytest_supercache.oracle.judge import judge
from pytest_supercache.search.all_schedules import AllSchedules
from pytest_supercache.search.follow import Follow
from pytest_supercache.search.search import SearchEnded

REPLAYS = 10
"""The number of replays in which a counterexample must repeat before its token is printed."""

REPLAYS_TRIED = 3
"""The number of attempts after which a schedule of another process counts as not fitting."""

SMALLER_EXECUTIONS = 2_000
"""The number of schedules with fewer preemptions that are tried for a smaller witness."""


_LEFT = (
    "a violation was found ({}), but it needs what the body has left in {} in earlier executions; "
    "a new process finds nothing there. Empty it at the start of the body, or let the body make it"
)


class DoesNotReplay(Exception):  # noqa: N818 - a reason for UNKNOWN
    """A violation was found that does not repeat."""


def smallest(runner: Runner, found: Failure, *, is_smallest: bool) -> tuple[Failure, bool]:
    """Return a witness with the fewest preemptions, and whether none can have fewer.

    "Smaller" means: fewer preemptions. A search that tries schedules in that order has found the
    smallest one already (``is_smallest``).
    """
    most = found.execution.preemptions
    if most == 0 or is_smallest:
        return found, True
    best, tried = found, 0

    def attempt(scheduler: Scheduler) -> Execution:
        nonlocal best, tried
        if tried >= SMALLER_EXECUTIONS or runner.seconds() > 2 * runner.settings.time:
            raise SearchEnded(End.OUT_OF_BUDGET)
        tried += 1
        execution = runner.execute(scheduler)
        if execution.missed:
            return execution
        violations = judge(execution, runner.guarantees).violations
        if violations:
            best = Failure(execution, violations)
            raise SearchEnded(End.FOUND)
        return execution

    try:
        AllSchedules(preemptions_max=most - 1).explore(attempt)
    except SearchEnded as ended:
        return best, ended.end is End.FOUND
    return best, True


def simplest(runner: Runner, found: Failure, follow: Follow) -> Failure:
    """Execute an order of steps that is known to fail; return ``found`` if it passes after all."""
    execution = runner.execute(follow, unlimited_ticks=True)
    violations = judge(execution, runner.guarantees).violations
    if not violations or not execution.complete or execution.missed:
        return found
    return Failure(execution, violations)


def confirm(runner: Runner, found: Failure, item: str, *, minimal: bool) -> Counterexample:
    """Replay the finding: only what repeats every time may be reported.

    Raises:
        DoesNotReplay: it took other steps, or the violation did not repeat every time.
    """
    token = found.execution.schedule.token(item)
    _, schedule = read_token(token)  # it is all that another process knows
    violation = found.violations[0]
    executions = [_replay(runner, schedule, record=number == 0) for number in range(REPLAYS)]
    again, others = 0, [violation]
    for execution in executions:
        violations = judge(execution, runner.guarantees).violations
        is_same = any(other.identity == violation.identity for other in violations)
        again += is_same and _is_repeated(found.execution, execution)
        others += () if is_same else violations
    if again < REPLAYS:
        raise DoesNotReplay(
            f"a violation was found ({violation.summary}), but it replayed only {again} times of "
            f"{REPLAYS}: {_not_the_same(others)}"
        )
    if left := _needed(runner, schedule, executions[0]):
        raise DoesNotReplay(_LEFT.format(violation.summary, ", ".join(left)))
    return Counterexample(
        token=token,
        schedule=schedule,
        preemptions=found.execution.preemptions,
        violation=violation,
        violations=found.violations,
        execution=executions[0],
        replays=f"{again}/{REPLAYS}",
        end_is_judged=any(one.asks_nodes for one in runner.guarantees),
        minimal=minimal,
        serial=found.serial,
        faults=tuple(described(fault, executions[0].race) for fault in schedule.vector),
    )


def _replay(runner: Runner, schedule: Schedule, *, record: bool = False) -> Execution:
    try:
        with runner.environment.as_recorded(schedule):
            return runner.replay(schedule, record=record)
    except ReplayDivergedError as error:
        raise DoesNotReplay(f"a violation was found that does not replay: {error}") from error


def _needed(runner: Runner, schedule: Schedule, replay: Execution) -> Sequence[str]:
    """Name what the test has kept without which a schedule breaks nothing; else nothing.

    What cannot be restored, such as a file, is named if the body reads it in the ``replay``.
    """
    kept = runner.environment.own_changed()
    if not kept and not replay.left_by_body:
        return ()
    with runner.environment.own_kept():
        runner.environment.restore_own()
        try:
            execution = _replay(runner, schedule)
        except DoesNotReplay:  # the flows read it, too
            return kept
    is_broken = bool(judge(execution, runner.guarantees).violations)
    return execution.left_by_body if is_broken else kept


def _is_repeated(found: Execution, again: Execution) -> bool:
    """Say whether a replay took the steps that were found.

    In a search footprints may hold more than in a replay: memory, and what a coroutine has done
    after such a step in another schedule. No token records what was learnt of that.
    """
    return len(found.race) == len(again.race) and all(
        (one.choice, one.actor, one.label) == (other.choice, other.actor, other.label)
        and without_memory(other.footprint).is_within(one.footprint)
        for one, other in zip(found.race, again.race, strict=True)
    )


def _not_the_same(violations: list[Violation]) -> str:
    """Say how another run of the same schedule ended, if its end differs."""
    if len(violations) == 1:
        return "the code under test is not deterministic"
    return (
        f"the same schedule ended in another run with: {violations[-1].summary}. What differs is "
        "not the same in every run: derive it from what the flow is given, or seed it"
    )


def replayed(runner: Runner, schedule: Schedule) -> Execution:
    """Replay a schedule that another process recorded, after warming this one up as much.

    Serial runs come first, and a schedule that does not fit is tried again: it may itself have
    filled what is filled once in a process.

    Raises:
        ReplayDivergedError: it does not fit.
        NotDeterministicError: serial runs take other steps every time.
    """
    warm_up(runner)
    for _ in range(REPLAYS_TRIED - 1):
        try:
            return runner.replay(schedule)
        except ReplayDivergedError:
            continue
    return runner.replay(schedule)


def recorded(runner: Runner, told: CheckResult, item: str) -> CheckResult:
    """Execute a worker's finding here, to record its executions.

    Raises:
        DoesNotReplay: it does not repeat every time here, so it may not be reported.
    """
    found = told.counterexample
    assert found is not None, "only a finding has executions to be recorded"
    try:
        execution = replayed(runner, found.schedule)
    except ReplayDivergedError as error:
        raise DoesNotReplay(f"a worker found a violation that does not replay: {error}") from error
    violations = runner.judge(execution).violations
    if not violations:
        raise DoesNotReplay("a worker found a violation that does not repeat here")
    once = Failure(execution, violations, serial=found.serial)
    again = confirm(runner, once, item, minimal=found.minimal)
    passing = None if found.passing is None else _again(runner, found.passing)
    whole = replace(
        found,
        execution=again.execution,
        violation=again.violation,
        violations=again.violations,
        passing=passing,
    )
    return replace(told, counterexample=whole)


def _again(runner: Runner, passing: Passing) -> Passing | None:
    """Replay the passing execution; None, without harm to the finding, if it fails now."""
    try:
        execution = runner.replay(passing.execution.schedule, record=True)
    except (SupercacheError, HazardMet, SharedMemoryNeeded, StepsHaveChanged):
        return None
    if judge(execution, runner.guarantees).violations:
        return None
    return replace(passing, execution=execution)
