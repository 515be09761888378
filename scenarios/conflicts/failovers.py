"""A cache whose replica takes over: nothing, an empty cache by hand, or names by version."""

import pytest_supercache as sc
from scenarios.conflicts.lookaside import LookAside, NamedByVersion


class Replicated(LookAside):
    """Trusts whatever server answers."""

    def look_after(self) -> None:
        """See that the cache answers."""
        self.far.ping()


class FlushedByHand(Replicated):
    """Somebody empties the cache when the alarm comes."""

    def look_after(self) -> None:
        """Empty the cache."""
        self.far.flushdb()


class NamedInOrigin(NamedByVersion, Replicated):
    """The origin says which entry is in force; an old one is never asked for again."""


sc.system("failover.naive")(Replicated)
sc.system("failover.flush")(FlushedByHand)
sc.system("failover.version")(NamedInOrigin)


@sc.verb("look_after_cache")
def look_after_cache(system, _user):
    """Do what operations do after a change."""
    system.look_after()
