"""Defines wait objects as pure values: locks, flags, counters, queues and the like.

The runtime asks them which actors may go on; a search may replay recorded operations on them to
learn which ones could have gone on, without running any user code (docs/runtime.md, "sync"). A
verb may carry an argument after a blank: ``notify 1 shop.py:12#0``.
"""

from dataclasses import dataclass, replace

BEGIN = "begin"
"""The verb of a pool's job, announced for the job when it is submitted."""


class WaitsForEverError(Exception):
    """Raised into code under test that would block although nothing else runs.

    Args:
        message: what would block.
        holder: the actor that holds the lock which is waited for; None: it is no held lock.
    """

    def __init__(self, message: str, holder: str | None = None) -> None:
        super().__init__(message)
        self.holder = holder


@dataclass(frozen=True, slots=True)
class Wait:
    """What a step waits for, and its effect on what others wait for.

    A guard is at most one object that may change back and forth, and flags that stay once they are
    set. :class:`pytest_supercache.core.waiting.Waits` evaluates it.
    """

    object: str = ""  # the wait object, if any
    verb: str = ""  # what the step does to it
    guarded: bool = False  # the object may refuse; without an object: only the timer lets it go on
    flags: tuple[str, ...] = ()  # all must be set
    any_of: tuple[str, ...] = ()  # of these ``enough`` must be set
    enough: int = 1
    sets: tuple[str, ...] = ()  # flags that the step sets
    sets_on_change: bool = False  # it sets them only if it changes the object
    timer: str = ""  # a flag that the clock sets; then only ``after`` may still hold the step back
    after: str = ""  # a flag that must be set first, even if the timer has fired
    otherwise: str = ""  # what a step does to the object when its timer has fired
    thread: str = (
        ""  # the thread that holds a re-entrant lock for the actor; empty: the actor itself
    )

    def holder(self, actor: str) -> str:
        """Return the name under which ``actor`` holds the object."""
        return self.thread or actor

    @property
    def is_guarded_by_object(self) -> bool:
        """Whether an object may block the step: its state may change back and forth."""
        return self.guarded and bool(self.object)

    def flags_set(self, before: "WaitState | None", after: "WaitState | None") -> tuple[str, ...]:
        """Return the flags that the step sets, given its object before and after."""
        return () if self.sets_on_change and before == after else self.sets


@dataclass(frozen=True, slots=True)
class LockState:
    """A lock, re-entrant or not, with the wait sets of its conditions.

    An actor that waits on a condition has a ticket: (condition, actor, depth of the lock).
    ``waiting`` is in the order of arrival; ``woken`` were notified and compete for the lock.
    """

    holder: str | None = None
    depth: int = 0
    reentrant: bool = False
    waiting: tuple[tuple[str, str, int], ...] = ()
    woken: tuple[tuple[str, str, int], ...] = ()

    def allows(self, actor: str, verb: str) -> bool:
        """Say whether ``actor`` may do ``verb`` now; ``acquire`` and ``resume`` can be refused."""
        name, _, _ = verb.partition(" ")
        if name == "acquire":
            return self.holder is None or (self.reentrant and self.holder == actor)
        return name != "resume" or (self.holder is None and self.is_woken(actor))

    def is_woken(self, actor: str) -> bool:
        """Say whether ``actor`` was notified, and has not gone on yet."""
        return any(who == actor for _, who, _ in self.woken)

    def after(self, actor: str, verb: str) -> "LockState":
        """Return the lock after ``actor`` did ``verb``; a ``try`` that fails changes nothing."""
        name, _, argument = verb.partition(" ")
        if name in {"acquire", "try"}:
            if not self.allows(actor, "acquire"):
                return self
            return replace(self, holder=actor, depth=self.depth + int(argument or 1))
        if name == "release":
            if self.holder is None or (self.reentrant and self.holder != actor):
                return self  # an error of the caller
            depth = self.depth - 1
            return replace(self, holder=self.holder if depth else None, depth=depth)
        if name == "notify":
            return self._after_notify(argument)
        return self._after_ticket(actor, name, argument)

    def _after_notify(self, argument: str) -> "LockState":
        """Wake the two longest waits for ``notify 2 CONDITION``, all for ``notify * CONDITION``."""
        count, _, condition = argument.partition(" ")
        tickets = [ticket for ticket in self.waiting if ticket[0] == condition]
        chosen = tickets if count == "*" else tickets[: int(count)]
        return replace(
            self,
            waiting=tuple(ticket for ticket in self.waiting if ticket not in chosen),
            woken=(*self.woken, *chosen),
        )

    def _after_ticket(self, actor: str, name: str, condition: str) -> "LockState":
        """Trade the lock for a ticket (``wait``), undo that (``resume``) or drop it (``leave``)."""
        if name == "wait":
            ticket = (condition, actor, self.depth)
            return replace(self, holder=None, depth=0, waiting=(*self.waiting, ticket))
        if name not in {"resume", "leave"}:
            return self
        depth = next((held for _, who, held in self.woken if who == actor), 0)
        left = replace(
            self,
            waiting=tuple(ticket for ticket in self.waiting if ticket[1] != actor),
            woken=tuple(ticket for ticket in self.woken if ticket[1] != actor),
        )
        return left if name == "leave" else replace(left, holder=actor, depth=depth)


