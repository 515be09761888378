"""``no_resurrection``: what was deleted stays deleted.

Definition: after an acknowledged delete of a key, no read that is called later shows a version from
before the delete, and once everything has settled no layer and no node does (the tombstone problem;
design, class 14: a slow fill brings the deleted item back). It needs the origin's commit order; the
settled end is judged when somebody looked. Cost: O(deletes x reads). Real-time: a read that does
not depend on the delete may be called before or after it returned; the pattern is "the last step of
the delete before the first step of the read".
"""

from collections.abc import Iterator
from typing import Any

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.places import place_in_words
from pytest_supercache.core.value_text import value_text
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle import preconditions
from pytest_supercache.oracle.guarantee import Guarantee, NotJudgedError
from pytest_supercache.oracle.observed import Observed, Sight, Write, decided_by
from pytest_supercache.oracle.real_time import Pattern
from pytest_supercache.oracle.versions import candidates
from pytest_supercache.oracle.who import who

Deletes = list[tuple[Write, int]]
"""Acknowledged deletes, each with the version that it made."""


def _findings(observed: Observed) -> Iterator[Violation | NotJudgedError]:
    observed.require_origin()
    deletes: Deletes = []
    for write in observed.writes:
        if write.value is None and write.acknowledged:
            version = _version_of(observed, write)
            if version is None:
                yield _never_committed(write)
            else:
                deletes.append((write, version))
    for delete, version in deletes:
        for sight in observed.sights:
            if sight.key == delete.key and observed.history.ordered(
                delete.operation, sight.operation
            ):
                yield from _in_answer(observed, delete, version, sight)
    yield from _in_layers(observed, deletes)


def _version_of(observed: Observed, delete: Write) -> int | None:
    """Return the version that a delete made: the first one that it may have made."""
    made = observed.commits_of(delete)
    if not made:
        return None
    commit = observed.history.commits[made[0]]
    return observed.commits(delete.key).index(commit) + 1


def _in_answer(
    observed: Observed, delete: Write, version: int, sight: Sight
) -> Iterator[Violation | NotJudgedError]:
    is_fine = sight.value is None or observed.is_current(sight)
    versions = [] if is_fine else observed.versions(sight)
    if isinstance(versions, NotJudgedError):
        yield versions
    elif versions and max(versions) < version:
        operation = sight.operation
        yield Violation(
            guarantee="no_resurrection",
            summary=f"{who(delete.operation)} deleted {sight.key}, and afterwards "
            f"{who(operation)} read {value_text(sight.value)}, which is from before",
            key=sight.key,
            user=operation.user,
            node=operation.node,
            evidence={
                "delete": delete.operation.step,
                "read": operation.step,
                "seen": sight.value,
            },
            at=operation.returned_at,
        )
    elif versions and min(versions) < version:
        yield NotJudgedError(
            f"{sight.key} had the value {value_text(sight.value)} before and after it was "
            "deleted; the "
            "oracle cannot tell which was read. Write values that differ"
        )


def _in_layers(observed: Observed, deletes: Deletes) -> Iterator[Violation | NotJudgedError]:
    if not observed.has_settled:
        return
    newest = {delete.key: (delete, version) for delete, version in deletes}
    for where, key, value in _left(observed.execution):
        if key not in newest or value is None or isinstance(value, BaseException):
            continue
        delete, version = newest[key]
        versions = candidates(observed.history, key, value)
        if versions and max(versions) < version:
            yield Violation(
                guarantee="no_resurrection",
                summary=f"{who(delete.operation)} deleted {key}, and after everything has settled "
                f"{place_in_words(where)} has {value_text(value)}, which is from before",
                key=key,
                evidence={"delete": delete.operation.step, "where": where, "value": value},
            )
        elif not versions:
            yield NotJudgedError(
                f"{where} has {value_text(value)} for {key}, which is no version that the origin "
                "ever had; "
                "the oracle cannot tell whether it is from before the delete"
            )


def _left(execution: Execution) -> Iterator[tuple[str, str, Any]]:
    """Yield what is left at the end: the answers of nodes, then the content of caches."""
    for (node, key), answer in execution.settled.probes.items():
        yield f"node {node}", key, answer
    for place, content in execution.settled.layers.items():
        if place != "origin":
            for key, value in content.items():
                yield place, key, value


def _never_committed(delete: Write) -> NotJudgedError:
    return NotJudgedError(
        f"{who(delete.operation)} deleted {delete.key}, but the origin never saw it; the oracle "
        "cannot tell what is older"
    )


def _find_patterns(execution: Execution) -> Iterator[Pattern]:
    observed = Observed(execution)
    for delete in observed.writes:
        ended = observed.own_steps(delete.at)
        if delete.value is not None or not delete.acknowledged or ended is None:
            continue
        version = _version_of(observed, delete)
        for sight in observed.sights:
            began = observed.own_steps(sight.at)
            if sight.key != delete.key or sight.value is None or began is None or version is None:
                continue
            versions = observed.versions(sight)
            if not isinstance(versions, NotJudgedError) and min(versions) < version:
                for moment in observed.outdated_moments(sight):
                    yield Pattern(((ended[1], began[0]), *moment))


NO_RESURRECTION = Guarantee(
    "no_resurrection",
    decided_by(_findings),
    real_time=True,
    find_patterns=_find_patterns,
    find_lack=preconditions.answers,
    has_subject=preconditions.is_anything_deleted,
    ignores_time=True,
)
