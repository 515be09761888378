"""How actors use a part of an object, and which of these uses conflict."""

from pytest_supercache.runtime.actor import Actor

NO_LOCKS: frozenset[str] = frozenset()


class Use:
    """How one actor, or background work, has used one location so far."""

    __slots__ = ("_is_new", "is_atomic", "is_thread", "locks", "writes")

    def __init__(self, *, is_thread: bool) -> None:
        self._is_new = True
        self.is_thread = is_thread
        self.writes = False
        self.locks = NO_LOCKS
        self.is_atomic = True  # always where code is declared so, and a footprint covers it

    def adds(self, *, writes: bool, locks: frozenset[str], is_atomic: bool) -> bool:
        """Take in another access; False when it is like those before."""
        if self._is_new:
            self._is_new, self.locks = False, locks
        elif self.writes >= writes and self.locks <= locks and self.is_atomic <= is_atomic:
            return False
        self.writes |= writes
        self.locks &= locks
        self.is_atomic &= is_atomic
        return True

    def conflicts(self, other: "Use") -> bool:
        """Say whether nothing orders the two, and one of them writes."""
        return (
            (self.writes or other.writes)
            and not (self.is_atomic and other.is_atomic)
            and not self.locks & other.locks
        )


Uses = dict[str, dict[str, Use]]
"""Of one object: part -> who -> how."""


def acts_atomically(actor: Actor) -> bool:
    """Say whether an actor is where its code is declared to be atomic.

    That is, after a step by hand or inside of a watched call. What they declare covers what others
    declare too; of anything else the step's footprint is widened, as a coroutine's is.
    """
    return len(actor.inherited) > actor.callers or actor.is_by_hand
