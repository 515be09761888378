"""``revocation_holds``: a key that was revoked shows no value, until it is granted again.

Definition: once a revoke of a key has returned, no read that is called later shows a value for it,
unless a grant allows it: a write of that value which had not returned when the revoke was called. A
revoke is an acknowledged delete of a session, a token or a permission; a grant is a write (OWASP,
"Session Management Cheat Sheet": a session ends on the server). The nodes that are asked after
everything has settled read, too. It needs no origin. Cost: O(revokes x reads x grants). Real-time:
a read that does not depend on the revoke may be called before or after it returned; the pattern is
"the last step of the revoke before the first step of the read", with every grant before or after
both.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.operation import History
from pytest_supercache.core.value_text import value_text
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle import preconditions
from pytest_supercache.oracle.guarantee import Guarantee, NotJudgedError
from pytest_supercache.oracle.observed import Observed, Sight, Write, decided_by
from pytest_supercache.oracle.real_time import Pairs, Pattern
from pytest_supercache.oracle.versions import is_from_somewhere, same
from pytest_supercache.oracle.who import who

GRANTS_MAX = 5
"""The largest number of grants that one answer may stem from; with more it is not judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Success:
    """A value that was shown; ``sight`` is None for a node that was asked at the end."""

    key: str
    value: Any
    who: str
    node: str
    sight: Sight | None = None


def _findings(observed: Observed) -> Iterator[Violation | NotJudgedError]:
    for success in _successes(observed):
        grants, revokes = _grants(observed, success), _revokes(observed, success.key)
        if revokes and len(grants) > GRANTS_MAX:
            yield NotJudgedError(
                f"{success.who} was shown {value_text(success.value)} for {success.key}, which "
                f"{len(grants)} "
                f"writes may have granted; {GRANTS_MAX} are judged. Write values that differ"
            )
        for revoke in revokes:
            if success.sight is None or observed.history.ordered(
                revoke.operation, success.sight.operation
            ):
                yield from _after(observed, revoke, success, grants)


def _after(
    observed: Observed, revoke: Write, success: _Success, grants: list[Write]
) -> Iterator[Violation | NotJudgedError]:
    """Look for a grant that allows a success which was called after a revoke."""
    ordered = observed.history.ordered
    later = [grant for grant in grants if not ordered(grant.operation, revoke.operation)]
    allowing = [grant for grant in later if not _came_after(observed, grant, success)]
    if any(_lies_between(observed, grant, revoke, success) for grant in allowing):
        return
    if not allowing:
        yield _violation(revoke, success)
    elif len(later) < len(grants) or _was_there(observed, success):
        yield NotJudgedError(
            f"{success.who} was shown {value_text(success.value)} for {success.key}, which may "
            "have been "
            "granted before or after it was revoked. Write values that differ"
        )


def _grants(observed: Observed, success: _Success) -> list[Write]:
    """Return the writes that an answer may stem from: all, if nobody knows its value."""
    grants = [w for w in observed.writes if w.key == success.key and w.value is not None]
    if not _is_known(observed.history, success):
        return grants
    return [w for w in grants if same(w.value, success.value)]


def _was_there(observed: Observed, success: _Success) -> bool:
    """Say whether a value may have been there from the start."""
    history, key, value = observed.history, success.key, success.value
    given = [history.given.get(key), *history.given_in_caches.get(key, ())]
    return not _is_known(history, success) or any(same(value, one) for one in given)


def _is_known(history: History, success: _Success) -> bool:
    is_given = same(history.given.get(success.key), success.value)
    return is_given or is_from_somewhere(history, success.key, success.value)


def _came_after(observed: Observed, grant: Write, success: _Success) -> bool:
    if success.sight is None:
        return False
    return observed.history.ordered(success.sight.operation, grant.operation)


def _lies_between(observed: Observed, grant: Write, revoke: Write, success: _Success) -> bool:
    """Say whether a grant was called after the revoke and had returned before the read."""
    ordered = observed.history.ordered
    has_returned = success.sight is None or ordered(grant.operation, success.sight.operation)
    return has_returned and ordered(revoke.operation, grant.operation)


def _revokes(observed: Observed, key: str) -> list[Write]:
    return [w for w in observed.writes if w.key == key and w.value is None and w.acknowledged]


def _successes(observed: Observed) -> Iterator[_Success]:
    for sight in observed.sights:
        if sight.value is not None:
            operation = sight.operation
            yield _Success(
                key=sight.key, value=sight.value, who=who(operation), node=operation.node,
                sight=sight,
            )  # fmt: skip
    probes = observed.execution.settled.probes if observed.has_settled else {}
    for (node, key), value in probes.items():
        if value is not None and not isinstance(value, BaseException):
            yield _Success(key=key, value=value, who=f"node {node}", node=node)


def _violation(revoke: Write, success: _Success) -> Violation:
    read = success.sight and success.sight.operation
    when = "and afterwards" if read else "and after everything has settled"
    evidence = {"revoke": revoke.operation.step, "value": success.value}
    return Violation(
        guarantee="revocation_holds",
        summary=f"{who(revoke.operation)} revoked {success.key}, {when} {success.who} "
        f"{'was shown' if read else 'shows'} {value_text(success.value)}",
        key=success.key,
        user=read.user if read else None,
        node=success.node,
        evidence=evidence | ({"read": read.step} if read else {"where": success.who}),
        at=read.returned_at if read else None,
    )


def _find_patterns(execution: Execution) -> Iterator[Pattern]:
    """Yield the orders in which a read is called after a revoke, by where each grant stands."""
    observed = Observed(execution)
    for success in _successes(observed):
        grants = _grants(observed, success)
        if len(grants) > GRANTS_MAX:
            continue
        read = None if success.sight is None else observed.own_steps(success.sight.at)
        for revoke in _revokes(observed, success.key):
            ended = observed.own_steps(revoke.at)
            if ended is not None and (read is not None or success.sight is None):
                after = ((ended[1], read[0]),) if read else ()
                places = [_places(observed.own_steps(g.at), ended, read) for g in grants]
                for chosen in product(*places):
                    yield Pattern((*after, *(pair for pairs in chosen for pair in pairs)))


def _places(
    grant: tuple[int, int] | None, revoke: tuple[int, int], read: tuple[int, int] | None
) -> list[Pairs]:
    """Return the places of a grant that do not allow the read for sure: before, after, beside."""
    if grant is None:
        return [()]
    pairs = [(grant[1], revoke[0]), (grant[0], revoke[1])]
    if read is not None:
        pairs += [(read[1], grant[0]), (read[0], grant[1])]
    return [(pair,) for pair in pairs]


REVOCATION_HOLDS = Guarantee(
    "revocation_holds",
    decided_by(_findings),
    real_time=True,
    find_patterns=_find_patterns,
    find_lack=preconditions.revokes_and_reads,
    ignores_time=True,
)
