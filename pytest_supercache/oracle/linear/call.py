"""Defines a call of a recording, its answer, and the two kinds of object that are called.

A register is read, written, and changed by compare-and-set; a key of a key-value store is got, put
and appended to. Both hold one value at a time.
"""

import sys
from dataclasses import dataclass
from enum import Enum
from typing import Any

NEVER = sys.maxsize
"""The return of a call with unknown outcome: it may take effect later, or never."""

BEFORE_ALL = -1


class Model(Enum):
    """The kind of object behind the keys: its sequential specification."""

    REGISTER = "register"
    KV = "kv"

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of call that the object has."""
        return _KINDS[self]

    @property
    def initial(self) -> Any:
        """The value of every key at first."""
        return None if self is Model.REGISTER else ""


_KINDS = {
    Model.REGISTER: frozenset({"read", "write", "cas"}),
    Model.KV: frozenset({"get", "put", "append"}),
}
READS = frozenset({"read", "get"})


@dataclass(slots=True, kw_only=True)
class Call:
    """One call. Not frozen, because its answer comes later, and there may be a million of them.

    Positions are numbers of events (in a file: of lines), all different, so that one call precedes
    another exactly when ``returned_at < other.called_at``. Values are hashable and compare equal
    exactly when they are the same datum.
    """

    process: str
    kind: str
    key: str = ""
    value: Any = None  # written, put or appended; (expected, new) for cas
    answer: Any = None  # of a read; whether a cas took effect
    called_at: int
    returned_at: int = NEVER

    @property
    def returned(self) -> bool:
        """Whether the outcome is known."""
        return self.returned_at != NEVER

    @property
    def is_pure(self) -> bool:
        """Whether it changed nothing: without it, no order becomes impossible."""
        if self.kind == "cas":
            return self.returned and not self.answer
        return self.kind in READS


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON value that Python would confuse with another, or cannot hash, by its one spelling."""

    text: str
