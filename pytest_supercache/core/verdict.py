"""What a run may say, and the evidence it says it with."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Verdict(Enum):
    """The three answers; UNKNOWN must never read as a pass."""

    HOLDS = "holds"
    UNKNOWN = "unknown"
    VIOLATED = "violated"


class Label(Enum):
    """What fails when users take turns (search.md section 4 of the design)."""

    PLAIN_BUG = "plain bug"  # every serial order fails
    ORDER_BUG = "order bug"  # some serial orders fail
    CONFLICT = "conflict"  # no serial order fails


class End(Enum):
    """Why a search stopped. Only EXHAUSTED may say HOLDS."""

    FOUND = "found"
    EXHAUSTED = "exhausted"
    OUT_OF_BUDGET = "out of budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A broken guarantee as data: which, about which key and user, and the evidence.

    ``evidence`` holds plain values for the report (operations' positions, the value seen, the value
    expected); ``summary`` is the one sentence made from them.
    """

    guarantee: str
    summary: str
    key: str | None = None
    user: str | None = None
    node: str | None = None
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, str | None, str | None, str]:
        """What must be equal for a replay to count as the same failure."""
        return (self.guarantee, self.key, self.user, self.summary)
