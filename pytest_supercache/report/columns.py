"""Selects the layers that a picture shows: every place, for the keys that an execution used."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_supercache.core.footprint import EVERYTHING
from pytest_supercache.core.places import place_title
from pytest_supercache.report.values import held, short

Json = Mapping[str, Any]

_INITIALS = {"super_cache": "S", "existing_cache": "E", "origin": "O"}
TITLE_MAX = 100
_CACHE = "existing_cache"
_LAST = (_CACHE, "origin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One layer's content of one key; ``short`` replaces the title if space is scarce.

    Where declared calls alone use the key, and keep it elsewhere, nothing shows what it holds.
    """

    place: str
    key: str
    title: str
    short: str
    heading: tuple[str, ...] = ()  # the lines of the title: the place, perhaps the key
    is_hidden: bool = False


def content_of(step: Json) -> Json | None:
    """Return the content of layers and shared memory after a step; None: it was not recorded."""
    memory = step.get("memory")
    return {**(step["layers"] or {}), **memory} if memory else step["layers"]


def content_at_start(recorded: Json) -> Json:
    """Return what layers and shared memory held before the first step."""
    return {**(recorded.get("start") or {}), **(recorded.get("memory_at_start") or {})}


def columns_of(recordings: list[Json], violated_key: str | None) -> tuple[Column, ...]:
    """Return the columns in the order of the layers: super caches, existing cache, origin.

    The columns of the violated key come first at each place.
    """
    states = [
        layers
        for recorded in recordings
        for layers in (content_at_start(recorded), *map(content_of, recorded["steps"]))
        if layers
    ]
    places = list(dict.fromkeys(place for layers in states for place in layers))
    places.sort(key=lambda place: (_LAST.index(place) if place in _LAST else -1, place))
    common = _common_keys(recordings, violated_key)
    memory = _memory(recordings)
    pairs = [
        (place, key)
        for place in places
        for key in _keys_of(place, states, common, _touched(recordings, place))
        if place not in memory or _changes(place, key, states)
    ]
    several = len({key for _, key in pairs if key}) > 1
    shorts = _short_names(places)
    order = {key: f".{at}" for at, key in enumerate(sorted({k for _, k in pairs if k}), start=1)}
    return tuple(
        Column(
            place=place,
            key=key,
            title=short(" ".join(heading), TITLE_MAX),
            short=short(shorts[place] + (order.get(key, "") if several else ""), TITLE_MAX),
            heading=heading,
            is_hidden=_is_hidden(recordings, states, place, key),
        )
        for place, key in pairs
        for heading in [_heading(place, key if several else "")]
    )


def _heading(place: str, key: str) -> tuple[str, ...]:
    parts = (place_title(place), key) if key else (place_title(place),)
    return tuple(short(part, TITLE_MAX) for part in parts)


def _memory(recordings: list[Json]) -> set[str]:
    return {
        place
        for recorded in recordings
        for held in (recorded.get("memory_at_start"), *(s.get("memory") for s in recorded["steps"]))
        for place in held or ()
    }


def _keys_of(place: str, states: list[Json], common: set[str], touched: set[str]) -> list[str]:
    contents = [layers.get(place) or {} for layers in states]
    held = {key for content in contents for key in content}
    changed = {key for key in held if _changes(place, key, states)}
    keys = (held & common) | touched | changed
    if keys:
        return sorted(keys)
    # The layer stayed out of it: one empty column says so.
    return sorted(common) if len(common) == 1 else [""]


def _changes(place: str, key: str, states: list[Json]) -> bool:
    return len({held((layers.get(place) or {}).get(key)) for layers in states}) > 1


def _common_keys(recordings: list[Json], violated_key: str | None) -> set[str]:
    """Return the keys that users named, whatever the names in the layers are."""
    operations = [operation for recorded in recordings for operation in recorded["history"]]
    keys = {operation["key"] for operation in operations}
    for operation in operations:
        keys |= {
            key
            for key, _ in (*(operation.get("sightings") or ()), *(operation.get("writes") or ()))
        }
    return {key for key in (*keys, violated_key) if key is not None}


def _touched(recordings: list[Json], place: str) -> set[str]:
    resources = {
        resource
        for recorded in recordings
        for step in recorded["steps"]
        if step["phase"] == "race"
        for resource in (*(step.get("reads") or ()), *(step.get("writes") or ()))
    }
    prefix = f"{place}:"
    keys = {resource.removeprefix(prefix) for resource in resources if resource.startswith(prefix)}
    return keys - {EVERYTHING}


def _is_hidden(recordings: list[Json], states: list[Json], place: str, key: str) -> bool:
    """Say whether a key of the existing cache is kept elsewhere: only declared calls touch it."""
    kinds = {
        step["kind"]
        for recorded in recordings
        for step in recorded["steps"]
        if f"{place}:{key}" in (*(step.get("reads") or ()), *(step.get("writes") or ()))
    }
    is_held = any(key in (layers.get(place) or {}) for layers in states)
    return place == _CACHE and kinds == {"watched"} and not is_held


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
