"""Defines footprints: what a step may read and write, declared before it runs.

A resource is a string ``place:key``: ``origin:product:42``, ``existing_cache:product:42``,
``super_cache@a:product:42``, ``messages@a``, ``lock:shop.py:12#0``, ``ended:bob.publish``.
``place:*`` stands for everything in that place and ``*`` for everything there is.
"""

from dataclasses import dataclass

EVERYTHING = "*"


@dataclass(frozen=True, slots=True)
class Footprint:
    """The resources a step may read and the resources it may write; always a superset."""

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()

    def __or__(self, other: "Footprint") -> "Footprint":
        """Join two footprints: what a step inside a watched call may touch."""
        return Footprint(self.reads | other.reads, self.writes | other.writes)

    def is_within(self, other: "Footprint") -> bool:
        """Say whether another footprint names all that this one does."""
        return self.reads <= other.reads and self.writes <= other.writes


NOTHING = Footprint()
ANYTHING = Footprint(frozenset({EVERYTHING}), frozenset({EVERYTHING}))


Resources = str | tuple[str, ...] | list[str] | None
"""Resources as users write them: one, several, or None for "not said"."""


def footprint_of(reads: Resources, writes: Resources) -> Footprint:
    """Return the footprint of a hand-declared step; ANYTHING if nothing at all is given."""
    if reads is None and writes is None:
        return ANYTHING
    read, written = (
        frozenset({given}) if isinstance(given, str) else frozenset(given or ())
        for given in (reads, writes)
    )
    return Footprint(read | written, written)


def without_memory(footprint: Footprint) -> Footprint:
    """Return a footprint without the resources that a search learns.

    These are memory, what a lock guards, and which callbacks come before a step.
    """
    reads, writes = (
        frozenset(r for r in resources if not r.startswith(_LEARNT))
        for resources in (footprint.reads, footprint.writes)
    )
    return Footprint(reads, writes)


_LEARNT = ("memory:", "guarded:", "resumed:")


def overlaps(left: str, right: str) -> bool:
    """Say whether two resources may be the same thing, wildcards included."""
    return (
        left == right or EVERYTHING in (left, right) or _covers(left, right) or _covers(right, left)
    )


def _covers(pattern: str, resource: str) -> bool:
    """Say whether ``place:*`` stands for ``resource``, which may be a pattern itself."""
    return pattern.endswith(":*") and resource.startswith(pattern[:-1])


def touches(resources: frozenset[str], others: frozenset[str]) -> bool:
    """Say whether any resource of one set may be one of the other."""
    if not resources.isdisjoint(others):
        return True
    if not any("*" in resource for resource in (*resources, *others)):
        return False
    return any(overlaps(left, right) for left in resources for right in others)


def dependent(left: Footprint, right: Footprint) -> bool:
    """Say whether the order of two steps may matter: one writes what the other reads or writes.

    This is the single place that decides what a reduction may skip.
    """
    return (
        touches(left.writes, right.writes)
        or touches(left.writes, right.reads)
        or touches(left.reads, right.writes)
    )
