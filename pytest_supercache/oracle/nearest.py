"""Says which classes an unclassified conflict comes nearest to, and what each of them lacks.

A class is a sequence of steps that one or two operations take on the key, in this order. The
longest beginning of it that the execution has tells how near it is; the step after it is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle.roles import Act, Role, acts_in_race, is_entry, with_source
from pytest_supercache.oracle.stale import same_operation

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
    """

    roles: frozenset[Role]
    by: int | None
    missing: str
    entry: bool = False


def _step(roles: str, by: int | None, missing: str, *, entry: bool = False) -> _Atom:
    return _Atom(frozenset(Role[name] for name in roles.split()), by, missing, entry)


_LOADS = _step("LOAD", 0, "nobody loads the value from its source")
_COMMITS = _step("COMMIT", 1, "no other operation changes the source after the load")

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
        _step("LOOK_UP", 0, "nobody fetches the value from another cache"),
        _step("COMMIT", 1, "no other operation changes the source after the fetch"),
        _step("DELIVER", None, "no message brings the invalidation after the fetch", entry=True),
        _step("STORE", 0, "what was fetched is not stored after the message", entry=True),
    ),
    "cached-rmw": (
        _step("LOOK_UP", 0, "nobody looks the entry up", entry=True),
        _step("LOOK_UP", 1, "no second operation looks it up before it is stored", entry=True),
        _step("STORE", 0, "the first operation stores nothing made of what it found", entry=True),
        _step("STORE", 1, "the second operation stores nothing made of the same", entry=True),
    ),
    "split-look-up": (
        _step("LOOK_UP", 0, "nobody looks the entry up", entry=True),
        _step("STORE DROP", 1, "nobody stores or removes the entry after the look-up", entry=True),
        _step("LOOK_UP", 0, "no operation looks the entry up twice", entry=True),
        _step("", 0, "the answer is not that there is nothing"),
    ),
}
"""The steps of classes that follow from steps; those of a family have the steps of one of it."""


_ELSEWHERE = "it is not where the wrong value is in the end"


def nearest(execution: Execution, violation: Violation, keys: Sequence[str]) -> str:
    """Return the sentence on the nearest classes of an unclassified conflict."""
    acts = [
        [act for act in with_source(acts_in_race(execution, key)) if act.role is not Role.TICK]
        for key in keys
    ]
    found = []
    for slug, atoms in CLASSES.items():
        met = max((_longest(one[-ACTS_MAX:], atoms) for one in acts), default=0)
        if met:
            missing = atoms[met].missing if met < len(atoms) else _ELSEWHERE
            found.append((Fraction(met, len(atoms)), slug, missing))
    found.sort(key=lambda one: -one[0])
    if not found:
        of = "an entry or its source" if violation.key is None else violation.key
        return f"nearest: no class, because no step reads or changes {of}; watch() declares calls"
    told = (f"{slug}, but {missing}" for _, slug, missing in found[:NEAREST])
    return f"nearest: {'; '.join(told)}"


def _longest(acts: list[Act], atoms: Sequence[_Atom], taken: tuple[Act, ...] = ()) -> int:
    """Return how many of the steps, from the first, the execution has in this order."""
    best = len(taken)
    if best == len(atoms):
        return best
    for act in acts:
        if (not taken or act.at > taken[-1].at) and _fits(act, atoms, taken):
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
