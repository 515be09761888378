"""Indexes begins and returns of calls, so that a question about the future is a bisection."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import accumulate

from pytest_supercache.oracle.linear.call import NEVER, Call


class Positions:
    """The calls of one kind, in the order in which they begin."""

    __slots__ = ("_called", "_first_return_from", "_last_return_to")

    def __init__(self, calls: Iterable[Call]) -> None:
        ordered = sorted((call.called_at, call.returned_at) for call in calls)
        returns = [returned for _, returned in ordered]
        self._called = [called for called, _ in ordered]
        self._last_return_to = list(accumulate(returns, max))
        self._first_return_from = list(accumulate(reversed(returns), min))[::-1]

    def next_call(self, position: int) -> int:
        """Return where the next of the calls begins after ``position``; NEVER if none does."""
        at = bisect_right(self._called, position)
        return self._called[at] if at < len(self._called) else NEVER

    def first_return(self, position: int) -> int:
        """Return the first return of the calls that begin after ``position``."""
        at = bisect_right(self._called, position)
        return self._first_return_from[at] if at < len(self._called) else NEVER

    def last_return(self, position: int) -> int:
        """Return the last return of the calls that begin before ``position``; -1 if none does."""
        at = bisect_left(self._called, position)
        return self._last_return_to[at - 1] if at else -1

    def has_call(self, position: int) -> bool:
        """Say whether one of the calls begins at ``position``."""
        return self.next_call(position - 1) == position


NO_POSITIONS = Positions(())
