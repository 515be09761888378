"""``ttl_respected``: nothing is served for longer than its time to live after it left the origin.

Definition: served(r) - time at which the value left the origin <= TTL, where ages add up over
layers (RFC 9111, section 4.2.3: a response's age is the sum of its ages in every cache on the way).
With stale-while-revalidate (RFC 5861) the limit is TTL + that, for as long as a refresh has
started. A value leaves the origin when it is loaded or committed; of several such moments that may
have led to the answer the latest counts, and a read is taken to serve when it is called, so that a
read that is itself slow is not blamed. "Nothing" has no age. It needs loads, commits and times.
Cost: O(reads x loads). Real-time: a read may come before or after a tick that it does not depend
on; the pattern is "all such moments before a tick, the last tick before the read".
"""

from collections.abc import Iterator

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
from pytest_supercache.oracle.versions import same
from pytest_supercache.oracle.who import subject


def _findings(
    observed: Observed, ttl: float, stale_while_revalidate: float = 0.0
) -> Iterator[Violation | NotJudgedError]:
    observed.require_origin()
    for sight in observed.sights:
        if sight.value is None:
            continue
        left = _left_the_origin(observed, sight)
        if not left:
            yield NotJudgedError(
                f"{subject(sight.operation)} was shown {value_text(sight.value)} for {sight.key}, "
                "which never "
                "left the origin; the oracle cannot tell how old it is. Declare what the verb "
                "shows with @verb(observes=...)"
            )
            continue
        since = max(map(observed.history.time_at, left))
        age = observed.called_time(sight.operation) - since
        limit = ttl + stale_while_revalidate if _is_refreshed(observed, sight.key, left) else ttl
        if age > limit:
            yield _violation(sight, age, limit)


def _left_the_origin(observed: Observed, sight: Sight) -> list[int]:
    """Return when the value may have left the origin, as numbers of steps taken.

    Content that was given to a cache left the origin before the start, 0 at the latest.
    """
    history = observed.history
    sources = [(load.key, load.value, load.at) for load in history.loads]
    sources += [(commit.key, commit.value, commit.at) for commit in history.commits]
    moments = [
        at
        for key, value, at in sources
        if key == sight.key and same(value, sight.value) and observed.may_be_known(at, sight.at)
    ]
    given = (history.given.get(sight.key), *history.given_in_caches.get(sight.key, ()))
    if any(same(value, sight.value) for value in given if value is not None):
        moments.append(0)
    return moments


def _is_refreshed(observed: Observed, key: str, left: list[int]) -> bool:
    """Say whether a refresh has started: the key was loaded once more after the value had left."""
    return any(
        load.key == key
        and load.at not in left
        and not all(observed.is_before(load.at, moment) for moment in left)
        for load in observed.history.loads
    )


def _violation(sight: Sight, age: float, limit: float) -> Violation:
    operation = sight.operation
    return Violation(
        guarantee="ttl_respected",
        summary=f"{subject(operation)} read {sight.key} = {value_text(sight.value)}, which had "
        f"left the origin {age:g} s before; it may live {limit:g} s",
        key=sight.key,
        user=operation.user,
        node=operation.node,
        evidence={"read": operation.step, "seen": sight.value, "age": age, "limit": limit},
        at=operation.returned_at,
    )


def _find_patterns(
    execution: Execution, ttl: float, stale_while_revalidate: float = 0.0
) -> Iterator[Pattern]:
    observed = Observed(execution)
    for sight in observed.sights:
        own, left = observed.own_steps(sight.at), _left_the_origin(observed, sight)
        if sight.value is None or own is None or not left:
            continue
        is_refreshed = _is_refreshed(observed, sight.key, left)
        limit = ttl + stale_while_revalidate if is_refreshed else ttl
        for first, last in spans_longer_than(execution, limit):
            moments = tuple((at - 1, first) for at in left if at > 0)
            yield Pattern((*moments, (last, own[0])))


TTL_RESPECTED = Guarantee(
    "ttl_respected",
    decided_by(_findings),
    find_lack=preconditions.answers,
    parameters=(
        Parameter(
            name="ttl",
            unit=Unit.SECONDS,
            description="How long after it left the origin a value may be shown.",
            is_required=True,
        ),
        Parameter(
            name="stale_while_revalidate",
            unit=Unit.SECONDS,
            description="How much longer while a refresh has started.",
        ),
    ),
    real_time=True,
    find_patterns=_find_patterns,
    asks_nodes=False,
)
