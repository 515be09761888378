"""``read_atomic``: a read that shows one change of a transaction shows all of them.

Definition: no operation shows key 1 at the version of a transaction and key 2 older than what that
transaction wrote (Bailis et al., "Scalable Atomic Visibility with RAMP Transactions", SIGMOD 2014:
no fractured reads). A read set is what one operation observes: a verb with ``observes`` of several
keys. A transaction is what was committed in one step (``origin.transaction()``). It needs the
origin's commit order and an operation that shows several keys. Cost: O(read set x transactions),
times the ways to understand equal values. Trace-invariant: it looks at versions only.
"""

from collections.abc import Iterator, Mapping
from itertools import islice, product

from pytest_supercache.core.value_text import value_text
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle import preconditions
from pytest_supercache.oracle.guarantee import Guarantee, NeverJudgedError, NotJudgedError
from pytest_supercache.oracle.observed import Observed, Sight, decided_by
from pytest_supercache.oracle.who import subject, who

WAYS_MAX = 4096
"""The largest number of ways to understand one read set; with more it is not judged."""

Transaction = Mapping[str, int]
"""The changes that were committed in one step: key -> version."""


def _findings(observed: Observed) -> Iterator[Violation | NotJudgedError]:
    observed.require_origin()
    transactions = [t for t in _transactions(observed) if len(t) > 1]
    read_sets: dict[int, list[Sight]] = {}
    for sight in observed.sights:
        read_sets.setdefault(sight.at, []).append(sight)
    several = [s for s in read_sets.values() if len({sight.key for sight in s}) > 1]
    if not several and _nobody_looks_at_several(observed):
        raise NeverJudgedError(
            "no operation shows several keys, so nothing can be seen in part. Read them in one "
            "verb and declare @verb(observes=...)"
        )
    for sights in several:
        yield from _fractured(observed, sights, transactions)


def _nobody_looks_at_several(observed: Observed) -> bool:
    """Say whether every operation was answered: an error may hide a read set."""
    return all(op.returned and op.error is None for op in observed.history)


def _transactions(observed: Observed) -> list[Transaction]:
    found: dict[int, dict[str, int]] = {}
    versions: dict[str, int] = {}
    for commit in observed.history.commits:
        versions[commit.key] = versions.get(commit.key, 0) + 1
        found.setdefault(commit.at, {})[commit.key] = versions[commit.key]
    return list(found.values())


def _fractured(
    observed: Observed, sights: list[Sight], transactions: list[Transaction]
) -> Iterator[Violation | NotJudgedError]:
    choices: list[list[tuple[Sight, int]]] = []
    for sight in sights:
        versions = observed.versions(sight)
        if isinstance(versions, NotJudgedError):
            yield versions
            return
        if versions:
            choices.append([(sight, version) for version in versions])
    ways = list(islice(product(*choices), WAYS_MAX + 1))
    if len(ways) > WAYS_MAX:
        yield NotJudgedError(f"there are more than {WAYS_MAX} ways to understand equal values")
        return
    broken = [_torn(way, transactions) for way in ways]
    first = broken[0]
    if first is not None and all(broken):
        yield _violation(*first)
    elif any(broken):
        yield NotJudgedError(
            f"what {who(sights[0].operation)} was shown stands for several versions; write values "
            "that differ"
        )


def _torn(
    way: tuple[tuple[Sight, int], ...], transactions: list[Transaction]
) -> tuple[Sight, Sight] | None:
    """Return the sight that shows a transaction and the one that misses it."""
    for new, version in way:
        for transaction in transactions:
            if transaction.get(new.key) != version:
                continue
            for old, other in way:
                if other < transaction.get(old.key, other):
                    return new, old
    return None


def _violation(new: Sight, old: Sight) -> Violation:
    operation = new.operation
    return Violation(
        guarantee="read_atomic",
        summary=f"{subject(operation)} was shown {new.key} = {value_text(new.value)} together with "
        f"{old.key} = "
        f"{value_text(old.value)}, which the same transaction had replaced",
        key=old.key,
        user=operation.user,
        node=operation.node,
        evidence={"read": operation.step, "new": new.key, "old": old.key},
        at=operation.returned_at,
    )


READ_ATOMIC = Guarantee(
    "read_atomic",
    decided_by(_findings),
    has_subject=preconditions.are_keys_committed_together,
    asks_nodes=False,
    ignores_time=True,
)
