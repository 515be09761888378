"""Draws schedules so that all are equally likely, rather than all choices.

An actor is drawn with the weight of the steps it has left (the idea of SURW: Zhao et al., ASPLOS
2025). For straight programs that makes every merge equally likely. How many steps an actor takes is
the average over earlier runs; where runs differ, or actors wait, it is only close to uniform.
"""

import random
from collections import Counter
from collections.abc import Mapping

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.schedule import Choices
from pytest_supercache.core.verdict import End
from pytest_supercache.search.estimate import Estimate
from pytest_supercache.search.search import Attempt


class _Walk:
    """Draws by the steps left; an actor that is unknown, or past its estimate, has one step."""

    def __init__(self, source: random.Random, expected: Mapping[str, float]) -> None:
        self._source = source
        self._left = dict(expected)
        self.one_over_p = 1.0  # of the whole walk so far

    def choose(self, choices: Choices) -> str | None:
        weights = [max(self._left.get(name, 1.0), 1.0) for name in choices.enabled]
        (at,) = self._source.choices(range(len(weights)), weights)
        self.one_over_p *= sum(weights) / weights[at]
        name = choices.enabled[at]
        self._left[name] = self._left.get(name, 1.0) - 1
        return name


class Uniform:
    """Tries schedules uniformly until ``attempt`` ends the search; it never exhausts them.

    Args:
        seed: the same seed tries the same schedules.
        first: the choices of a run that is already known.
    """

    def __init__(self, seed: int, first: tuple[str, ...]) -> None:
        self._source = random.Random(seed)
        self._taken = Counter(first)
        self._runs = 1
        self.size = Estimate()
        """The size of the search space, as the walks estimate it."""

    def explore(self, attempt: Attempt) -> End:
        """Try schedules without end."""
        while True:
            self.walk(attempt)

    def walk(self, attempt: Attempt) -> Execution:
        """Try one schedule, and learn from it how many steps each actor takes."""
        expected = {name: count / self._runs for name, count in self._taken.items()}
        walk = _Walk(random.Random(self._source.getrandbits(64)), expected)
        execution = attempt(walk)
        self.size.add(execution, walk.one_over_p)
        self._taken.update(execution.schedule.choices)
        self._runs += 1
        return execution
