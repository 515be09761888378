"""Draws the timeline as a table of plain text that fits a width.

Nothing is cut off: labels wrap in their column, and layer names become initials. Where even this is
too wide, all actors share one column, and each step is followed by what it changed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_supercache.report.aside import without_aside
from pytest_supercache.report.serialized_values import note_of
from pytest_supercache.report.timeline import (
    NOT_RECORDED,
    START,
    Timeline,
    TimelineRow,
    as_line,
    shortened,
)
from pytest_supercache.report.values import NOTHING, pad, width_of, wrap
from pytest_supercache.report.values import short as one_line

LANE_WIDTHS = (34, 26, 22)
STEP_MIN = 12
"""The least width of a step where all actors share one column."""

_FULL_TITLES_FROM = 26  # below, initials of the layers read better than labels in shreds
_WHO_MAX = 16
_GAP = "  "
_BAR = " | "
_NUMBER_WIDTH = 4
_MARGIN = " " * _NUMBER_WIDTH + _GAP
_CHANGED = " *"
_MARK = "!"


@dataclass(frozen=True, slots=True)
class _PictureLayout:
    """The widths of lanes and columns."""

    lanes: tuple[int, ...]
    columns: tuple[int, ...]
    short: bool

    @property
    def lanes_width(self) -> int:
        return sum(self.lanes) + len(_GAP) * max(0, len(self.lanes) - 1)

    @property
    def width(self) -> int:
        columns = sum(self.columns) + len(_GAP) * max(0, len(self.columns) - 1)
        bar = len(_BAR) if self.lanes and self.columns else 0
        return len(_MARGIN) + self.lanes_width + bar + columns


def picture(whole: Timeline, width: int) -> str:
    """Draw the timeline at most ``width`` columns wide, if a layout can be that narrow."""
    kept, left_out = without_aside(whole)
    drawn = shortened(kept)
    layout = _fitting(drawn, width)
    if layout is None:
        lines, below = list(_listed(drawn, width)), []
    else:
        lines, below = list(_table(drawn, layout, width)), _notes(drawn, layout)
    below += [f"not drawn, because it plays no part: {', '.join(left_out)}"] if left_out else []
    below += note_of(drawn.serialized)
    below += [f"{mark} {text}" for mark, text in drawn.legend]
    room = max(width - len(_MARGIN), 1)
    notes = [f"{_MARGIN}{line}" for note in below for line in wrap(note, room)]
    return "\n".join([*lines, "", *notes] if notes else lines)


def _fitting(drawn: Timeline, width: int) -> _PictureLayout | None:
    for short in (False, True):
        for lane_width in LANE_WIDTHS:
            layout = _layout(drawn, lane_width, short=short)
            if layout.width <= width and (short or lane_width >= _FULL_TITLES_FROM):
                return layout
    return None


def _layout(drawn: Timeline, lane_width: int, *, short: bool) -> _PictureLayout:
    lanes = range(len(drawn.lanes))
    return _PictureLayout(
        lanes=tuple(
            min(lane_width, max(map(width_of, _lane_lines(drawn, lane)))) for lane in lanes
        ),
        columns=tuple(_column_width(drawn, at, short=short) for at in range(len(drawn.columns))),
        short=short,
    )


def _lane_lines(drawn: Timeline, lane: int) -> list[str]:
    lines = [drawn.lanes[lane].title]
    for row in drawn.rows:
        if row.lane == lane:
            lines += [*map(as_line, row.before), *(f"  {as_line(text)}" for text in row.after)]
            lines.append(f"  {as_line(row.text)}" if row.inside else as_line(row.text))
    return lines


def _column_width(drawn: Timeline, at: int, *, short: bool) -> int:
    cells = [_cell(row, at) for row in drawn.rows]
    return max(map(width_of, [*_header(drawn, at, short=short), *cells]))


def _header(drawn: Timeline, at: int, *, short: bool) -> list[str]:
    column = drawn.columns[at]
    if short:
        return [column.short]
    return list(column.heading)


def _cell(row: TimelineRow, at: int) -> str:
    return row.values[at] + (_CHANGED if row.changed[at] else "")


def _group_line(row: TimelineRow, group: str) -> Iterator[str]:
    if row.group and row.group != group:
        yield f"{_MARGIN}-- {row.group} --"


def _mark_lines(drawn: Timeline, row: TimelineRow, width: int) -> Iterator[str]:
    if row.breaks:
        sentence = f"{_MARK} {drawn.breaks}"
        yield from (f"{_MARGIN}{line}" for line in wrap(sentence, width - len(_MARGIN)))


def _number(row: TimelineRow) -> str:
    number = "" if row.number is None else str(row.number)
    return f"{_MARK}{number}" if row.breaks else number


# -- a lane for each actor ------------------------------------------------------------------------


def _table(drawn: Timeline, layout: _PictureLayout, width: int) -> Iterator[str]:
    yield from _headers(drawn, layout)
    group = ""
    for row in drawn.rows:
        yield from _group_line(row, group)
        group = row.group
        yield from _row_lines(row, layout)
        yield from _mark_lines(drawn, row, width)


def _headers(drawn: Timeline, layout: _PictureLayout) -> Iterator[str]:
    lanes = [wrap(lane.title, width) for lane, width in zip(drawn.lanes, layout.lanes, strict=True)]
    columns = [_header(drawn, at, short=layout.short) for at in range(len(drawn.columns))]
    height = max(map(len, [*lanes, *columns, ["#"]]))
    for at in range(height):
        left = [_line_of(lines, at - height + len(lines)) for lines in lanes]
        right = [_line_of(lines, at - height + len(lines)) for lines in columns]
        yield _assemble(layout, "#" if at == height - 1 else "", left, right)


def _line_of(lines: list[str], at: int) -> str:
    return lines[at] if 0 <= at < len(lines) else ""


def _row_lines(row: TimelineRow, layout: _PictureLayout) -> Iterator[str]:
    values = [_cell(row, at) for at in range(len(layout.columns))]
    empty = [""] * len(values)
    if row.lane is None:  # it spans all lanes
        for at, line in enumerate(wrap(as_line(row.text), max(layout.lanes_width, 1))):
            yield _joined(layout, "" if at else _number(row), line, empty if at else values)
        return
    width = layout.lanes[row.lane]
    before = [line for text in row.before for line in wrap(as_line(text), width)]
    lines = [*before, *_step(row, width), *_answers(row, width)]
    for at, line in enumerate(lines):
        left = [line if lane == row.lane else "" for lane in range(len(layout.lanes))]
        # Values belong to the moment after the step, so they stand beside its label.
        right = values if at == len(before) else empty
        yield _assemble(layout, "" if at else _number(row), left, right)


def _step(row: TimelineRow, width: int) -> list[str]:
    text = as_line(row.text)
    return _indented(text, width) if row.inside else wrap(text, width)


def _answers(row: TimelineRow, width: int) -> list[str]:
    return [line for text in row.after for line in _indented(as_line(text), width)]


def _indented(text: str, width: int) -> list[str]:
    return [f"  {line}" for line in wrap(text, width - 2)]


def _assemble(layout: _PictureLayout, number: str, left: list[str], right: list[str]) -> str:
    cells = [pad(text, width) for text, width in zip(left, layout.lanes, strict=True)]
    return _joined(layout, number, _GAP.join(cells), right)


def _joined(layout: _PictureLayout, number: str, left: str, right: Sequence[str]) -> str:
    cells = [pad(text, width) for text, width in zip(right, layout.columns, strict=True)]
    line = f"{number:>{_NUMBER_WIDTH}}{_GAP}{pad(left, layout.lanes_width)}"
    if cells:
        line += _BAR + _GAP.join(cells)
    return line.rstrip()


def _notes(drawn: Timeline, layout: _PictureLayout) -> list[str]:
    notes: list[str] = []
    keys = {column.key for column in drawn.columns if column.key}
    if len(keys) == 1:
        key = one_line(drawn.columns[0].key or keys.pop())
        notes.append(f"values of {key} after each step")
    if any(any(row.changed) for row in drawn.rows):
        notes.append("* changed by this step")
    if any(column.is_hidden for column in drawn.columns):
        notes.append(f"{NOT_RECORDED} kept where nothing shows it, by calls that are declared")
    if layout.short:
        notes.append(", ".join(f"{column.short} = {column.title}" for column in drawn.columns))
    return notes


# -- one column for all actors --------------------------------------------------------------------


def _listed(drawn: Timeline, width: int) -> Iterator[str]:
    titles = [lane.title for lane in drawn.lanes]
    who_width = min(_WHO_MAX, max(map(width_of, ["who", *titles])))
    room = max(STEP_MIN, width - len(_MARGIN) - who_width - len(_GAP))
    yield f"{'#':>{_NUMBER_WIDTH}}{_GAP}{pad('who', who_width)}{_GAP}step"
    group, last = "", None
    for row in drawn.rows:
        yield from _group_line(row, group)
        group = row.group
        title = titles[row.lane] if row.lane is not None and row.lane != last else ""
        last = row.lane
        who, told = wrap(title, who_width), list(_told(drawn, row, room))
        for at in range(max(len(who), len(told))):
            number = "" if at else _number(row)
            cells = f"{pad(_line_of(who, at), who_width)}{_GAP}{_line_of(told, at)}"
            yield f"{number:>{_NUMBER_WIDTH}}{_GAP}{cells}".rstrip()
        yield from _mark_lines(drawn, row, width)


def _told(drawn: Timeline, row: TimelineRow, width: int) -> Iterator[str]:
    for text in row.before:
        yield from wrap(as_line(text), width)
    yield from _step(row, width)
    for at, column in enumerate(drawn.columns):
        if row.changed[at] or (row.text == (START,) and row.values[at] != NOTHING):
            held = "nothing" if row.values[at] == NOTHING else row.values[at]
            yield from _indented(f"  {column.title} holds {held}", width)
    yield from _answers(row, width)
