"""Probabilistic concurrency testing: few preemptions, at random places, with a known chance.

Every actor has a random priority and the highest that may go on goes on; at d-1 random steps the
actor that is about to move falls below all others. A violation that d orderings of steps force is
met by one such run with probability at least 1/(n k^(d-1)), for n actors and at most k steps
(Burckhardt, Kothari, Musuvathi, Nagarakatte: ASPLOS 2010). Runs whose k turned out too small are
not counted for that bound.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.schedule import Choices
from pytest_supercache.core.verdict import End
from pytest_supercache.search.search import Attempt
from pytest_supercache.search.uniform import Uniform

DEPTHS = (2, 3)
"""The depths of runs: few conflicts of two caches need more orderings (1 of 34 classes)."""

PAIRS = 4
"""The number of runs of each depth between two uniform walks, which estimate the size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MissBound:
    """An upper bound of the probability that a violation was missed.

    ``runs`` counts, by depth, runs whose k was at least the longest run; ``steps`` is that k.
    """

    actors: int
    steps: int
    runs: Mapping[int, int]

    def missed(self, depth: int) -> float:
        """Return the highest probability that no run met a violation of this depth or less."""
        chance = 1.0
        for tried, runs in self.runs.items():
            if tried >= depth:
                chance *= (1 - hit_bound(self.actors, self.steps, tried)) ** runs
        return chance


def hit_bound(actors: int, steps: int, depth: int) -> float:
    """Return 1/(n k^(d-1)): the lowest probability that one run meets a violation."""
    return 1 / (actors * float(steps) ** (depth - 1))


class Priorities:
    """One run of PCT.

    Args:
        source: the generator of priorities and change points.
        depth: one more than the number of priority changes.
        steps: changes come at one of this many first steps.
    """

    def __init__(self, source: random.Random, depth: int, steps: int) -> None:
        self._source = source
        self._changes = [source.randint(1, steps) for _ in range(depth - 1)]
        self.priorities: dict[str, float] = {}

    def choose(self, choices: Choices) -> str | None:
        """Return the actor of the highest priority, after the change that is due at this step."""
        for name in choices.enabled:  # independent numbers are as good as a permutation
            if name not in self.priorities:
                self.priorities[name] = len(self._changes) + self._source.random()
        highest = self._highest(choices)
        for number, at in enumerate(self._changes):
            if at == choices.taken + 1:
                self.priorities[highest] = number
                return self._highest(choices)
        return highest

    def _highest(self, choices: Choices) -> str:
        return max(choices.enabled, key=lambda name: self.priorities[name])


class Pct:
    """Tries PCT schedules of depth 2 and 3 in turn, until ``attempt`` ends the search.

    Args:
        seed: the same seed tries the same schedules.
        first: the choices of a run that is already known.
    """

    def __init__(self, seed: int, first: tuple[str, ...]) -> None:
        self._source = random.Random(seed)
        self._uniform = Uniform(self._source.getrandbits(64), first)
        self._actors = set(first)
        self._steps = max(len(first), 1)
        self._runs = dict.fromkeys(DEPTHS, 0)
        self.size = self._uniform.size
        """The size of the search space, as the uniform walks estimate it."""

    @property
    def bound(self) -> MissBound:
        """The bound that the runs so far prove."""
        return MissBound(actors=max(len(self._actors), 1), steps=self._steps, runs=dict(self._runs))

    def explore(self, attempt: Attempt) -> End:
        """Try schedules without end."""
        while True:
            self._learn(self._uniform.walk(attempt))
            for _ in range(PAIRS):
                for depth in DEPTHS:
                    self._run(attempt, depth)

    def _run(self, attempt: Attempt, depth: int) -> None:
        source = random.Random(self._source.getrandbits(64))
        priorities = Priorities(source, depth, self._steps)
        execution = attempt(priorities)
        self._actors.update(priorities.priorities)
        self._runs[depth] += 1
        self._learn(execution)

    def _learn(self, execution: Execution) -> None:
        self._actors.update(execution.schedule.choices)
        if len(execution.schedule.choices) > self._steps:
            self._steps = len(execution.schedule.choices)
            self._runs = dict.fromkeys(DEPTHS, 0)
