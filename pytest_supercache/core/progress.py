"""The progress of a search, for callers that wait for it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One moment of a search; times in real seconds."""

    executions: int
    executions_max: int
    seconds: float
    seconds_max: float
    owed: int = 0  # runs that are still to do at least, as far as the search knows
    schedules: int = 0  # all orders of the first run's steps: more than there are
    violating: int = 0
    best: int | None = None  # preemptions of the smallest finding so far
    guarantee: str | None = None  # that it breaks
    faults: str = ""  # that strike in these runs
