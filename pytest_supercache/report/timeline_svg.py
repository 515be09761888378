"""Draws the timeline as a static SVG: no scripts or resources, readable on light and dark pages.

It paints its own background and computes widths from the number of characters, because texts must
not overlap if a viewer replaces the font.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from pytest_supercache.report.aside import without_aside
from pytest_supercache.report.serialized_values import note_of
from pytest_supercache.report.timeline import START, Timeline, TimelineRow, as_line, shortened
from pytest_supercache.report.values import short, width_of, wrap

CHAR = 7.3  # one monospace character at 12 px, with a little room for wider fonts
LINE = 16
LANE_CHARS_MAX = 26
COLUMN_CHARS_MAX = 30
TITLE_MAX = 300
KEY_MAX = 100
TITLE_CHARS_MIN = 40
_PAD = 10
_NUMBERS = 44
_FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
_INK, DIM, _PAPER, _HEAD = "#1f2328", "#656d76", "#ffffff", "#f0f2f5"
RULE, _CHANGED, _ALERT, _GROUP = "#d5dae0", "#ffe69c", "#c62828", "#f7f8fa"
_LANE_FILLS = ("#ddeeff", "#e3f6e5", "#f3e8fd", "#fdebdd", "#e0f5f5", "#fbe7ef")
_BACKGROUND, _STALE = "#eceef1", "#fbe0dd"


@dataclass(frozen=True, slots=True)
class _Grid:
    lefts: tuple[float, ...]  # of every lane, then of every layer column
    widths: tuple[float, ...]
    lanes: int
    width: float


def timeline_svg(whole: Timeline, title: str) -> str:
    """Draw the same grid as the text: actors left, layers right, time downwards."""
    kept, left_out = without_aside(whole)
    timeline = shortened(kept)
    grid = _grid(timeline)
    chars = int((grid.width - 2 * _PAD) / CHAR)
    title = short(title, TITLE_MAX)
    body: list[str] = []
    y = float(_PAD)
    for line in wrap(title, chars * 12 // 14):
        body.append(text_at(_PAD, y + 14, line, size=14, bold=True))
        y += LINE + 4
    y = _head(timeline, grid, y + 4, body)
    y = _rows(timeline, grid, y, body)
    y = _foot(timeline, left_out, chars, y, body)
    return document(grid.width, y + _PAD, title, body)


def document(width: float, height: float, title: str, body: list[str]) -> str:
    """Return a picture of this size, on paper."""
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="{_FONT}">',
            f"<title>{escape(title)}</title>",
            f'<rect width="100%" height="100%" fill="{_PAPER}"/>',
            *body,
            "</svg>",
            "",
        ]
    )


def _grid(timeline: Timeline) -> _Grid:
    chars = [_lane_chars(timeline, lane) for lane in range(len(timeline.lanes))]
    chars += [_column_chars(timeline, column) for column in range(len(timeline.columns))]
    widths = tuple(count * CHAR + 2 * _PAD for count in chars)
    lefts, left = [], float(_NUMBERS)
    for width in widths:
        lefts.append(left)
        left += width
    least = TITLE_CHARS_MIN * CHAR + 2 * _PAD
    return _Grid(tuple(lefts), widths, len(timeline.lanes), max(left, least))


def _lane_chars(timeline: Timeline, lane: int) -> int:
    texts = [timeline.lanes[lane].title]
    for row in timeline.rows:
        if row.lane == lane:
            texts += map(as_line, [*row.before, row.text, *row.after])
    return min(LANE_CHARS_MAX, max(map(width_of, texts)))


def _column_chars(timeline: Timeline, column: int) -> int:
    title = timeline.columns[column].heading
    cells = [row.values[column] for row in timeline.rows]
    return max(min(COLUMN_CHARS_MAX, max(map(width_of, title))), *map(width_of, cells), 1)


def _head(timeline: Timeline, grid: _Grid, y: float, body: list[str]) -> float:
    titles = [lane.title for lane in timeline.lanes]
    titles += [column.title for column in timeline.columns]
    wrapped = [
        wrap(title, max(1, int((width - 2 * _PAD) / CHAR)))
        for title, width in zip(titles, grid.widths, strict=True)
    ]
    height = max(map(len, wrapped), default=1) * LINE + 8
    body.append(_rect(0, y, grid.width, height, _HEAD))
    body.append(text_at(_PAD, y + LINE, "#", bold=True))
    for at, lines in enumerate(wrapped):
        for number, line in enumerate(lines):
            body.append(text_at(grid.lefts[at] + _PAD, y + (number + 1) * LINE, line, bold=True))
    return y + height


def _rows(timeline: Timeline, grid: _Grid, y: float, body: list[str]) -> float:
    group = ""
    top = y
    over: list[str] = []
    for row in timeline.rows:
        if row.group and row.group != group:
            body.append(text_at(_NUMBERS + _PAD, y + LINE, row.group, fill=DIM, bold=True))
            y += LINE + 6
        group = row.group
        if row.breaks:
            over += _alert(grid, timeline.breaks, y)
            y += LINE + 4
        y = _row(timeline, grid, row, y, body)
    if timeline.columns:
        left = grid.lefts[grid.lanes]
        body.append(
            f'<line x1="{left:.1f}" y1="{top:.1f}" x2="{left:.1f}" y2="{y:.1f}" stroke="{DIM}"/>'
        )
    body += over
    return y


def _alert(grid: _Grid, text: str, y: float) -> list[str]:
    line = f'<line x1="0" y1="{y:.1f}" x2="{grid.width:.1f}" y2="{y:.1f}"'
    return [
        f'{line} stroke="{_ALERT}" stroke-width="2"/>',
        text_at(_NUMBERS + _PAD, y + LINE - 2, text, fill=_ALERT, bold=True),
    ]


def _row(timeline: Timeline, grid: _Grid, row: TimelineRow, y: float, body: list[str]) -> float:
    spans = row.lane is None
    room = _lanes_width(grid) if spans else grid.widths[row.lane or 0]
    lines = list(_row_lines(row, max(8, int((room - 2 * _PAD) / CHAR))))
    height = len(lines) * LINE + 8
    if row.group:
        body.append(_rect(0, y, grid.width, height, _GROUP))
    body.append(_rect(0, y + height - 0.5, grid.width, 0.5, RULE))
    if row.number is not None:
        colour = _ALERT if row.breaks else DIM
        body.append(text_at(_PAD, y + LINE, str(row.number), fill=colour, bold=True))
    left = _NUMBERS if row.lane is None else grid.lefts[row.lane]
    if row.lane is not None:
        fill = _lane_fill(timeline, row.lane)
        body.append(_rect(left + 3, y + 2, grid.widths[row.lane] - 6, height - 4, fill, radius=4))
    for at, (line, bold) in enumerate(lines):
        fill = DIM if row.group or row.text == (START,) else _INK
        body.append(text_at(left + _PAD, y + (at + 1) * LINE, line, fill=fill, bold=bold))
    _values(grid, row, y, body)
    return y + height


def _lanes_width(grid: _Grid) -> float:
    return sum(grid.widths[: grid.lanes]) or grid.width - _NUMBERS


def _row_lines(row: TimelineRow, chars: int) -> Iterator[tuple[str, bool]]:
    """Yield each line of a cell with whether it is bold: calls and answers are, the step is not."""
    for call in row.before:
        yield from ((line, True) for line in wrap(as_line(call), chars))
    yield from ((line, False) for line in wrap(as_line(row.text), chars))
    for answer in row.after:
        yield from ((line, True) for line in wrap(as_line(answer), chars))


def _values(grid: _Grid, row: TimelineRow, y: float, body: list[str]) -> None:
    stale = {at for at, _ in row.apart}
    for at, (value, changed) in enumerate(zip(row.values, row.changed, strict=True)):
        left, width = grid.lefts[grid.lanes + at], grid.widths[grid.lanes + at]
        if changed or at in stale:
            paint = _STALE if at in stale else _CHANGED
            body.append(_rect(left + 3, y + 2, width - 6, LINE + 4, paint, radius=4))
        fill = _ALERT if at in stale else _INK if changed or value != "-" else DIM
        body.append(text_at(left + _PAD, y + LINE, value, fill=fill, bold=changed))


def _lane_fill(timeline: Timeline, lane: int) -> str:
    if "@" in timeline.lanes[lane].actor:  # a pseudo-actor: messages, the clock
        return _BACKGROUND
    return _LANE_FILLS[lane % len(_LANE_FILLS)]


def _foot(
    timeline: Timeline, left_out: Sequence[str], chars: int, y: float, body: list[str]
) -> float:
    notes: list[str] = []
    keys = {column.key for column in timeline.columns if column.key}
    if len(keys) == 1:
        notes.append(
            f"right: what each layer holds for {short(keys.pop(), KEY_MAX)} after each step"
        )
    if any(row.apart for row in timeline.rows):
        notes.append("red: not what the origin holds at that moment; yellow: changed by this step")
    if left_out:
        notes.append(f"not drawn, because it plays no part: {', '.join(left_out)}")
    notes += note_of(timeline.serialized)
    notes += [f"{mark} {text}" for mark, text in timeline.legend]
    y += 6
    for line in _wrapped(notes, chars):
        y += LINE
        body.append(text_at(_PAD, y, line, fill=DIM))
    return y


def _wrapped(notes: Sequence[str], chars: int) -> Iterator[str]:
    for note in notes:
        yield from wrap(note, chars)


def text_at(
    x: float, y: float, text: str, *, fill: str = _INK, bold: bool = False, size: int = 12
) -> str:
    """Return a line of text that begins at this point."""
    weight = ' font-weight="600"' if bold else ""
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}"'
    return f'<text {place} fill="{fill}"{weight} xml:space="preserve">{escape(text)}</text>'


def _rect(x: float, y: float, width: float, height: float, fill: str, *, radius: int = 0) -> str:
    corner = f' rx="{radius}"' if radius else ""
    size = f'width="{width:.1f}" height="{height:.1f}"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="{fill}"{corner}/>'
