"""Random schedules: at every point each actor that may go on is as likely as the others."""

import random

from pytest_supercache.core.schedule import Choices
from pytest_supercache.core.verdict import End
from pytest_supercache.search.search import Attempt


class _Walk:
    def __init__(self, source: random.Random) -> None:
        self._source = source

    def choose(self, choices: Choices) -> str | None:
        return self._source.choice(choices.enabled)


class RandomWalk:
    """Tries random schedules until it is ended from outside. It can never exhaust anything."""

    def __init__(self, seed: int) -> None:
        self._source = random.Random(seed)

    def explore(self, attempt: Attempt) -> End:
        """Try schedules for ever; the same seed tries the same ones."""
        while True:
            attempt(_Walk(random.Random(self._source.getrandbits(64))))
