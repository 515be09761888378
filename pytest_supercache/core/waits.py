"""Wait objects: locks, flags and counters as pure values.

The runtime asks them who may go on; a search may replay recorded operations on them to learn who
could have gone on, without running any user code (docs/architecture.md, "Waiting").
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Wait:
    """What a step does to a wait object: its name, the verb, and whether the step may block."""

    object: str
    verb: str
    guarded: bool = False


@dataclass(frozen=True, slots=True)
class LockState:
    """A lock, re-entrant or not: who holds it and how often."""

    holder: str | None = None
    depth: int = 0
    reentrant: bool = False

    def allows(self, actor: str, verb: str) -> bool:
        """Say whether ``actor`` may do ``verb`` now; only ``acquire`` can be refused."""
        if verb != "acquire":
            return True
        return self.holder is None or (self.reentrant and self.holder == actor)

    def after(self, actor: str, verb: str) -> "LockState":
        """Return the lock after ``actor`` did ``verb``; a ``try`` that fails changes nothing."""
        if verb in {"acquire", "try"}:
            if not self.allows(actor, "acquire"):
                return self
            return replace(self, holder=actor, depth=self.depth + 1)
        if verb == "release":
            depth = self.depth - 1
            return replace(self, holder=self.holder if depth else None, depth=depth)
        return self


@dataclass(frozen=True, slots=True)
class FlagState:
    """An event: once set, waiters may go on (monotone unless somebody clears it)."""

    is_set: bool = False

    def allows(self, actor: str, verb: str) -> bool:  # noqa: ARG002 - the same call for every kind
        """Say whether ``verb`` may happen now; only ``await`` can be refused."""
        return verb != "await" or self.is_set

    def after(self, actor: str, verb: str) -> "FlagState":  # noqa: ARG002
        """Return the flag after ``set``, ``clear`` or ``await``."""
        if verb == "set":
            return FlagState(is_set=True)
        if verb == "clear":
            return FlagState(is_set=False)
        return self


@dataclass(frozen=True, slots=True)
class CounterState:
    """A semaphore: how many may still enter."""

    free: int

    def allows(self, actor: str, verb: str) -> bool:  # noqa: ARG002
        """Say whether ``verb`` may happen now; only ``acquire`` can be refused."""
        return verb != "acquire" or self.free > 0

    def after(self, actor: str, verb: str) -> "CounterState":  # noqa: ARG002
        """Return the semaphore after ``acquire``, ``try`` or ``release``."""
        if verb == "release":
            return CounterState(self.free + 1)
        if verb in {"acquire", "try"} and self.free > 0:
            return CounterState(self.free - 1)
        return self


WaitState = LockState | FlagState | CounterState
