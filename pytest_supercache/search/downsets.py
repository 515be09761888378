"""Lists the sets of events that may happen before an early tick."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations

from pytest_supercache.core.trace import Step
from pytest_supercache.search.events import StepEvent


def downsets(events: Sequence[StepEvent], base: int) -> Iterator[int]:
    """Yield, as bit masks, the closed sets that contain all events before ``base``.

    Of the others each has the timeless events only that happen before one that is not timeless.
    """
    timeless = sum(1 << at for at, event in enumerate(events) if event.is_timeless)
    start = (1 << base) - 1
    seen = {start}
    waiting = [start]
    while waiting:
        mask = waiting.pop()
        yield mask
        for at in range(base, len(events)):
            missing = events[at].before & ~mask
            larger = mask | 1 << at | missing
            if larger not in seen and not (events[at].is_timeless or missing & ~timeless):
                seen.add(larger)
                waiting.append(larger)


def ways_to_begin(
    part: Sequence[StepEvent],
    waiting: Iterable[str],
    can_wait: Callable[[str, Sequence[Step]], bool],
) -> Iterator[tuple[frozenset[str], tuple[str, ...]]]:
    """Yield sets of actors that may have begun before a barrier, with all choices up to it.

    Args:
        part: the events before the barrier, in an order.
        waiting: actors without an event among them.
        can_wait: says whether an actor that begins after these steps only waits.
    """
    steps = [event.step for event in part]
    after_tick = max((at + 1 for at, event in enumerate(part) if event.is_tick), default=0)
    before = part[after_tick - 1].begun if after_tick else frozenset()
    waiting = frozenset(waiting)
    begun = before & waiting
    places: dict[str, int] = {}
    for actor in waiting - begun:
        for at in range(len(part), after_tick - 1, -1):
            if can_wait(actor, steps[:at]):
                places[actor] = at
                break
    others = {event.actor for event in part}
    for size in range(len(places) + 1):
        for chosen in combinations(sorted(places), size):
            choices: list[str] = []
            for at in range(len(part) + 1):
                choices.extend(actor for actor in chosen if places[actor] == at)
                if at < len(part):
                    lead = part[at].lead
                    choices.extend(a for a in lead if at < after_tick or a in others)
                    choices.append(part[at].actor)
            yield frozenset(chosen) | begun, tuple(choices)
