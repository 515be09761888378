"""Estimates how often a conflict strikes: the same code under simulated traffic, run by run.

The odds are for those who decide about a release; no verdict rests on them. All variants of a
system are simulated with the same random numbers.
"""

from dataclasses import replace

from pytest_supercache.checking.runner import HazardMet, Runner, StepsHaveChanged
from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.execution import Execution
from pytest_supercache.core.odds import Odds
from pytest_supercache.core.result import CheckResult
from pytest_supercache.core.verdict import Label, Verdict
from pytest_supercache.oracle.judge import judge
from pytest_supercache.oracle.odds import is_known, sentence
from pytest_supercache.search.traffic import Traffic

TIME_SHARE = 0.1
"""The share of an item's search time that simulating may take in addition."""

CHANGES_MAX = 3
"""How often one run starts over because new steps have become known."""

_WITHOUT_END = "they were not played to their end"


def with_odds(runner: Runner, result: CheckResult) -> CheckResult:
    """Add odds to a conflict, or to a HOLDS that leans on an assumption.

    Args:
        runner: used for nothing else; its faults are those of the counterexample.
        result: the outcome of the search.
    """
    if not runner.settings.odds.runs or not _is_asked(result):
        return result
    try:
        odds, said = simulated(runner, result)
    except (HazardMet, SupercacheError) as error:
        note = f"odds were not simulated: {error}"
        return replace(result, notes=(*result.notes, note))
    found, notes = result.counterexample, (*result.notes, *said)
    if not odds.runs:
        return replace(result, notes=notes)
    if found is None:
        notes = (*notes, f"without the assumption, {sentence(odds)}")
    else:
        lines = [found.explanation] if found.explanation else []
        found = replace(found, explanation="\n".join([*lines, sentence(odds)]))
    return replace(result, odds=odds, counterexample=found, notes=notes)


def simulated(runner: Runner, result: CheckResult) -> tuple[Odds, list[str]]:
    """Simulate traffic, and count the runs that break a guarantee; note the runs that do not count.

    Raises:
        HazardMet: a run proves nothing.
        SupercacheError: a run took a way that no search has, and could not be finished.
    """
    settings = runner.settings
    runs = failing = without_end = missed = 0
    notes: list[str] = []
    for number in range(settings.odds.runs):
        if settings.odds.ends_when_known and is_known(failing, runs):
            break
        if runner.seconds() > _seconds_max(runner):
            notes.append(f"only {number} runs were simulated for the odds: they take long")
            break
        execution = _run(runner, number)
        if execution is None or not execution.complete:
            without_end += 1
            continue
        if execution.missed:
            missed += 1
            continue
        runs += 1
        failing += bool(judge(execution, runner.guarantees).violations)
    found = result.counterexample
    odds = Odds(
        runs=runs,
        failing=failing,
        within=settings.odds.within,
        latencies=settings.odds.latencies,
        faults=() if found is None else found.faults,
    )
    for count, why in ((missed, "the fault found no place in them"), (without_end, _WITHOUT_END)):
        if count:
            notes.append(f"{count} simulated runs do not count for the odds: {why}")
    return odds, notes


def _seconds_max(runner: Runner) -> float:
    return runner.settings.time * TIME_SHARE


def _is_asked(result: CheckResult) -> bool:
    """Say whether odds are informative: some orders fail, and some may hold."""
    if result.verdict is Verdict.HOLDS:
        return "assumption" in result.scope
    every_order_fails = result.label in {Label.PLAIN_BUG, Label.FAULT_BUG}
    return result.counterexample is not None and not every_order_fails


def _run(runner: Runner, number: int) -> Execution | None:
    for _ in range(CHANGES_MAX):
        traffic = Traffic(runner.settings.odds, runner.settings.seed, number)
        try:
            return runner.execute(traffic, unlimited_ticks=True)
        except StepsHaveChanged:
            continue
    return None
