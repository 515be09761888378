"""What a complete search of a small program finds: every outcome, or the violation."""

from collections import Counter
from unittest import mock

from pytest_supercache import Verdict, check
from pytest_supercache.checking import reduction_check
from tests.selection import either

RANDOM_SCHEDULES = either(30, reduction_check.RANDOM_RUNS)
"""The free random schedules of a search; what it finds is the same, or a test fails."""


def few_random_schedules():
    """Execute fewer random schedules meanwhile than a user's check does."""
    return mock.patch.object(reduction_check, "RANDOM_RUNS", RANDOM_SCHEDULES)


def complete(run, **options):
    """Return how often each answer of ``run(world)`` came in a complete search."""
    seen = []

    def body(world):
        seen.append(None)
        seen[-1] = run(world)

    options.setdefault("ticks", 0)
    result = check(body, search="all-schedules", **options)
    assert result.verdict is Verdict.HOLDS, result.reasons or result.counterexample
    return Counter(seen[-result.executions - 1 : -1])  # the last run repeats the first


def violation_of(body, **options):
    """Return the result of a complete search that must find a violation."""
    result = check(body, search="all-schedules", **options)
    assert result.verdict is Verdict.VIOLATED, result.reasons
    return result
