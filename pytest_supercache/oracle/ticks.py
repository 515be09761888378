"""Lists the ticks of a trace, and the virtual time that they take."""

from collections.abc import Iterator

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.schedule import CLOCK


def ticks_of(execution: Execution) -> list[tuple[int, float]]:
    """Return the ticks: for each the position among the steps, and its virtual seconds."""
    times = execution.history.times
    return [
        (position, times[position + 1] - times[position])
        for position, step in enumerate(execution.steps)
        if step.actor == CLOCK
    ]


def spans_longer_than(execution: Execution, seconds: float) -> Iterator[tuple[int, int]]:
    """Yield the shortest runs of ticks that take longer than ``seconds``: first and last tick."""
    ticks = ticks_of(execution)
    for at, (first, _) in enumerate(ticks):
        passed = 0.0
        for last, moved in ticks[at:]:
            passed += moved
            if passed > seconds:
                yield first, last
                break


def windows(execution: Execution, length: float) -> Iterator[tuple[int | None, int | None]]:
    """Yield the longest spans shorter than ``length``, as the ticks that bound them, if any."""
    ticks = ticks_of(execution)
    for start in range(len(ticks) + 1):
        passed, end = 0.0, start
        while end < len(ticks) and passed + ticks[end][1] < length:
            passed += ticks[end][1]
            end += 1
        yield (
            ticks[start - 1][0] if start else None,
            ticks[end][0] if end < len(ticks) else None,
        )
