"""The parts of an execution that could come before a barrier: sets closed under happens-before."""

from collections.abc import Iterator, Sequence

from pytest_supercache.search.events import Event, TraceKey, positions


def downsets(events: Sequence[Event], base: int) -> Iterator[int]:
    """Yield, as bit masks, the closed sets that contain all events before ``base``."""
    start = (1 << base) - 1
    seen = {start}
    waiting = [start]
    while waiting:
        mask = waiting.pop()
        yield mask
        for at in range(base, len(events)):
            larger = mask | 1 << at
            if larger not in seen and not events[at].before & ~mask:
                seen.add(larger)
                waiting.append(larger)


def prefix_key(events: Sequence[Event], mask: int) -> TraceKey:
    """Identify a closed set up to equivalence."""
    return frozenset(
        (
            events[at].actor,
            events[at].index,
            frozenset((events[z].actor, events[z].index) for z in positions(events[at].direct)),
        )
        for at in positions(mask)
    )
