"""Judges a whole recording key by key, so that no key delays another.

A history of several objects has an order exactly when the history of each has one (Herlihy and
Wing, "Linearizability: A Correctness Condition for Concurrent Objects", TOPLAS 1990). So every key
is judged alone; first all keys in the fast way, then those that are left take turns in the search,
with turns that grow, so that an easy "no" never waits for a hard key.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_supercache.core.verdict import Verdict
from pytest_supercache.oracle.linear.call import Call
from pytest_supercache.oracle.linear.problem import KeyProblem
from pytest_supercache.oracle.linear.search import LinearSearch
from pytest_supercache.oracle.linear.zones import Clash, Reason, check_zones

BUDGET = 3_000_000
BUDGET_PER_CALL = 50
"""Steps of the search for one recording: a base, and an addition for each call. A step takes a
microsecond or two, and leaves at most some hundred bytes behind."""

_FIRST_TURN = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The verdict, and the evidence for it.

    VIOLATED: ``key`` and a ``clash`` among its calls, which is not yet small. UNKNOWN: the keys
    that could not be decided with the budget.
    """

    verdict: Verdict
    key: str | None = None
    clash: Clash | None = None
    undecided: tuple[str, ...] = ()
    steps: int = 0


def check_calls(
    calls: Sequence[Call], initials: Sequence[Any], *, budget: int | None = None
) -> Answer:
    """Say whether the calls of a recording can be put into one order.

    Args:
        calls: of all keys, in any order.
        initials: the values that each key may have at first.
        budget: the number of steps that the search may take; None: enough for most.
    """
    if budget is None:
        budget = BUDGET + BUDGET_PER_CALL * len(calls)
    by_key: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        by_key[call.key].append(call)
    hard: dict[str, list[Call]] = {}
    for key, own in by_key.items():
        clash, decided = _quick(own, initials)
        if clash is not None:
            return Answer(verdict=Verdict.VIOLATED, key=key, clash=clash)
        if not decided:
            hard[key] = own
    return _take_turns(hard, initials, budget)


def _quick(calls: Sequence[Call], initials: Sequence[Any]) -> tuple[Clash | None, bool]:
    """Return a clash, and whether the absence of one proves that there is an order."""
    if len(initials) != 1 or any(call.kind == "append" for call in calls):
        return None, False
    zones = check_zones(calls, initials[0])
    return zones.clash, zones.exact


def _take_turns(hard: dict[str, list[Call]], initials: Sequence[Any], budget: int) -> Answer:
    waiting = {
        key: LinearSearch(KeyProblem(calls, initials))
        for key, calls in sorted(hard.items(), key=lambda item: len(item[1]))
    }
    turn, spent = _FIRST_TURN, 0
    while waiting and spent < budget:
        for key, search in list(waiting.items()):
            before = search.steps
            verdict = search.advance(min(turn, max(1, budget - spent)))
            spent += search.steps - before
            if verdict is Verdict.VIOLATED:
                clash = Clash(reason=Reason.NO_ORDER, near=search.failed_at)
                return Answer(verdict=verdict, key=key, clash=clash, steps=spent)
            if verdict is not None:
                del waiting[key]
        turn *= 2
    verdict = Verdict.UNKNOWN if waiting else Verdict.HOLDS
    return Answer(verdict=verdict, undecided=tuple(waiting), steps=spent)
