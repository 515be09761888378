"""Draws the timeline as a table of plain text that fits a width.

Nothing is cut off: labels wrap in their column, then layer names become initials, then the table is
split into blocks that repeat the step numbers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_supercache.report.timeline import START, Timeline, TimelineRow
from pytest_supercache.report.values import pad, width_of, wrap
from pytest_supercache.report.values import short as one_line

LANE_WIDTHS = (34, 26, 20, 16, 13)
_FULL_TITLES_FROM = 20  # below, initials of the layers read better than labels in shreds
_GAP = "  "
_BAR = " | "
_NUMBER_WIDTH = 4
_MARGIN = " " * _NUMBER_WIDTH + _GAP
_CHANGED = " *"
_MARK = "!"


@dataclass(frozen=True, slots=True)
class _PictureLayout:
    """The lanes and columns of a block, and their widths."""

    lanes: tuple[int, ...]
    lane_widths: tuple[int, ...]
    columns: tuple[int, ...]
    column_widths: tuple[int, ...]
    short: bool

    @property
    def lanes_width(self) -> int:
        return sum(self.lane_widths) + len(_GAP) * max(0, len(self.lane_widths) - 1)

    @property
    def width(self) -> int:
        columns = sum(self.column_widths) + len(_GAP) * max(0, len(self.column_widths) - 1)
        bar = len(_BAR) if self.lanes and self.columns else 0
        return len(_MARGIN) + self.lanes_width + bar + columns


def picture(timeline: Timeline, width: int) -> str:
    """Draw the timeline at most ``width`` columns wide, if a layout can be that narrow."""
    blocks = _blocks(timeline, width)
    parts = ["\n".join(_block(timeline, block, width)) for block in blocks]
    below = _legend(timeline, blocks, width)
    return "\n\n".join([*parts, "\n".join(below)] if below else parts)


def _blocks(timeline: Timeline, width: int) -> list[_PictureLayout]:
    lanes, columns = range(len(timeline.lanes)), range(len(timeline.columns))
    for short in (False, True):
        for lane_width in LANE_WIDTHS:
            layout = _layout(timeline, lanes, columns, lane_width, short=short)
            if layout.width <= width and (short or lane_width >= _FULL_TITLES_FROM):
                return [layout]
    return [
        *_split(timeline, lanes, (), width),
        *_split(timeline, (), columns, width),
    ]


def _split(
    timeline: Timeline, lanes: Sequence[int], columns: Sequence[int], width: int
) -> Iterator[_PictureLayout]:
    """Yield blocks that fill the width as far as possible; a single column is never split."""
    left = list(lanes or columns)
    while left:
        for count in range(len(left), 0, -1):
            part = left[:count]
            layout = _widest(timeline, part if lanes else (), () if lanes else part, width)
            if layout.width <= width or count == 1:
                yield layout
                left = left[count:]
                break


def _widest(
    timeline: Timeline, lanes: Sequence[int], columns: Sequence[int], width: int
) -> _PictureLayout:
    for lane_width in LANE_WIDTHS:
        layout = _layout(timeline, lanes, columns, lane_width, short=False)
        if layout.width <= width:
            return layout
    return _layout(timeline, lanes, columns, LANE_WIDTHS[-1], short=True)


def _layout(
    timeline: Timeline,
    lanes: Sequence[int],
    columns: Sequence[int],
    lane_width: int,
    *,
    short: bool,
) -> _PictureLayout:
    return _PictureLayout(
        lanes=tuple(lanes),
        lane_widths=tuple(
            min(lane_width, max(map(width_of, _lane_lines(timeline, lane)))) for lane in lanes
        ),
        columns=tuple(columns),
        column_widths=tuple(_column_width(timeline, at, short=short) for at in columns),
        short=short,
    )


def _lane_lines(timeline: Timeline, lane: int) -> list[str]:
    lines = [timeline.lanes[lane].title]
    for row in timeline.rows:
        if row.lane == lane:
            lines += [*row.before, _step_line(row), *map(_answer_line, row.after)]
    return lines


def _step_line(row: TimelineRow) -> str:
    """Indent a step below the operation that it belongs to."""
    return f"  {row.text}" if row.inside else row.text


def _answer_line(text: str) -> str:
    return f"  {text}"


def _column_width(timeline: Timeline, at: int, *, short: bool) -> int:
    cells = [_cell(row, at) for row in timeline.rows]
    header = max(map(width_of, _header(timeline, at, short=short)))
    return max([header, *map(width_of, cells)])


def _header(timeline: Timeline, at: int, *, short: bool) -> list[str]:
    column = timeline.columns[at]
    if short:
        return [column.short]
    return column.title.split(" ", 1) if column.shows_key else [column.title]


def _cell(row: TimelineRow, at: int) -> str:
    return row.values[at] + (_CHANGED if row.changed[at] else "")


def _block(timeline: Timeline, layout: _PictureLayout, width: int) -> Iterator[str]:
    yield from _headers(timeline, layout)
    group = ""
    for row in timeline.rows:
        if not layout.lanes and _says_nothing_without_lanes(row):
            continue
        if row.group != group and row.group:
            yield f"{_MARGIN}-- {row.group} --"
        group = row.group
        yield from _row_lines(row, layout)
        if row.never_agree_again:
            sentence = f"{_MARK} from here on the layers never agree again"
            yield from (f"{_MARGIN}{line}" for line in wrap(sentence, width - len(_MARGIN)))


def _says_nothing_without_lanes(row: TimelineRow) -> bool:
    return row.number is None and row.text != START and not any(row.changed)


def _headers(timeline: Timeline, layout: _PictureLayout) -> Iterator[str]:
    lanes = [
        wrap(timeline.lanes[lane].title, width)
        for lane, width in zip(layout.lanes, layout.lane_widths, strict=True)
    ]
    columns = [_header(timeline, at, short=layout.short) for at in layout.columns]
    height = max(map(len, [*lanes, *columns, ["#"]]))
    for at in range(height):
        left = [_line_of(lines, at - height + len(lines)) for lines in lanes]
        right = [_line_of(lines, at - height + len(lines)) for lines in columns]
        yield _assemble(layout, "#" if at == height - 1 else "", left, right)


def _line_of(lines: list[str], at: int) -> str:
    return lines[at] if 0 <= at < len(lines) else ""


def _row_lines(row: TimelineRow, layout: _PictureLayout) -> Iterator[str]:
    values = [_cell(row, at) for at in layout.columns]
    number = "" if row.number is None else str(row.number)
    number = f"{_MARK}{number}" if row.never_agree_again else number
    if row.lane is None:
        yield from _spanning(row, layout, number, values)
        return
    before, step, after = _cells(row, layout)
    lines = [*before, *step, *after]
    # Values belong to the moment after the step, so they stand beside its label.
    at_line = len(before) if row.lane in layout.lanes else 0
    for at, line in enumerate(lines if row.lane in layout.lanes else [""]):
        left = [line if lane == row.lane else "" for lane in layout.lanes]
        if not layout.columns or at != at_line:
            yield _assemble(layout, number if at == 0 else "", left, [""] * len(values))
        else:
            yield _assemble(layout, number if at == 0 else "", left, values)


def _cells(row: TimelineRow, layout: _PictureLayout) -> tuple[list[str], list[str], list[str]]:
    if row.lane not in layout.lanes:
        return [], [], []
    width = layout.lane_widths[layout.lanes.index(row.lane)]
    before = [line for text in row.before for line in wrap(text, width)]
    after = [line for text in row.after for line in _indented(text, width)]
    step = _indented(row.text, width) if row.inside else wrap(row.text, width)
    return before, step, after


def _indented(text: str, width: int) -> list[str]:
    return [f"  {line}" for line in wrap(text, width - 2)]


def _spanning(
    row: TimelineRow, layout: _PictureLayout, number: str, values: list[str]
) -> Iterator[str]:
    """Draw a row without a lane across all lanes."""
    if not layout.lanes:
        yield _assemble(layout, number or (START if row.text == START else ""), [], values)
        return
    lines = wrap(row.text, max(layout.lanes_width, 1))
    for at, line in enumerate(lines):
        shown = values if at == 0 else [""] * len(values)
        yield _joined(layout, number if at == 0 else "", line, shown)


def _assemble(layout: _PictureLayout, number: str, left: list[str], right: list[str]) -> str:
    cells = [pad(text, width) for text, width in zip(left, layout.lane_widths, strict=True)]
    return _joined(layout, number, _GAP.join(cells), right)


def _joined(layout: _PictureLayout, number: str, left: str, right: list[str]) -> str:
    cells = [pad(text, width) for text, width in zip(right, layout.column_widths, strict=True)]
    line = f"{number:>{_NUMBER_WIDTH}}{_GAP}{pad(left, layout.lanes_width)}"
    if cells:
        line += (_BAR if layout.lanes else "") + _GAP.join(cells)
    return line.rstrip()


def _legend(timeline: Timeline, blocks: list[_PictureLayout], width: int) -> list[str]:
    width = max(width - len(_MARGIN), 1)
    lines: list[str] = []
    keys = {column.key for column in timeline.columns if column.key}
    if len(keys) == 1:
        lines += wrap(
            f"values of {one_line(timeline.columns[0].key or keys.pop())} after each step", width
        )
    if any(any(row.changed) for row in timeline.rows):
        lines.append("* changed by this step")
    if any(block.short for block in blocks):
        names = ", ".join(f"{column.short} = {column.title}" for column in timeline.columns)
        lines += wrap(names, width)
    for mark, text in timeline.legend:
        lines += wrap(f"{mark} {text}", width)
    return [f"{_MARGIN}{line}" for line in lines]
