"""Makes the frames of a counterexample and of a passing run: each step, and the layers after it.

Each frame is complete, so that the page can jump to any of them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_supercache.report.plain import Plain
from pytest_supercache.report.values import NOTHING, shown

Json = Mapping[str, Any]
Short = Callable[[object, int], str]

FRAMES_MAX = 300
CELLS_MAX = 24
VALUE_MAX = 200
NAME_MAX = 60
_LAST = ("existing_cache", "origin")
_PHASES = {
    "before": "before the race",
    "race": "",
    "settle": "while settling",
    "finally": "after settling",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Player:
    found: Json  # one recording: the counterexample, or what passes
    steps: list[tuple[int, Json]]
    short: Short
    places: tuple[str, ...]
    cells: tuple[tuple[str, str], ...]  # (place, key)
    actors: dict[str, str]  # actor -> title
    turned: frozenset[tuple[str, int]]  # steps that come the other way round in the other one

    def name(self, text: object) -> str:
        return self.short(text, NAME_MAX)

    def value(self, layers: Json, place: str, key: str) -> str:
        content = layers.get(place) or {}
        return self.short(shown(content[key]), VALUE_MAX) if key in content else NOTHING


def players(found: Json, short: Short) -> dict[str, Plain]:
    """Return a player for the counterexample and one for the passing run, with the same lanes.

    ``found`` is the ``counterexample`` of a row. ``forced`` has the orders that force it, each with
    the frames of its two steps, if these have frames.
    """
    passing = found.get("passing")
    recordings = [found, passing] if passing else [found]
    steps = [
        [(at, step) for at, step in enumerate(recording["steps"]) if step["phase"] in _PHASES]
        for recording in recordings
    ]
    states = [
        state
        for recording, own in zip(recordings, steps, strict=True)
        for state in (_at_start(recording), *(_content(step) or {} for _, step in own))
    ]
    places = _places(states, [step for recording in recordings for step in recording["steps"]])
    cells = _cells(found, states, places)
    turned = frozenset(
        (step["actor"], step["index"])
        for order in (passing or {}).get("turned", ())
        for step in order
    )
    made = [
        _Player(
            found=recording,
            steps=own,
            short=short,
            places=places,
            cells=tuple(cells[:CELLS_MAX]),
            actors=_actors([one for each in steps for one in each], found),
            turned=turned,
        )
        for recording, own in zip(recordings, steps, strict=True)
    ]
    failing = _player(made[0], len(cells))
    return {
        "player": failing,
        "passing": _player(made[1], len(cells)) if passing else None,
        "turned": _orders(made[1], passing["turned"]) if passing else [],
        "forced": [_orders(made[0], cause["orders"]) for cause in found.get("forced_by") or ()],
        "forced_by_all": bool(found.get("forced_by_all")),
    }


def _player(made: _Player, cells: int) -> dict[str, Plain]:
    frames = list(_frames(made))
    left_out = []
    if len(frames) > FRAMES_MAX:
        left_out.append(f"the first {len(frames) - FRAMES_MAX:,} steps")
    if cells > CELLS_MAX:
        left_out.append(f"{cells - CELLS_MAX:,} keys")
    return {
        "actors": [made.name(title) for title in made.actors.values()],
        "places": [made.name(place) for place in made.places],
        "cells": [[made.places.index(place), made.name(key)] for place, key in made.cells],
        "frames": [*frames[-FRAMES_MAX:]],
        "left_out": f"not shown, but in verdict.json: {', '.join(left_out)}" if left_out else "",
        "end": [*_end(made)],
    }


def _orders(made: _Player, orders: list[list[Json]]) -> list[Plain]:
    """Return ``[text, frame, text, frame]`` for each order of two steps."""
    shown_steps = [step for _, step in made.steps if step["phase"] != "before"]
    left_out = max(0, len(shown_steps) + 1 - FRAMES_MAX)
    frames = {}
    for at, (name, _) in enumerate(_named(shown_steps)):
        if name is not None and at + 1 >= left_out:
            frames[name] = at + 1 - left_out
    found: list[Plain] = []
    for order in orders:
        told: list[Plain] = []
        for step in order:
            told += [
                made.short(step["text"], VALUE_MAX),
                frames.get((step["actor"], step["index"])),
            ]
        found.append(told)
    return found


def _named(steps: list[Json]) -> Iterator[tuple[tuple[str, int] | None, Json]]:
    """Yield each step with its actor and its number among the actor's steps in the race."""
    counts: dict[str, int] = {}
    for step in steps:
        if step["choice"] is None:
            yield None, step
            continue
        number = counts.get(step["actor"], 0)
        counts[step["actor"]] = number + 1
        yield (step["actor"], number), step


def _at_start(recording: Json) -> Json:
    return {**(recording.get("start") or {}), **(recording.get("memory_at_start") or {})}


def _content(step: Json) -> Json | None:
    """Return the content of layers and shared memory after a step; None: it was not recorded."""
    memory = step.get("memory")
    return {**(step["layers"] or {}), **memory} if memory else step["layers"]


def _places(states: list[Json], steps: list[Json]) -> tuple[str, ...]:
    """Return every layer, also those of nodes that were only read at the end."""
    places = dict.fromkeys(place for layers in states for place in layers)
    for step in steps:
        for resource in (*(step.get("reads") or ()), *(step.get("writes") or ())):
            place = resource.partition(":")[0]
            if place.startswith("super_cache@"):
                places[place] = None
    return tuple(sorted(places, key=lambda p: (_LAST.index(p) if p in _LAST else -1, p)))


