"""The generic search: every order that the answers allow, in step with the events.

After Wing and Gong ("Testing and Verifying Concurrent Objects", J. Parallel Distrib. Comput. 1993)
and Lowe ("Testing for linearizability", Concurrency Computat. Pract. Exper. 2017): a configuration
is the state of the object and the set of open calls that have already taken effect; a call takes
effect no earlier than the return of some call forces it to ("just in time"), and a configuration
is never examined twice. When no configuration survives a return, the events up to it have no order.

What we add, because each of them only leaves out what another configuration makes up for:

- A pure call goes as soon as its answer fits.
- Of equal calls the one that returns first goes first.
- Fewer spent calls of unknown outcome and fewer pure calls that still wait are better: a
  configuration that is worse than another one with the same state is dropped (``burden``).
- A configuration that leaves a value that somebody still has to read, and to which nothing can lead
  back, is dropped (``_strands``).
- A replacing write whose value nobody asks for goes, unseen, just before the next replacement.
"""

from bisect import insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from pytest_supercache.core.verdict import Verdict
from pytest_supercache.oracle.linear.problem import ANYTHING, ILLEGAL, Problem
from pytest_supercache.oracle.linear.states import OTHER, State

Taken = tuple[State, int]
"""The state, and the set of open changing calls that took effect."""


Configuration = tuple[State, int, int]
"""The same with one burden."""


class Configurations:
    """What may have happened so far: for each state and set of effects the least burdens.

    A burden is a set of calls: those of unknown outcome that were spent, and the pure ones that
    still wait for their answer to fit.
    """

    def __init__(self) -> None:
        self.burdens: dict[Taken, list[int]] = {}

    def add(self, taken: Taken, burden: int) -> bool:
        """Add a configuration unless one at least as good is there; say whether it was added."""
        known = self.burdens.get(taken)
        if known is None:
            self.burdens[taken] = [burden]
            return True
        if any(other & ~burden == 0 for other in known):
            return False
        known[:] = [other for other in known if burden & ~other]
        known.append(burden)
        return True


@dataclass(slots=True)
class _Goal:
    """The call that returns now, and what that allows."""

    number: int
    position: int
    bit: int
    pure: bool
    unseen: int  # open writes whose values nobody asks for

    def is_reached(self, effects: int, burden: int) -> bool:
        return not burden & self.bit if self.pure else bool(effects & self.bit)


