"""``no_lost_field``: a write of one field of an object does not undo a write of another one.

Definition: once everything has settled, each field that an acknowledged write gave an object has
the value of a write of that field which no acknowledged write of it followed (P4, lost update:
Berenson et al., "A Critique of ANSI SQL Isolation Levels", SIGMOD 1995; an object in a cache is one
item, whoever changes a field reads it and writes all of it back). What a write gives is what it is
declared to write: ``{key: {field: value}}``; a delete takes every field away. The end is what the
source of truth has: the origin, else the existing cache, else any other layer or node that still
has the field. It needs a settled end, and two operations that write different fields. Cost: fields
x writes^2. Real-time: of two writes of one field that nothing orders either may be the later one;
the pattern is "who wrote what is there had returned before the other was called".
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.value_text import value_text
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle import preconditions
from pytest_supercache.oracle.guarantee import Guarantee, NotJudgedError
from pytest_supercache.oracle.observed import Observed, Write, decided_by
from pytest_supercache.oracle.real_time import Pattern
from pytest_supercache.oracle.versions import canonical, fields_of, is_known_to_origin, same
from pytest_supercache.oracle.who import subject

_MISSING = None
"""The value of a field that an object does not have."""


def _findings(observed: Observed) -> Iterator[Violation | NotJudgedError]:
    if not observed.has_settled:
        return  # `answers` says so
    observed.require_end()
    for write, field in _field_writes(observed):
        yield from _stays(observed, write, field)


def _stays(observed: Observed, write: Write, field: str) -> Iterator[Violation | NotJudgedError]:
    """Look for the field of a write at the end, or for one that may have replaced it."""
    ends = _ends(observed, write.key)
    others = _writes_of(observed, write.key, field)
    ordered = observed.history.ordered
    standing = [value for other, value in others if not ordered(other.operation, write.operation)]
    left = [end.get(field, _MISSING) for end in ends.values()]
    if not ends or any(same(value, other) for value in left for other in standing):
        return
    known = [_MISSING, *(value for _, value in others), *_before(observed, write, field)]
    if any(same(value, other) for value in left for other in known):
        yield _violation(observed, write, field, ends)
    else:
        yield NotJudgedError(
            f"in the end {field} of {write.key} is {value_text(left[0])}, which nobody gave or "
            "wrote; the "
            "oracle cannot tell whose it is. Declare what verbs write with @verb(writes=...)"
        )


def _before(observed: Observed, write: Write, field: str) -> list[Any]:
    """Return the values that a field had before a write."""
    history, key = observed.history, write.key
    commits = [c.value for c in observed.commits(key) if not observed.may_follow(c, write)]
    values = [history.given.get(key), *history.given_in_caches.get(key, ()), *commits]
    return [fields[field] for value in values if field in (fields := fields_of(value) or {})]


def _field_writes(observed: Observed) -> Iterator[tuple[Write, str]]:
    """Yield each acknowledged write with each field that it gives."""
    for write in observed.writes:
        for field in fields_of(write.value) or {} if write.acknowledged else ():
            yield write, field


def _writes_of(observed: Observed, key: str, field: str) -> list[tuple[Write, Any]]:
    """Return the writes that give a field of an object a value, or take it away with the object."""
    found = []
    for write in observed.writes:
        fields = fields_of(write.value)
        if write.key == key and (fields is None or field in fields):
            found.append((write, _MISSING if fields is None else fields[field]))
    return found


def _ends(observed: Observed, key: str) -> dict[str, Mapping[str, Any]]:
    """Return the objects that are left, each with its place: the source of truth if there is one.

    Otherwise any layer or node may have what was written last.
    """
    settled = observed.execution.settled
    if observed.history.origin_watched and is_known_to_origin(observed.history, key):
        commits = observed.commits(key)
        value = commits[-1].value if commits else observed.history.given.get(key)
        return {"origin": fields_of(value) or {}}
    found = {
        place: content[key]
        for place, content in sorted(settled.layers.items())
        if place != "origin" and key in content
    }
    if "existing_cache" in found:
        found = {"existing_cache": found["existing_cache"]}
    else:
        asked = {f"node {node}": v for (node, name), v in settled.probes.items() if name == key}
        found |= {w: v for w, v in asked.items() if not isinstance(v, BaseException)}
    return {place: fields_of(value) or {} for place, value in found.items()}


def _violation(
    observed: Observed, write: Write, field: str, ends: Mapping[str, Mapping[str, Any]]
) -> Violation:
    fields = fields_of(write.value) or {}
    place, end = next(iter(ends.items()))
    left, operation = end.get(field, _MISSING), write.operation
    is_left = "is gone" if left is _MISSING else f"is {value_text(left)}"
    return Violation(
        guarantee="no_lost_field",
        summary=f"{subject(operation)} wrote {field} of {write.key} = {value_text(fields[field])} "
        "and was told "
        f"that it is done, but in the end {field} {is_left}, and no later write says so",
        key=write.key,
        user=operation.user,
        node=operation.node,
        evidence={
            "write": operation.step,
            "field": field,
            "wrote": canonical(fields[field]),
            "found": left,
            "where": place,
            "value": dict(end),
        },
        at=_lost_at(observed, write, place),
    )


def _lost_at(observed: Observed, write: Write, place: str) -> int | None:
    """Return the event that left the object without the field: its last commit, if one is known."""
    commits = observed.commits(write.key) if place == "origin" else []
    return commits[-1].at if commits else write.operation.returned_at


def _find_patterns(execution: Execution) -> Iterator[Pattern]:
    """Yield the orders in which a field's write came after every write of what is there."""
    observed = Observed(execution)
    for write, field in _field_writes(observed):
        mine = observed.own_steps(write.at)
        left = [end.get(field, _MISSING) for end in _ends(observed, write.key).values()]
        beside = [
            observed.own_steps(other.at)
            for other, value in _writes_of(observed, write.key, field)
            if other.at != write.at and any(same(value, end) for end in left)
        ]
        if mine is not None and beside:
            yield Pattern(tuple((own[1], mine[0]) for own in beside if own is not None))


NO_LOST_FIELD = Guarantee(
    "no_lost_field",
    decided_by(_findings),
    real_time=True,
    find_patterns=_find_patterns,
    find_lack=preconditions.writes_of_fields,
    ignores_time=True,
)
