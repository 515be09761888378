"""When the clock may move: forced, because nobody else can go on, or early, as a choice.

An early tick means that code was slow: others went on although somebody could have. There is a
budget of them, and what production promises (``assume``) rules some out. See section 5 of the
rules of search in docs/architecture.md.
"""

from collections.abc import Callable, Iterable

from pytest_supercache.core.settings import Assume
from pytest_supercache.layers.clock import VirtualClock
from pytest_supercache.runtime.actor import Actor, State

TICKS_MAX = 100
"""Ticks in one execution; more is UNKNOWN: somebody waits for something that time cannot bring."""


class Timekeeper:
    """The clock of one execution and its budget of early ticks.

    Args:
        clock: is moved.
        ticks: how many early ticks there may be; ``auto``: one, once code under test started a
            timer, and expiring keys do not count.
        unlimited: for replays and serial runs, which are not limited by the budget.
        assume: how far an operation in flight may be carried.
        expiry: returns when the next key expires; asked with whether only lock leases count.
    """

    def __init__(
        self,
        clock: VirtualClock,
        *,
        ticks: int | str,
        unlimited: bool,
        assume: Assume | None,
        expiry: Callable[[bool], float | None],
    ) -> None:
        self.clock = clock
        self.timers_started = False
        self.saw_deadline = False  # there was one while early ticks were left
        self.moved = 0
        self.alarms: list[Callable[[], float | None]] = []  # timers of event loops
        self._auto = ticks == "auto"
        self._early = TICKS_MAX if unlimited else 1 if ticks == "auto" else int(ticks)
        self._assume = assume
        self._expiry = expiry

    @property
    def is_exhausted(self) -> bool:
        """Whether the clock has moved as often as it may."""
        return self.moved >= TICKS_MAX

    def is_awaited(self, actors: Iterable[Actor]) -> bool:
        """Say whether the clock can bring anybody on."""
        return any(actor.waits_for_time for actor in actors) or bool(self._alarms())

    def deadline(self, actors: Iterable[Actor]) -> float | None:
        """Return the next instant at which something happens by itself."""
        deadlines = [
            actor.pending.deadline
            for actor in actors
            if actor.pending is not None
            and actor.pending.deadline is not None
            and not actor.pending.fired
        ]
        deadlines += self._alarms()
        expiry = self._expiry(self._auto)
        if expiry is not None and expiry > self.clock.now():
            deadlines.append(expiry)
        return min(deadlines, default=None)

    def may_tick(self, actors: Iterable[Actor], ready: frozenset[str]) -> bool:
        """Say whether a tick is possible now, given who is ready to go on."""
        actors = list(actors)
        if self.is_exhausted:
            return False
        may_be_early = self._early > 0 and (not self._auto or self._has_timer())
        deadline = self.deadline(actors) if may_be_early else None
        self.saw_deadline = self.saw_deadline or deadline is not None
        if not ready:
            unfinished = any(not a.daemon and a.state is not State.DONE for a in actors)
            return unfinished and self.is_awaited(actors)
        return deadline is not None and self._is_assumed(deadline, actors, ready)

    def _has_timer(self) -> bool:
        """Say whether code under test waits on time: a sleep, a timed wait, a lock lease."""
        if not self.timers_started:
            self.timers_started = self._expiry(True) is not None or bool(self._alarms())
        return self.timers_started

    def _alarms(self) -> list[float]:
        """Return when timers of event loops are due."""
        return [due for alarm in self.alarms if (due := alarm()) is not None]

    def _is_assumed(self, deadline: float, actors: list[Actor], ready: frozenset[str]) -> bool:
        if self._assume is None:
            return True
        moved = deadline - self.clock.now()
        return all(
            actor.carried + moved < self._assume.pause
            for actor in actors
            if actor.in_flight and actor.name in ready
        )

    def tick(self, actors: Iterable[Actor], ready: frozenset[str]) -> float:
        """Move the clock to the next deadline; return by how many seconds it moved."""
        actors = list(actors)
        deadline = self.deadline(actors)
        assert deadline is not None, "the clock was chosen without a deadline"
        moved = max(deadline - self.clock.now(), 0.0)
        self._early -= bool(ready)
        self.moved += 1
        self.clock.move_to(self.clock.now() + moved)
        for actor in actors:
            if actor.in_flight and actor.name in ready:
                actor.carried += moved
            pending = actor.pending
            if pending is not None and pending.deadline is not None:
                pending.fired = pending.fired or pending.deadline <= self.clock.now()
        return moved
