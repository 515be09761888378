"""The generic search: explores every order that the answers allow, event by event.

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
from pytest_supercache.oracle.linear.call import NEVER
from pytest_supercache.oracle.linear.problem import ANYTHING, ILLEGAL, KeyProblem
from pytest_supercache.oracle.linear.states import OTHER, State

_COMPARISONS_A_STEP = 16

Taken = tuple[State, int]
"""The state, and the set of open changing calls that took effect."""


Configuration = tuple[State, int, int]
"""The same with one burden."""


class Configurations:
    """The configurations so far: for each state and set of effects the least burdens.

    A burden is a set of calls: those of unknown outcome that were spent, and the pure ones that
    still wait for their answer to fit.
    """

    def __init__(self) -> None:
        self.burdens: dict[Taken, list[int]] = {}
        self.compared = 0  # burdens looked at, which is what makes a large set slow

    def add(self, taken: Taken, burden: int) -> bool:
        """Add a configuration unless one at least as good is there; say whether it was added."""
        known = self.burdens.get(taken)
        if known is None:
            self.burdens[taken] = [burden]
            return True
        self.compared += len(known)
        if any(other & ~burden == 0 for other in known):
            return False
        known[:] = [other for other in known if burden & ~other]
        known.append(burden)
        return True


@dataclass(slots=True)
class _Goal:
    """The call that returns now, and what its return allows."""

    number: int
    position: int
    bit: int
    pure: bool
    end: int  # who begins then sees a later change
    unseen: int = 0  # open changes whose effect nobody will see
    hidden: int = 0  # those of them that are certain

    def is_reached(self, effects: int, burden: int) -> bool:
        return not burden & self.bit if self.pure else bool(effects & self.bit)


@dataclass(slots=True)
class LinearSearch:
    """A search that can be suspended and resumed."""

    problem: KeyProblem
    looks_ahead: bool = True  # else slower, but it fails where the history does
    steps: int = 0
    verdict: Verdict | None = None
    failed_at: int = 0  # where no configuration was left
    _allowance: int = 0
    _slots: int = 0  # bits ever in use; a bit is used again when its call has returned
    _now: Configurations = field(default_factory=Configurations)
    _open_pure: dict[int, int] = field(default_factory=dict)  # call -> its bit
    _open_changes: list[int] = field(default_factory=list)  # in the order of their returns
    _bits: dict[int, int] = field(default_factory=dict)
    _free_bits: list[int] = field(default_factory=list)
    _progress: Iterator[None] | None = None

    def advance(self, steps: int) -> Verdict | None:
        """Try about ``steps`` more configurations; None if that was not enough."""
        self._allowance = steps
        if self._progress is None:
            for state in self.problem.initials:
                self._now.add((state, 0), 0)
            self._progress = self._run()
        next(self._progress, None)
        return self.verdict

    def _spend(self, steps: int) -> bool:
        """Count steps, and say whether the allowance is used up."""
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
                    self.verdict, self.failed_at = Verdict.VIOLATED, position
                    return
            if self._spend(len(self._now.burdens)):
                yield
        self.verdict = Verdict.HOLDS

    def _open(self, number: int) -> None:
        constraint = self.problem.constraints[number]
        if not self._free_bits:
            self._free_bits.append(1 << self._slots)
            self._slots += 1
        bit = self._bits[number] = self._free_bits.pop()
        if not constraint.pure:
            constraints = self.problem.constraints
            insort(self._open_changes, number, key=lambda at: constraints[at].call.returned_at)
            return
        self._open_pure[number] = bit
        for (state, _), burdens in self._now.burdens.items():
            if not constraint.fits(state):
                burdens[:] = [burden | bit for burden in burdens]

    def _close(self, number: int, position: int) -> Iterator[None]:
        """Keep the configurations in which the returning call has taken effect, or can do so."""
        bit, pure = self._bits[number], self.problem.constraints[number].pure
        if not pure or self._some_wait_for(bit):
            end = self.problem.next_replaced(position)
            yield from self._reach(_Goal(number, position, bit, pure, end))
        if pure:
            del self._open_pure[number]
        else:
            self._open_changes.remove(number)
        self._free_bits.append(self._bits.pop(number))

    def _some_wait_for(self, bit: int) -> bool:
        for burdens in self._now.burdens.values():
            for burden in burdens:
                if burden & bit:
                    return True
        return False

    def _reach(self, goal: _Goal) -> Iterator[None]:
        after, waiting, seen = Configurations(), deque[Configuration](), Configurations()
        for (state, effects), burdens in self._now.burdens.items():
            for burden in burdens:
                self._sort((state, effects, burden), goal, after, waiting)
        if waiting:
            self._find_unseen(goal)
        while waiting:
            for state, effects, burden in self._successors(waiting.popleft(), goal):
                if seen.add((state, effects), burden):
                    self._sort((state, effects, burden), goal, after, waiting)
            work = (seen.compared + after.compared) // _COMPARISONS_A_STEP
            seen.compared = after.compared = 0
            if self._spend(1 + len(self._open_changes) + work):
                yield
        self._now = after

    def _sort(
        self,
        configuration: Configuration,
        goal: _Goal,
        after: Configurations,
        waiting: deque[Configuration],
    ) -> None:
        """Add a configuration to those that reached the goal, or to those that still have to."""
        state, effects, burden = configuration
        if not goal.is_reached(effects, burden):
            waiting.append(configuration)
            return
        if not self.problem.is_seen(state, goal.position, goal.end):
            state = OTHER
        after.add((state, effects & ~goal.bit), burden & ~goal.bit)

    def _find_unseen(self, goal: _Goal) -> None:
        if self.problem.last_forbidden >= goal.position:
            return  # a compare-and-set that failed may have seen that something was there
        for at in self._open_changes:
            constraint, bit = self.problem.constraints[at], self._bits[at]
            if constraint.seen_until < goal.position and constraint.needs is ANYTHING:
                goal.unseen |= bit
                goal.hidden |= bit if constraint.certain else 0

    def _successors(self, configuration: Configuration, goal: _Goal) -> Iterator[Configuration]:
        """Yield the configurations that one more call can lead to."""
        state, effects, burden = configuration
        problem, tried = self.problem, set[object]()
        for number in self._open_changes:
            constraint, bit = problem.constraints[number], self._bits[number]
            taken = (effects | burden) & bit or (bit & goal.unseen and number != goal.number)
            if taken or constraint.action in tried:
                continue
            tried.add(constraint.action)
            new = problem.after(number, state)
            if new is ILLEGAL:
                continue
            if not problem.is_seen(new, goal.position - 1, goal.end):
                new = OTHER
            done, cost = effects, burden
            if constraint.certain:
                done |= bit
            else:
                cost |= bit
            if new is OTHER or constraint.replaces:
                done |= goal.hidden
            cost = self._without_fitting(cost, new)
            found = (new, done, cost)
            if self.looks_ahead and self._strands(number, state, found, goal.position):
                continue
            yield found

    def _without_fitting(self, burden: int, state: State) -> int:
        """Remove from a burden the pure calls that waited for ``state``."""
        for number, bit in self._open_pure.items():
            if burden & bit and self.problem.constraints[number].fits(state):
                burden &= ~bit
        return burden

    def _strands(self, number: int, old: State, new: Configuration, position: int) -> bool:
        """Say whether a call makes an answer impossible that is still needed."""
        state, effects, burden = new
        for answer in self.problem.states.left_behind(old, state):
            asked_by = self._first_return(answer, effects, burden, position)
            if asked_by >= self.problem.next_source(answer, position):
                continue
            if not any(
                self.problem.is_source(other, answer)
                for other in self._open_changes
                if not (effects | burden) & self._bits[other]
            ):
                return True
        return state is OTHER and self._wastes(number, burden, position)

    def _wastes(self, number: int, burden: int, position: int) -> bool:
        """Say whether an appended text is in no later answer, or is missing in an open one."""
        gets = self.problem.sole_gets(number)
        if gets.next_call(position) != NEVER:
            return True
        constraints = self.problem.constraints
        return any(
            burden & bit and gets.has_call(constraints[pure].call.called_at)
            for pure, bit in self._open_pure.items()
        )

    def _first_return(self, answer: State, effects: int, burden: int, position: int) -> int:
        """Return the first return of the calls that still need ``answer``."""
        problem = self.problem
        first = problem.first_return_of_askers(answer, position)
        for number, bit in self._open_pure.items():
            constraint = problem.constraints[number]
            if burden & bit and constraint.needs is not ANYTHING and constraint.needs == answer:
                first = min(first, constraint.call.returned_at)
        for number in self._open_changes:
            one, is_placed = problem.constraints[number], effects & self._bits[number]
            if one.certain and one.needs == answer and not is_placed:
                first = min(first, one.call.returned_at)
        return first
