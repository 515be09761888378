"""Defines faults: their kinds, the places where one can strike, and vectors of faults.

A fault is a value: its kind and where it strikes. *Point* faults strike one step of one actor,
named by (actor, operation, local index): that means the same in every schedule. *Moves* happen to a
layer at any moment, so they are pseudo-actors with a single step: the schedule says when. *Ambient*
faults are there from the start. A vector is a set of faults, all of which must strike.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.identity import identity

RAISING = ("error_before", "error_after", "cancel", "exception")
MESSAGES = (
    "drop_invalidation",
    "delay_invalidation",
    "duplicate_invalidation",
    "reorder_invalidations",
)
POINTS = (*MESSAGES, *RAISING, "pause")
LASTING = ("pause", "clock_skew", "delay_invalidation")
MOVES = ("evict", "expire", "restart", "failover")
AMBIENT = ("clock_skew", "mixed_version")
KINDS = (*POINTS, *MOVES, *AMBIENT)

USUAL = (*MESSAGES, "error_before", "error_after", *MOVES, "pause")
"""The kinds that are meant if a number of faults is given, but no kinds."""

FAULTS_MAX = 3
"""The largest number of faults in a vector: the number of vectors grows with this power."""

MISSED_WRITES = 1
"""The default number of writes that a lagging replica has missed."""

SKEW_SECONDS = 1.0
"""The default number of seconds by which a node's clock is ahead."""

DELAY_SECONDS = 1.0
"""The default delay of a message, in seconds, and of a pause without a timer in sight."""

VERSIONS = ("key", "serializer")

Kind = str | Mapping[str, Any]
"""A kind, alone or with a parameter: ``{"cancel": "gevent.Timeout"}``, ``{"pause": 2.0}``."""


