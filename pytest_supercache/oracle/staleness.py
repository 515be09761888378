"""``bounded_staleness``: an answer may be outdated, but for no longer than the bound.

Definition: staleness(r) = max(0, called(r) - time of the commit that replaced what r shows), in
virtual seconds, and it is at most the bound (delta-atomicity: Golab, Li, Shah, "Analyzing
Consistency Properties for Fun and Profit", PODC 2011; with the commit order known it is one
comparison). An answer that equals what the origin had when the read was called is not stale. Steps
take no time: only sleeps, timers and ticks make anything stale. It needs the origin's commit order
and times. Cost: O(reads). Real-time: a read may come before or after a tick that it does not
depend on; the pattern is "the replacing commit before a tick, the last tick before the read".
"""

from collections.abc import Iterator
from itertools import product

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.value_text import value_text
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle import preconditions
from pytest_supercache.oracle.guarantee import (
    Guarantee,
    NotJudgedError,
    Parameter,
    Unit,
)
from pytest_supercache.oracle.observed import Observed, Sight, decided_by
from pytest_supercache.oracle.real_time import Pattern
from pytest_supercache.oracle.ticks import spans_longer_than
from pytest_supercache.oracle.who import subject


def _findings(observed: Observed, bound: float) -> Iterator[Violation | NotJudgedError]:
    observed.require_origin()
    for sight in observed.sights:
        versions = observed.versions(sight)
        if isinstance(versions, NotJudgedError):
            yield versions
            continue
        if not versions or observed.is_current(sight):
            continue
        least = _staleness(observed, sight, max(versions))
        most = _staleness(observed, sight, min(versions))
        if least > bound:
            yield _violation(sight, least, bound)
        elif most > bound:
            yield NotJudgedError(
                f"{sight.key} had the value {value_text(sight.value)} more than once; the oracle "
                "cannot "
                "tell how old the answer is. Write values that differ"
            )


def _staleness(observed: Observed, sight: Sight, version: int) -> float:
    commits = observed.commits(sight.key)
    if version >= len(commits):
        return 0.0
    replaced = observed.history.time_at(commits[version].at)
    return max(0.0, observed.called_time(sight.operation) - replaced)


def _violation(sight: Sight, staleness: float, bound: float) -> Violation:
    operation = sight.operation
    return Violation(
        guarantee="bounded_staleness",
        summary=f"{subject(operation)} read {sight.key} = {value_text(sight.value)}, which had "
        f"been replaced {staleness:g} s before; at most {bound:g} s are allowed",
        key=sight.key,
        user=operation.user,
        node=operation.node,
        evidence={
            "read": operation.step,
            "seen": sight.value,
            "staleness": staleness,
            "bound": bound,
        },
        at=operation.returned_at,
    )


def _find_patterns(execution: Execution, bound: float) -> Iterator[Pattern]:
    observed = Observed(execution)
    spans = list(spans_longer_than(execution, bound))
    for sight in observed.sights if spans else ():
        versions, own = observed.versions(sight), observed.own_steps(sight.at)
        if isinstance(versions, NotJudgedError) or own is None:
            continue
        commits = observed.commits(sight.key)
        replaced = [commits[version].at - 1 for version in versions if version < len(commits)]
        for moment, at in product(observed.outdated_moments(sight), replaced):
            for first, last in spans:
                yield Pattern(((at, first), (last, own[0]), *moment))


BOUNDED_STALENESS = Guarantee(
    "bounded_staleness",
    decided_by(_findings),
    find_lack=preconditions.answers,
    parameters=(
        Parameter(
            name="bound",
            unit=Unit.SECONDS,
            description="How long after a commit an older value may still be shown.",
            is_required=True,
        ),
    ),
    real_time=True,
    find_patterns=_find_patterns,
    asks_nodes=False,
)
