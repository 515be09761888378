"""What one user may rely on: ``read_your_writes``.

In one session, a read of a key after an own acknowledged write of version j returns j or newer
(Terry et al., "Session Guarantees for Weakly Consistent Replicated Data", PDIS 1994). With the
origin's commit order this is a comparison of versions. Without it only real time is known: a read
is wrong when it shows a value that had been written, and acknowledged, before the own write began.
"""

from collections.abc import Iterator
from typing import Any

from pytest_supercache.core.operation import History, Operation
from pytest_supercache.core.trace import Execution
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle.guarantee import Guarantee, NotJudgedError
from pytest_supercache.oracle.versions import candidates, same, versions_of

_WRITES = frozenset({"write", "delete"})


def _find_lost_own_write(execution: Execution) -> Violation | None:
    history = execution.history
    unjudged: NotJudgedError | None = None
    for session in _sessions(history):
        own: dict[str, tuple[Operation, Any]] = {}
        for operation in session:
            for key, seen in _sightings(operation):
                if key in own:
                    try:
                        violation = _judge(history, operation, key, seen, *own[key])
                    except NotJudgedError as error:
                        unjudged = error
                        continue
                    if violation is not None:
                        return violation
            if operation.returned and operation.error is None:
                own.update({key: (operation, value) for key, value in _writes(operation)})
    if unjudged is not None:
        raise unjudged
    return None


def _judge(
    history: History, read: Operation, key: str, seen: Any, write: Operation, wrote: Any
) -> Violation | None:
    stale = (
        _is_older(history, key, seen, wrote)
        if any(commit.key == key for commit in history.commits)
        else _was_replaced(history, key, seen, write, wrote)
    )
    if not stale:
        return None
    return Violation(
        guarantee="read_your_writes",
        summary=f"{read.user} wrote {key} = {wrote!r} and then read {seen!r}",
        key=key,
        user=read.user,
        node=read.node,
        evidence={"write": write.step, "read": read.step, "wrote": wrote, "seen": seen},
    )


def _is_older(history: History, key: str, seen: Any, wrote: Any) -> bool:
    """With commit order: is every version that the answer may be older than the own write?"""
    versions = versions_of(history, key)
    written = candidates(versions[1:], wrote)
    if not written:
        raise NotJudgedError(
            f"the origin never saw {key} = {wrote!r}, which a user wrote; the oracle cannot tell "
            "which version it is. Declare what the verb writes with @verb(writes=...)"
        )
    known = candidates(versions, seen)
    if not known:
        if seen is None:
            return True  # the key existed in every version, and the user who wrote it got nothing
        raise NotJudgedError(
            f"the answer {seen!r} for {key} is no version that the origin ever had; the oracle "
            "cannot tell how old it is. Declare what the verb shows with @verb(observes=...)"
        )
    return max(known) < min(written) + 1


def _was_replaced(history: History, key: str, seen: Any, write: Operation, wrote: Any) -> bool:
    """Without commit order: had whatever wrote the answer returned before the own write began?"""
    if same(seen, wrote):
        return False
    if seen is None:
        return False  # a cache without an origin may always forget
    for other in history:
        for other_key, value in _writes(other):
            if other_key == key and same(value, seen) and not _before(history, other, write):
                return False
    return True


def _before(history: History, earlier: Operation, later: Operation) -> bool:
    """Say whether one operation had returned before the other was called."""
    if earlier.user == later.user or earlier.phase != later.phase:
        order = history.operations
        return order.index(earlier) < order.index(later)
    return earlier.precedes(later)


def _sessions(history: History) -> Iterator[tuple[Operation, ...]]:
    for user in dict.fromkeys(operation.user for operation in history):
        yield history.of_user(user)


def _sightings(operation: Operation) -> tuple[tuple[str, Any], ...]:
    if not operation.returned or operation.error is not None:
        return ()
    if operation.kind == "read" and operation.key is not None:
        return ((operation.key, operation.answer),)
    return operation.sightings


def _writes(operation: Operation) -> tuple[tuple[str, Any], ...]:
    if operation.key is not None and operation.kind in _WRITES:
        return ((operation.key, operation.value if operation.kind == "write" else None),)
    return operation.writes


READ_YOUR_WRITES = Guarantee("read_your_writes", _find_lost_own_write)
