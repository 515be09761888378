"""Lists which actor uses which memory, over all executions of a check."""

from collections.abc import Collection
from dataclasses import dataclass, field

from pytest_supercache.core.memory_use import MemoryUse


@dataclass(slots=True)
class _Uses:
    """How one actor uses a place."""

    verbs: set[str] = field(default_factory=set)
    locks: frozenset[str] | None = None  # held in all of them
    is_atomic: bool = True


class Listing:
    """The uses of memory by name, actor by actor."""

    def __init__(self) -> None:
        self._uses: dict[str, dict[str, _Uses]] = {}

    def note(
        self, name: str, who: str, *, writes: bool, locks: frozenset[str], is_atomic: bool
    ) -> None:
        """Record one access."""
        use = self._uses.setdefault(name, {}).setdefault(who, _Uses())
        use.verbs.add("writes" if writes else "reads")
        use.locks = locks if use.locks is None else use.locks & locks
        use.is_atomic &= is_atomic

    def rows(self, raced: Collection[str]) -> tuple[MemoryUse, ...]:
        """Return the memory that two actors use, one of them writing, by name.

        Args:
            raced: the names of the places whose accesses are switch points.
        """
        rows = []
        for name, by_whom in sorted(self._uses.items()):
            verbs = {who: " and ".join(sorted(use.verbs)) for who, use in sorted(by_whom.items())}
            if len(verbs) > 1 and any("writes" in verb for verb in verbs.values()):
                locks = frozenset.intersection(
                    *(use.locks or frozenset() for use in by_whom.values())
                )
                state = "raced" if name in raced else "locked" if locks else "atomic"
                rows.append(MemoryUse(name, tuple(verbs.items()), state, tuple(sorted(locks))))
        return tuple(rows)
