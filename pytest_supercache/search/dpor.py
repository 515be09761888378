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
from dataclasses import dataclass, field

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
from pytest_supercache.search.frontier import (
    Explored,
    Frontier,
    Part,
    Remainder,
    Subtree,
    labels_of,
    node_of,
    sent_node,
)
from pytest_supercache.search.knowledge import Knowledge
from pytest_supercache.search.races import Races
from pytest_supercache.search.search import Attempt, Interrupted
from pytest_supercache.search.wakeup import insert, is_asleep, uncovered
from pytest_supercache.search.walk import Node, ReductionAlarm, Root, SystematicWalk

Seen = Callable[[TraceKey, Sequence[StepEvent], Execution], None]
"""Called with every interleaving, and the execution that represents it."""


def _ignore(_key: TraceKey, _events: Sequence[StepEvent], _execution: Execution) -> None:
    pass


@dataclass(slots=True)
class _Path:
    """The present path of a search, from a root to the run that comes next."""

    root: Root
    script: tuple[str, ...]
    nodes: list[Node] = field(default_factory=list)
    kept: int = 0  # the number of leading nodes whose branches a frontier owns
    events: list[StepEvent] = field(default_factory=list)
    base: int = 0  # events before the first node

    def left(self, dependence: Dependence) -> Remainder:
        """Return the nodes on whose branches somebody else may go on, from the top."""
        if len(self.nodes) == self.kept:
            return Remainder()
        before = self.events[: self.base + len(self.nodes) - 1]
        places = [_choices_to(event) for event in before[self.base :]]
        return Remainder(
            path=tuple(
                sent_node(node, dependence, has_begun=node is not self.nodes[-1])
                for node in self.nodes[self.kept :]
            ),
            choices=self.script[:-1],
            places=(len(self.root.choices), *places)[self.kept :],
            labels=labels_of(before),
        )


