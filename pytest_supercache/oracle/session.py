"""``read_your_writes``: after writing a key, a user never reads an older value of it.

In one session, a read of a key after an own acknowledged write of version j returns j or newer
(Terry et al., "Session Guarantees for Weakly Consistent Replicated Data", PDIS 1994). With the
origin's commit order this is a comparison of versions. Without it only real time is known: a read
is wrong when it shows a value that had been written, and acknowledged, before the own write began.
It is trace-invariant where the origin knows the key, and real-time elsewhere; the pattern is "the
last step of what wrote the answer before the first step of the own write".
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.operation import History, Operation
from pytest_supercache.core.value_text import value_text
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle import preconditions
from pytest_supercache.oracle.guarantee import Guarantee, NotJudgedError
from pytest_supercache.oracle.observed import Observed, Sight, Write, shown
from pytest_supercache.oracle.real_time import Pattern
from pytest_supercache.oracle.versions import candidates, is_from_somewhere, same, written
from pytest_supercache.oracle.who import who


def _find_lost_own_write(execution: Execution) -> Violation | None:
    observed, history = Observed(execution), execution.history
    unjudged: NotJudgedError | None = None
    for session in _sessions(history):
        own: dict[str, tuple[Operation, Any]] = {}
        for at, operation in session:
            for key, seen in shown(operation):
                sight = Sight(at=at, operation=operation, key=key, value=seen)
                try:
                    violation = _judge(observed, sight, own.get(key))
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


def _judge(observed: Observed, sight: Sight, own: tuple[Operation, Any] | None) -> Violation | None:
    if own is None:
        return None
    write, wrote = own
    history, read, key, seen = observed.history, sight.operation, sight.key, sight.value
    stale = (
        _is_older(observed, sight, write, wrote)
        if observed.commits(key)
        else _was_replaced(history, key, seen, write, wrote)
    )
    if not stale:
        return None
    return Violation(
        guarantee="read_your_writes",
        summary=f"{who(read)} wrote {key} = {value_text(wrote)} and then read {value_text(seen)}",
        key=key,
        user=read.user,
        node=read.node,
        evidence={"write": write.step, "read": read.step, "wrote": wrote, "seen": seen},
        at=read.returned_at,
    )


def _is_older(observed: Observed, sight: Sight, write: Operation, wrote: Any) -> bool:
    """With the commit order: say whether every version that the answer may be is older.

    Causality narrows what equal values leave open: a write makes no version before it is called,
    and a read shows none whose commit it cannot know.
    """
    history, key, seen = observed.history, sight.key, sight.value
    if same(seen, wrote):
        return False
    own = candidates(history, key, wrote, after=write.called_at) or candidates(history, key, wrote)
    if not own:
        raise NotJudgedError(
            f"the origin never saw {key} = {value_text(wrote)}, which a user wrote; the oracle "
            "cannot tell "
            "which version it is. Declare what the verb writes with @verb(writes=...)"
        )
    known = candidates(
        history, key, seen, sees=lambda commit: observed.may_be_known(commit.at, sight.at)
    )
    if not known:
        if seen is None:
            return True  # the key existed in every version, and the user who wrote it got nothing
        raise NotJudgedError(
            f"the answer {value_text(seen)} for {key} is no version that the origin ever had; "
            "the oracle "
            "cannot tell how old it is. Declare what the verb shows with @verb(observes=...)"
        )
    if max(known) < min(own):
        return True
    current = sum(observed.may_precede(commit, sight.at) for commit in observed.commits(key))
    if min(known) < max(own) and max(known) < current:
        raise NotJudgedError(
            f"{key} had the value {value_text(seen)} before and after a user wrote "
            f"{value_text(wrote)}; the oracle "
            "cannot tell which of the two was read. Write values that differ"
        )
    return False


def _was_replaced(history: History, key: str, seen: Any, write: Operation, wrote: Any) -> bool:
    """Without the commit order: say whether the answer's writer returned before the write."""
    if same(seen, wrote):
        return False
    if seen is None:
        if history.origin_watched:
            raise NotJudgedError(
                f"{who(write)} wrote {key} = {value_text(wrote)}, which never reached the "
                "origin, and then "
                "read nothing; the oracle cannot tell whether it was lost or only evicted"
            )
        return False  # a cache without an origin may always forget
    if not is_from_somewhere(history, key, seen):
        raise NotJudgedError(
            f"the answer {value_text(seen)} for {key} was neither given nor written; the oracle "
            "cannot tell "
            "how old it is. Declare what the verb shows with @verb(observes=...)"
        )
    return all(
        history.ordered(other, write)
        for other in history
        for other_key, value in written(other)
        if other_key == key and same(value, seen)
    )


def _sessions(history: History) -> Iterator[list[tuple[int, Operation]]]:
    numbered = list(enumerate(history.operations))
    for user in dict.fromkeys(operation.user for operation in history):
        yield [(at, operation) for at, operation in numbered if operation.user == user]


def _find_patterns(execution: Execution) -> Iterator[Pattern]:
    """Yield the orders in which the writer of an answer had returned before the own write began."""
    observed = Observed(execution)
    for write, sight in product(observed.writes, observed.sights):
        is_later = sight.at > write.at and sight.operation.user == write.operation.user
        if not is_later or sight.key != write.key or not write.acknowledged:
            continue
        if not observed.commits(write.key) and not same(sight.value, write.value):
            yield from _before(observed, write, sight)


def _before(observed: Observed, write: Write, sight: Sight) -> Iterator[Pattern]:
    mine = observed.own_steps(write.at)
    others = [
        other
        for other in observed.writes
        if other.key == sight.key
        and same(other.value, sight.value)
        and other.operation.user != write.operation.user
    ]
    theirs = [observed.own_steps(other.at) for other in others if other.operation.returned]
    if mine is not None and others and len(theirs) == len(others):
        yield Pattern(tuple((own[1], mine[0]) for own in theirs if own is not None))


READ_YOUR_WRITES = Guarantee(
    "read_your_writes",
    _find_lost_own_write,
    real_time=True,
    find_patterns=_find_patterns,
    find_lack=preconditions.writes_and_answers,
    has_subject=preconditions.is_own_write_read,
    asks_nodes=False,
    ignores_time=True,
)
