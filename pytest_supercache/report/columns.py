"""Selects the layers that a picture shows: every place, for the keys that the execution used."""

from dataclasses import dataclass

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.footprint import EVERYTHING
from pytest_supercache.core.trace import Layers
from pytest_supercache.report.values import short, shown

_INITIALS = {"super_cache": "S", "existing_cache": "E", "origin": "O"}
TITLE_MAX = 100
_LAST = ("existing_cache", "origin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One layer's content of one key; ``short`` replaces the title if space is scarce."""

    place: str
    key: str
    title: str
    short: str
    shows_key: bool = False  # several keys are shown, so the title names it


def columns_of(execution: Execution, violated_key: str | None) -> tuple[Column, ...]:
    """Return the columns in the order of the layers: super caches, existing cache, origin."""
    states = [
        {**execution.start, **execution.memory_at_start},
        *(step.content for step in execution.steps if step.content),
    ]
    places = list(dict.fromkeys(place for layers in states for place in layers))
    places.sort(key=lambda place: (_LAST.index(place) if place in _LAST else -1, place))
    common = _common_keys(execution, violated_key)
    memory = {
        *execution.memory_at_start,
        *(p for step in execution.steps for p in step.memory or ()),
    }
    pairs = [
        (place, key)
        for place in places
        for key in _keys_of(place, states, common, _touched(execution, place))
        if place not in memory or _changes(place, key, states)
    ]
    several = len({key for _, key in pairs if key}) > 1
    shorts = _short_names(places)
    order = {key: f".{at}" for at, key in enumerate(sorted({k for _, k in pairs if k}), start=1)}
    return tuple(
        Column(
            place=place,
            key=key,
            title=short(f"{place} {key}".rstrip() if several else place, TITLE_MAX),
            short=short(shorts[place] + (order.get(key, "") if several else ""), TITLE_MAX),
            shows_key=several,
        )
        for place, key in pairs
    )


def _keys_of(place: str, states: list[Layers], common: set[str], touched: set[str]) -> list[str]:
    contents = [layers.get(place, {}) for layers in states]
    held = {key for content in contents for key in content}
    changed = {key for key in held if _changes(place, key, states)}
    keys = (held & common) | touched | changed
    if keys:
        return sorted(keys)
    # The layer stayed out of it: one empty column says so.
    return sorted(common) if len(common) == 1 else [""]


def _changes(place: str, key: str, states: list[Layers]) -> bool:
    return len({shown(layers.get(place, {}).get(key)) for layers in states}) > 1


def _common_keys(execution: Execution, violated_key: str | None) -> set[str]:
    """Return the keys that users named, whatever the names in the layers are."""
    keys = {operation.key for operation in execution.history}
    for operation in execution.history:
        keys |= {key for key, _ in (*operation.sightings, *operation.writes)}
    return {key for key in (*keys, violated_key) if key is not None}


def _touched(execution: Execution, place: str) -> set[str]:
    resources = {
        resource
        for step in execution.race
        for resource in (*step.footprint.reads, *step.footprint.writes)
    }
    prefix = f"{place}:"
    keys = {resource.removeprefix(prefix) for resource in resources if resource.startswith(prefix)}
    return keys - {EVERYTHING}


def _short_names(places: list[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for place in places:
        layer, at, node = place.partition("@")
        short = wanted = _INITIALS.get(layer, layer[:1].upper() or "?") + at + node
        count = 1
        while short in names.values():
            count += 1
            short = f"{wanted}{count}"
        names[place] = short
    return names
