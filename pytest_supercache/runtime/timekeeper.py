"""When the clock may move: forced, because nobody else can go on, or early, as a choice.

An early tick means that code was slow: others went on although somebody could have. There is a
budget of them, and what production promises (``assume``) rules some out. See section 5 of the
rules of search in docs/architecture.md.
"""

from collections.abc import Callable, Iterable

from pytest_supercache.core.schedule import is_fault
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
        held: returns when the next message comes that a fault holds back.
        last_lease: returns when the last lock lease runs out.
    """

    def __init__(
        self,
        clock: VirtualClock,
        *,
        ticks: int | str,
        unlimited: bool,
        assume: Assume | None,
        expiry: Callable[[bool], float | None],
        held: Callable[[], float | None] = lambda: None,
        last_lease: Callable[[], float | None] = lambda: None,
    ) -> None:
        self.clock = clock
        self.timers_started = False
        self.ready: frozenset[str] = frozenset()  # who could go on at the last choice, no faults
        self.saw_deadline = False  # there was one while early ticks were left
        self.moved = 0
        self._auto = ticks == "auto"
        self._early = TICKS_MAX if unlimited else 1 if ticks == "auto" else int(ticks)
        self._assume = assume
        self._expiry = expiry
        self._held = held
        self._last_lease = last_lease

    @property
    def is_exhausted(self) -> bool:
        """Whether the clock has moved as often as it may."""
        return self.moved >= TICKS_MAX

    def deadline(self, actors: Iterable[Actor]) -> float | None:
        """Return the next instant at which something happens by itself."""
        deadlines = [
            actor.pending.deadline
            for actor in actors
            if actor.pending is not None
            and actor.pending.deadline is not None
            and not actor.pending.fired
        ]
        expiry = self._expiry(self._auto)
        if expiry is not None and expiry > self.clock.now():
            deadlines.append(expiry)
        held = self._held()
        if held is not None:
            deadlines.append(held)
        return min(deadlines, default=None)

    def may_tick(self, actors: Iterable[Actor], ready: frozenset[str]) -> bool:
        """Say whether a tick is possible now, given who is ready to go on."""
        self.clock.show_ahead(0.0)  # whose code ran last saw the clock of its node
        actors = list(actors)
        if self.is_exhausted:
            return False
        open_to_faults = any(map(is_fault, ready))
        ready = self.ready = frozenset(name for name in ready if not is_fault(name))
        may_be_early = self._early > 0 and (not self._auto or self._has_timer())
        deadline = self.deadline(actors) if may_be_early or open_to_faults else None
        self.saw_deadline = self.saw_deadline or deadline is not None
        if not ready:
            unfinished = any(not a.daemon and a.state is not State.DONE for a in actors)
            waits = unfinished and any(actor.waits_for_time for actor in actors)
            return waits or self._held() is not None
        if _only_waits_for_a_pause(actors, ready):
            deadline = self.deadline(actors)
        elif not may_be_early:
            return False
        return deadline is not None and self._is_assumed(deadline, actors, ready)

    def farthest(self, actors: Iterable[Actor]) -> float | None:
        """Return when the last timer or lease that is in sight has run out."""
        pending = (actor.pending for actor in actors)
        deadlines = [p.deadline for p in pending if p is not None and p.deadline is not None]
        lease = self._last_lease()
        if lease is not None:
            deadlines.append(lease)
        return max(deadlines, default=None)

    def _has_timer(self) -> bool:
        """Say whether code under test waits on time: a sleep, a timed wait, a lock lease."""
        self.timers_started = self.timers_started or self._expiry(True) is not None
        return self.timers_started

    def _is_assumed(self, deadline: float, actors: list[Actor], ready: frozenset[str]) -> bool:
        if self._assume is None:
            return True
        moved = deadline - self.clock.now()
        return all(
            actor.carried + moved < self._assume.pause
            for actor in actors
            if _is_carried(actor, ready)
        )

    def tick(self, actors: Iterable[Actor]) -> float:
        """Move the clock to the next deadline; return by how many seconds it moved."""
        actors = list(actors)
        deadline = self.deadline(actors)
        assert deadline is not None, "the clock was chosen without a deadline"
        moved = max(deadline - self.clock.now(), 0.0)
        self._early -= bool(self.ready) and not _only_waits_for_a_pause(actors, self.ready)
        self.pass_to(deadline, actors)
        return moved

    def can_pass_to(self, instant: float, actors: Iterable[Actor]) -> bool:
        """Say whether what production promises lets the clock move so far."""
        return self._is_assumed(instant, list(actors), self.ready)

    def pass_to(self, instant: float, actors: Iterable[Actor]) -> None:
        """Move the clock to ``instant``, past whatever comes due on the way."""
        moved = max(instant - self.clock.now(), 0.0)
        self.moved += 1
        self.clock.move_to(self.clock.now() + moved)
        for actor in actors:
            if _is_carried(actor, self.ready):
                actor.carried += moved
            pending = actor.pending
            if pending is not None and pending.deadline is not None:
                pending.fired = pending.fired or pending.deadline <= self.clock.now()


def _is_carried(actor: Actor, ready: frozenset[str]) -> bool:
    """Say whether time that passes now is a pause of its operation."""
    return actor.in_flight and (actor.name in ready or actor.is_paused)


def _only_waits_for_a_pause(actors: list[Actor], ready: frozenset[str]) -> bool:
    """Say whether a fault holds somebody back and nobody else would be slow if the clock moved.

    Whoever could go on has not begun an operation yet: it begins later then.
    """
    resting = {actor.name for actor in actors if not actor.in_flight}
    return ready <= resting and any(actor.is_paused for actor in actors)
