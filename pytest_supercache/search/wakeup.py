"""Wakeup trees: the continuations that a node still has to explore, each only once.

Abdulla, Aronsson, Jonsson and Sagonas, "Source sets" (JACM 2017), section 5. A tree is an ordered
list of branches; each branch is one step, known by its actor and its footprint, and the branches
that follow it. A sequence is only added when no branch leads to an equivalent one already.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_supercache.search.events import Dependence

Sequel = list[tuple[str, int]]
"""Steps to take, as actors with the numbers of their footprints."""


@dataclass(slots=True)
class Branch:
    """One step that a node has to explore, with its continuations."""

    actor: str
    footprint: int
    then: list["Branch"] = field(default_factory=list)


INDEPENDENT = -1
"""The step is not in the sequel, and nothing in the sequel depends on it."""


def initial(actor: str, footprint: int, sequel: Sequel, dependence: Dependence) -> int | None:
    """Say whether a step could come first in an equivalent sequel.

    Returns:
        Where it is in the sequel, :data:`INDEPENDENT`, or None when it could not.
    """
    depends = dependence.row(footprint)
    for at, (other, touched) in enumerate(sequel):
        if other == actor:
            return at
        if depends[touched]:
            return None
    return INDEPENDENT


def is_asleep(sleep: Mapping[str, int], sequel: Sequel, dependence: Dependence) -> bool:
    """Say whether a sequel has an equivalent one that begins with a step in the sleep set."""
    for actor, footprint in sleep.items():
        if initial(actor, footprint, sequel, dependence) is not None:
            return True
    return False


def uncovered(
    branches: list[Branch], sequel: Sequel, dependence: Dependence
) -> tuple[list[Branch], Sequel] | None:
    """Follow ``sequel`` down a tree; None: an equivalent one is there.

    Returns:
        The branches that it would have to be added to, and what is left of it.
    """
    left = list(sequel)
    while True:
        for branch in branches:
            at = initial(branch.actor, branch.footprint, left, dependence)
            if at is None:
                continue
            if at != INDEPENDENT:
                del left[at]
            if not branch.then:
                return None
            branches = branch.then
            break
        else:
            return branches, left


def insert(branches: list[Branch], sequel: Sequel, dependence: Dependence) -> bool:
    """Add ``sequel`` to a tree unless an equivalent one is there; say whether it was added."""
    found = uncovered(branches, sequel, dependence)
    if found is None:
        return False
    branches, left = found
    for actor, footprint in left:
        branch = Branch(actor, footprint)
        branches.append(branch)
        branches = branch.then
    return bool(left)
