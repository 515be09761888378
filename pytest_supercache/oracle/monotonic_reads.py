"""``monotonic_reads``: in one session, a key never goes back in time.

Definition: among the reads of one key in one session, in session order, versions do not decrease
(Terry et al., "Session Guarantees for Weakly Consistent Replicated Data", PDIS 1994). It needs the
origin's commit order. Cost: one pass over the reads. Trace-invariant: session order is program
order, and versions follow from values and causality.

Two neighbouring answers that are equal are taken as one version: no user can see a difference.
"""

from collections.abc import Iterator

from pytest_supercache.core.value_text import value_text
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle import preconditions
from pytest_supercache.oracle.guarantee import Guarantee, NotJudgedError
from pytest_supercache.oracle.observed import Observed, Sight, decided_by
from pytest_supercache.oracle.versions import same
from pytest_supercache.oracle.who import subject

Shown = list[tuple[Sight, list[int]]]


def _findings(observed: Observed) -> Iterator[Violation | NotJudgedError]:
    observed.require_origin()
    sessions: dict[tuple[str, str], Shown] = {}
    for sight in observed.sights:
        versions = observed.versions(sight)
        if isinstance(versions, NotJudgedError):
            yield versions
        elif versions:
            _add(sessions.setdefault((sight.operation.user, sight.key), []), sight, versions)
    for shown in sessions.values():
        yield from _older(shown)


def _add(shown: Shown, sight: Sight, versions: list[int]) -> None:
    if shown and same(shown[-1][0].value, sight.value):
        common = [version for version in versions if version in shown[-1][1]]
        if common:
            shown[-1] = (sight, common)
            return
    shown.append((sight, versions))


def _older(shown: Shown) -> Iterator[Violation | NotJudgedError]:
    """Assign to each answer the oldest version that never goes back; it fails if there is none."""
    reached, newest = -1, None
    for sight, versions in shown:
        onward = [version for version in versions if version >= reached]
        if not onward:
            assert newest is not None, "nothing is older than the first answer"
            yield _violation(newest, sight)
            return
        if min(onward) > reached:
            reached, newest = min(onward), sight
    for at, (earlier, versions) in enumerate(shown):
        for later, others in shown[at + 1 :]:
            if min(others) < max(versions):
                yield NotJudgedError(
                    f"{later.key} had the value {value_text(later.value)} or "
                    f"{value_text(earlier.value)} more than "
                    "once; the oracle cannot tell which was read. Write values that differ"
                )
                return


def _violation(earlier: Sight, later: Sight) -> Violation:
    operation = later.operation
    return Violation(
        guarantee="monotonic_reads",
        summary=f"{subject(operation)} read {later.key} = {value_text(earlier.value)} and then "
        f"{value_text(later.value)}, which is older",
        key=later.key,
        user=operation.user,
        node=operation.node,
        evidence={
            "first": earlier.operation.step,
            "then": operation.step,
            "seen_first": earlier.value,
            "seen_then": later.value,
        },
        at=operation.returned_at,
    )


MONOTONIC_READS = Guarantee(
    "monotonic_reads",
    decided_by(_findings),
    find_lack=preconditions.answers,
    has_subject=preconditions.is_key_read_twice,
    asks_nodes=False,
    ignores_time=True,
)
