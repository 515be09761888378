"""Counts schedules: exactly where that is cheap, by Knuth's estimate elsewhere.

One recorded run is enough to count the schedules of programs that always take the same steps:
n!/(a! b! ...) without locks, dynamic programming over positions and wait objects with them. (The
schedules of one interleaving are its linear extensions: see ``orders``.)
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from math import factorial, isfinite, prod, sqrt
from typing import TypeVar

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.switch import CONDITION
from pytest_supercache.core.waits import Wait, WaitState

_Node = TypeVar("_Node", bound=Hashable)

STATES_MAX = 50_000
"""A program with more states than this is not counted."""


def merges(counts: Iterable[int]) -> int:
    """Return in how many ways straight programs with these numbers of steps can be merged."""
    counts = tuple(counts)
    return factorial(sum(counts)) // prod(map(factorial, counts))


def merges_of(execution: Execution) -> int:
    """Return in how many ways the choices of a run could be ordered if no actor ever waited."""
    return merges(Counter(execution.schedule.choices).values())


# -- programs with locks ---------------------------------------------------------------------------


def schedules_like(execution: Execution, states_max: int = STATES_MAX) -> int | None:
    """Count the schedules of the program that always takes the steps of this run.

    Returns:
        The exact number, or None: other things than locks, flags and counters block actors,
        the run shows only a part of the program, or there are too many states.
    """
    program = _program_of(execution)
    if program is None:
        return None
    if not program.waits:
        return merges(map(len, program.steps.values()))
    return _count_paths(program.start(), program.successors, states_max)


_Waits = tuple[WaitState, ...]
_State = tuple[tuple[int, ...], _Waits]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Program:
    """The waits of each actor, choice by choice, and the wait objects at the start."""

    steps: dict[str, list[Wait | None]]
    waits: dict[str, WaitState]

    def start(self) -> _State:
        return tuple(-1 for _ in self.steps), tuple(self.waits.values())

    def successors(self, state: _State) -> list[_State]:
        """Return the states after each choice; position -1: the entry code has not run."""
        positions, waits = state
        objects = dict(zip(self.waits, waits, strict=True))
        found = []
        for at, (actor, steps) in enumerate(self.steps.items()):
            position = max(positions[at], 0)
            if position == len(steps):
                continue
            wait = steps[position]
            after = waits
            moved = position + 1
            if wait is not None:
                if not wait.guarded or objects[wait.object].allows(actor, wait.verb):
                    changed = objects[wait.object].after(actor, wait.verb)
                    after = tuple((objects | {wait.object: changed}).values())
                elif positions[at] == -1:
                    moved = 0  # the first lines run, the first step has to wait
                else:
                    continue
            found.append(((*positions[:at], moved, *positions[at + 1 :]), after))
        return found


def _program_of(execution: Execution) -> _Program | None:
    if execution.blocked or not execution.complete or _has_parts(execution):
        return None
    taken = {step.choice: step for step in execution.race if step.choice is not None}
    steps: dict[str, list[Wait | None]] = {}
    waits: dict[str, WaitState] = {}
    bare = set()  # actors whose first choice only ran their first lines
    for choice, actor in enumerate(execution.schedule.choices):
        step = taken.get(choice)
        wait = None if step is None else step.wait
        mine = steps.setdefault(actor, [])
        if "@" in actor or (step is not None and (step.cause or step.label.startswith(CONDITION))):
            return None  # enabled by what others did
        if wait is not None:
            if step is None or step.wait_before is None or wait.verb == "try":
                return None  # a deadline or an attempt: what follows depends on it
            if len(mine) == 1 and actor in bare:
                return None  # did the first lines have to wait, or are they a step of their own?
            waits.setdefault(wait.object, step.wait_before)
        if step is None:
            bare.add(actor)
        mine.append(wait)
    return _Program(steps=steps, waits=waits)


def _has_parts(execution: Execution) -> bool:
    """Say whether a choice led to several steps, of which a later one may have to wait, too."""
    chosen = [step.choice for step in execution.race if step.choice is not None]
    return len(set(chosen)) < len(chosen)


def _count_paths(
    start: _Node, successors: Callable[[_Node], list[_Node]], states_max: int
) -> int | None:
    """Count the paths from ``start`` to states without successors, level by level."""
    level, total, states = {start: 1}, 0, 0
    while level:
        states += len(level)
        if states > states_max:
            return None
        following: dict[_Node, int] = {}
        for state, ways in level.items():
            afterwards = successors(state)
            if not afterwards:
                total += ways
            for after in afterwards:
                following[after] = following.get(after, 0) + ways
        level = following
    return total


# -- estimates -------------------------------------------------------------------------------------


@dataclass(slots=True)
class TreeSize:
    """The number of schedules, estimated from random walks (Knuth, Math. Comp. 29, 1975).

    A walk that has drawn its schedule with probability p stands for 1/p schedules. The mean over
    walks is unbiased for any weights of the choices, as long as none of them is zero.
    """

    walks: int = 0
    _sum: float = 0.0
    _squares: float = 0.0

    def add(self, one_over_p: float) -> None:
        """Add one walk."""
        self.walks += 1
        self._sum += one_over_p
        self._squares += one_over_p * one_over_p

    @property
    def mean(self) -> float | None:
        """The estimate; None before the first walk, and if it is too large for a float."""
        return self._sum / self.walks if self.walks and isfinite(self._squares) else None

    @property
    def error(self) -> float | None:
        """The standard error of the estimate; None if it cannot be estimated."""
        if self.mean is None or self.walks < 2:
            return None
        variance = max(0.0, self._squares / self.walks - self.mean**2)
        return sqrt(variance / (self.walks - 1))
