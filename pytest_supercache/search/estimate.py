"""Estimates the number of interleavings, from the same random walks as that of schedules.

A walk meets an interleaving with L schedules in one of them, with probability p. Let
it stand for 1/(p L): summed over the schedules of one interleaving p/(p L) is 1, so the mean over
walks is the number of interleavings, whatever the choices weighed (Knuth, Math. Comp. 29, 1975, on
the tree of schedules with its leaves shared out among equivalent ones). L is exact: the linear
extensions of happens-before.
"""

from dataclasses import dataclass, field

from pytest_supercache.core.execution import Execution
from pytest_supercache.search.counting import TreeSize
from pytest_supercache.search.events import Dependence, events_of, order
from pytest_supercache.search.orders import linear_extensions

WALKS_MAX = 300
"""The largest number of walks that are used: more would cost time and tell little."""

_DIGITS_MAX = 1_000  # in binary: what a float can hold


@dataclass(slots=True)
class Estimate:
    """The numbers of schedules and, as long as it can be estimated, of interleavings."""

    schedules: TreeSize = field(default_factory=TreeSize)
    interleavings: TreeSize | None = field(default_factory=TreeSize)
    _dependence: Dependence = field(default_factory=Dependence)

    def add(self, execution: Execution, one_over_p: float) -> None:
        """Add one walk, and the execution that it led to."""
        self.schedules.add(one_over_p)
        if self.interleavings is None or self.interleavings.walks == WALKS_MAX:
            return
        ways = self._ways(execution)
        if ways is None:
            self.interleavings = None  # some are too large to count, and leaving them out is wrong
        else:
            self.interleavings.add(one_over_p / ways)

    def _ways(self, execution: Execution) -> int | None:
        """Return the number of schedules of the interleaving that a walk has executed."""
        choices = execution.schedule.choices
        events, rest = events_of(execution.race, choices, self._dependence)
        if rest or len(events) < len(choices) or not execution.complete:
            return None  # choices without a step are places of their own
        order(events, 0, self._dependence)
        ways = linear_extensions(events)
        return ways if ways is not None and ways.bit_length() < _DIGITS_MAX else None
