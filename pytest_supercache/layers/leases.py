"""Which keys are locks that run out, and which are entries of a cache like any other.

SET NX with a time to live takes a lock, and it is also how a cache adds an entry where there is
none. It was a lock if its holder deletes it, or gives it to a script; or if somebody who was
refused asks again. What was seen once is known in every later execution of the check.
"""

Asker = tuple[str, int | None]
"""An actor, and which of its operations this is."""


class Leases:
    """The keys that an execution has asked for with NX."""

    def __init__(self) -> None:
        self._locks: set[str] = set()
        self._asked: dict[str, set[Asker]] = {}  # in this execution
        self._has_grown = False

    def __len__(self) -> int:
        return len(self._locks & self._asked.keys())

    def __contains__(self, key: str) -> bool:
        return key in self._asked and key in self._locks

    @property
    def are_asked(self) -> bool:
        """Whether any key was asked for in this execution."""
        return bool(self._asked)

    def begin(self) -> None:
        """Begin an execution."""
        self._asked.clear()

    def ask(self, key: str, asker: Asker) -> None:
        """Note that somebody sets a key if it is absent."""
        askers = self._asked.setdefault(key, set())
        if asker in askers:
            self._learn(key)
        askers.add(asker)

    def free(self, key: str, actor: str) -> None:
        """Note that somebody deletes a key, or gives it to a script."""
        if any(actor == other for other, _ in self._asked.get(key, ())):
            self._learn(key)

    def take_growth(self) -> bool:
        """Say whether a lock has become known since this was asked last."""
        has_grown, self._has_grown = self._has_grown, False
        return has_grown

    def _learn(self, key: str) -> None:
        self._has_grown |= key not in self._locks
        self._locks.add(key)
