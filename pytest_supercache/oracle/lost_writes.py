"""Classifies a lost field by where the operation that overwrote it had read the object."""

from collections.abc import Mapping
from typing import Any

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle.lost_fields import NO_LOST_FIELD
from pytest_supercache.oracle.roles import Act, Role, acts_in_race, held, is_entry
from pytest_supercache.oracle.stale import Classified, same_operation
from pytest_supercache.oracle.substitute_origin import is_made_of_another
from pytest_supercache.oracle.versions import fields_of, same, written

Fields = Mapping[str, Any]

_CHANGES = frozenset({Role.STORE, Role.DROP, Role.DELIVER})


def lost_write(execution: Execution, violation: Violation) -> Classified | None:
    """Return the class of a lost field: another operation has written its object back without it.

    It is ``cached-rmw`` if both have read the object before either wrote it, and
    ``write-back-resurrection`` if only the other one has, or from a copy that was out of date.
    """
    key = violation.key
    if violation.guarantee != NO_LOST_FIELD.name or key is None:
        return None
    acts = acts_in_race(execution, key)
    commits = [act for act in acts if act.role is Role.COMMIT]
    writes = commits or [act for act in acts if act.role is Role.STORE]
    lost = _operations(execution, violation, key)
    for mine in (act for act in writes if act.step.operation in lost):
        for other in writes:
            if other.at > mine.at and not same_operation(other, mine):
                found = _written_over(acts, mine, other)
                if found is not None:
                    return found
    return None


def _operations(execution: Execution, violation: Violation, key: str) -> list[int]:
    """Return the positions, in the history, of the operations whose field may be the lost one."""
    return [
        at
        for at, operation in enumerate(execution.history)
        if operation.user == violation.user
        and operation.step == violation.evidence.get("write")
        and any(name == key for name, _ in written(operation))
    ]


def _written_over(acts: list[Act], mine: Act, other: Act) -> Classified | None:
    base, own = _base(acts, other), _base(acts, mine)
    if base is None:
        return None
    if base.at < mine.at and own is not None:
        return Classified.of("cached-rmw", other.place, own, base, mine, other)
    if base.at < mine.at or _is_outdated(acts, base, mine):
        return Classified.of("write-back-resurrection", other.place, base, mine, other)
    return None


def written_back(execution: Execution, acts: list[Act]) -> Classified | None:
    """Return ``write-back-resurrection`` if an object is stored with a field as it was before.

    An operation has read it, another one has changed this field since, or has removed the object,
    and the first one stores the object with the field that it had read, and with a change of its
    own.
    """
    changes = [act for act in acts if act.role in {Role.STORE, Role.DROP}]
    for other in [act for act in changes if act.role is Role.STORE][-1:]:
        base = _base(acts, other)
        between = [] if base is None else [one for one in changes if base.at < one.at < other.at]
        for mine in between:
            is_entry_of_all = all(
                is_entry(one, other.place or "", other.name) for one in (base, mine) if one
            )
            if base is None or not is_entry_of_all or same_operation(mine, other):
                continue
            if mine.role is Role.DROP and is_made_of_another(execution, base, other):
                continue  # a fill
            if _is_restored(*(fields_of(held(one)) or {} for one in (base, mine, other))):
                return Classified.of("write-back-resurrection", other.place, base, mine, other)
    return None


def _is_restored(read: Fields, changed: Fields, stored: Fields) -> bool:
    """Say whether a field is stored as it was read, although it was changed, and another is not."""
    kept = {name for name in read if name in stored and same(stored[name], read[name])}
    undone = {name for name in kept if not same(changed.get(name), read[name])}
    return bool(undone) and bool(stored.keys() - kept)


def _base(acts: list[Act], write: Act) -> Act | None:
    """Return the last act by which an operation has read what it writes back."""
    read = [
        act
        for act in acts
        if act.role in {Role.LOAD, Role.LOOK_UP} and act.at < write.at
        if same_operation(act, write)
    ]
    return read[-1] if read else None


def _is_outdated(acts: list[Act], base: Act, write: Act) -> bool:
    """Say whether a copy was read after a write that had not reached it."""
    return base.place != write.place and not any(
        act.role in _CHANGES
        and write.at < act.at < base.at
        and is_entry(act, base.place or "", base.name)
        for act in acts
    )