@dataclass(frozen=True, slots=True)
class FlagState:
    """An event: once set, waiters may go on (monotone unless it is cleared)."""

    is_set: bool = False

    def allows(self, actor: str, verb: str) -> bool:  # noqa: ARG002 - the same call for every kind
        """Say whether ``verb`` may happen now; only ``await`` can be refused."""
        return verb != "await" or self.is_set

    def after(self, actor: str, verb: str) -> "FlagState":  # noqa: ARG002 - one call for every kind
        """Return the flag after ``set``, ``clear`` or ``await``."""
        if verb == "set":
            return FlagState(is_set=True)
        if verb == "clear":
            return FlagState(is_set=False)
        return self


@dataclass(frozen=True, slots=True)
class CounterState:
    """A semaphore: the number of free places, and the largest number if it is bounded."""

    free: int
    most: int | None = None

    def allows(self, actor: str, verb: str) -> bool:  # noqa: ARG002 - one call for every kind
        """Say whether ``verb`` may happen now; only ``acquire`` can be refused."""
        return verb != "acquire" or self.free > 0

    def after(self, actor: str, verb: str) -> "CounterState":  # noqa: ARG002 - one call for every kind
        """Return the semaphore after ``acquire``, ``try`` or ``release 2``."""
        name, _, count = verb.partition(" ")
        if name == "release":
            free = self.free + int(count or 1)
            return self if self.most is not None and free > self.most else replace(self, free=free)
        if name in {"acquire", "try"} and self.free > 0:
            return replace(self, free=self.free - 1)
        return self


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue: its size and limit, and the number of items that are not done.

    Waiting does not depend on what the items are, so they are not known here. ``room`` 0 is
    without a limit.
    """

    size: int = 0
    room: int = 0
    unfinished: int = 0
    closed: bool = False

    def allows(self, actor: str, verb: str) -> bool:  # noqa: ARG002 - one call for every kind
        """Say whether ``verb`` may happen now; ``put``, ``get`` and ``join`` can be refused."""
        if verb == "get":
            return self.size > 0 or self.closed
        if verb == "put":
            return self.room <= 0 or self.size < self.room or self.closed
        return verb != "join" or self.unfinished == 0

    def after(self, actor: str, verb: str) -> "QueueState":  # noqa: ARG002 - one call for every kind
        """Return the queue after ``put``, ``get``, a ``try`` of them, ``done`` or ``close``."""
        name = verb.removeprefix("try ")
        if name == "put" and not self.closed and (self.room <= 0 or self.size < self.room):
            return replace(self, size=self.size + 1, unfinished=self.unfinished + 1)
        if name == "get" and self.size > 0:
            return replace(self, size=self.size - 1)
        if name == "done":
            return replace(self, unfinished=max(self.unfinished - 1, 0))
        if name == "close":
            return replace(self, closed=True)
        if name == "close at once":  # what is inside is dropped
            left = max(self.unfinished - self.size, 0)
            return replace(self, closed=True, size=0, unfinished=left)
        return self


@dataclass(frozen=True, slots=True)
class BarrierState:
    """A barrier: how many actors are inside, and whether it fills, acts, drains, resets or broke.

    An actor that arrives while it drains waits until the last of the round before has left.
    """

    parties: int
    acts: bool = False  # the last to arrive runs an action before it opens
    inside: int = 0
    phase: str = "filling"

    def allows(self, actor: str, verb: str) -> bool:  # noqa: ARG002 - one call for every kind
        """Say whether ``verb`` may happen now; ``arrive`` and ``pass`` can be refused."""
        if verb == "arrive":
            return self.phase in {"filling", "broken"}
        return verb != "pass" or self.phase not in {"filling", "acting"}

    def after(self, actor: str, verb: str) -> "BarrierState":  # noqa: ARG002 - one call for every kind
        """Return the barrier after an actor arrived, passed, gave up, opened, broke or reset it."""
        if verb == "arrive" and self.phase == "filling":
            return self._after_arrival()
        if verb == "open":
            return self._with_one_less("draining")
        if verb == "pass":
            return self._with_one_less(self.phase)
        if verb == "give up":  # a timeout breaks the barrier, unless it has opened meanwhile
            return self._with_one_less("broken" if self.phase == "filling" else self.phase)
        if verb == "fail":  # the action raised
            return self._with_one_less("broken")
        if verb == "break":
            return replace(self, phase="broken")
        if verb == "reset":
            return replace(self, phase="resetting" if self.inside else "filling")
        return self

    def _after_arrival(self) -> "BarrierState":
        inside = self.inside + 1
        if inside < self.parties:
            return replace(self, inside=inside)
        if self.acts:
            return replace(self, inside=inside, phase="acting")
        return replace(self, inside=inside)._with_one_less("draining")

    def _with_one_less(self, phase: str) -> "BarrierState":
        inside = max(self.inside - 1, 0)
        if not inside and phase in {"draining", "resetting"}:
            phase = "filling"
        return replace(self, inside=inside, phase=phase)


@dataclass(frozen=True, slots=True)
class PoolState:
    """A pool of threads: jobs begin in order of submission, at most ``workers`` at a time."""

    workers: int
    queued: tuple[str, ...] = ()
    running: frozenset[str] = frozenset()
    closed: bool = False

    def allows(self, actor: str, verb: str) -> bool:
        """Say whether ``verb`` may happen now; only a job's ``begin`` can be refused.

        A job that was cancelled is in no queue: it may go on and see that.
        """
        if verb != BEGIN or actor not in self.queued:
            return True
        return self.queued[0] == actor and len(self.running) < self.workers

    def after(self, actor: str, verb: str) -> "PoolState":
        """Return the pool after ``submit JOB``, ``cancel JOB``, ``close``, ``begin`` or ``end``."""
        name, _, job = verb.partition(" ")
        if name == "submit" and not self.closed:
            return replace(self, queued=(*self.queued, job))
        if name == BEGIN and actor in self.queued:
            left = tuple(other for other in self.queued if other != actor)
            return replace(self, queued=left, running=self.running | {actor})
        if name == "end":
            return replace(self, running=self.running - {actor})
        if name == "cancel":
            return replace(self, queued=tuple(other for other in self.queued if other != job))
        if name == "close":
            return replace(self, closed=True)
        return self


WaitState = LockState | FlagState | CounterState | QueueState | BarrierState | PoolState
