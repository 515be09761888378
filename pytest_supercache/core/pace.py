"""The interface between the runtime and schedulers that let time pass between steps.

Such a scheduler has ``moves_clock``, and ``start``, which is called with the flow of each race.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from pytest_supercache.core.footprint import Footprint


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A step that an actor is about to take; ``number`` counts the steps of the actor."""

    actor: str
    number: int
    label: str
    kind: str  # as of a Step; "start" for code that has not begun
    footprint: Footprint


class Flow(Protocol):
    """The race as it stands at a choice, with its clock; seconds are virtual."""

    def upcoming(self) -> Iterator[Upcoming]:
        """Yield the next step of every actor, blocked ones included."""
        ...

    def now(self) -> float:
        """Return the seconds since the start."""
        ...

    def deadline(self) -> float | None:
        """Return when the next timer comes due."""
        ...

    def pass_to(self, seconds: float) -> None:
        """Let time pass up to an instant before the next deadline."""
        ...
