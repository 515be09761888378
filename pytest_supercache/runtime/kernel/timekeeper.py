"""Decides when the clock moves: by force when no actor is enabled, or early, as a choice.

An early tick means that code was slow: time passed although an actor was enabled. Early ticks have
a budget, and what production promises (``assume``) rules some out (docs/runtime.md).
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from typing import Protocol

from pytest_supercache.core.schedule import is_fault
from pytest_supercache.core.settings import Assume
from pytest_supercache.layers.clock import VirtualClock
from pytest_supercache.runtime.kernel.actor import Actor, Announced, State

TICKS_MAX = 100
"""Ticks in one execution; more is UNKNOWN: an actor waits for something time does not bring."""

AUTO_MAX = 3
"""Most early ticks with ``auto``: one more each time a woken actor waits for time again."""

_NO_TIMERS = frozenset({"user", "busy"})
"""Kinds of steps whose deadlines do not enable early ticks."""

PERIODS_MAX = 3
"""How often time wakes actors that code under test started, after every user has ended."""


class Alarms(Protocol):
    """The timers of an event loop."""

    def next_deadline(self) -> float | None:
        """Return the virtual time, in seconds, at which the next timer is due."""

    def due(self, now: float) -> set[str]:
        """Return the names of the actors whose timers are due at ``now``."""

    def left_by_users(self, now: float) -> Iterable[tuple[float, Actor]]:
        """Return each deadline left after every user has ended, with the actor waiting for it."""


class Timekeeper:
    """The clock of one execution and its budget of early ticks.

    Args:
        clock: the clock to move.
        ticks: how many early ticks there may be; ``auto``: one, once code under test started a
            timer, and another one whenever an actor that an early tick woke waits for time again,
            up to ``AUTO_MAX``; expiring keys do not count.
        unlimited: for replays and serial runs, which are not limited by the budget.
        assume: how far an operation in flight may be carried.
        expiry: returns when the next key expires; asked with whether only lock leases count.
        held: returns when the next message arrives that a fault delays.
        last_lease: returns when the last lock lease expires.
        endings: collections of the TTLs of locks that the code has taken, and of those that
            watches have noted; all empty as long as there are none.
        ignores_time: nobody judges at which virtual time a step is taken.
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
        endings: Sequence[Sized] = (),
        ignores_time: bool = False,
    ) -> None:
        self.clock = clock
        self.timers_started = False
        self.ready: frozenset[str] = frozenset()  # enabled at the last choice, without faults
        self.saw_deadline = False  # there was one while early ticks were left
        self.expired = False  # a time to live ran out before the users had ended
        self.moved = 0
        self.alarms: list[Alarms] = []  # timers of event loops
        self.has_moves = False  # faults that the schedule places
        self.has_pauses = False  # faults have blocked an actor
        self.cut_short: set[str] = set()  # kinds of repeating actors that were stopped
        self._auto = ticks == "auto"
        self._is_limited = not unlimited
        self._given = 0 if ticks == "auto" else int(ticks)
        self.waited: list[float] = []
        """Length of each early tick so far, in virtual seconds: how long enabled actors waited."""
        self._woken: set[str] = set()  # by early ticks
        self._waited_after = 0  # number of early ticks when a woken actor last waited again
        self._assume = assume
        self._expiry = expiry
        self._held = held
        self._last_lease = last_lease
        self._endings = endings
        self._ignores_time = ignores_time

    def note_wait(self, actor: Actor, announced: Announced) -> None:
        """Note that an actor waits for the clock."""
        if announced.is_paused:
            self.has_pauses = True
        elif announced.kind not in _NO_TIMERS:
            self.timers_started = True
            self.note_timer(actor)

    def note_timer(self, actor: Actor) -> None:
        """Note that an actor has started a timer, possibly again after an early tick woke it."""
        actor.has_acted = True
        if actor.name in self._woken:
            self._waited_after = len(self.waited)

    @property
    def early_ticks(self) -> int:
        """The budget of early ticks, as far as this execution has shown."""
        if not self._auto:
            return self._given
        return min(1 + self._waited_after, AUTO_MAX) if self.timers_started else 0

    @property
    def is_exhausted(self) -> bool:
        """Whether the clock has reached its limit of ticks."""
        return self.moved >= TICKS_MAX

    def assume_nothing(self) -> None:
        """Lift the budget and the assumptions, for a scheduler that controls time itself."""
        self._assume, self._is_limited = None, False

    def is_awaited(self, actors: Iterable[Actor]) -> bool:
        """Say whether any actor, or a timer of an event loop, waits for the clock."""
        return any(actor.waits_for_time for actor in actors) or bool(self._alarms())

    def awaited_by(self, actors: Iterable[Actor]) -> list[str]:
        """Return the names of the actors that wait for the clock, also by timers of event loops."""
        timers = (name for alarms in self.alarms for name in sorted(alarms.due(math.inf)))
        return list(dict.fromkeys([*(a.name for a in actors if a.waits_for_time), *timers]))

    def deadline(self, actors: Iterable[Actor]) -> float | None:
        """Return the next time at which a timer, an expiry or a delayed message is due."""
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
        held = self._held()
        if held is not None:
            deadlines.append(held)
        return min(deadlines, default=None)

    def may_tick(self, actors: Iterable[Actor], ready: frozenset[str]) -> bool:
        """Say whether a tick is possible now, given the enabled actors ``ready``."""
        if ready and self.is_idle:
            self.ready = ready
            return False
        return self._may_tick(actors, ready)

    def could_tick(self, actors: Iterable[Actor]) -> bool:
        """Say whether an early tick could come now, if there were a switch point here."""
        if self.is_idle or self.is_exhausted or not self._may_be_early():
            return False
        actors = list(actors)
        deadline = self.deadline(actors)
        return deadline is not None and self._is_assumed(deadline, actors, self.ready)

    @property
    def has_expiries(self) -> bool:
        """Whether an entry has a time to live that is not over."""
        return self._expiry(False) is not None

    @property
    def is_idle(self) -> bool:
        """Whether nothing has involved time so far, so that the clock moves only by force."""
        return self._auto and not (
            self.timers_started or self.alarms or self.has_moves or self.has_pauses
            or self.clock.ahead or any(self._endings)
        )  # fmt: skip

    @property
    def is_open(self) -> bool:
        """Whether the clock may move early, and only actors decide when and what for.

        That is not so where virtual time is judged or something is assumed of it, where faults move
        the clock or block an actor, and where an entry that no step has stored has a time to live.
        """
        is_disturbed = self.has_moves or self.has_pauses or self.clock.ahead
        if self.is_idle or is_disturbed or not self._ignores_time or self._assume is not None:
            return False
        return (self._auto or self._given > 0) and self._expiry(False) is None

    def _may_tick(self, actors: Iterable[Actor], ready: frozenset[str]) -> bool:
        if self.clock.ahead:
            self.clock.show_ahead(0.0)  # the code that ran last saw the clock of its node
        if self.is_exhausted:
            return False
        open_to_faults = self.has_moves and any(map(is_fault, ready))
        if open_to_faults:
            ready = frozenset(name for name in ready if not is_fault(name))
        self.ready = ready
        may_be_early = self._may_be_early()
        if ready and not (may_be_early or open_to_faults or self.has_pauses):
            return False
        actors = list(actors)
        deadline = self.deadline(actors) if may_be_early or open_to_faults else None
        self.saw_deadline = self.saw_deadline or deadline is not None
        if not ready:
            return self._is_worth_waiting(actors) or self._held() is not None
        if _only_waits_for_a_pause(actors, ready):
            deadline = self.deadline(actors)
        elif not may_be_early:
            return False
        return deadline is not None and self._is_assumed(deadline, actors, ready)

    def farthest(self, actors: Iterable[Actor]) -> float | None:
        """Return the time at which the last known timer or lease expires."""
        pending = (actor.pending for actor in actors)
        deadlines = [p.deadline for p in pending if p is not None and p.deadline is not None]
        deadlines += self._alarms()
        lease = self._last_lease()
        if lease is not None:
            deadlines.append(lease)
        return max(deadlines, default=None)

    def _is_worth_waiting(self, actors: list[Actor]) -> bool:
        """Say whether time can enable an actor whose end or work matters.

        After the users have ended, a daemon's timer fires only before the next key expires: what a
        TTL heals in the end is not what the users are promised.
        """
        if not _users_have_ended(actors):
            return self.is_awaited(actors)
        left = self._left(actors)
        self.cut_short |= {
            "threads" if actor.born else "tasks"
            for _, actor in left
            if actor.periods >= PERIODS_MAX
        }
        return any(actor.periods < PERIODS_MAX for _, actor in left)

    def _left(self, actors: list[Actor]) -> list[tuple[float, Actor]]:
        """Return the deadlines that matter after every user has ended, each with its actor."""
        waiting = [
            (_deadline(actor), actor)
            for actor in actors
            if actor.waits_for_time and actor.is_started
        ]
        waiting += self._left_alarms()
        expiry = self._expiry(False) if waiting else None
        return [
            (deadline, actor)
            for deadline, actor in waiting
            if not _is_daemon(actor) or expiry is None or deadline < expiry
        ]

    def _next(self, actors: list[Actor]) -> float | None:
        """Return the time to which a tick moves the clock.

        After the users have ended it passes deadlines of actors that time has woken often enough:
        what polls ten times a second must not hide what sleeps for a minute.
        """
        if not self.ready and _users_have_ended(actors):
            worth = [due for due, actor in self._left(actors) if actor.periods < PERIODS_MAX]
            held = self._held()
            worth += [] if held is None else [held]
            if worth:
                return min(worth)
        return self.deadline(actors)

    def _left_alarms(self) -> list[tuple[float, Actor]]:
        """Return the timers of event loops that matter after every user has ended."""
        now = self.clock.now()
        return [timer for alarms in self.alarms for timer in alarms.left_by_users(now)]

    def fired(self, actors: Iterable[Actor]) -> tuple[str, ...]:
        """Return the timers of all actors whose deadline has passed."""
        return tuple(
            actor.pending.wait.timer
            for actor in actors
            if actor.pending is not None and actor.pending.fired and actor.pending.wait is not None
        )

    def _may_be_early(self) -> bool:
        """Say whether the budget allows another early tick; ``auto`` also needs a timer."""
        if self._auto and not self._has_timer():
            return False
        return not self._is_limited or len(self.waited) < self.early_ticks

    def _has_timer(self) -> bool:
        """Say whether code under test waits on time: a sleep, a timed wait, a lock lease."""
        if not self.timers_started:
            is_leased = any(self._endings) and self._expiry(True) is not None
            self.timers_started = is_leased or bool(self.alarms and self._alarms())
        return self.timers_started

    def _alarms(self) -> list[float]:
        """Return the times at which the next timers of event loops are due."""
        return [due for alarms in self.alarms if (due := alarms.next_deadline()) is not None]

    def _is_assumed(self, deadline: float, actors: list[Actor], ready: frozenset[str]) -> bool:
        if self._assume is None:
            return True
        moved = deadline - self.clock.now()
        carried = _carried(actors, ready)
        return all(actor.carried + moved < self._assume.pause for actor in carried)

    def tick(self, actors: Iterable[Actor]) -> float:
        """Move the clock to the next deadline; return how many seconds it moved."""
        actors = list(actors)
        deadline = self._next(actors)
        assert deadline is not None, "the clock was chosen without a deadline"
        moved = max(deadline - self.clock.now(), 0.0)
        is_early = bool(self.ready) and not _only_waits_for_a_pause(actors, self.ready)
        self.pass_to(deadline, actors)
        if is_early:
            self.waited.append(moved)
            self._woken.update(self._fired(actors))
        return moved

    def _fired(self, actors: list[Actor]) -> Iterator[str]:
        """Yield the names of the actors whose deadline has passed."""
        for actor in actors:
            if actor.pending is not None and actor.pending.fired:
                yield actor.name
        for alarms in self.alarms:
            yield from alarms.due(self.clock.now())

    def can_pass_to(self, instant: float, actors: Iterable[Actor]) -> bool:
        """Say whether the assumptions on production allow moving the clock to ``instant``."""
        return self._is_assumed(instant, list(actors), self.ready)

    def pass_to(self, instant: float, actors: Iterable[Actor]) -> None:
        """Move the clock to ``instant``, past everything due on the way."""
        actors = list(actors)
        moved = max(instant - self.clock.now(), 0.0)
        self.moved += 1
        expiry = self._expiry(False)
        users_have_ended = _users_have_ended(actors)
        alarms = self._left_alarms() if users_have_ended else []
        self.clock.move_to(self.clock.now() + moved)
        if expiry is not None and expiry <= instant and not users_have_ended:
            self.expired = True
        for actor in _carried(actors, self.ready):
            actor.carried += moved
        for actor in actors:
            pending = actor.pending
            if pending is not None and actor.waits_for_time:
                pending.fired = _deadline(actor) <= self.clock.now()
                actor.periods += users_have_ended and pending.fired
        for deadline, actor in alarms:
            actor.periods += deadline <= self.clock.now()


