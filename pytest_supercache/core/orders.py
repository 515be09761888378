"""What decides between failing and passing: which of two steps comes first."""

from dataclasses import dataclass

from pytest_supercache.core.execution import Execution

StepName = tuple[str, int, str]
"""Actor, the how-manieth event of it, label."""

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
    """Steps that are held back for good: they do not come in the failing interleaving."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passing:
    """An execution that is like the failing one, and breaks nothing.

    ``turned`` are the orders that are the other way round there, as they are there.
    """

    execution: Execution  # recorded with the content of every layer after each step
    turned: tuple[Pair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many of all interleavings fail, and how many of all schedules, if these are counted.

    ``walk`` is the chance that a random walk fails, which draws evenly who goes next; None: it is
    not known everywhere who could have gone.
    """

    failing: int
    interleavings: int
    failing_schedules: int
    schedules: int | None
    walk: float | None = None
