"""Makes successive clock readings of code under test increase while the clock stands still.

Virtual time moves only at ticks, yet a difference of two readings must not be zero: each reading of
an actor is a microsecond after its last one, and after every reading that it depends on (logical
clocks: Lamport 1978). A reading follows from the steps it depends on, so equivalent schedules give
the same. Readings by client libraries and by servers are unchanged.
"""

import sys
from functools import cache
from typing import Any

from pytest_supercache.core.footprint import EVERYTHING, Footprint
from pytest_supercache.core.trace import Step
from pytest_supercache.runtime.kernel.actor import Actor
from pytest_supercache.runtime.kernel.own_code import LAYERS
from pytest_supercache.runtime.kernel.record import Record

MICROSECOND = 1e-6

ORDERED_MAX = 4
"""How many readings of all users together are steps, where two may be shown one time.

Each of them comes before or after each of another user. Later ones are not tried in every order: a
loop that waits for a deadline reads the clock a thousand times.
"""

ORDER = Footprint(frozenset({"clock:readings"}), frozenset({"clock:readings"}))
"""The footprint of a reading that is a step: it is later than all those before it."""


class Readings:
    """The logical clock of each actor of one execution, in microseconds.

    Args:
        record: the steps that were taken.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self._seen = 0
        self._passed: dict[str, int] = {}
        self._written: dict[str, int] = {}
        self._read: dict[str, int] = {}
        self._body = 0
        """The body's logical clock before its users began."""
        self._steps_at: dict[str, int] = {}
        """How many steps each actor had taken when it read the clock last."""
        self._ordered: dict[str, int] = {}
        """How many readings of each actor were steps."""
        self._is_read_on_loops = False
        """Whether coroutines are shown a logical clock."""
        self._shown: dict[tuple[float, int], str] = {}
        """By time, the user who read it first."""

    def next(self, actor: Actor, *, is_step: bool = False) -> int:
        """Return the logical clock, in microseconds, of an actor that reads the clock now.

        It is 0 for coroutines whose readings are in no footprint: how they depend on each other is
        not known.

        Args:
            actor: reads the clock.
            is_step: the actor has just taken a step to do so, or its last step depends on all such
                readings before it.
        """
        actor.writes += 1  # a loop that reads the clock is in a new state each time
        if actor.is_task or actor.loop is not None:
            return self._next_of_loop(actor) if is_step or actor.direct else 0
        steps = self._record.steps
        if self._passed:
            for step in steps[self._seen :]:
                self._take_in(step)
        self._seen = len(steps)
        name = actor.name
        # What the body reads comes after all that was read. So does what a thread reads beside
        # coroutines, whose steps do not tell what they have read.
        if actor.direct or self._is_read_on_loops:
            passed = self.latest()
            self._body = passed + 1
        else:
            passed = self._passed.get(name, max(self._body, self._written.get(actor.born, 0)))
        self._passed[name] = passed + 1
        if is_step:
            self._let_know(ORDER, passed + 1)
        return passed + 1

    def _next_of_loop(self, actor: Actor) -> int:
        """Return the same for code on an event loop: it is later than all that was read."""
        latest = self.latest()
        if actor.direct:
            return latest
        self._is_read_on_loops = True
        self._passed[actor.name] = latest + 1
        self._let_know(ORDER, latest + 1)
        return latest + 1

    def latest(self) -> int:
        """Return the latest logical clock of all actors, in microseconds."""
        return max(self._passed.values(), default=0)

    def note_reading(self, actor: Actor) -> bool:
        """Note a reading; return whether the actor has read the clock before in the same step.

        Readings of coroutines and in declared calls do not count: they are one step on purpose.
        """
        if actor.direct or actor.is_task or actor.loop is not None or actor.inherited:
            return False
        is_repeated = self._steps_at.get(actor.name) == actor.taken
        self._steps_at[actor.name] = actor.taken
        return is_repeated

    def count_reading(self, actor: Actor, users: int) -> bool:
        """Count a reading by a thread; return whether it is to be a step of its own.

        The first ``ORDERED_MAX`` readings are, divided among the users. A declared call and the
        code of a coroutine up to its next await are one step, so readings inside are none.
        """
        if actor.direct or actor.is_task or actor.loop is not None or actor.inherited:
            return False
        ordered = self._ordered[actor.name] = self._ordered.get(actor.name, 0) + 1
        return ordered <= max(1, ORDERED_MAX // users)

    def is_shown_to_two(self, actor: Actor, now: float, passed: int) -> bool:
        """Say whether another user has been shown the very time that an actor is shown now.

        Neither had heard of the other. In production one of the two would have been earlier.
        """
        if actor.direct:
            return False
        user = actor.name.partition("/")[0]
        return self._shown.setdefault((now, passed), user) != user

    def note_end(self, actor: Actor, footprint: Footprint) -> None:
        """Pass on an actor's logical clock at the end of a critical section, which is one step."""
        if not self._passed:
            return
        steps = self._record.steps
        for step in steps[self._seen :]:
            self._take_in(step)
        self._seen = len(steps)
        self._let_know(footprint, self._passed.get(actor.name, 0))

    def _take_in(self, step: Step) -> None:
        """Advance the clock of a step's actor to the latest of the steps it depends on."""
        reads, writes = step.footprint.reads, step.footprint.writes
        passed = self._passed.get(step.actor, self._body if self._passed else 0)
        for resource in reads | writes:
            passed = max(passed, *self._known(self._written, resource))
        for resource in writes:
            passed = max(passed, *self._known(self._read, resource))
        if not passed:
            return
        self._passed[step.actor] = passed
        self._let_know(step.footprint, passed)

    def _let_know(self, footprint: Footprint, passed: int) -> None:
        self._read.update(
            (resource, self._latest(self._read, resource, passed)) for resource in footprint.reads
        )
        self._written.update(
            (resource, self._latest(self._written, resource, passed))
            for resource in footprint.writes
        )

    def _known(self, table: dict[str, int], resource: str) -> tuple[int, int]:
        if resource == EVERYTHING:
            return 0, max(table.values(), default=0)
        return table.get(resource, 0), table.get(EVERYTHING, 0)

    def _latest(self, table: dict[str, int], resource: str, passed: int) -> int:
        return max(table.get(resource, 0), passed)


def reader() -> str:
    """Return the name of the module that is reading the clock; empty: it has none.

    It is asked by the function that the stand-in for a clock calls, so the reader is three frames
    up, or further.
    """
    frame: Any = sys._getframe(3)
    while frame is not None:
        name = frame.f_globals.get("__name__")
        if type(name) is str and not _is_on_the_way(name):
            return name
        frame = frame.f_back
    return ""


@cache
def is_of_client(name: str) -> bool:
    """Say whether a module is of a client or a server whose readings decide about no entry.

    Which keys have expired when a server reads the clock is in the footprints of its commands. But
    the lock of a client gives up by the clock.
    """
    if name.startswith(LAYERS):
        return True
    return name.partition(".")[0] in _CLIENTS and not name.endswith(_DECIDING)


_CLIENTS = frozenset({"redis", "valkey", "fakeredis", "lupa", "asyncio", "selectors"})
_DECIDING = (".lock", ".keyspace_notifications")
"""Modules of clients that go on in one way or another, depending on what the clock shows."""


@cache
def _is_on_the_way(name: str) -> bool:
    return name.startswith(_ON_THE_WAY) and not name.startswith(LAYERS)


_ON_THE_WAY = ("freezegun.", "pytest_supercache.")
"""Prefixes of callers to skip; layers read the clock for themselves, to see which keys live."""
