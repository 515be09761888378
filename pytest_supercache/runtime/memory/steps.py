"""Labels and footprints of the steps that access shared memory."""

from collections.abc import Iterable
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.core.trace import Step
from pytest_supercache.runtime.memory.sharing import Location, footprint_of

READ, WRITE, DELETE = "read", "write", "delete"
"""The verbs of accesses, with which labels of steps begin."""

Touched = list[tuple[Location, str]]
"""Locations, each with the verb of its access."""


def is_only_switch_point(step: Step) -> bool:
    """Say whether a step accesses nothing, and is only a switch point."""
    return step.kind == "memory" and step.label.startswith(_PARTING)


_PARTING = ("run ", "answer of ")


def verb_of(*, writes: bool, drops: bool) -> str:
    """Return the verb of an access."""
    return DELETE if drops else WRITE if writes else READ


def footprint(touched: Touched) -> Footprint:
    """Return the joint footprint of several accesses."""
    found = Footprint()
    for location, verb in touched:
        found |= footprint_of(location, writes=verb != READ)
    return found


def joined(one: Footprint | None, other: Footprint | None) -> Footprint | None:
    """Return the joint footprint of two accesses; None stands for an empty one."""
    return other if one is None else one if other is None else one | other


def label(touched: Touched) -> str:
    """Return the label of several accesses: ``read Stats.hits, write Shop.near['k']``."""
    verbs: dict[str, str] = {}
    for (name, part), verb in touched:
        what = name if part == WHOLE else f"{name}{part}"
        verbs[what] = verb if verb != READ else verbs.get(what, READ)
    return ", ".join(f"{verb} {what}" for what, verb in verbs.items())


def are_all(touched: Touched, locations: Iterable[Location]) -> bool:
    """Say whether all that is touched is among these locations."""
    known = set(locations)
    return all(location in known for location, _ in touched)


class Together:
    """Collects the accesses in a context and makes them as one, at its end.

    A class, because hooks enter it often.
    """

    __slots__ = ("_accesses", "_is_outermost")

    def __init__(self, accesses: Any) -> None:
        self._accesses = accesses

    def __enter__(self) -> None:
        self._is_outermost = self._accesses.collected is None
        if self._is_outermost:
            self._accesses.collected = []

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._is_outermost:
            touched, self._accesses.collected = self._accesses.collected, None
            if touched and kind is None:
                self._accesses.access(touched)