def _users_have_ended(actors: list[Actor]) -> bool:
    return all(actor.born or actor.daemon or actor.state is State.DONE for actor in actors)


def _is_daemon(actor: Actor) -> bool:
    """Say whether an actor would not keep the process alive: a daemon, or a task."""
    return actor.daemon or not actor.born


def _deadline(actor: Actor) -> float:
    assert actor.pending is not None, "who waits for time has announced a step"
    assert actor.pending.deadline is not None, "who waits for time has a deadline"
    return actor.pending.deadline


def _carried(actors: list[Actor], ready: frozenset[str]) -> list[Actor]:
    """Return the actors whose operations would be paused by time that passes now."""
    names = {actor.name for actor in actors}
    return [
        actor
        for actor in actors
        if (actor.name in ready or actor.is_paused)
        and (actor.has_begun or _is_started_by_user(actor, names))
    ]


def _is_started_by_user(actor: Actor, names: set[str]) -> bool:
    """Say whether an actor is a thread, job or task of a user, and has not ended.

    Its pauses count from its start, even before its first step.
    """
    user, is_child, _ = actor.name.partition("/")
    return bool(is_child) and user in names and actor.state in {State.NEW, State.PARKED}


def _only_waits_for_a_pause(actors: list[Actor], ready: frozenset[str]) -> bool:
    """Say whether a fault blocks an actor, and every enabled actor is between operations.

    Moving the clock then makes no other actor slow: its next operation just begins later.
    """
    if not any(actor.is_paused for actor in actors):
        return False
    return ready <= {actor.name for actor in actors if not actor.in_flight}
