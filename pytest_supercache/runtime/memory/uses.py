"""How actors use a part of an object, and which of these uses conflict."""


class Use:
    """How one actor, or background work, has used one location so far."""

    __slots__ = ("is_declared", "is_thread", "locks", "writes")

    def __init__(
        self, *, writes: bool, locks: frozenset[str], is_declared: bool, is_thread: bool
    ) -> None:
        self.is_thread = is_thread
        self.writes = writes
        self.locks = locks
        self.is_declared = is_declared  # always inside of watched calls, whose footprint covers it

    def adds(self, *, writes: bool, locks: frozenset[str], is_declared: bool) -> bool:
        """Take in another access; False when it is like those before."""
        if self.writes >= writes and self.locks <= locks and self.is_declared <= is_declared:
            return False
        self.writes |= writes
        self.locks &= locks
        self.is_declared &= is_declared
        return True

    def conflicts(self, other: "Use") -> bool:
        """Say whether nothing orders the two, and one of them writes."""
        return (
            (self.writes or other.writes)
            and not (self.is_declared and other.is_declared)
            and not self.locks & other.locks
        )


Uses = dict[str, dict[str, Use]]
"""Of one object: part -> who -> how."""
