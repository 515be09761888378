"""Users take turns: the serial orders that tell a conflict from a bug that needs no concurrency."""

import random
from collections.abc import Iterator
from itertools import islice, permutations

from pytest_supercache.core.schedule import CLOCK, Choices, is_fault

ORDERS_MAX = 120
"""All orders of up to five users; of more, a sample."""


MESSAGES = "messages@"


class Serial:
    """Runs users to completion in the given order.

    A user that cannot go on yields to the next; messages are delivered after each operation, and
    before the clock moves, which it does rather than that a sleeping user yields. Faults that may
    happen at any time do so once ``faults_after`` operations have ended.
    """

    def __init__(self, order: tuple[str, ...], faults_after: int = 0) -> None:
        self._order = order
        self._faults_after = faults_after
        self._ended = 0  # operations
        self._busy: str | None = None  # who is in the middle of an operation

    def choose(self, choices: Choices) -> str | None:
        """Name who goes on when users take turns."""
        self._ended += choices.resting and choices.last in self._order
        is_early = self._ended < self._faults_after
        usual = [name for name in choices.enabled if not (is_early and is_fault(name))]
        return self._choose(choices, tuple(usual) or choices.enabled)

    def _choose(self, choices: Choices, enabled: tuple[str, ...]) -> str:
        background = [name for name in enabled if name not in self._order and name != CLOCK]
        if choices.last in self._order:
            self._busy = None if choices.resting else choices.last
        if self._busy is None and background:
            return background[0]
        if self._busy in enabled:
            return self._busy
        if self._busy is not None and CLOCK in enabled:
            return next((name for name in background if name.startswith(MESSAGES)), CLOCK)
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
