"""Executes every interleaving, up to equivalence, exactly once.

Optimal-DPOR (Abdulla, Aronsson, Jonsson and Sagonas, "Source sets: a foundation for optimal dynamic
partial order reduction", JACM 64(4), 2017) by re-execution: only what a real execution recorded is
used. A path of nodes leads to the present execution; each node knows which actors need not be tried
from it (its sleep set) and which continuations it still owes (its wakeup tree). After every
execution the races in it are reversed where they can be, and the deepest node that owes something
is continued.

An interleaving with early ticks of the clock is a sequence of parts without: every set of events
that happen before such a tick, and after which the clock may move, is the root of a search of its
own. Each trace has one: timeless events come after the tick unless others need them before it.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from pytest_supercache.core.errors import NotDeterministicError
from pytest_supercache.core.execution import Execution
from pytest_supercache.core.schedule import CLOCK
from pytest_supercache.core.trace import Step
from pytest_supercache.core.verdict import End
from pytest_supercache.core.waits import WaitState
from pytest_supercache.search.downsets import downsets, ways_to_begin
from pytest_supercache.search.events import (
    BEGUN,
    Dependence,
    StepEvent,
    TraceKey,
    events_of,
    order,
    trace_key,
)
from pytest_supercache.search.knowledge import Knowledge
from pytest_supercache.search.races import Races
from pytest_supercache.search.search import Attempt
from pytest_supercache.search.wakeup import initial, insert
from pytest_supercache.search.walk import Node, ReductionAlarm, Root, SystematicWalk

Seen = Callable[[TraceKey, Sequence[StepEvent], Execution], None]
"""Called with every interleaving, and the execution that represents it."""


def _ignore(_key: TraceKey, _events: Sequence[StepEvent], _execution: Execution) -> None:
    pass


class Exhaustive:
    """Executes every interleaving up to equivalence once.

    Args:
        seen: called with each of them.
        is_hopeless: called before each run with a lower bound of the number of runs left; True
            stops the search.
    """

    def __init__(
        self, seen: Seen = _ignore, is_hopeless: Callable[[int], bool] = lambda _owed: False
    ) -> None:
        self._seen = seen
        self.is_hopeless = is_hopeless
        self._knowledge = Knowledge()
        self._keys: set[TraceKey] = set()
        self._roots: deque[Root] = deque([Root()])
        self._owed = 0  # sequels in the wakeup trees of the present path
        self._parts: dict[TraceKey, bool] = {}  # what may come before an early tick: was it tried?
        self.blocked = 0
        """Runs that could only repeat an interleaving; 0 unless something is wrong."""
        self.probes = 0
        """Runs that only showed that the clock cannot move there."""

    @property
    def dependence(self) -> Dependence:
        """Tells which footprints depend on each other."""
        return self._knowledge.dependence

    @property
    def waits(self) -> Mapping[str, WaitState]:
        """The wait objects as they are before any step."""
        return self._knowledge.waits

    def can_wait(self, actor: str, steps: Sequence[Step]) -> bool:
        """Say whether an actor that begins after these steps only waits, and takes no step."""
        return self._knowledge.can_wait(actor, steps)

    def explore(self, attempt: Attempt) -> End:
        """Execute every interleaving.

        Raises:
            ReductionAlarm: the reduction cannot be trusted.
        """
        try:
            while self._roots:
                root = self._roots.popleft()
                if not self._explore_from(root, attempt):
                    return End.OUT_OF_BUDGET
            return End.EXHAUSTED
        finally:
            self._seen = _ignore  # it may refer to this search: a circle is left to the collector

    def _explore_from(self, root: Root, attempt: Attempt) -> bool:
        """Explore all continuations of the choices ``root``; False: the search is given up."""
        nodes: list[Node] = []
        events: list[StepEvent] = []
        base = 0
        script = root.choices
        while True:
            if self.is_hopeless(len(self._roots) + self._owed):
                return False
            walk = SystematicWalk(script, nodes, root, self._knowledge)
            known = max(base + len(nodes) - 1, 0)
            execution = attempt(walk)
            if walk.is_impossible:
                self.probes += 1
                return True
            _heed_alarms(execution)
            walk.finish(execution)
            events = self._absorb(events[:known], execution)
            base = len(events) - len(nodes)
            if walk.is_blocked:
                self.blocked += 1
                raise ReductionAlarm("a run could only have repeated an interleaving")
            self._note(events, execution)
            self._reverse_races(events, base, nodes, execution)
            if execution.saw_deadline:
                self._owe_early_ticks(events, base, execution, walk)
            if not _back_up(nodes):
                assert not self._owed, "every sequel that was inserted has been executed"
                return True
            self._owed -= 1
            done = len(root.choices)
            if len(nodes) > 1:
                done = _choices_to(events[base + len(nodes) - 2])
            script = (*execution.schedule.choices[:done], nodes[-1].branches[0].actor)

    def _absorb(self, known: list[StepEvent], execution: Execution) -> list[StepEvent]:
        """Return the events of an execution whose first events are ``known``."""
        dependence = self._knowledge.dependence
        events, _ = events_of(execution.steps, execution.schedule.choices, dependence, known)
        if events[: len(known)] != known:
            raise NotDeterministicError(_difference(known, events))
        order(events, len(known), dependence)
        self._knowledge.learn(events, len(known), execution)
        return events

    def _note(self, events: Sequence[StepEvent], execution: Execution) -> None:
        key = trace_key(events)
        if key in self._keys:
            self.blocked += 1
            raise ReductionAlarm("an interleaving was executed twice")
        self._keys.add(key)
        self._seen(key, events, execution)

    def _reverse_races(
        self, events: list[StepEvent], base: int, nodes: list[Node], execution: Execution
    ) -> None:
        dependence = self._knowledge.dependence
        races = Races(events, base, execution.waiting, dependence, self._knowledge.waits)
        for at, sequel in races.reversals():
            node = nodes[at - base]
            for actor, footprint in node.sleep.items():
                if initial(actor, footprint, sequel, dependence) is not None:
                    break
            else:
                self._owed += insert(node.branches, sequel, dependence)

    def _owe_early_ticks(
        self, events: list[StepEvent], base: int, execution: Execution, walk: SystematicWalk
    ) -> None:
        """Make a root of each part of an execution after which the clock may move early."""
        firsts = self._knowledge.firsts if execution.actors else ()
        begin = [name for name in firsts if "@" not in name and name not in execution.begun]
        early = walk.early(execution)
        for mask in downsets(events, base):
            part = [event for at, event in enumerate(events) if mask >> at & 1]
            if len(part) == len(events):
                continue  # nobody can go on, so that a tick would not be early
            actors = {event.actor for event in part}
            waiting = [name for name in begin if name not in actors]
            key = trace_key(part)
            is_prefix = mask == (1 << len(part)) - 1
            for begun, choices in ways_to_begin(part, waiting, self._knowledge.can_wait):
                place = key | {(CLOCK, BEGUN, frozenset((actor, BEGUN) for actor in begun))}
                if place in self._parts:
                    continue
                may_be = not is_prefix or early.get((len(part), begun), True)
                self._parts[place] = may_be
                if may_be:
                    self._roots.append(Root((*choices, CLOCK), len(part), begun))


def _heed_alarms(execution: Execution) -> None:
    """Raise the evidence against the reduction that a run has found, even inside the body."""
    if isinstance(execution.failure, ReductionAlarm):
        raise execution.failure
    if execution.undeclared:
        raise ReductionAlarm(f"steps touch more than they say: {execution.undeclared[0]}")


def _difference(known: Sequence[StepEvent], events: Sequence[StepEvent]) -> str:
    """Say where the same schedule led to different events."""
    at, event = next(
        (at, one) for at, one in enumerate(known) if at >= len(events) or events[at] is not one
    )
    again = "nothing" if at >= len(events) else repr(events[at].step.label)
    return (
        f"step {at + 1} of the same schedule was {event.actor}: {event.step.label!r} in one run "
        f"and {again} in another"
    )


def _choices_to(event: StepEvent) -> int:
    """Return the number of choices up to an event, its own included."""
    assert event.step.choice is not None, "events are steps that a choice led to"
    return event.step.choice + 1


def _back_up(nodes: list[Node]) -> bool:
    """Backtrack to the deepest node with branches left; False if there is none."""
    while nodes:
        node = nodes[-1]
        done = node.branches.pop(0)
        node.sleep[done.actor] = done.footprint
        if node.branches:
            return True
        nodes.pop()
    return False
