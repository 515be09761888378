"""Orders of two steps, which decide between failing and passing."""

from dataclasses import dataclass

from pytest_supercache.core.execution import Execution

StepName = tuple[str, int, str]
"""Actor, number of the event among the actor's, and label."""

Pair = tuple[StepName, StepName]
"""The first of the two comes before the second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Orders that force the violation, together.

    ``is_fewest``: no smaller set does; otherwise none of them can be left out.
    """

    pairs: tuple[Pair, ...]
    is_fewest: bool
    never: frozenset[StepName] = frozenset()
    """Steps that are blocked for good: they do not come in the failing interleaving."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """The interleavings that were executed, by the orders they have of the failing one's steps.

    They are bits of an integer. ``orders`` has, for each order of the failing interleaving, those
    that have it, too, and those that have it the other way round; ``failing`` are those that fail.
    """

    interleavings: int
    failing: int
    orders: tuple[tuple[Pair, int, int], ...]
    are_all: bool  # there is no other interleaving


@dataclass(frozen=True, slots=True, kw_only=True)
class Passing:
    """An execution that is like the failing one, but breaks no guarantee.

    ``turned`` are the orders that are reversed in it, as they are there.
    """

    execution: Execution  # recorded with the content of every layer after each step
    turned: tuple[Pair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The numbers of failing interleavings and, if counted, of failing schedules, with the totals.

    ``walk`` is the chance that a random walk fails whose choices are uniform; None: the enabled
    actors are not known everywhere.
    """

    failing: int
    interleavings: int
    failing_schedules: int
    schedules: int | None
    walk: float | None = None
