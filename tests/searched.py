"""What a complete search of a small program finds: every outcome, or the violation."""

from collections import Counter

from pytest_supercache import Verdict, check


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