@dataclass(frozen=True, slots=True)
class Faults:
    """The faults that a check tries, besides clean runs: every set of at most ``max`` of them.

    Args:
        max: the largest number of faults in one execution.
        kinds: the kinds of faults; :data:`USUAL` if none is named. A mapping adds a parameter:
            ``{"pause": seconds}``, ``{"clock_skew": seconds}``,
            ``{"delay_invalidation": seconds}``, ``{"failover": writes}``,
            ``{"cancel": "module.Class"}`` and so for the other kinds that raise.

    Raises:
        SupercacheError: a kind is not known, or what it is given does not fit it.
    """

    max: int = 1
    kinds: tuple[Kind, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.max <= FAULTS_MAX or isinstance(self.max, bool):
            raise SupercacheError(
                f"Faults(max={self.max!r}): expected a whole number from 0 to {FAULTS_MAX}"
            )
        given = (self.kinds,) if isinstance(self.kinds, str | Mapping) else tuple(self.kinds)
        object.__setattr__(self, "kinds", given)
        for name, more in self.named().items():
            problem, hint = what_is_wrong(name, more)
            if problem:
                raise SupercacheError(f"Faults(kinds=...): {problem}; {hint}")

    def named(self) -> dict[str, Any]:
        """Return every kind with its parameter (None: it has none)."""
        found: dict[str, Any] = {}
        for kind in self.kinds or USUAL:
            found.update(kind if isinstance(kind, Mapping) else {kind: None})
        return found


def what_is_wrong(kind: str, given: Any) -> tuple[str, str]:
    """Return the error of a kind and its parameter, and what to write instead; empty: none."""
    if kind not in KINDS:
        return f"there is no fault {kind!r}", f"one of {', '.join(KINDS)}"
    if kind == "cancel" and given is None:
        problem = "in threads, and in Python tests, 'cancel' must name what is raised"
        return problem, "write {cancel: gevent.Timeout}, or for coroutines asyncio.CancelledError"
    takes, is_fine = _TAKES.get(kind, ("nothing", lambda _given: False))
    if given is None or is_fine(given):
        return "", ""
    hint = f"write `{kind}` alone" if kind not in _TAKES else f"not {given!r}"
    return f"{kind!r} takes {takes}", hint


def _is_class_name(given: Any) -> bool:
    return isinstance(given, str) and bool(given)


def _is_seconds(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and 0 < given < math.inf


_TAKES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(RAISING, ("the name of an exception class", _is_class_name)),
    **dict.fromkeys(LASTING, ("a duration", _is_seconds)),
    "failover": ("a number of writes", lambda given: type(given) is int and given >= 1),
    "mixed_version": ("'key' or 'serializer'", lambda given: given in VERSIONS),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: its kind, and its place as words.

    Points: actor, operation (from 1; 0 is outside of any), local index (from 0); then for messages
    the node that should be told, for what raises the class, for a pause or a delay the seconds.
    Moves: the place and the key, or how many writes are missed. Ambient: the node and how much.
    """

    kind: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        shown = ",".join(quote(word, safe=_SAFE) for word in self.words)
        return f"{self.kind}({shown})"

    @property
    def name(self) -> str:
        """The pseudo-actor whose step it is, if it is a move."""
        return f"@{self}"

    @property
    def is_move(self) -> bool:
        """Whether the schedule places it."""
        return self.kind in MOVES

    @property
    def point(self) -> tuple[str, int, int]:
        """The step that a point fault strikes."""
        return self.words[0], int(self.words[1]), int(self.words[2])

    @property
    def rest(self) -> tuple[str, ...]:
        """The words of a point fault after its point."""
        return self.words[3:]

    def excludes(self, other: "Fault") -> bool:
        """Say whether two faults can never both strike: one step fails in one way only."""
        if self.kind in POINTS and other.kind in POINTS and self.point == other.point:
            same_message = self.kind in MESSAGES and other.kind in MESSAGES
            both_raise = self.kind in RAISING and other.kind in RAISING
            return both_raise or (same_message and self.rest[0] == other.rest[0])
        return self.kind == other.kind and self.kind in AMBIENT and self.words[0] == other.words[0]


Vector = tuple[Fault, ...]
"""Faults that must all strike in an execution; () is the vector without faults."""

_SAFE = "@:._-/"


def read_fault(kind: str, shown: str) -> Fault | None:
    """Read a fault as :class:`Fault` writes it; None if it is not one."""
    words = tuple(unquote(word) for word in shown.split(",")) if shown else ()
    if kind in POINTS:
        is_one = _is_point(kind, words)
    else:
        is_one = kind in KINDS and len(words) == (1 if kind == "restart" else 2)
        is_one = is_one and (kind not in _MORE or _MORE[kind](words[-1]))
    return Fault(kind, words) if is_one else None


def _is_point(kind: str, words: tuple[str, ...]) -> bool:
    """Say whether words name a step, followed by what this kind needs."""
    if len(words) < 3 or not (_NUMBER.fullmatch(words[1]) and _NUMBER.fullmatch(words[2])):
        return False
    rest = words[3:]
    if kind in MESSAGES:
        more = rest[1:]
        return bool(rest) and (not more or (len(more) == 1 and _are_seconds(more[0])))
    is_fine = _are_seconds if kind == "pause" else bool  # a class is looked up, whatever its name
    return not rest or (len(rest) == 1 and is_fine(rest[0]))


_NUMBER = re.compile(r"[0-9]{1,9}")


def _are_seconds(word: str) -> bool:
    try:
        return _is_seconds(float(word))
    except ValueError:
        return False


_MORE: dict[str, Callable[[str], bool]] = {
    "failover": lambda word: _NUMBER.fullmatch(word) is not None and int(word) > 0,
    "clock_skew": _are_seconds,
    "mixed_version": lambda word: word in VERSIONS,
}


_MARK = "_supercache_injected"


def inject(error: BaseException) -> BaseException:
    """Mark an error as injected by a fault."""
    setattr(error, _MARK, True)
    return error


def is_injected(error: BaseException | None) -> bool:
    """Say whether a fault has injected this error, or an error that it was raised ``from``.

    An error that was raised while an injected one was handled, without ``from``, is the code's
    own: it may well be the bug.
    """
    return any(getattr(one, _MARK, False) for one in with_causes(error))


CAUSE: Any = vars(BaseException)["__cause__"]  # an error class may have a property of that name


def with_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that it was raised ``from``, each once: they may form a cycle."""
    seen: set[int] = set()
    while error is not None and identity(error) not in seen:
        seen.add(identity(error))
        yield error
        error = CAUSE.__get__(error)
