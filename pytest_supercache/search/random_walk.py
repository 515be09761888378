"""Draws random schedules: at every point all enabled actors are equally likely."""

import random

from pytest_supercache.core.schedule import Choices
from pytest_supercache.core.verdict import End
from pytest_supercache.search.estimate import Estimate
from pytest_supercache.search.search import Attempt


class FreeChoice:
    """Chooses an enabled actor at random."""

    def __init__(self, source: random.Random) -> None:
        self._source = source
        self.one_over_p = 1.0  # of the whole walk so far

    def choose(self, choices: Choices) -> str | None:
        """Return one of the enabled actors."""
        self.one_over_p *= len(choices.enabled)
        return self._source.choice(choices.enabled)


class RandomWalk:
    """Tries random schedules until ``attempt`` ends the search; it never exhausts them."""

    def __init__(self, seed: int) -> None:
        self._source = random.Random(seed)
        self.size = Estimate()
        """The size of the search space, as the walks estimate it."""

    def explore(self, attempt: Attempt) -> End:
        """Try schedules without end; the same seed tries the same ones."""
        while True:
            walk = FreeChoice(random.Random(self._source.getrandbits(64)))
            self.size.add(attempt(walk), walk.one_over_p)
