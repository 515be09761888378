"""Tracks happens-before in an execution, and how many turns of an event loop lie between."""

from collections.abc import Callable

from pytest_supercache.core.footprint import dependent
from pytest_supercache.core.schedule import CLOCK, LOOP_CALLS
from pytest_supercache.core.trace import Step

RESUMES = "await"
"""The kind of the steps in which tasks and callbacks go on."""

WITH_EFFECTS = frozenset({"command", "origin", "super_cache", "busy"})
"""Kinds of steps of a task that take effect outside of its loop; then their answer comes."""


class TurnOrder:
    """Happens-before between the choices of an execution, and the turns of the loop between them.

    In each turn, callbacks run first, and then the answers come that the loop has heard of. So time
    is counted in halves of turns: the first is that of callbacks, the second that of answers.

    Args:
        steps: the steps of the execution, which grow.
        is_task: says of the name of an actor whether it is a task of the loop.
    """

    def __init__(
        self, steps: list[Step], is_task: Callable[[str], bool] = lambda _name: False
    ) -> None:
        self._steps = steps
        self._is_task = is_task
        self._seen = 0
        self._events: list[Step | None] = []  # the first step of each choice
        self._befores: list[int] = []  # by choice, the bits of those before it, and its own
        self._halves: list[dict[int, int]] = []  # by choice, halves of turns since others, at least
        self._wakers: dict[str, int] = {}  # by the flag of a callback
        self._origins: list[tuple[int, int]] = []

    def add_up_to(self, choice: int) -> None:
        """Take in the steps of the choices up to this one."""
        for step in self._steps[self._seen :]:
            at = step.choice
            if at is None or at < len(self._events):
                continue
            while len(self._events) < at:
                self._add(None)
            self._add(step)
        self._seen = len(self._steps)
        while len(self._events) <= choice:
            self._add(None)

    def note_ready(self, flag: str, choice: int) -> None:
        """Note that the step of a choice has made a callback ready."""
        self._wakers[flag] = choice

    def step(self, choice: int) -> Step | None:
        """Return the step that a choice led to; None: it led to none."""
        return self._events[choice] if choice >= 0 else None

    def origin(self, choice: int) -> tuple[int, int]:
        """Return the choice from which callbacks led to this one, and the number of turns."""
        return self._origins[choice]

    def leads(self, earlier: int, later: int) -> bool:
        """Say whether one choice happens before another one, or is the same."""
        return 0 <= earlier <= later and bool(self._befores[later] >> earlier & 1)

    def turns_between(self, earlier: int, later: int) -> int | None:
        """Return how many turns pass at least; None: the one need not happen before the other."""
        halves = self._halves[later].get(earlier) if later >= 0 else None
        return None if halves is None else halves // 2

    def until(self, step: Step) -> tuple[int, dict[int, int]]:
        """Return what would happen before a step that is taken next.

        Returns:
            The bits of the choices before it, and the least number of turns since each of these.
        """
        before, halves = self._relations(step, None)
        return before, {origin: number // 2 for origin, number in halves.items()}

    def _add(self, step: Step | None) -> None:
        at, waker = len(self._events), self._waker_of(step)
        before, halves = self._relations(step, waker)
        origin, depth = (at, 0) if waker is None else self._origins[waker]
        self._events.append(step)
        self._befores.append(before)
        self._halves.append(halves)
        self._origins.append((origin, depth + (waker is not None)))

    def _relations(self, step: Step | None, waker: int | None) -> tuple[int, dict[int, int]]:
        """Return the bits of what happens before the next step, and the halves of turns since.

        Args:
            step: the next step; None: the choice leads to none.
            waker: the choice that made its callback ready; None: it is no callback.
        """
        at = len(self._events)
        before, halves = 1 << at, {} if waker is not None else {at: 0}
        for other in range(at - 1, -1, -1):
            event = self._events[other]
            is_known = before >> other & 1
            if step is None or event is None or is_known or not _is_ordered(event, step):
                continue
            before |= self._befores[other]
            for origin, number in self._halves[other].items():
                halves[origin] = max(halves.get(origin, 0), number)
        if waker is not None:
            for origin, number in self._halves[waker].items():
                following = number - number % 2 + 2 if self._is_of_node(origin, step) else number
                halves[origin] = max(halves.get(origin, 0), following)
        for origin, number in halves.items():
            if self._is_of_node(origin, step):
                halves[origin] = self._in_its_half(step, number, is_callback=waker is not None)
        return before, halves

    def _in_its_half(self, step: Step | None, number: int, *, is_callback: bool) -> int:
        """Return the first half from this one on in which a step may happen."""
        if is_callback:
            return number + number % 2
        if step is not None and step.kind not in WITH_EFFECTS and self._is_task(step.actor):
            return number | 1
        return number

    def _is_of_node(self, choice: int, step: Step | None) -> bool:
        """Say whether a choice's step is of the same node, whose loop takes turns of its own."""
        event = self._events[choice] if choice < len(self._events) else step
        return event is None or step is None or event.node == step.node

    def _waker_of(self, step: Step | None) -> int | None:
        """Return the choice that made a callback ready whose step this is; None: it is no such."""
        if step is None or step.wait is None or step.kind != RESUMES:
            return None
        return next((self._wakers[one] for one in step.wait.sets if one in self._wakers), None)


_MEETS_ALL = frozenset({CLOCK, LOOP_CALLS})
"""The pseudo-actors whose steps are ordered with all others."""


def _is_ordered(earlier: Step, later: Step) -> bool:
    return (
        earlier.actor == later.actor
        or not _MEETS_ALL.isdisjoint((earlier.actor, later.actor))
        or later.cause == (earlier.actor, earlier.index)
        or dependent(earlier.footprint, later.footprint)
    )
