"""Random schedules: at every point each actor that may go on is as likely as the others."""

import random

from pytest_supercache.core.schedule import Choices
from pytest_supercache.core.verdict import End
from pytest_supercache.search.estimate import Estimate
from pytest_supercache.search.search import Attempt


class FreeChoice:
    """Chooses anybody who may go on."""

    def __init__(self, source: random.Random) -> None:
        self._source = source
        self.one_over_p = 1.0  # of the whole walk so far

    def choose(self, choices: Choices) -> str | None:
        """Name one of them."""
        self.one_over_p *= len(choices.enabled)
        return self._source.choice(choices.enabled)


class RandomWalk:
    """Tries random schedules until it is ended from outside. It can never exhaust anything."""

    def __init__(self, seed: int) -> None:
        self._source = random.Random(seed)
        self.size = Estimate()
        """How much there is, as far as the walks can tell."""

    def explore(self, attempt: Attempt) -> End:
        """Try schedules for ever; the same seed tries the same ones."""
        while True:
            walk = FreeChoice(random.Random(self._source.getrandbits(64)))
            self.size.add(attempt(walk), walk.one_over_p)
