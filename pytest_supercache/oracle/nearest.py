"""Says which classes an unclassified conflict comes nearest to, and what each of them lacks.

A class is a sequence of steps that one or two operations take on the key, in this order. The
longest beginning of it that the execution has tells how near it is; the step after it is missing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle.roles import Act, Role, asks_presence, changes_in_place, is_entry
from pytest_supercache.oracle.stale import same_operation
from pytest_supercache.oracle.substitute_origin import with_source

NEAREST = 2
"""The number of classes that are named."""

ACTS_MAX = 30
"""The largest number of steps on a key that are looked at: the last ones."""


@dataclass(frozen=True, slots=True)
class _Atom:
    """One step of a class.

    Attributes:
        roles: what the step does.
        by: 0 or 1, the operation that takes it; None: any.
        missing: how to say that there is no such step.
        entry: it is on the entry that all such steps are on.
        also: what else must be so, of the step, those before it and all that touch the key.
    """

    roles: frozenset[Role]
    by: int | None
    missing: str
    entry: bool = False
    also: Callable[[Act, Sequence[Act], Sequence[Act]], bool] = lambda *_: True


def _step(roles: str, by: int | None, missing: str, **given: Any) -> _Atom:
    return _Atom(frozenset(Role[name] for name in roles.split()), by, missing, **given)


def _is_stored_elsewhere(act: Act, _taken: Sequence[Act], acts: Sequence[Act]) -> bool:
    """Say whether the operation that looks an entry up stores in another place later."""
    return any(
        one.role is Role.STORE and one.at > act.at and one.place != act.place
        for one in acts
        if same_operation(one, act)
    )


def _reads(act: Act, taken: Sequence[Act], acts: Sequence[Act]) -> bool:
    """Say whether a step asks for the value that all so far have found, and nobody has stored."""
    return not asks_presence(act.step) and not any(
        taken and one.role is Role.STORE and taken[-1].at < one.at < act.at
        for one in acts
        if is_entry(one, act.place or "", act.name)
    )


def _stores_anew(act: Act, *_: Sequence[Act]) -> bool:
    return not changes_in_place(act)


_LOADS = _step("LOAD", 0, "nobody loads the value from its source")
_COMMITS = _step("COMMIT", 1, "no other operation changes the source after the load")

_READ_BY_BOTH = (
    _step("LOOK_UP", 0, "nobody reads the entry", entry=True, also=_reads),
    _step(
        "LOOK_UP", 1, "no second operation reads it before it is stored", entry=True, also=_reads
    ),
)
_FIRST = _step(
    "STORE", 0, "the first operation stores nothing made of it", entry=True, also=_stores_anew
)
_SECOND = _step(
    "STORE", 1, "the second operation stores nothing made of it", entry=True, also=_stores_anew
)
_MADE_OF_IT = _step("", 0, "nothing shows that what they stored was made of it")

CLASSES: dict[str, tuple[_Atom, ...]] = {
    "stale-set": (
        _LOADS,
        _COMMITS,
        _step("DROP DELIVER", None, "nothing removes the entry after the change", entry=True),
        _step("STORE", 0, "what was loaded is not stored after the removal", entry=True),
    ),
    "invalidate-before-write": (
        _step("DROP", 1, "no writer removes the entry", entry=True),
        _step("LOAD", 0, "nobody loads after the removal"),
        _step("COMMIT", 1, "who has removed the entry does not change the source after the load"),
        _step("STORE", 0, "what was loaded is not stored", entry=True),
    ),
    "refresh-overwrite": (
        _LOADS,
        _COMMITS,
        _step("STORE", 1, "the writer does not store the new value", entry=True),
        _step("STORE", 0, "the old value is not stored over the new one", entry=True),
    ),
    "dual-write": (
        _step("COMMIT", 0, "nobody changes the source"),
        _step("COMMIT", 1, "no second operation changes the source"),
        _step("STORE", 1, "the second writer does not store its value", entry=True),
        _step("STORE", 0, "the first writer does not store its value over it", entry=True),
    ),
    "in-flight-fill": (
        _step(
            "LOOK_UP", 0, "nobody fetches the value from another cache", also=_is_stored_elsewhere
        ),
        _step("COMMIT", 1, "no other operation changes the source after the fetch"),
        _step("DELIVER", None, "no message brings the invalidation after the fetch", entry=True),
        _step("STORE", 0, "what was fetched is not stored after the message", entry=True),
    ),
    "split-look-up": (
        _step("LOOK_UP", 0, "nobody looks the entry up", entry=True),
        _step("STORE DROP", 1, "nobody stores or removes the entry after the look-up", entry=True),
        _step("LOOK_UP", 0, "the same operation does not look it up again after that", entry=True),
        _step("", 0, "no recorded answer says that there is nothing"),
    ),
    "cached-rmw": (*_READ_BY_BOTH, _FIRST, _SECOND, _MADE_OF_IT),
}
"""The steps of classes that follow from steps; those of a family have the steps of one of it."""

_ALSO = {"cached-rmw": (*_READ_BY_BOTH, _SECOND, _FIRST, _MADE_OF_IT)}
"""The other order that a class may have."""


_ELSEWHERE = "it is not where the wrong value is in the end"


def nearest(execution: Execution, violation: Violation, keys: Sequence[str]) -> str:
    """Return the sentence on the nearest classes of an unclassified conflict."""
    acts = [
        [act for act in with_source(execution, key) if act.role is not Role.TICK] for key in keys
    ]
    found = []
    for slug, atoms in CLASSES.items():
        met, missing = max(
            (_met(one, order) for order in _orders(slug, atoms) for one in acts),
            key=lambda each: each[0],
            default=(0, ""),
        )
        if met:
            found.append((Fraction(met, len(atoms)), slug, missing))
    found.sort(key=lambda one: -one[0])
    if not found:
        return f"nearest: no class, because {_why_none(violation, acts)}"
    told = (f"{slug}, but {missing}" for _, slug, missing in found[:NEAREST])
    return f"nearest: {'; '.join(told)}"


def _orders(slug: str, atoms: tuple[_Atom, ...]) -> list[tuple[_Atom, ...]]:
    return [atoms, *([_ALSO[slug]] if slug in _ALSO else [])]


def _met(acts: list[Act], atoms: tuple[_Atom, ...]) -> tuple[int, str]:
    """Return how many steps of a class there are, and what is missing."""
    met = _longest(acts[-ACTS_MAX:], atoms)
    return met, atoms[met].missing if met < len(atoms) else _ELSEWHERE


def _why_none(violation: Violation, acts: Sequence[Sequence[Act]]) -> str:
    if any(act.step.kind != "hand" for one in acts for act in one):
        return (
            "no operation reads or removes an entry, or changes its source; watch() declares calls"
        )
    of = "an entry or its source" if violation.key is None else violation.key
    return f"no step reads or changes {of}; watch() declares calls"


def _longest(acts: list[Act], atoms: Sequence[_Atom], taken: tuple[Act, ...] = ()) -> int:
    """Return how many of the steps, from the first, the execution has in this order."""
    best = len(taken)
    if best == len(atoms):
        return best
    for act in acts:
        is_next = not taken or act.at > taken[-1].at
        if is_next and _fits(act, atoms, taken) and atoms[len(taken)].also(act, taken, acts):
            best = max(best, _longest(acts, atoms, (*taken, act)))
    return best


def _fits(act: Act, atoms: Sequence[_Atom], taken: tuple[Act, ...]) -> bool:
    """Say whether a step may be the next one: of the right operation, and on the right entry."""
    atom = atoms[len(taken)]
    if act.role not in atom.roles:
        return False
    for earlier, one in zip(atoms, taken, strict=False):
        if atom.entry and earlier.entry and not is_entry(act, one.place or "", one.name):
            return False
        if None not in {atom.by, earlier.by} and (
            same_operation(act, one) != (atom.by == earlier.by)
        ):
            return False
    return True
