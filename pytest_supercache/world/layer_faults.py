"""Drops content of a layer: as a step, by a call, or as a fault that the schedule places."""

from collections.abc import Callable, Mapping
from typing import Any

from pytest_supercache.core.errors import ReplayDivergedError, SupercacheError
from pytest_supercache.core.fault import Fault
from pytest_supercache.core.fault_points import REFERENCE, SHOWN, described
from pytest_supercache.core.footprint import ANYTHING, Footprint
from pytest_supercache.core.masking import is_masked, masked
from pytest_supercache.core.places import place_in_words
from pytest_supercache.layers.existing_cache import PLACE
from pytest_supercache.layers.stack import Stack
from pytest_supercache.runtime.kernel import async_context
from pytest_supercache.runtime.kernel.controller import Controller
from pytest_supercache.runtime.kernel.execution_context import WRITES, ExecutionContext
from pytest_supercache.runtime.kernel.faults import Move

Sights = Mapping[str, Callable[[], Mapping[str, Any]]]

Effect = Callable[[], bool]
"""Makes something happen; False if that made no difference."""


def places(stack: Stack, sights: Sights) -> dict[str, str]:
    """Return every place that can lose content, with the kind of its owner."""
    found = {PLACE: PLACE}
    for cache in stack.super_caches.values():
        if cache.used:
            found[cache.name] = REFERENCE
    for place in sights:
        if place != "origin":
            found[place] = SHOWN
    return found


def restarting(stack: Stack, sights: Sights, place: str) -> tuple[str, Footprint, Effect]:
    """Return label, footprint and effect of the step in which the reference super cache restarts.

    Raises:
        SupercacheError: the layer is not one that can restart.
    """
    layer, _, node = place.partition("@")
    if layer != "super_cache" or place in sights:
        raise SupercacheError(f"restart: only the reference super_cache restarts, not {layer}")
    return f"restart {place_in_words(place)}", _whole(node), stack.node(node).super_cache.restart


def restart(context: ExecutionContext, label: str, footprint: Footprint, happen: Effect) -> None:
    """Take the step of a restart."""
    context.step(label, footprint, kind="user")
    happen()


async def arestart(
    context: ExecutionContext, label: str, footprint: Footprint, happen: Effect
) -> None:
    """Take the step of a restart in a coroutine."""
    await async_context.step(context, label, footprint, kind="user")
    happen()


def moves(context: ExecutionContext, stack: Stack, sights: Sights) -> list[Move]:
    """Make the pseudo-actors of the faults that the schedule places."""
    faults = context.faults
    wanted = [fault for fault in faults.vector if fault.is_move]
    if any(fault.words[0] == PLACE for fault in wanted):
        context.ways.append(PLACE)  # no pool's: see `few_connections`
    faults.moves = [_move_of(fault, stack, sights, context.controller) for fault in wanted]
    return faults.moves


def _move_of(fault: Fault, stack: Stack, sights: Sights, controller: Controller) -> Move:
    """Make the pseudo-actor whose step is ``fault``.

    Raises:
        ReplayDivergedError: its layer does not exist, or does not allow it.
    """
    place = fault.words[0]
    known = {PLACE, *sights, *(cache.name for cache in stack.super_caches.values())}
    is_reference = place.startswith("super_cache@") and place not in sights
    if place not in known or (fault.kind == "restart" and not is_reference):
        raise ReplayDivergedError(f"{fault}: there is no such layer for it in this flow")
    if fault.kind == "restart":
        node = place.partition("@")[2]
        return _move(fault, _whole(node), stack.node(node).super_cache.restart)
    if fault.kind == "failover":
        everything = frozenset({f"{PLACE}:*"}) | WRITES
        missed = int(fault.words[1])
        return _move(fault, Footprint(everything, everything), lambda: stack.fail_over(missed))
    key = fault.words[1]
    if fault.kind == "expire" and place == PLACE:
        return _move(
            fault, ANYTHING, lambda: _expire(_meant(stack, sights, place, key), stack, controller)
        )
    footprint = ANYTHING if is_masked(key) else touched(sights, place, key)
    return _move(
        fault, footprint,
        lambda: lose(stack, sights, place, _meant(stack, sights, place, key)),
    )  # fmt: skip


def _meant(stack: Stack, sights: Sights, place: str, key: str) -> str:
    """Return the key that a fault names; the name has masked credentials in URLs."""
    if not is_masked(key):
        return key
    look = sights.get(place)
    content = stack.content().get(place, {}) if look is None else look()
    return next((one for one in content if masked(str(one)) == key), key)


def lose(stack: Stack, sights: Sights, place: str, key: str | None) -> bool:
    """Remove ``key`` (None: everything) from a layer; False if it was not there.

    Raises:
        SupercacheError: the layer is a copy that cannot be changed.
    """
    look = sights.get(place)
    if look is not None:
        return _forget(look(), place, key)
    layer, _, node = place.partition("@")
    content = stack.content().get(place, {})
    stack.drop(layer, key, node)
    return bool(content) if key is None else key in content


def _whole(node: str) -> Footprint:
    """Return the footprint of a restart: the super cache loses its content, and messages to it."""
    touched = frozenset({f"super_cache@{node}:*", f"messages@{node}"})
    return Footprint(touched, touched)


def touched(sights: Sights, place: str, key: str | None) -> Footprint:
    """Return the footprint of losing ``key`` (None: everything) at a place.

    A layer that a system shows may be read by code that is not observed.
    """
    if place in sights:
        return ANYTHING
    resources = frozenset({f"{place}:{'*' if key is None else key}"})
    return Footprint(resources, resources)


def _move(fault: Fault, footprint: Footprint, happen: Callable[[], bool]) -> Move:
    return Move(fault, described(fault), footprint, happen)


def _expire(key: str, stack: Stack, controller: Controller) -> bool:
    """Move the clock to where ``key`` expires; everything else that is due by then happens, too."""
    instant = stack.existing_cache.expires_at(key)
    actors, time = controller.actors.values(), controller.time
    if instant is None or not time.can_pass_to(instant, actors):
        return False
    time.pass_to(instant, actors)
    fires = time.fired(actors)
    controller.record.waits.fire(fires)
    controller.record.steps[-1].fires = fires  # that is the step of this fault
    return True


def _forget(mapping: Any, place: str, key: str | None) -> bool:
    """Remove a key from a layer that a system shows, in place."""
    if not hasattr(mapping, "pop"):
        raise SupercacheError(f"{place}: layers() shows a copy that cannot be changed")
    if key is None:
        had = bool(mapping)
        mapping.clear()
        return had
    had = key in mapping
    mapping.pop(key, None)
    return had


def is_shared(writes: frozenset[str]) -> bool:
    """Say whether a step may have changed a layer that all nodes share."""
    return any(resource.startswith(("existing_cache:", "origin:", "*")) for resource in writes)
