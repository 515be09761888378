"""Formats the failing interleaving, one line per step, from a row of ``verdict.json`` alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_supercache.report.timeline import START, Timeline, TimelineRow, as_line, timeline
from pytest_supercache.report.values import short

LINE_MAX = 200
VALUE_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLine:
    """One step: ``3. bob @a: DEL product:42 (write product:42 = 120) -> done``."""

    number: int | None  # in the schedule; None outside of the race
    text: str
    breaks: str  # what it breaks, as a sentence; "" if nothing
    values: tuple[str, ...]  # one text a cell, after the step


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """All steps, and the place and key of each cell."""

    cells: tuple[tuple[str, str], ...]
    lines: tuple[StepLine, ...]  # what layers held at the start has a line, too

    @property
    def told(self) -> list[StepLine]:
        """The lines without the start."""
        return [line for line in self.lines if line.text != START]


def steps_of(found: Mapping[str, Any]) -> Steps:
    """Return the steps of the ``counterexample`` of a row, those before the race too."""
    drawn = timeline(found)
    lines = [
        StepLine(
            number=row.number,
            text=short(_text(drawn, row), LINE_MAX),
            breaks=drawn.breaks if row.breaks else "",
            values=tuple(short(value, VALUE_MAX) for value in row.values),
        )
        for row in drawn.rows
    ]
    cells = tuple((short(one.place, LINE_MAX), short(one.key, LINE_MAX)) for one in drawn.columns)
    return Steps(cells=cells, lines=tuple(lines))


def _text(drawn: Timeline, row: TimelineRow) -> str:
    if row.lane is None:
        return as_line(row.text)
    number = "" if row.number is None else f"{row.number}. "
    calls = "".join(f" ({as_line(call)})" for call in row.before)
    answers = "".join(f" {as_line(answer)}" for answer in row.after)
    return f"{number}{drawn.lanes[row.lane].title}: {as_line(row.text)}{calls}{answers}"
