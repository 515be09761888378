"""How far one execution may go: more is UNKNOWN, never a pass."""

from collections.abc import Iterable, Sequence

from pytest_supercache.runtime.actor import Actor
from pytest_supercache.runtime.record import Record
from pytest_supercache.runtime.timekeeper import TICKS_MAX, Timekeeper

STEPS_MAX = 10_000
"""Steps in one execution; more: something polls without waiting."""


def limit_reached(
    record: Record, time: Timekeeper, actors: Iterable[Actor], enabled: Sequence[str]
) -> str | None:
    """Say which limit an execution has reached, or None."""
    if len(record.steps) >= STEPS_MAX:
        return (
            f"an execution took {STEPS_MAX} steps without an end; something polls. Let it wait "
            "on a lock, an event or world.wait_until instead"
        )
    if time.is_exhausted and not enabled and time.is_awaited(actors):
        return f"the clock has moved {TICKS_MAX} times and somebody still waits for it"
    return None
