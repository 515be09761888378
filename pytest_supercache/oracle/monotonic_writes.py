"""``monotonic_writes``: one user's writes take effect in the order in which they were made.

Definition: the writes of one session are committed in session order, and no layer replaces version
j of a key by an older one (Terry et al., PDIS 1994; the second half speaks of every layer as of a
replica). A layer that dropped the key in between did not replace it. A write that failed or never
returned may take effect later or never and binds nobody. It needs the origin's commit order and
what the layers held after each step. Cost: O(writes^2) within a session, one pass over what layers
held. Real-time only where two keys are committed by independent steps; the pattern is "the commits
of the later write before those of the earlier one". One key's commits depend on each other.
"""

from collections.abc import Iterator
from itertools import combinations, pairwise, product

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.operation import Content
from pytest_supercache.core.value_text import value_text
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle import preconditions
from pytest_supercache.oracle.guarantee import Guarantee, NotJudgedError
from pytest_supercache.oracle.observed import Observed, Write, cached_contents, decided_by
from pytest_supercache.oracle.real_time import Pattern
from pytest_supercache.oracle.versions import same
from pytest_supercache.oracle.who import subject


def _findings(observed: Observed) -> Iterator[Violation | NotJudgedError]:
    observed.require_origin()
    for user in dict.fromkeys(write.operation.user for write in observed.writes):
        yield from _out_of_order(
            observed, [write for write in observed.writes if write.operation.user == user]
        )
    yield from _replaced(observed)


def _out_of_order(observed: Observed, session: list[Write]) -> Iterator[Violation | NotJudgedError]:
    for write in session:
        if write.acknowledged and not observed.commits_of(write):
            yield from _unknown_commits(observed, write)
    for earlier, later in combinations(session, 2):
        if earlier.at == later.at or not earlier.acknowledged:
            continue
        first, then = _commit_steps(observed, earlier), _commit_steps(observed, later)
        if not first or not then:
            continue  # a write that was never committed has no place in the order
        if max(then) < min(first):
            yield _commits_swapped(earlier, later)
        elif min(then) < max(first):
            yield NotJudgedError(
                f"{earlier.key} or {later.key} was given the same value more than once; the oracle "
                "cannot tell which commit belongs to which write. Write values that differ"
            )


def _commit_steps(observed: Observed, write: Write) -> list[int]:
    """Return when a write may have been committed, as numbers of steps taken."""
    return [observed.history.commits[number].at for number in observed.commits_of(write)]


def _unknown_commits(observed: Observed, write: Write) -> Iterator[NotJudgedError]:
    for commit in observed.commits(write.key):
        if observed.may_follow(commit, write) and not observed.is_explained(commit):
            yield NotJudgedError(
                f"{subject(write.operation)} wrote {write.key} = {value_text(write.value)}, "
                f"and the origin committed {value_text(commit.value)}; the oracle cannot tell "
                "whether that is the same. Declare what the verb writes with @verb(writes=...)"
            )
            return


def _commits_swapped(earlier: Write, later: Write) -> Violation:
    operation = later.operation
    return Violation(
        guarantee="monotonic_writes",
        summary=f"{subject(operation)} wrote {earlier.key} = {value_text(earlier.value)} before "
        f"{later.key} = {value_text(later.value)}, but the origin committed the second one first",
        key=later.key,
        user=operation.user,
        node=operation.node,
        evidence={"first": earlier.operation.step, "then": operation.step},
        at=operation.returned_at,
    )


def _replaced(observed: Observed) -> Iterator[Violation | NotJudgedError]:
    for found in cached_contents(observed):
        if isinstance(found, NotJudgedError):
            yield found
            continue
        _, _, contents = found
        for old, new in pairwise(contents):
            if old.value is not None and new.value is not None and not same(old.value, new.value):
                yield from _compare(observed, old, new)


def _compare(
    observed: Observed, old: Content, new: Content
) -> Iterator[Violation | NotJudgedError]:
    before, after = observed.content_versions(old), observed.content_versions(new)
    if isinstance(before, NotJudgedError):
        yield before
    elif isinstance(after, NotJudgedError):
        yield after
    elif max(after) < min(before):
        yield Violation(
            guarantee="monotonic_writes",
            summary=f"{new.place} held {value_text(old.value)} for {new.key} and replaced it by "
            f"{value_text(new.value)}, which is older",
            key=new.key,
            evidence={"place": new.place, "held": old.value, "then": new.value, "step": new.at},
            at=new.at,
        )
    elif min(after) < max(before):
        yield NotJudgedError(
            f"{new.place} replaced {value_text(old.value)} by {value_text(new.value)} for "
            f"{new.key}, and one of them "
            "stands for several versions; write values that differ"
        )


def _find_patterns(execution: Execution) -> Iterator[Pattern]:
    observed = Observed(execution)
    for earlier, later in combinations(observed.writes, 2):
        if earlier.operation.user != later.operation.user or earlier.at == later.at:
            continue
        first, then = _commit_steps(observed, earlier), _commit_steps(observed, later)
        if earlier.acknowledged and first and then and 0 not in (*first, *then):
            swapped = tuple((two - 1, one - 1) for one, two in product(first, then))
            yield Pattern(swapped)
            yield from (Pattern((pair,)) for pair in swapped)  # may leave it undecided


MONOTONIC_WRITES = Guarantee(
    "monotonic_writes",
    decided_by(_findings),
    real_time=True,
    find_patterns=_find_patterns,
    needs_contents=True,
    find_lack=preconditions.writes,
    asks_nodes=False,
    ignores_time=True,
)
