"""``durable_writes``: every acknowledged write is in the origin once everything has settled.

Definition: the final version of a key in the origin is not older than any acknowledged write of it
(durability of acknowledged writes; design, class 16: write-behind loses its buffer at a restart). A
write that never reached the origin is excused by a commit that stands for it or for a write that
may have come after it: buffers may coalesce. It needs the origin watched and a settled end. Cost:
O(writes x commits). Trace-invariant: it looks at which commits were made; where the order of two
writes counts, only what holds in every order of the trace is used.
"""

from collections.abc import Iterator

from pytest_supercache.core.operation import Commit
from pytest_supercache.core.value_text import value_text
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle import preconditions
from pytest_supercache.oracle.guarantee import Guarantee, NotJudgedError
from pytest_supercache.oracle.observed import Observed, Write, decided_by
from pytest_supercache.oracle.versions import same
from pytest_supercache.oracle.who import subject


def _findings(observed: Observed) -> Iterator[Violation | NotJudgedError]:
    if not observed.has_settled:
        return  # `answers` says so
    observed.require_origin()
    observed.require_end()
    for write in observed.writes:
        if write.acknowledged and not observed.commits_of(write):
            yield from _excused(observed, write)


def _excused(observed: Observed, write: Write) -> Iterator[Violation | NotJudgedError]:
    """Look for a commit that may stand for a write that the origin never saw; else a violation."""
    commits = observed.commits(write.key)
    before = [commit for commit in commits if not observed.may_follow(commit, write)]
    current = before[-1].value if before else observed.history.given.get(write.key)
    if same(current, write.value):
        return  # nothing had to be changed
    unexplained = None
    for commit in commits:
        if commit in before:
            continue
        if not observed.is_explained(commit):
            unexplained = commit
        elif _follows(observed, commit, write):
            return
    if unexplained is not None:
        yield NotJudgedError(
            f"{subject(write.operation)} wrote {write.key} = {value_text(write.value)}, and the "
            "origin committed "
            f"{value_text(unexplained.value)}; the oracle cannot tell whether that is the same. "
            "Declare what "
            "the verb writes with @verb(writes=...)"
        )
        return
    yield Violation(
        guarantee="durable_writes",
        summary=f"{subject(write.operation)} wrote {write.key} = {value_text(write.value)} and was "
        "told that it "
        "is done, but the origin never got it",
        key=write.key,
        user=write.operation.user,
        node=write.operation.node,
        evidence={"write": write.operation.step, "wrote": write.value},
        at=write.operation.returned_at,
    )


def _follows(observed: Observed, commit: Commit, write: Write) -> bool:
    """Say whether a commit may stand for a write that came after ``write``, or beside it."""
    return any(
        other.key == commit.key
        and (other.at == commit.operation or same(other.value, commit.value))
        and not observed.certainly_ordered(other.at, write.at)
        for other in observed.writes
        if other.at != write.at
    )


DURABLE_WRITES = Guarantee(
    "durable_writes",
    decided_by(_findings),
    has_subject=preconditions.is_anything_written,
    asks_nodes=False,
    ignores_time=True,
)
