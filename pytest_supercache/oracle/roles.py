"""Classifies what a step does to a cache: a load, a commit, a fill, an invalidation.

The footprint and the label of the step decide, never what it found, so that the role is
the same in every execution.
"""

import ast
import re
from dataclasses import dataclass
from enum import Enum

from pytest_supercache.core.footprint import EVERYTHING
from pytest_supercache.core.schedule import CLOCK
from pytest_supercache.core.trace import Step


class Role(Enum):
    """The effect of a step on a key."""

    LOAD = "load"  # reads the origin
    COMMIT = "commit"  # changes the origin
    LOOK_UP = "look up"  # reads a cache
    STORE = "store"  # puts a value into a cache
    DROP = "drop"  # takes a value out of a cache
    PUBLISH = "publish"  # sends an invalidation
    DELIVER = "deliver"  # an invalidation arrives
    PROMOTE = "promote"  # a replica takes over, with what it has missed
    LOCK = "lock"
    TICK = "tick"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Act:
    """A step with its role for one key; ``place`` is the layer that it touches."""

    at: int
    """Position in the race, from 0."""
    step: Step
    role: Role
    place: str | None
    name: str = ""
    """The name of the key in this layer."""


_NO_LAYERS = frozenset(
    {
        "lock", "memory", "clock", "ended", "started", "done", "event", "semaphore", "queue",
        "barrier", "pool", "wire",
    }
)  # fmt: skip

_DROPPING = (
    "del", "unlink", "getdel", "hdel", "delete", "pop", "remove", "invalidate", "evict", "clear",
    "purge", "discard", "flush", "flushdb", "flushall", "drop", "expire",
)  # fmt: skip


def acts_on(race: list[Step], key: str) -> list[Act]:
    """Return the steps of a race that touch ``key``, with their roles."""
    found = []
    for at, step in enumerate(race):
        if step.actor == CLOCK:
            found.append(Act(at, step, Role.TICK, None))
            continue
        place, name = _place(step, key)
        if place is not None:
            found.append(Act(at, step, role_of(step, place), place, name))
    return found


def role_of(step: Step, place: str) -> Role:
    """Return the effect of a step on the layer at ``place``."""
    if step.kind == "message":
        return Role.DELIVER if step.label.startswith("deliver ") else Role.STORE
    if step.kind == "fault":
        return Role.PROMOTE if step.label.startswith("failover") else Role.DROP
    if step.kind == "lock":
        return Role.LOCK
    if place.startswith("messages@"):
        return Role.PUBLISH
    writes = any(_is_in(resource, place) for resource in step.footprint.writes)
    if place == "origin":
        return Role.COMMIT if writes else Role.LOAD
    if not writes:
        return Role.LOOK_UP
    verb = step.label.split()[0].lower().strip("_") if step.label else ""
    verb = verb.removeprefix("cache_")
    # "look up or lease" takes a lease on a miss, which nobody sees; an item that is looked at moves
    # to the front of what is kept.
    if verb in {"look", "getitem"}:
        return Role.LOOK_UP
    return Role.DROP if verb.startswith(_DROPPING) else Role.STORE


def layer_of(place: str) -> str:
    """Return the layer of a place, without the node."""
    return place.partition("@")[0]


def _place(step: Step, key: str) -> tuple[str | None, str]:
    """Return the layer in which a step touches ``key``, and its name there; writes come first."""
    if step.kind == "super_cache" and step.label.startswith(("invalidate ", "send ")):
        is_it = key in step.label.partition(" ")[2].split(", ")
        return ("messages@", key) if is_it else (None, "")
    for resources in (step.footprint.writes, step.footprint.reads):
        found = []
        for resource in sorted(resources):
            place, name = _place_and_name(resource)
            if place not in _NO_LAYERS and (name == EVERYTHING or is_name_of(name, key)):
                found.append((place, name))
        if found:  # the entry itself rather than what lies beside it, such as its lock
            return min(found, key=lambda each: (each[1] != key, len(each[1])))
    return None, ""


def is_entry(act: Act, place: str, name: str) -> bool:
    """Say whether a step touches the entry that a layer knows by ``name``."""
    return act.place == place and act.name in {name, EVERYTHING}


def is_name_of(name: str, key: str) -> bool:
    """Say whether a layer's name stands for a key: it is the same, perhaps with a prefix."""
    if name == key:
        return True
    return bool(key) and name.endswith(key) and not name[-len(key) - 1].isalnum()


def _is_in(resource: str, place: str) -> bool:
    return resource == EVERYTHING or _place_and_name(resource)[0] == place


def _place_and_name(resource: str) -> tuple[str, str]:
    """Split a resource into its place, and the name of the entry there.

    An entry of a container that was found in the memory of the code under test is one of a cache:
    ``memory:Shop.near:['k']`` is ``k`` in ``Shop.near``.
    """
    place, _, name = resource.partition(":")
    if place == "memory":
        entry = _ENTRY.fullmatch(name)
        if entry is not None:
            return entry["holder"], str(ast.literal_eval(entry["key"]))
    return place, name


_ENTRY = re.compile(r"""(?P<holder>.+?):\[(?P<key>'.*'|".*")\]""", re.DOTALL)
