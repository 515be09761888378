"""Formats the failing interleaving, one line per step, from a row of ``verdict.json`` alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_supercache.report.player_data import players
from pytest_supercache.report.values import short

LINE_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLine:
    """One step: ``3. bob @a: DEL product:42 (write product:42 = 120) -> done``."""

    number: int | None  # in the schedule; None outside of the race
    text: str
    parts: bool  # from here on the layers never agree again
    values: tuple[str, ...]  # one text a cell, after the step


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """All steps, and the place and key of each cell."""

    cells: tuple[tuple[str, str], ...]
    lines: tuple[StepLine, ...]


def steps_of(found: Mapping[str, Any]) -> Steps:
    """Return the steps of the ``counterexample`` of a row; the first line is the start."""
    drawn: Any = players({**found, "passing": None}, short)["player"]
    actors, places = drawn["actors"], drawn["places"]
    lines = [
        StepLine(
            number=frame["number"],
            text=short(_text(frame, actors), LINE_MAX),
            parts=frame["parts"],
            values=tuple(frame["values"]),
        )
        for frame in drawn["frames"]
    ]
    cells = tuple((places[place], key) for place, key in drawn["cells"])
    return Steps(cells=cells, lines=tuple(lines))


def _text(frame: Mapping[str, Any], actors: list[str]) -> str:
    if frame["lane"] is None:
        return str(frame["text"])
    number = "" if frame["number"] is None else f"{frame['number']}. "
    calls = "".join(f" ({call})" for call in frame["calls"])
    answers = "".join(f" {answer}" for answer in frame["answers"])
    return f"{number}{actors[frame['lane']]}: {frame['text']}{calls}{answers}"
