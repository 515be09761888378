"""Operations and histories: what users called and what they were answered; the oracle's input."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

RACE = "race"
"""The phase in which users run concurrently; the others are ``before``, ``finally``, ``probe``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One call of a user and its answer.

    ``called_at`` is the number of steps that came before its first step, ``returned_at`` the number
    of steps taken when it had returned (None: it never returned). An operation without a step of
    its own has ``called_at == returned_at``.
    """

    user: str
    node: str
    kind: str  # read, write, delete, or the name of a verb
    key: str | None = None
    value: Any = None  # what a write wrote
    answer: Any = None
    error: BaseException | None = None
    error_expected: bool = False  # the scenario states that an error may come
    called_at: int = 0
    returned_at: int | None = None
    phase: str = RACE
    step: str = ""  # "alice[1]" or the step's id: how the scenario names it
    steps: int = 0  # switch points passed inside; 0 means that it was answered without a step
    line: int | None = None  # of the scenario file
    sightings: tuple[tuple[str, Any], ...] = ()  # what a verb observed: (key, value)
    writes: tuple[tuple[str, Any], ...] = ()  # what a verb wrote: (key, value)

    @property
    def returned(self) -> bool:
        """Whether an answer arrived, be it a value or an error."""
        return self.returned_at is not None

    def precedes(self, other: "Operation") -> bool:
        """Real-time order: this one had returned before the other was called.

        Not strict: an operation that returned after n steps precedes one that was called after n,
        because no step was shared. Operations of one user are ordered by their position instead.
        """
        return self.returned_at is not None and self.returned_at <= other.called_at


@dataclass(frozen=True, slots=True)
class Commit:
    """One change of the origin: the key, its new value (None: deleted) and its version."""

    key: str
    value: Any
    version: int
    at: int  # number of steps taken when it was made, the one that made it included
    by: str | None = None  # the actor


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All operations of one execution in the order they were called, and the origin's commits.

    ``commits`` is empty and ``origin_watched`` false when the system never used the origin; then
    no commit order is known.
    """

    operations: tuple[Operation, ...] = ()
    commits: tuple[Commit, ...] = ()
    origin_watched: bool = False
    given: dict[str, Any] = field(default_factory=dict)  # the origin's content at the start
    given_in_caches: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    def ordered(self, earlier: Operation, later: Operation) -> bool:
        """Say whether one operation had certainly ended when the other began.

        Within a session and between phases their positions say so, else real time.
        """
        if earlier.user == later.user or earlier.phase != later.phase:
            return self._position(earlier) < self._position(later)
        return earlier.precedes(later)

    def _position(self, wanted: Operation) -> int:
        return next(at for at, operation in enumerate(self.operations) if operation is wanted)

    def of_user(self, user: str) -> tuple[Operation, ...]:
        """Return one user's operations in session order."""
        return tuple(operation for operation in self.operations if operation.user == user)
