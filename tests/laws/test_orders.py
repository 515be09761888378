"""Three ways to the same answer: zones, the search, and trying everything.

More of the same: ``python -m benchmarks.histories --agree 30000``.
"""

import random
from collections import Counter
from dataclasses import replace

import pytest

from pytest_supercache.core.verdict import Verdict
from pytest_supercache.oracle.linear.call import NEVER, READS
from pytest_supercache.oracle.linear.check import check_calls
from pytest_supercache.oracle.linear.problem import KeyProblem
from pytest_supercache.oracle.linear.search import LinearSearch
from pytest_supercache.oracle.linear.smallest import smallest_core
from pytest_supercache.oracle.linear.zones import check_zones
from tests.calls import SMALL, has_order, random_calls
from tests.selection import either, few

SEEDS = few(range(6), 3)
RECORDINGS = either(400, 5_000)  # for each seed


def search(calls, initials):
    """Return the answer of the generic search, in turns as short as can be."""
    found = LinearSearch(KeyProblem(calls, initials))
    while found.verdict is None:
        found.advance(1)
    return found.verdict is Verdict.HOLDS


def zones(calls, initials):
    """Return what the zones say: True, False, or None when they cannot tell."""
    if len(initials) > 1 or any(call.kind == "append" for call in calls):
        return None
    found = check_zones(calls, initials[0])
    return False if found.clash else True if found.exact else None


@pytest.mark.parametrize("seed", SEEDS)
def test_zones_search_and_trying_everything_agree(seed):
    rng, counts = random.Random(seed), Counter()
    for number in range(RECORDINGS):
        calls, initials = random_calls(rng)
        expected = has_order(calls, initials)
        assert search(calls, initials) is expected, (number, calls)
        quick = zones(calls, initials)
        assert quick in {None, expected}, (number, calls)
        holds = check_calls(calls, initials).verdict is Verdict.HOLDS
        assert holds is expected, (number, calls)
        counts[expected] += 1
        counts["quick", quick] += 1
    # The law says something only where each answer occurs, and often.
    assert min(counts[True], counts[False]) > RECORDINGS / 10
    assert min(counts["quick", True], counts["quick", False]) > RECORDINGS / 20


def freed(calls, core):
    """Return the recording as a core leaves it: all other calls may do what they like, or not."""
    kept = {(call.process, call.called_at) for call in core.calls}
    since = -1 if core.since is None else core.since
    return [*core.calls] + [
        replace(call, returned_at=NEVER, answer=None)
        for call in calls
        if (call.process, call.called_at) not in kept
        and not call.is_pure
        and call.returned_at > since
    ]


def starts(calls, initials, core):
    """Return what the key may have held where the core begins."""
    if core.since is None:
        return initials
    seen = {call.answer for call in calls if call.kind in READS}
    if any(call.kind == "append" for call in calls):
        seen = {answer[:length] for answer in seen for length in range(len(answer) + 1)}
    return {*seen, *(call.value[0] for call in calls if call.kind == "cas"), "something else"}


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_shown_of_a_violation_has_no_order_and_nothing_in_it_is_needless(seed):
    rng, sizes = random.Random(1000 + seed), Counter()
    for number in range(RECORDINGS // 2):
        calls, initials = random_calls(rng)
        answer = check_calls(calls, initials)
        if answer.clash is None:
            continue
        core = smallest_core(calls, answer.clash, initials)
        assert not has_order(freed(calls, core), starts(calls, initials, core)), (number, core)
        assert core.minimal
        for call in core.calls if len(core.calls) > 1 else ():
            fewer = replace(core, calls=tuple(other for other in core.calls if other is not call))
            assert has_order(freed(calls, fewer), starts(calls, initials, fewer)), (number, core)
        sizes[len(core.calls)] += 1
    assert all(sizes[size] for size in (1, 2, 3))


def test_every_kind_of_store_is_drawn():
    rng = random.Random(0)
    drawn = {frozenset(call.kind for call in random_calls(rng)[0]) for _ in range(300)}
    assert {kind for kinds in drawn for kind in kinds} == {
        kind for store in SMALL for kind in store.kinds
    }
