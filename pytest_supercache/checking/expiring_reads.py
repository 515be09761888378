"""Notices reads of keys with a TTL, so that HOLDS says whether such a key ever expired."""

from collections.abc import Sequence

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.trace import Step

NO_KEY_EXPIRED = "no key expired during the flow (ticks: 1, or more, let it)"

_NOW = "clock:now"
"""The resource read by commands that set or ask for a time to live."""


def outlives_a_key(execution: Execution) -> bool:
    """Say whether the race reads a key that has a TTL, or finds it there with ``SET NX``."""
    return any(
        step.phase == "race"
        and resource in step.footprint.reads
        and (resource not in step.footprint.writes or step.futile)
        for resource in execution.expiring
        for step in _after_first(execution.steps, resource)
    )


def _after_first(steps: Sequence[Step], resource: str) -> Sequence[Step]:
    """Return the steps after the first one that gives a resource a time to live."""
    first = next((at for at, s in enumerate(steps) if _is_given_time(s, resource)), len(steps))
    return steps[first + 1 :]


def _is_given_time(step: Step, resource: str) -> bool:
    return resource in step.footprint.writes and _NOW in step.footprint.reads
