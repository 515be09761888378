"""Enumerates the places where faults can strike, from a recorded execution, and describes them."""

from collections.abc import Iterable, Iterator
from typing import Any

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.fault import (
    MESSAGES,
    MISSED_WRITES,
    MOVES,
    POINTS,
    SKEW_SECONDS,
    VERSIONS,
    Fault,
    Faults,
    Vector,
)
from pytest_supercache.core.masking import masked
from pytest_supercache.core.places import place_in_words
from pytest_supercache.core.trace import Step


def points(execution: Execution, faults: Faults) -> Iterator[Fault]:
    """Yield every fault of the wanted kinds that could strike an execution like this one."""
    for kind, given in faults.named().items():
        if kind in POINTS:
            for step in execution.race:
                yield from _at_step(kind, given, step)
        elif kind in MOVES:
            yield from _moves(kind, given, execution)
        else:
            yield from _ambient(kind, given, execution)


_CALLS = frozenset({"command", "origin", "watched"})
_CODE = _CALLS | {"super_cache", "hand", "await", "reply"}


def _at_step(kind: str, given: Any, step: Step) -> Iterator[Fault]:
    if step.point is None:
        return
    operation, index = step.point
    words = (step.actor, str(operation), str(index))
    told = sorted(r.partition("@")[2] for r in step.footprint.writes if r.startswith("messages@"))
    is_publication = step.kind == "super_cache" and bool(told)
    if kind in MESSAGES:
        for node in told if is_publication else ():
            yield Fault(kind, (*words, node, *_said(given)))
    elif kind in {"error_before", "error_after"}:
        if step.kind == "command" or (not _is_of_redis(given) and _is_call(step, is_publication)):
            yield Fault(kind, (*words, *_said(given)))
    elif step.kind in _CODE and (step.wait is None or not step.wait.object):
        yield Fault(kind, (*words, *_said(given)))


def _is_call(step: Step, is_publication: bool) -> bool:
    return step.kind in _CALLS or is_publication


def _is_of_redis(given: Any) -> bool:
    """Say whether only a command to Redis can raise an error."""
    return isinstance(given, str) and given.startswith("redis.")


def _said(given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    return (given if isinstance(given, str) else f"{given:g}",)


def _moves(kind: str, given: Any, execution: Execution) -> Iterator[Fault]:
    if kind == "failover":
        for missed in range(1, min(_writes_to_cache(execution), given or MISSED_WRITES) + 1):
            yield Fault(kind, ("existing_cache", str(missed)))
    elif kind == "restart":
        for place, whose in execution.places.items():
            if whose == REFERENCE:
                yield Fault(kind, (place,))
    else:
        yield from (Fault(kind, words) for words in _entries(kind, execution))


def _entries(kind: str, execution: Execution) -> Iterator[tuple[str, str]]:
    """Yield the places and keys that may be lost; in the existing cache only keys with a TTL."""
    if kind == "expire":
        for resource in execution.expiring:
            place, _, key = resource.partition(":")
            yield place, masked(key)
    for place, whose in execution.places.items():
        if kind == "evict" or whose == SHOWN:
            yield from ((place, masked(key)) for key in _keys(execution, place))


def _writes_to_cache(execution: Execution) -> int:
    return sum(
        step.kind == "command" and any(r.startswith(_EXISTING) for r in step.footprint.writes)
        for step in execution.steps
    )


_EXISTING = "existing_cache:"
REFERENCE = "reference"
SHOWN = "shown"
"""The kind of a layer: a super cache of ours, or one that a system shows."""


def _keys(execution: Execution, place: str) -> list[str]:
    """Return the keys of a place that were touched, or that are left there."""
    prefix = f"{place}:"
    touched = {
        resource.removeprefix(prefix)
        for step in execution.race
        for resource in (*step.footprint.reads, *step.footprint.writes)
        if resource.startswith(prefix)
    }
    left = set(execution.settled.layers.get(place, {}))
    if touched - {"*"} or place == "existing_cache":
        return sorted((touched | left) - {"*"})
    named = {operation.key for operation in execution.history if operation.key is not None}
    return sorted(named | left)  # a layer that is shown, but not watched


def _ambient(kind: str, given: Any, execution: Execution) -> Iterator[Fault]:
    nodes = sorted({step.node for step in execution.steps if step.node and "@" not in step.actor})
    if kind == "clock_skew":
        for node in nodes:
            yield Fault(kind, (node, f"{given or SKEW_SECONDS:g}"))
    elif len(nodes) > 1:
        for node in nodes:
            for version in VERSIONS if given is None else (given,):
                yield Fault(kind, (node, version))


def joined(vector: Vector, found: Iterable[Fault]) -> Iterator[Vector]:
    """Yield the vectors with one more fault."""
    for fault in found:
        if fault not in vector and not any(fault.excludes(other) for other in vector):
            yield (*vector, fault)


def described(fault: Fault, steps: Iterable[Step] = ()) -> str:
    """Return a description of a fault, and of the step of an execution that it struck."""
    words = fault.words
    if fault.kind in POINTS:
        actor, operation, index = fault.point
        label = next(
            (s.label for s in steps if s.actor == actor and s.point == (operation, index)), ""
        )
        where = f"step {index + 1} of {actor}'s operation {operation}"
        if operation == 0:
            where = f"step {index + 1} of {actor}"
        return f"{fault.kind} at {where}{f': {label}' if label else ''}"
    if fault.kind == "failover":
        return f"failover to a replica that has missed {_writes(words[1])}"
    if fault.kind == "clock_skew":
        return f"clock_skew: the clock of node {words[0]} is {words[1]} s ahead"
    if fault.kind == "mixed_version":
        return f"mixed_version: node {words[0]} has another {_VERSION_OF[words[1]]}"
    if fault.kind == "restart":
        return f"restart of {place_in_words(words[0])}"
    return f"{fault.kind} {words[1]} in {place_in_words(words[0])}"


_VERSION_OF = {"key": "key format", "serializer": "serializer"}


def _writes(count: str) -> str:
    return "the last write" if count == "1" else f"the last {count} writes"
