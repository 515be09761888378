"""Tells locks that expire from ordinary entries of a cache.

SET NX with a time to live takes a lock, and it is also how a cache adds an entry if there is none.
The key is a lock if the actor that set it deletes it or passes it to a script, or if an actor whose
SET failed retries it in the same operation. Later executions remember the lock.
"""

from collections.abc import Iterable

Asker = tuple[str, int | None]
"""An actor, and the number of its operation."""


class Leases:
    """The keys that an execution has set with NX."""

    def __init__(self) -> None:
        self._locks: set[str] = set()
        self._asked: dict[str, dict[Asker, bool | None]] = {}  # in this execution: who got them
        self._has_grown = False

    def __len__(self) -> int:
        return len(self._locks & self._asked.keys()) if self._locks else 0

    def __contains__(self, key: str) -> bool:
        return key in self._asked and key in self._locks

    @property
    def known(self) -> frozenset[str]:
        """All keys that were locks in some execution."""
        return frozenset(self._locks)

    @property
    def are_asked(self) -> bool:
        """Whether any key was set with NX in this execution."""
        return bool(self._asked)

    def start(self, known: Iterable[str]) -> None:
        """Begin a search that knows exactly these locks."""
        self._locks = set(known)
        self._has_grown = False

    def begin(self) -> None:
        """Begin an execution."""
        self._asked.clear()

    def ask(self, key: str, asker: Asker) -> None:
        """Record that an actor sets a key if it is absent."""
        askers = self._asked.setdefault(key, {})
        if askers.get(asker, True) is not True:
            self._learn(key)
        askers[asker] = None

    def answer(self, key: str, asker: Asker, *, is_granted: bool) -> None:
        """Record whether the key was absent, which is unknown for a command in a pipeline."""
        if asker in self._asked.get(key, ()):
            self._asked[key][asker] = is_granted

    def free(self, key: str, actor: str) -> None:
        """Record that an actor deletes a key, or passes it to a script."""
        askers = self._asked.get(key, {})
        if any(actor == name and answer is not False for (name, _), answer in askers.items()):
            self._learn(key)

    def take_growth(self) -> bool:
        """Say whether a lock has become known since the last call."""
        has_grown, self._has_grown = self._has_grown, False
        return has_grown

    def _learn(self, key: str) -> None:
        self._has_grown |= key not in self._locks
        self._locks.add(key)
