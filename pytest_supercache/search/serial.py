"""Users take turns: the serial orders that tell a conflict from a bug that needs no concurrency."""

import random
from collections.abc import Iterator
from itertools import islice, permutations

from pytest_supercache.core.schedule import CLOCK, Choices

ORDERS_MAX = 120
"""All orders of up to five users; of more, a sample."""


class Serial:
    """Runs users to completion in the given order.

    A user that cannot go on lets the threads run that it has started, then those of the system, and
    then yields to the next; messages are delivered and threads run after each operation; the clock
    moves rather than that a sleeping user yields.
    """

    def __init__(self, order: tuple[str, ...]) -> None:
        self._order = order
        self._acting: str | None = None  # the user that is inside an operation

    def choose(self, choices: Choices) -> str | None:
        """Name who goes on when users take turns."""
        enabled = choices.enabled
        background = [name for name in enabled if name not in self._order and name != CLOCK]
        if choices.last in self._order:
            self._acting = None if choices.resting else choices.last
        if self._acting is not None:
            goes_on = self._goes_on(self._acting, enabled)
            if goes_on is not None:
                return goes_on
        elif background:
            return background[0]
        for name in self._order:
            if name in enabled:
                return name
        return enabled[0]

    def _goes_on(self, acting: str, enabled: tuple[str, ...]) -> str | None:
        """Name who goes on inside a user's operation."""
        if acting in enabled:
            return acting
        started = [name for name in enabled if "/" in name]
        own = [name for name in started if name.startswith(f"{acting}/")]
        return next(iter([*own, *started, *(name for name in enabled if name == CLOCK)]), None)


def serial_orders(users: tuple[str, ...], seed: int) -> Iterator[tuple[str, ...]]:
    """Yield every order of the users, or a sample of :data:`ORDERS_MAX` when there are more."""
    if len(users) <= 5:
        yield from islice(permutations(users), ORDERS_MAX)
        return
    source = random.Random(seed)
    yield users
    for _ in range(ORDERS_MAX - 1):
        yield tuple(source.sample(users, len(users)))
