"""Builds the history of one execution, the oracle's input, from its record."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pytest_supercache.core.operation import Commit, Content, History, Load
from pytest_supercache.core.trace import Layers, Step
from pytest_supercache.layers.existing_cache import encoded
from pytest_supercache.layers.stack import Stack
from pytest_supercache.runtime.kernel.record import Record
from pytest_supercache.world.recorder import RunningOperation

Given = Mapping[str, Mapping[str, Any]]


def history_of(
    calls: Iterable[RunningOperation],
    record: Record,
    stack: Stack,
    given: Given,
    owners: Mapping[str, tuple[str, ...]],
) -> History:
    """Return the operations in the order of their calls, with commits, loads and contents."""
    origin, steps = stack.origin, record.steps
    looked = record.snapshot is not None
    return History(
        operations=tuple(call.operation() for call in calls),
        commits=tuple([_placed_commit(commit, steps) for commit in origin.commits]),
        loads=tuple([_placed_load(load, steps) for load in origin.loads]),
        uncommitted=tuple(origin.uncommitted),
        contents=_contents(_given_contents(stack, given), steps) if looked else None,
        origin_watched=origin.watched,
        given=dict(given.get("origin", {})),
        given_in_caches=_by_key(given),
        owners=dict(owners),
        times=(0.0, *[step.time for step in steps]),
    )


def _placed_commit(commit: Commit, steps: list[Step]) -> Commit:
    """Return a commit with the operation to which its step belongs."""
    operation = steps[commit.at - 1].operation if commit.at else None
    return commit if operation is None else replace(commit, operation=operation)


def _placed_load(load: Load, steps: list[Step]) -> Load:
    """Return a load with the phase of its step."""
    phase = steps[load.at - 1].phase if load.at else load.phase
    return load if phase == load.phase else replace(load, phase=phase)


def _given_contents(stack: Stack, given: Given) -> Layers:
    near = dict(given.get("super_cache", {}))
    far = given.get("existing_cache", {})
    return {
        stack.existing_cache.name: {key: encoded(value) for key, value in far.items()},
        **{cache.name: near for cache in stack.super_caches.values()},
    }


def _contents(start: Layers, steps: list[Step]) -> tuple[Content, ...]:
    """Return the changes in the content of the caches, from snapshots after each step."""
    found: list[Content] = []
    known: dict[tuple[str, str], Any] = {}
    for taken, layers in enumerate((start, *(step.layers for step in steps))):
        if layers is None:
            continue
        now = {
            (place, str(key)): value
            for place, content in layers.items()
            if place != "origin"
            for key, value in content.items()
        }
        for place, key in dict.fromkeys((*known, *now)):
            value = now.get((place, key))
            if value != known.get((place, key)):
                found.append(Content(place, key, value, taken))
        known = now
    return tuple(found)


def _by_key(given: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Return the initial values of the caches, by key."""
    found: dict[str, tuple[Any, ...]] = {}
    for layer, content in given.items():
        if layer != "origin":
            for key, value in content.items():
                found[key] = (*found.get(key, ()), value)
    return found
