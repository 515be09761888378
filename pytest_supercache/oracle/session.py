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
from pytest_supercache.oracle.versions import candidates, is_from_somewhere, same, written


def _find_lost_own_write(execution: Execution) -> Violation | None:
    history = execution.history
    unjudged: NotJudgedError | None = None
    for session in _sessions(history):
        own: dict[str, tuple[Operation, Any]] = {}
        for operation in session:
            for key, seen in _sightings(operation):
                try:
                    violation = _judge(history, operation, key, seen, own.get(key))
                except NotJudgedError as error:
                    unjudged = error
                    continue
                if violation is not None:
                    return violation
            if operation.returned and operation.error is None:
                own.update({key: (operation, value) for key, value in written(operation)})
    if unjudged is not None:
        raise unjudged
    return None


def _judge(
    history: History, read: Operation, key: str, seen: Any, own: tuple[Operation, Any] | None
) -> Violation | None:
    if own is None:
        return None
    write, wrote = own
    stale = (
        _is_older(history, key, read, seen, write, wrote)
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


def _is_older(
    history: History, key: str, read: Operation, seen: Any, write: Operation, wrote: Any
) -> bool:
    """With commit order: is every version that the answer may be older than the own write?

    Real time narrows what equal values leave open: a write makes no version before it is called,
    and a read shows none that is committed after it returned.
    """
    if same(seen, wrote):
        return False
    own = candidates(history, key, wrote, after=write.called_at) or candidates(history, key, wrote)
    if not own:
        raise NotJudgedError(
            f"the origin never saw {key} = {wrote!r}, which a user wrote; the oracle cannot tell "
            "which version it is. Declare what the verb writes with @verb(writes=...)"
        )
    assert read.returned_at is not None, "only answers are judged"
    known = candidates(history, key, seen, until=read.returned_at)
    if not known:
        if seen is None:
            return True  # the key existed in every version, and the user who wrote it got nothing
        raise NotJudgedError(
            f"the answer {seen!r} for {key} is no version that the origin ever had; the oracle "
            "cannot tell how old it is. Declare what the verb shows with @verb(observes=...)"
        )
    if max(known) < min(own):
        return True
    current = sum(c.key == key and c.at <= read.called_at for c in history.commits)
    if min(known) < max(own) and max(known) < current:
        raise NotJudgedError(
            f"{key} had the value {seen!r} before and after a user wrote {wrote!r}; the oracle "
            "cannot tell which of the two was read. Write values that differ"
        )
    return False


def _was_replaced(history: History, key: str, seen: Any, write: Operation, wrote: Any) -> bool:
    """Without commit order: had whatever wrote the answer returned before the own write began?"""
    if same(seen, wrote):
        return False
    if seen is None:
        if history.origin_watched:
            raise NotJudgedError(
                f"{write.user} wrote {key} = {wrote!r}, which never reached the origin, and then "
                "read nothing; the oracle cannot tell whether it was lost or only evicted"
            )
        return False  # a cache without an origin may always forget
    if not is_from_somewhere(history, key, seen):
        raise NotJudgedError(
            f"the answer {seen!r} for {key} was neither given nor written; the oracle cannot tell "
            "how old it is. Declare what the verb shows with @verb(observes=...)"
        )
    return all(
        history.ordered(other, write)
        for other in history
        for other_key, value in written(other)
        if other_key == key and same(value, seen)
    )


def _sessions(history: History) -> Iterator[tuple[Operation, ...]]:
    for user in dict.fromkeys(operation.user for operation in history):
        yield history.of_user(user)


def _sightings(operation: Operation) -> tuple[tuple[str, Any], ...]:
    if not operation.returned or operation.error is not None:
        return ()
    if operation.kind == "read" and operation.key is not None:
        return ((operation.key, operation.answer),)
    return operation.sightings


READ_YOUR_WRITES = Guarantee("read_your_writes", _find_lost_own_write)
