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

from pytest_supercache.core.operation import Content
from pytest_supercache.core.trace import Execution
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle.evidence import Evidence, Write, cached_contents
from pytest_supercache.oracle.guarantee import Guarantee, NotJudgedError, decided
from pytest_supercache.oracle.real_time import Pattern
from pytest_supercache.oracle.versions import same


def _find_disorder(execution: Execution) -> Violation | None:
    return decided(_findings(Evidence(execution)))


def _findings(evidence: Evidence) -> Iterator[Violation | NotJudgedError]:
    evidence.require_origin()
    for user in dict.fromkeys(write.operation.user for write in evidence.writes):
        yield from _out_of_order(
            evidence, [write for write in evidence.writes if write.operation.user == user]
        )
    yield from _replaced(evidence)


def _out_of_order(evidence: Evidence, session: list[Write]) -> Iterator[Violation | NotJudgedError]:
    for write in session:
        if write.acknowledged and not evidence.commits_of(write):
            yield from _unknown_commits(evidence, write)
    for earlier, later in combinations(session, 2):
        if earlier.at == later.at or not earlier.acknowledged:
            continue
        first, then = _commit_steps(evidence, earlier), _commit_steps(evidence, later)
        if not first or not then:
            continue  # a write that was never committed has no place in the order
        if max(then) < min(first):
            yield _commits_swapped(earlier, later)
        elif min(then) < max(first):
            yield NotJudgedError(
                f"{earlier.key} or {later.key} was given the same value more than once; the oracle "
                "cannot tell which commit belongs to which write. Write values that differ"
            )


def _commit_steps(evidence: Evidence, write: Write) -> list[int]:
    """Return when a write may have been committed, as numbers of steps taken."""
    return [evidence.history.commits[number].at for number in evidence.commits_of(write)]


def _unknown_commits(evidence: Evidence, write: Write) -> Iterator[NotJudgedError]:
    for commit in evidence.commits(write.key):
        if evidence.may_follow(commit, write) and not evidence.is_explained(commit):
            yield NotJudgedError(
                f"{write.operation.user} wrote {write.key} = {write.value!r}, and the origin "
                f"committed {commit.value!r}; the oracle cannot tell whether that is the same. "
                "Declare what the verb writes with @verb(writes=...)"
            )
            return


def _commits_swapped(earlier: Write, later: Write) -> Violation:
    operation = later.operation
    return Violation(
        guarantee="monotonic_writes",
        summary=f"{operation.user} wrote {earlier.key} = {earlier.value!r} before "
        f"{later.key} = {later.value!r}, but the origin committed the second one first",
        key=later.key,
        user=operation.user,
        node=operation.node,
        evidence={"first": earlier.operation.step, "then": operation.step},
    )


def _replaced(evidence: Evidence) -> Iterator[Violation | NotJudgedError]:
    for found in cached_contents(evidence):
        if isinstance(found, NotJudgedError):
            yield found
            continue
        _, _, contents = found
        for old, new in pairwise(contents):
            if old.value is not None and new.value is not None and not same(old.value, new.value):
                yield from _compare(evidence, old, new)


def _compare(
    evidence: Evidence, old: Content, new: Content
) -> Iterator[Violation | NotJudgedError]:
    before, after = evidence.content_versions(old), evidence.content_versions(new)
    if isinstance(before, NotJudgedError):
        yield before
    elif isinstance(after, NotJudgedError):
        yield after
    elif max(after) < min(before):
        yield Violation(
            guarantee="monotonic_writes",
            summary=f"{new.place} held {old.value!r} for {new.key} and replaced it by "
            f"{new.value!r}, which is older",
            key=new.key,
            evidence={"place": new.place, "held": old.value, "then": new.value, "step": new.at},
        )
    elif min(after) < max(before):
        yield NotJudgedError(
            f"{new.place} replaced {old.value!r} by {new.value!r} for {new.key}, and one of them "
            "stands for several versions; write values that differ"
        )


def _find_patterns(execution: Execution) -> Iterator[Pattern]:
    evidence = Evidence(execution)
    for earlier, later in combinations(evidence.writes, 2):
        if earlier.operation.user != later.operation.user or earlier.at == later.at:
            continue
        first, then = _commit_steps(evidence, earlier), _commit_steps(evidence, later)
        if earlier.acknowledged and first and then and 0 not in (*first, *then):
            yield Pattern(tuple((two - 1, one - 1) for one, two in product(first, then)))


MONOTONIC_WRITES = Guarantee(
    "monotonic_writes",
    _find_disorder,
    real_time=True,
    find_patterns=_find_patterns,
    needs_contents=True,
)
