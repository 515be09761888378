"""Operations and histories, the oracle's input: the calls of users, and the answers."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

DEFAULT_NODE = "a"
"""The node of users and actors for which none is stated, and of the body of a test."""

SCENARIO = "alone"
"""The user of the steps that a scenario takes alone, before the race and after it."""

RACE = "race"
"""The phase in which users run concurrently; the others are ``before``, ``finally``, ``probe``."""


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Operation:
    """One call of a user and its answer.

    ``called_at`` is the number of steps that came before its first step, ``returned_at`` the number
    of steps taken when it had returned (None: it never returned). An operation without a step of
    its own has ``called_at == returned_at``. It is never changed; not frozen, as commits are not.
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
        """Say, by real time, whether this one had returned before the other was called.

        Not strict: an operation that returned after n steps precedes one that was called after n,
        because no step was shared. Operations of one user are ordered by their position instead.
        """
        return self.returned_at is not None and self.returned_at <= other.called_at


@dataclass(slots=True, unsafe_hash=True)
class Commit:
    """One change of the origin: the key, its new value (None: deleted) and its version.

    Commits with the same ``at`` were made in one step: one transaction. They are never changed; not
    frozen, as loads and histories, because every execution makes them: this is the hot path.
    """

    key: str
    value: Any
    version: int
    at: int  # number of steps taken when it was made, the one that made it included
    by: str | None = None  # the actor
    operation: int | None = None  # position in the history of the operation that made it


@dataclass(slots=True, unsafe_hash=True)
class Load:
    """One read of the origin by the code under test: what left the source, and when."""

    key: str
    value: Any
    at: int  # number of steps taken, the one that read included
    by: str | None = None  # the actor
    phase: str = RACE


@dataclass(frozen=True, slots=True)
class UncommittedWrite:
    """A change inside a transaction of the origin, and what became of it."""

    key: str
    value: Any
    at: int  # number of steps taken when it was made in the transaction
    ended_at: int | None = None  # number of steps taken when the transaction ended
    committed: bool = False  # False with an end: rolled back


@dataclass(frozen=True, slots=True)
class Content:
    """From a step on, a layer held this value of a key (None: none)."""

    place: str  # "existing_cache", "super_cache@a"
    key: str
    value: Any
    at: int  # number of steps taken, the one that changed it included; 0: from the start


@dataclass(slots=True, kw_only=True)
class History:
    """All operations of one execution in the order of their calls, and the record of the origin.

    ``commits`` is empty and ``origin_watched`` false when the system never used the origin; then
    no commit order is known. ``contents`` is None if the layers were not read after each step.
    """

    operations: tuple[Operation, ...] = ()
    commits: tuple[Commit, ...] = ()
    loads: tuple[Load, ...] = ()
    uncommitted: tuple[UncommittedWrite, ...] = ()
    contents: tuple[Content, ...] | None = None
    origin_watched: bool = False
    given: dict[str, Any] = field(default_factory=dict)  # the origin's content at the start
    given_in_caches: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    owners: dict[str, tuple[str, ...]] = field(default_factory=dict)  # key -> users it belongs to
    times: tuple[float, ...] = ()  # times[n]: virtual seconds when the n-th step was taken

    def time_at(self, steps: int) -> float:
        """Return the virtual time, in seconds, after ``steps`` steps."""
        if not self.times:
            return 0.0
        return self.times[min(steps, len(self.times) - 1)]

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    def ordered(self, earlier: Operation, later: Operation) -> bool:
        """Say whether one operation had certainly ended when the other began.

        Within a session and between phases their positions decide, else real time.
        """
        if earlier.user == later.user or earlier.phase != later.phase:
            return self._position(earlier) < self._position(later)
        return earlier.precedes(later)

    def _position(self, wanted: Operation) -> int:
        return next(at for at, operation in enumerate(self.operations) if operation is wanted)
