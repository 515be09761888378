"""Makes the arrows of a step: which layers and messages it may touch, and which value passes.

The value is what the layer holds of the key right after the step: what a read found, or what a
write changed it to. An arrow has no value where a step touches several keys, where a fault struck
it, and where nothing shows the content of the layer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_supercache.core.footprint import EVERYTHING
from pytest_supercache.core.messages import MESSAGES
from pytest_supercache.report.columns import content_of
from pytest_supercache.report.values import NOTHING, held

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """From an actor to a layer that a step writes, or back from one that it only reads.

    Messages that a step sends are an arrow to the actor that delivers them.
    """

    to: str  # a place; or the actor of messages
    key: str | None = None  # of the place, if the step may touch only one
    is_to_actor: bool = False
    is_written: bool = False
    value: str | None = None  # None: nothing shows it; "-": the layer does not hold the key
    is_told: bool = False  # the text of the step has the value already
    is_lost: bool = False  # a message that never arrives


_SHOW_WHAT_THEY_FIND = {"command", "origin", "super_cache", "message", "memory"}
"""Kinds of steps that find what the layer holds; a watched call may find something else."""


def arrows_of(
    step: Json, before: Json | None, places: Sequence[str], actors: Sequence[str]
) -> tuple[Arrow, ...]:
    """Return the arrows of a step to ``places`` and ``actors``, in their order.

    ``before`` is the content of all layers before the step.
    """
    arrows = []
    for place in places:
        is_written = _touches(step.get("writes"), place)
        if is_written or _touches(step.get("reads"), place):
            key = _only_key(step, place)
            value = _value(step, before, place, key, is_written=is_written)
            is_told = "text" in step  # of an access to shared memory
            arrows.append(
                Arrow(to=place, key=key, is_written=is_written, value=value, is_told=is_told)
            )
    for actor in actors:
        is_sent = actor.startswith(MESSAGES) and _touches(step.get("writes"), actor)
        if is_sent and actor != step["actor"]:
            is_lost = actor.removeprefix(MESSAGES) in step.get("never_told", ())
            arrows.append(Arrow(to=actor, is_to_actor=True, is_written=True, is_lost=is_lost))
    return tuple(arrows)


def _touches(resources: Sequence[str] | None, place: str) -> bool:
    return any(found == place or found.startswith(f"{place}:") for found in resources or ())


def _only_key(step: Json, place: str) -> str | None:
    """Return the key of a place that a step may touch; None if it is not exactly one."""
    touched = (*(step.get("reads") or ()), *(step.get("writes") or ()))
    prefix = f"{place}:"
    keys = {found.removeprefix(prefix) for found in touched if found.startswith(prefix)}
    if len(keys) != 1 or place in touched or EVERYTHING in keys:
        return None
    return str(next(iter(keys)))


_LOOKS = frozenset(
    {
        "BITCOUNT", "EXISTS", "EXPIRETIME", "HEXISTS", "HLEN", "HSTRLEN", "LLEN", "LPOS",
        "PEXPIRETIME", "PTTL", "SCARD", "SISMEMBER", "SMISMEMBER", "STRLEN", "TOUCH", "TTL", "TYPE",
        "WATCH", "XLEN", "ZCARD", "ZCOUNT", "ZLEXCOUNT", "ZRANK", "ZREVRANK", "ZSCORE",
    }
)  # fmt: skip
"""Commands that read a key and answer something else than its value."""

_PARTS = frozenset({"GETBIT", "GETRANGE", "HGET", "HKEYS", "HMGET", "HVALS", "LINDEX", "LRANGE"})
"""Commands that answer a part of the value, which may be nothing where there is a value."""


def _value(
    step: Json, before: Json | None, place: str, key: str | None, *, is_written: bool
) -> str | None:
    content = (content_of(step) or {}).get(place)
    if content is None or key is None or step.get("is_struck"):
        return None
    value: str = held(content.get(key))
    if is_written:
        was = held(((before or {}).get(place) or {}).get(key))
        return value if value != was else None
    if step["kind"] not in _SHOW_WHAT_THEY_FIND:
        return None
    verb = str(step.get("label")).partition(" ")[0] if step["kind"] == "command" else ""
    is_other = verb in _LOOKS or (verb in _PARTS and value != NOTHING)
    return None if is_other else value
