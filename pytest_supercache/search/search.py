"""Defines what a search is: a loop that tries schedules until it ends or is ended."""

from collections.abc import Callable
from typing import Protocol

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.schedule import Scheduler
from pytest_supercache.core.verdict import End

Attempt = Callable[[Scheduler], Execution]
"""Runs one execution under a scheduler. Raises :class:`SearchEnded` when the search must stop."""


class Interrupted(Exception):  # noqa: N818 - it steers a loop, as StopIteration does
    """Raised by ``attempt`` before it executes anything: somebody else is to explore the rest."""


class SearchEnded(Exception):  # noqa: N818 - not an error: the caller has what it wants
    """Raised by ``attempt`` when a violation was found or the budget is used up."""

    def __init__(self, end: End) -> None:
        super().__init__(end)  # all that it is made of, so that it can be sent
        self.end = end


class Search(Protocol):
    """A search strategy."""

    def explore(self, attempt: Attempt) -> End:
        """Try schedules; return EXHAUSTED only if none is left untried."""
        ...
