"""Users take turns: the serial orders that tell a conflict from a bug that needs no concurrency."""

import random
from collections.abc import Iterator
from itertools import islice, permutations

from pytest_supercache.core.schedule import CLOCK, Choices

ORDERS_MAX = 120
"""All orders of up to five users; of more, a sample."""


class Serial:
    """Runs users to completion in the given order.

    A user that cannot go on yields to the next; messages are delivered after each operation; the
    clock moves rather than that a sleeping user yields.
    """

    def __init__(self, order: tuple[str, ...]) -> None:
        self._order = order

    def choose(self, choices: Choices) -> str | None:
        """Name who goes on when users take turns."""
        enabled = choices.enabled
        background = [name for name in enabled if name not in self._order and name != CLOCK]
        if choices.resting and background:
            return background[0]
        user = None if choices.last is None else choices.last.partition("/")[0]
        if user in self._order and not choices.resting:
            if choices.last in enabled:
                return choices.last
            family = [name for name in enabled if name.partition("/")[0] == user]
            if family:  # what the user has started belongs to its turn
                return family[0]
            if CLOCK in enabled:
                return CLOCK
        for name in self._order:
            if name in enabled:
                return name
        return enabled[0]


def serial_orders(users: tuple[str, ...], seed: int) -> Iterator[tuple[str, ...]]:
    """Yield every order of the users, or a sample of :data:`ORDERS_MAX` when there are more."""
    if len(users) <= 5:
        yield from islice(permutations(users), ORDERS_MAX)
        return
    source = random.Random(seed)
    yield users
    for _ in range(ORDERS_MAX - 1):
        yield tuple(source.sample(users, len(users)))