def _cells(found: Json, states: list[Json], places: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the cells to show: first the violated key, then keys users named or that changed."""
    first = found["violation"]["key"]
    named = {first, *(operation["key"] for operation in found["history"])} - {None}
    ranked: list[tuple[bool, int, str]] = []
    for at, place in enumerate(places):
        contents = [layers.get(place) or {} for layers in states]
        for key in {key for content in contents for key in content}:
            seen = [content.get(key) for content in contents]
            if key in named or any(value != seen[0] for value in seen):
                ranked.append((key != first, at, key))
    return [(places[at], key) for _, at, key in sorted(ranked)]


def _actors(steps: list[tuple[int, Json]], found: Json) -> dict[str, str]:
    titles: dict[str, str] = {step["actor"]: step["title"] for _, step in steps}
    for pending in found.get("blocked") or ():
        titles.setdefault(pending["actor"], pending["actor"])
    order = sorted(titles, key=lambda actor: (actor == "@clock", "@" in actor))
    return {actor: titles[actor] for actor in order}


def _frames(made: _Player) -> Iterator[dict[str, Plain]]:
    steps = made.steps
    start = _at_start(made.found)
    last = {cell: made.value(start, *cell) for cell in made.cells}
    raced = any(step["phase"] == "race" for _, step in steps)
    yield {
        "text": "before the first step" if raced else "start",
        "lane": None,
        "number": None,
        "phase": "",
        "calls": [],
        "answers": [],
        "arrows": [],
        "values": list(last.values()),
        "changed": [],
        "apart": _marks(made, made.found.get("apart_at_start")),
        "parts": False,
        "turned": False,
    }
    names = [name for name, _ in _named([step for _, step in steps])]
    for (at, step), name in zip(steps, names, strict=True):
        if step["phase"] == "before":
            continue  # the start shows what became of it
        layers = _content(step)
        now = {cell: made.value(layers, *cell) for cell in made.cells} if layers else last
        yield {
            "text": made.short(step.get("text", step["label"]), VALUE_MAX),
            "lane": list(made.actors).index(step["actor"]),
            "number": None if step["choice"] is None else step["choice"] + 1,
            "phase": _PHASES[step["phase"]],
            "calls": [_call(made, op) for op in _own(made, step) if op["called_at"] == at],
            "answers": [
                _answer(made, op) for op in _own(made, step) if op["returned_at"] == at + 1
            ],
            "arrows": _arrows(made, step),
            "values": list(now.values()),
            "changed": [
                number for number, cell in enumerate(made.cells) if now[cell] != last[cell]
            ],
            "apart": _marks(made, step.get("apart")) if layers else [],
            "parts": at == made.found.get("never_agree_from"),
            "turned": name in made.turned,
        }
        last = now


def _marks(made: _Player, apart: list[Json] | None) -> list[Plain]:
    """Return ``[cell, whether it differs from the origin]`` for each cell that differs."""
    marks: list[Plain] = []
    for mark in apart or ():
        cell = (mark["place"], mark["key"])
        if cell in made.cells:
            marks.append([made.cells.index(cell), mark["against"] is not None])
    return marks


def _arrows(made: _Player, step: Json) -> list[Plain]:
    """Return ``["place" or "actor", number, written]`` for all that the step may access."""
    arrows: list[Plain] = []
    for number, place in enumerate(made.places):
        written = _touches(step.get("writes"), place)
        if written or _touches(step.get("reads"), place):
            arrows.append(["place", number, written])
    for number, actor in enumerate(made.actors):
        sent = actor.startswith("messages@") and _touches(step.get("writes"), actor)
        if sent and actor != step["actor"]:
            arrows.append(["actor", number, True])
    return arrows


def _touches(resources: list[str] | None, place: str) -> bool:
    return any(found == place or found.startswith(f"{place}:") for found in resources or ())


def _own(made: _Player, step: Json) -> list[Json]:
    number, history = step["operation"], made.found["history"]
    return [history[number]] if number is not None and 0 <= number < len(history) else []


def _call(made: _Player, operation: Json) -> str:
    text = " ".join(str(part) for part in (operation["kind"], operation["key"]) if part is not None)
    if operation["value"] is not None:
        text += f" = {shown(operation['value'])}"
    return made.short(text, VALUE_MAX)


def _answer(made: _Player, operation: Json) -> str:
    if operation["error"] is not None:
        return made.short(f"raised {operation['error']}", VALUE_MAX)
    if operation["answer"] is None:
        return "-> nothing" if operation["kind"] == "read" else "done"
    return made.short(f"-> {shown(operation['answer'])}", VALUE_MAX)


def _end(made: _Player) -> Iterator[str]:
    """Yield facts that no step shows: actors blocked for ever, and final reads of each node."""
    for pending in made.found.get("blocked") or ():
        yield f"{made.name(pending['actor'])} waits for ever: {made.name(pending['label'])}"
    for probe in made.found.get("probes") or ():
        none = probe["answer"] is None
        answer = "nothing" if none else made.short(shown(probe["answer"]), VALUE_MAX)
        node, key = made.name(probe["node"]), made.name(probe["key"])
        yield f"afterwards node {node} answers {answer} for {key}"