class Exhaustive:
    """Executes every interleaving up to equivalence once.

    Args:
        seen: called with each of them.
        is_hopeless: called before each run with a lower bound of the number of runs left; True
            stops the search.
        knowledge: what another search in this process has learnt about the program.
    """

    def __init__(
        self,
        seen: Seen = _ignore,
        is_hopeless: Callable[[int], bool] = lambda _owed: False,
        knowledge: Knowledge | None = None,
    ) -> None:
        self._seen = seen
        self.is_hopeless = is_hopeless
        self._knowledge = Knowledge() if knowledge is None else knowledge
        self._keys: set[TraceKey] = set()
        self._roots: deque[Root] = deque([Root()])
        self._path = _Path(Root(), ())
        self._owed = 0  # sequels in the wakeup trees of the present path
        self._parts: dict[TraceKey, Part] = {}  # what may come before an early tick
        self._reversals: dict[tuple[int, tuple[tuple[str, int], ...]], None] = {}
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
            Interrupted: ``attempt`` has; what is left is in :meth:`frontier`.
            ReductionAlarm: the reduction cannot be trusted.
        """
        try:
            while self._roots:
                root = self._roots.popleft()
                if not self._explore_from(_Path(root, root.choices), attempt):
                    return End.OUT_OF_BUDGET
            return End.EXHAUSTED
        finally:
            self._seen = _ignore  # it may refer to this search: a circle is left to the collector

    def frontier(self) -> Frontier:
        """Return what is left to explore after an interruption."""
        path = self._path
        if not path.nodes:  # the run from this root has not begun
            self._roots.appendleft(path.root)
        return Frontier(
            self.dependence, self._parts, self._roots, path.root, path.left(self.dependence)
        )

    def explore_subtree(self, subtree: Subtree, attempt: Attempt) -> Explored:
        """Execute the interleavings of a subtree that a frontier has handed out.

        That is all that a search which does so explores. ``attempt`` may raise
        :class:`Interrupted`: the rest is returned.

        Raises:
            Interrupted: nothing was executed.
            ReductionAlarm: the reduction cannot be trusted.
        """
        nodes = [node_of(one, self.dependence) for one in subtree.path]
        path = _Path(subtree.root, subtree.script, nodes, len(nodes))
        left = Remainder()
        try:
            is_explored = self._explore_from(path, attempt, subtree.labels)
            assert is_explored, "a subtree has no budget that its search could give up for"
        except Interrupted:
            if not path.events:
                raise  # nothing was explored: that is not "nothing is left"
            left = path.left(self.dependence)
        return Explored(
            reversals=tuple(
                (at, tuple((actor, self.dependence.footprint(number)) for actor, number in sequel))
                for at, sequel in self._reversals
            ),
            left=left,
            parts=tuple(self._parts.items()),
        )

    def _explore_from(
        self, path: _Path, attempt: Attempt, labels: tuple[tuple[str, str], ...] = ()
    ) -> bool:
        """Explore all continuations of a path; False: the search is given up."""
        self._path, nodes, root = path, path.nodes, path.root
        while True:
            if self.is_hopeless(len(self._roots) + self._owed):
                return False
            walk = SystematicWalk(path.script, nodes, root, self._knowledge)
            known = max(path.base + len(nodes) - 1, 0)
            execution = attempt(walk)
            if walk.is_impossible:
                self.probes += 1
                return True
            _heed_alarms(execution)
            walk.finish(execution)
            events = path.events = self._absorb(path.events[:known], execution)
            path.base = len(events) - len(nodes)
            _compare_with_told(path, labels)
            if walk.is_blocked:
                self.blocked += 1
                raise ReductionAlarm("a run could only have repeated an interleaving")
            self._note(events, execution)
            self._reverse_races(path, execution)
            if execution.saw_deadline:
                self._owe_early_ticks(events, path.base, execution, walk)
            if not _back_up(nodes, path.kept):
                assert not self._owed, "every sequel that was inserted has been executed"
                return True
            self._owed -= 1
            done = len(root.choices)
            if len(nodes) > 1:
                done = _choices_to(events[path.base + len(nodes) - 2])
            path.script = (*execution.schedule.choices[:done], nodes[-1].branches[0].actor)

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

    def _reverse_races(self, path: _Path, execution: Execution) -> None:
        dependence, base = self._knowledge.dependence, path.base
        races = Races(path.events, base, execution.waiting, dependence, self._knowledge.waits)
        for at, sequel in races.reversals():
            node = path.nodes[at - base]
            if is_asleep(node.sleep, sequel, dependence):
                continue
            if at - base >= path.kept:
                self._owed += insert(node.branches, sequel, dependence)
            elif uncovered(node.branches, sequel, dependence) is not None:
                self._reversals[at - base, tuple(sequel)] = None  # for the frontier

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
                root = Root((*choices, CLOCK), len(part), begun) if may_be else None
                self._parts[place] = root
                if root is not None:
                    self._roots.append(root)


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


def _compare_with_told(path: _Path, labels: Sequence[tuple[str, str]]) -> None:
    """Compare the first events of a run with those that another process has told of.

    Raises:
        NotDeterministicError: they are others.
    """
    told = [
        (node.branches[0].actor, node.branches[0].footprint) for node in path.nodes[: path.kept]
    ]
    met = [(event.actor, event.footprint) for event in path.events[path.base :][: path.kept]]
    if met != told or labels_of(path.events[: len(labels)]) != tuple(labels):
        raise NotDeterministicError("the same schedule led to other steps in another process")


def _back_up(nodes: list[Node], kept: int) -> bool:
    """Backtrack to the deepest node with branches left; False if there is none.

    The first ``kept`` nodes are not this search's own.
    """
    while len(nodes) > kept:
        node = nodes[-1]
        done = node.branches.pop(0)
        node.sleep[done.actor] = done.footprint
        if node.branches:
            return True
        nodes.pop()
    return False
