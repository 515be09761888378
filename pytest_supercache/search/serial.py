"""Runs users serially: these orders tell a conflict from a bug without concurrency."""

import random
from collections.abc import Iterator
from itertools import islice, permutations

from pytest_supercache.core.schedule import CLOCK, CUT_CLOCK, LOOP_CALLS, Choices, is_fault

ORDERS_MAX = 120
"""The largest number of orders: all orders of up to five users; of more, a sample."""


SLEEPS_MAX = 50
"""How often a user sleeps in one operation before other users go on."""

MESSAGES = "messages@"


class Serial:
    """Runs users to completion in the given order.

    A user that is blocked lets the threads run that it has started, then those of the system,
    then the event loop that threads have handed something to, and then yields to the next. Messages
    are delivered and threads run after each operation, messages also before the clock moves, which
    it does rather than that a user yields who sleeps, or waits for the next unit of a cut clock.
    One that has slept :data:`SLEEPS_MAX` times in one operation waits for what another does, and
    yields, too. Faults that may happen at any time do so once ``faults_after`` operations have
    ended.
    """

    def __init__(self, order: tuple[str, ...], faults_after: int = 0) -> None:
        self._order = order
        self._faults_after = faults_after
        self._ended = 0  # operations
        self._acting: str | None = None  # the user that is inside an operation
        self._slept = 0  # moves of the clock since its operation began

    def choose(self, choices: Choices) -> str | None:
        """Return the actor that goes on in a serial run."""
        self._ended += choices.resting and choices.last in self._order
        is_early = self._ended < self._faults_after
        usual = [name for name in choices.enabled if not (is_early and is_fault(name))]
        return self._choose(choices, tuple(usual) or choices.enabled)

    def _choose(self, choices: Choices, enabled: tuple[str, ...]) -> str:
        background = [name for name in enabled if name not in self._order and name != CLOCK]
        if choices.last in self._order:
            acting = None if choices.resting else choices.last
            self._slept = self._slept if acting == self._acting else 0
            self._acting = acting
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
        """Return the actor that goes on inside a user's operation."""
        if acting in enabled:
            return acting
        started = [name for name in enabled if "/" in name and not is_fault(name)]
        own = [name for name in started if name.startswith(f"{acting}/")]
        handed = [name for name in enabled if name == LOOP_CALLS]
        on_time = (
            [name for name in enabled if name.startswith(MESSAGES)] if CLOCK in enabled else []
        )
        first = [*own, *started, *handed, *on_time]
        if CLOCK in enabled and self._slept < SLEEPS_MAX and not first:
            self._slept += 1
            return CLOCK
        time_passes = [name for name in enabled if name.startswith(CUT_CLOCK)]
        return next(iter([*first, *time_passes]), None)


def serial_orders(users: tuple[str, ...], seed: int) -> Iterator[tuple[str, ...]]:
    """Yield every order of the users, or a sample of :data:`ORDERS_MAX` when there are more."""
    if len(users) <= 5:
        yield from islice(permutations(users), ORDERS_MAX)
        return
    source = random.Random(seed)
    yield users
    for _ in range(ORDERS_MAX - 1):
        yield tuple(source.sample(users, len(users)))
