"""The verdicts of a run, and the evidence for them."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pytest_supercache.core.made_anew import lasting_beginning, without_addresses

SEVERITIES = ("blocker", "critical", "normal", "minor", "trivial")
"""How bad a violation of a scenario is, as in Allure, the worst first."""


class Verdict(Enum):
    """The three verdicts; UNKNOWN must never count as a pass."""

    HOLDS = "holds"
    UNKNOWN = "unknown"
    VIOLATED = "violated"


class Label(Enum):
    """The kind of bug that serial runs show."""

    PLAIN_BUG = "plain bug"  # every serial order fails
    FAULT_BUG = "fault bug"  # every serial order fails under the fault
    ORDER_BUG = "order bug"  # some serial orders fail
    CONFLICT = "conflict"  # no serial order fails


class End(Enum):
    """The reason why a search stopped. Only EXHAUSTED may lead to HOLDS."""

    FOUND = "found"
    EXHAUSTED = "exhausted"
    OUT_OF_BUDGET = "out of budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A broken guarantee as data: which, about which key and user, and the evidence.

    ``evidence`` holds plain values for the report (operations' positions, the value seen, the value
    expected); ``summary`` is the one sentence made from them. ``at`` is the event that breaks the
    guarantee: the number of steps taken when it had happened; None if it is no single step.
    """

    guarantee: str
    summary: str
    key: str | None = None
    user: str | None = None
    node: str | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    at: int | None = None

    @property
    def identity(self) -> tuple[str, str | None, str | None, str]:
        """The parts that must be equal for a replay to count as the same failure.

        Names of temporary files are left out, as they differ in every run, and so is the text from
        the first object on that every run makes anew: sets list such objects by their addresses.
        """
        return (self.guarantee, self.key, self.user, lasting_beginning(self.summary))


def described(error: BaseException) -> str:
    """Describe an error equally in every run: without memory addresses."""
    text = without_addresses(f"{type(error).__name__}: {error}")
    return text if len(text) <= _ERROR_LENGTH else f"{text[:_ERROR_LENGTH]}..."


_ERROR_LENGTH = 2_000
