"""Follows an order of events as a schedule, as far as it can be executed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_supercache.core.schedule import CLOCK, Choices
from pytest_supercache.core.trace import Step
from pytest_supercache.search.events import StepEvent


def _never(_actor: str, _steps: Sequence[Step]) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Order:
    """The actors of events in order, and for each tick the actors that only wait by then."""

    actors: tuple[str, ...]
    begun: tuple[frozenset[str], ...] = ()

    @staticmethod
    def of(events: Sequence[StepEvent], way: Sequence[int]) -> "Order":
        """Return an order of recorded events, given by their positions."""
        ordered = [events[at] for at in way]
        return Order(
            tuple(event.actor for event in ordered),
            tuple(event.begun for event in ordered if event.is_tick),
        )


class Follow:
    """Chooses the given actors in order; actors that only run into a first wait come in between.

    Args:
        order: the actors that take steps.
        can_wait: says whether an actor would only begin after these steps, and take none.
    """

    def __init__(
        self, order: Order, can_wait: Callable[[str, Sequence[Step]], bool] = _never
    ) -> None:
        self._actors = order.actors
        self._waiting = order.begun
        self._can_wait = can_wait
        self._at = 0
        self._begun: set[str] = set()
        self._asked: str | None = None
        self.is_lost = False
        """Whether an actor could not go on when it was its turn."""

    def choose(self, choices: Choices) -> str | None:
        """Return the next actor; None if it may not go on."""
        step = choices.steps[-1] if choices.steps else None
        if choices.taken and step is not None and step.choice == choices.taken - 1:
            self._at += self._asked is not None
        early = self._to_begin(choices)
        if early is not None:
            self._asked = None
            self._begun.add(early)
            return early
        wanted = self._actors[self._at] if self._at < len(self._actors) else None
        self._asked = wanted if wanted in choices.enabled else None
        if self._asked is not None:
            self._begun.add(self._asked)
            return self._asked
        for name in choices.enabled:
            if name not in self._begun and "@" not in name:
                self._begun.add(name)
                return name
        self.is_lost = True
        return None

    def _to_begin(self, choices: Choices) -> str | None:
        """Return an actor that has to begin before the next tick, and that would only wait now."""
        if not self._waiting:
            return None
        ticks = self._actors[: self._at].count(CLOCK)
        waiting = self._waiting[ticks] if ticks < len(self._waiting) else ()
        for name in choices.enabled:
            if name in waiting and name not in self._begun and self._can_wait(name, choices.steps):
                return name
        return None
