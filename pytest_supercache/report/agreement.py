"""Finds the step from which on the layers never agree again.

A layer may store a key under another name, or a value in an unknown encoding. Such a place is
ignored rather than called wrong: a place is compared only if one of its values was, at some moment,
a value that the origin held or that an operation wrote or returned.
"""

import json
from collections.abc import Iterable
from typing import Any

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.printable import bytes_text
from pytest_supercache.core.trace import Layers
from pytest_supercache.report.plain import Plain, plain
from pytest_supercache.report.values import MISSING

ORIGIN = "origin"

Compared = dict[str, list[str]]


def first_disagreement(execution: Execution) -> int | None:
    """Return the position in ``execution.steps`` from which the layers never agree again.

    None when they agree at the end, or when no layers were recorded.
    """
    recorded = [
        (position, step.layers)
        for position, step in enumerate(execution.steps)
        if step.layers is not None and step.phase != "before"
    ]
    states = [layers for _, layers in recorded]
    if not states:
        return None
    compared = compared_places(execution)
    last = execution.settled.layers or states[-1]
    if _agree(last, compared):
        return None
    first = recorded[-1][0]
    for position, layers in reversed(recorded):
        if _agree(layers, compared):
            break
        first = position
    return first


def compared_places(execution: Execution) -> Compared:
    """Return the comparable places by key; the origin first if it is one of them."""
    after = [s.layers for s in execution.steps if s.layers is not None and s.phase != "before"]
    return _compared_places(execution, [execution.start, *after])


def apart(layers: Layers, compared: Compared) -> list[tuple[str, str, str | None]]:
    """Return ``(place, key, against)`` for each difference at this moment.

    With a comparable origin, these are the places whose value differs from it: they are stale.
    Without one it is unknown which value is right, so every place that holds a key over which they
    differ is named, and ``against`` is None.
    """
    found: list[tuple[str, str, str | None]] = []
    for key, places in compared.items():
        values = _held(layers, key, places)
        if len(set(values.values())) < 2:
            continue
        truth = ORIGIN if places[0] == ORIGIN else None
        right = values[ORIGIN] if truth else None
        found += [(place, key, truth) for place, value in values.items() if value != right]
    return found


def canonical(value: object) -> str:
    """Return equal texts for values that are equal as text, as bytes or as JSON."""
    read = bytes_text(bytes(value)) if isinstance(value, (bytes, bytearray)) else value
    if isinstance(read, str):
        try:
            read = json.loads(read)
        except (ValueError, RecursionError):
            return json.dumps(plain(read))
    return json.dumps(_whole(plain(read)), sort_keys=True)


def _whole(value: Plain) -> Plain:
    """Return 100.0 as 100, so that a number read back from JSON equals the written one."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole(member) for member in value]
    if isinstance(value, dict):
        return {key: _whole(member) for key, member in value.items()}
    return value


def _compared_places(execution: Execution, states: list[Layers]) -> Compared:
    known = _known_values(execution, states)
    held: dict[str, dict[str, set[str]]] = {}
    for layers in states:
        for place, content in layers.items():
            for key, value in content.items():
                if value is not None:
                    held.setdefault(key, {}).setdefault(place, set()).add(canonical(value))
    compared: dict[str, list[str]] = {}
    for key, places in held.items():
        readable = [place for place, values in places.items() if values & known]
        if not execution.history.origin_watched:
            readable = [place for place in readable if place != ORIGIN]
        readable.sort(key=lambda place: place != ORIGIN)
        if len(readable) > 1:
            compared[key] = readable
    return compared


def _known_values(execution: Execution, states: Iterable[Layers]) -> set[str]:
    history = execution.history
    values: list[Any] = [*history.given.values()]
    values += [commit.value for commit in history.commits]
    values += [value for layers in states for value in layers.get(ORIGIN, {}).values()]
    for operation in history:
        values += [operation.value, operation.answer]
        values += [value for _, value in (*operation.sightings, *operation.writes)]
    return {canonical(value) for value in values if value is not None}


def _agree(layers: Layers, compared: Compared) -> bool:
    return not apart(layers, compared)


def _held(layers: Layers, key: str, places: list[str]) -> dict[str, str]:
    values = {
        place: canonical(value)
        for place in places
        if (value := layers.get(place, {}).get(key, MISSING)) is not MISSING and value is not None
    }
    if places[0] == ORIGIN:
        values.setdefault(ORIGIN, "deleted")
    return values
