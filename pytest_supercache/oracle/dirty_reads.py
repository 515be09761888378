"""``no_dirty_reads``: no read shows what is not committed.

Definition: no answer is a value that only a transaction has which was rolled back, or which had not
committed when the read returned (Adya, "Weak Consistency", 1999: G1a aborted reads, and visibility
before the commit). It needs the origin's transactions recorded: ``origin.transaction()``. Cost:
O(reads x changes in transactions). Real-time: a read that took its value from a cache may return
before or after the commit; the pattern is "the last step of the read before the commit".
"""

from collections.abc import Iterator

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.operation import UncommittedWrite
from pytest_supercache.core.value_text import value_text
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle import preconditions
from pytest_supercache.oracle.guarantee import Guarantee, NotJudgedError
from pytest_supercache.oracle.observed import Observed, Sight, decided_by
from pytest_supercache.oracle.real_time import Pattern
from pytest_supercache.oracle.versions import candidates, same
from pytest_supercache.oracle.who import subject


def _findings(observed: Observed) -> Iterator[Violation | NotJudgedError]:
    observed.require_origin()
    for sight in observed.sights if observed.history.uncommitted else ():
        if sight.value is None and not observed.loads(sight.key):
            continue  # a cache may always forget
        if _committed_before(observed, sight):
            continue
        writes = _uncommitted_writes(observed, sight)
        if writes:
            yield _violation(sight, writes[-1])
            continue
        versions = observed.versions(sight)
        if isinstance(versions, NotJudgedError):
            yield versions


def _committed_before(observed: Observed, sight: Sight) -> list[int]:
    """Return the versions that an answer may be, and that were committed when it came."""
    returned = sight.operation.returned_at
    assert returned is not None, "only answers are sights"
    return candidates(
        observed.history, sight.key, sight.value, sees=lambda commit: commit.at <= returned
    )


def _uncommitted_writes(observed: Observed, sight: Sight) -> list[UncommittedWrite]:
    """Return the changes in transactions that an answer may show, made before it came."""
    returned = sight.operation.returned_at
    assert returned is not None, "only answers are sights"
    return [
        write
        for write in observed.history.uncommitted
        if write.key == sight.key and write.at <= returned and same(write.value, sight.value)
    ]


def _violation(sight: Sight, write: UncommittedWrite) -> Violation:
    operation = sight.operation
    fate = "was committed only later" if write.committed else "was never committed"
    return Violation(
        guarantee="no_dirty_reads",
        summary=f"{subject(operation)} read {sight.key} = {value_text(sight.value)}, which {fate}",
        key=sight.key,
        user=operation.user,
        node=operation.node,
        evidence={
            "read": operation.step,
            "seen": sight.value,
            "written_at": write.at,
            "ended_at": write.ended_at,
            "committed": write.committed,
        },
        at=operation.returned_at,
    )


def _find_patterns(execution: Execution) -> Iterator[Pattern]:
    observed = Observed(execution)
    for sight in observed.sights:
        own = observed.own_steps(sight.at)
        if own is None or not _uncommitted_writes(observed, sight):
            continue
        commits = observed.commits(sight.key)
        versions = candidates(observed.history, sight.key, sight.value)
        if versions and 0 not in versions:
            yield Pattern(tuple((own[1], commits[v - 1].at - 1) for v in versions))


NO_DIRTY_READS = Guarantee(
    "no_dirty_reads",
    decided_by(_findings),
    real_time=True,
    find_patterns=_find_patterns,
    find_lack=preconditions.answers,
    asks_nodes=False,
    ignores_time=True,
)