@dataclass(slots=True)
class Search:
    """A search that can be left and taken up again."""

    problem: Problem
    steps: int = 0
    verdict: Verdict | None = None
    failed_at: int | None = None  # the return that no order allows
    _allowance: int = 0
    _slots: int = 0  # bits ever in use; a bit is used again when its call has returned
    _now: Configurations = field(default_factory=Configurations)
    _open_pure: dict[int, int] = field(default_factory=dict)  # call -> its bit
    _open_changes: list[int] = field(default_factory=list)  # in the order of their returns
    _bits: dict[int, int] = field(default_factory=dict)
    _free_bits: list[int] = field(default_factory=list)
    _progress: Iterator[None] | None = None

    def advance(self, steps: int) -> Verdict | None:
        """Try about ``steps`` more configurations; None when that was not enough."""
        self._allowance = steps
        if self._progress is None:
            for state in self.problem.initials:
                self._now.add((state, 0), 0)
            self._progress = self._run()
        next(self._progress, None)
        return self.verdict

    def _spend(self, steps: int) -> bool:
        """Count, and say whether the allowance is used up."""
        self.steps += steps
        self._allowance -= steps
        return self._allowance <= 0

    def _run(self) -> Iterator[None]:
        for position, is_return, number in self.problem.events():
            if position > self.problem.last_asked:
                break
            if not is_return:
                self._open(number)
            else:
                yield from self._close(number, position)
                if not self._now.burdens:
                    self.failed_at = position
                    self.verdict = Verdict.VIOLATED
                    return
            if self._spend(len(self._now.burdens)):
                yield
        self.verdict = Verdict.HOLDS

    def _open(self, number: int) -> None:
        table = self.problem.tables[number]
        if not self._free_bits:
            self._free_bits.append(1 << self._slots)
            self._slots += 1
        bit = self._bits[number] = self._free_bits.pop()
        if not table.pure:
            tables = self.problem.tables
            insort(self._open_changes, number, key=lambda at: tables[at].call.returned_at)
            return
        self._open_pure[number] = bit
        for (state, _), burdens in self._now.burdens.items():
            if not self.problem.allows(number, state):
                burdens[:] = [burden | bit for burden in burdens]

    def _close(self, number: int, position: int) -> Iterator[None]:
        """Keep the configurations in which the returning call has taken effect, or makes it so."""
        goal = self._goal(number, position)
        after, waiting, seen = Configurations(), deque[Configuration](), Configurations()
        for (state, effects), burdens in self._now.burdens.items():
            for burden in burdens:
                self._sort((state, effects, burden), goal, after, waiting)
        while waiting:
            for state, effects, burden in self._successors(waiting.popleft(), goal):
                if seen.add((state, effects), burden):
                    self._sort((state, effects, burden), goal, after, waiting)
            if self._spend(1 + len(self._open_changes)):
                yield
        self._now = after
        self._open_pure.pop(number, None)
        if not goal.pure:
            self._open_changes.remove(number)
        self._free_bits.append(self._bits.pop(number))

    def _sort(
        self,
        configuration: Configuration,
        goal: _Goal,
        after: Configurations,
        waiting: deque[Configuration],
    ) -> None:
        """Put a configuration to those that reached the goal or to those that still have to."""
        state, effects, burden = configuration
        if not goal.is_reached(effects, burden):
            waiting.append(configuration)
            return
        if self.problem.states.asked_until(state) <= goal.position:
            state = OTHER
        after.add((state, effects & ~goal.bit), burden & ~goal.bit)

    def _goal(self, number: int, position: int) -> _Goal:
        tables, unseen = self.problem.tables, 0
        if self.problem.last_forbidden < position:
            for at in self._open_changes:
                table = tables[at]
                replaces = table.replaces or table.appends is not None
                if replaces and table.wanted_until < position and table.call.returned:
                    unseen |= self._bits[at]
        return _Goal(number, position, self._bits[number], tables[number].pure, unseen)

    def _successors(self, configuration: Configuration, goal: _Goal) -> Iterator[Configuration]:
        """Yield what one more call can make of a configuration."""
        state, effects, burden = configuration
        problem, tried = self.problem, set[object]()
        for number in self._open_changes:
            table, bit = problem.tables[number], self._bits[number]
            if (effects | burden) & bit or table.action in tried:
                continue
            tried.add(table.action)
            new = problem.after(number, state)
            if new is ILLEGAL:
                continue
            if problem.states.asked_until(new) < goal.position:
                new = OTHER
            done, cost = effects, burden
            if table.call.returned:
                done |= bit | (goal.unseen if table.replaces else 0)
            else:
                cost |= bit
            cost = self._without_fitting(cost, new)
            if not self._strands(state, new, done, cost, goal.position):
                yield new, done, cost

    def _without_fitting(self, burden: int, state: State) -> int:
        """Let the pure calls go that waited for ``state``."""
        for number, bit in self._open_pure.items():
            if burden & bit and self.problem.allows(number, state):
                burden &= ~bit
        return burden

    def _strands(self, old: State, new: State, effects: int, burden: int, position: int) -> bool:
        """Say whether going from ``old`` to ``new`` leaves an answer that nothing can explain."""
        for wanted in self.problem.states.left_behind(old, new):
            asked_by = self._first_return(wanted, effects, burden, position)
            if asked_by >= self.problem.next_source(wanted, position):
                continue
            if not any(
                self.problem.is_source(number, wanted)
                for number in self._open_changes
                if not (effects | burden) & self._bits[number]
            ):
                return True
        return False

    def _first_return(self, wanted: State, effects: int, burden: int, position: int) -> int:
        """Return the first return of the calls that still have to meet ``wanted``."""
        problem = self.problem
        first = problem.first_return_of_askers(wanted, position)
        for number, bit in self._open_pure.items():
            table = problem.tables[number]
            if burden & bit and table.needs is not ANYTHING and table.needs == wanted:
                first = min(first, table.call.returned_at)
        for number in self._open_changes:
            table = problem.tables[number]
            if table.call.returned and table.needs == wanted and not effects & self._bits[number]:
                first = min(first, table.call.returned_at)
        return first
