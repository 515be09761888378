"""Draws calls that are not linearizable: one lane per process, time to the right.

Only the order of calls and returns is known, so the picture spaces them evenly.
"""

from dataclasses import dataclass

from pytest_supercache.oracle.linear.call import NEVER, Call
from pytest_supercache.oracle.linear.smallest import Core
from pytest_supercache.report.order_text import call_text, request_text
from pytest_supercache.report.timeline_svg import CHAR, DIM, RULE, document, text_at
from pytest_supercache.report.values import clean, width_of, wrap

_STEP, _LANE, _BAR, _PAD, _LINE = 96.0, 58, 22, 12, 18
_CALLS_MAX, _OTHERS_MAX, _LABEL_MAX, _NAME_MAX = 60, 5, 48, 24
_FILL = "#ddeeff"


@dataclass(frozen=True, slots=True)
class _Bar:
    """One call in the picture: from a column to another, or to the right edge (None)."""

    lane: str
    label: str
    start: int
    end: int | None


@dataclass(frozen=True, slots=True)
class _Lanes:
    bars: tuple[_Bar, ...]
    positions: tuple[int, ...]  # what stands in each column

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(bar.lane for bar in self.bars))

    @property
    def step(self) -> float:
        """The width of a column, so that no label reaches the next bar of its lane."""
        needed = [_STEP]
        last: dict[str, _Bar] = {}
        for bar in self.bars:
            before = last.get(bar.lane)
            if before is not None and bar.start > before.start:
                needed.append((width_of(before.label) + 1) * CHAR / (bar.start - before.start))
            last[bar.lane] = bar
        return max(needed)


def lanes_svg(core: Core, title: str) -> str:
    """Draw the calls of a core; bars without a known end are open to the right."""
    lanes = _lanes(core)
    left = 2 * _PAD + max(map(width_of, lanes.names)) * CHAR
    right = max(left + bar.start * lanes.step + width_of(bar.label) * CHAR for bar in lanes.bars)
    width = max(right, left + len(lanes.positions) * lanes.step, 480.0) + 2 * _PAD
    heading = wrap(clean(title), int((width - 2 * _PAD) / CHAR))
    body = [
        text_at(_PAD, _PAD + 14 + at * _LINE, line, bold=True) for at, line in enumerate(heading)
    ]
    top = _PAD + len(heading) * _LINE + 8.0
    for at, name in enumerate(lanes.names):
        body.append(f'<path d="M0 {top + at * _LANE:.0f}H{width:.0f}" stroke="{RULE}"/>')
        body.append(text_at(_PAD, top + at * _LANE + 42, name, fill=DIM))
    for bar in lanes.bars:
        body += _draw(bar, lanes, left, top + lanes.names.index(bar.lane) * _LANE, width)
    bottom = top + len(lanes.names) * _LANE + 8
    notes = wrap(_note(core), int((width - 2 * _PAD) / CHAR))
    body += [text_at(_PAD, bottom + 14 + at * 16, line, fill=DIM) for at, line in enumerate(notes)]
    return document(width, bottom + len(notes) * 16 + _PAD, clean(title), body)


def _lanes(core: Core) -> _Lanes:
    calls = core.calls[:_CALLS_MAX]
    others = core.others[:_OTHERS_MAX]
    ends = {call.called_at for call in (*calls, *others)} | {call.returned_at for call in calls}
    positions = sorted(ends - {NEVER})
    column = {position: at for at, position in enumerate(positions)}
    bars = [
        _Bar(
            _name(call),
            _short(call_text(call)),
            column[call.called_at],
            column.get(call.returned_at),
        )
        for call in calls
    ]
    bars += [
        _Bar(f"{_name(call)}, any time", _short(request_text(call)), column[call.called_at], None)
        for call in others
    ]
    return _Lanes(tuple(bars), tuple(positions))


def _draw(bar: _Bar, lanes: _Lanes, left: float, top: float, width: float) -> list[str]:
    x, y = left + bar.start * lanes.step, top + 26
    called = text_at(x + 4, top + 42, str(lanes.positions[bar.start]), fill=DIM)
    label = text_at(x, top + 18, bar.label)
    if bar.end is None:
        path = f"M{width:.1f} {y:.1f}H{x:.1f}v{_BAR}H{width:.1f}"
        outline = f'<path d="{path}" fill="none" stroke="{DIM}" stroke-dasharray="4 3"/>'
        return [label, outline, called]
    size = f'width="{(bar.end - bar.start) * lanes.step:.1f}" height="{_BAR}" rx="4"'
    outline = f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="{_FILL}" stroke="{DIM}"/>'
    number = str(lanes.positions[bar.end])
    end = left + bar.end * lanes.step - 4 - len(number) * CHAR
    return [label, outline, called, text_at(end, top + 42, number, fill=DIM)]


def _note(core: Core) -> str:
    note = "the numbers are lines of the recording"
    if core.others or not all(call.returned for call in core.calls):
        note += "; what is open to the right may take effect at any time, or never"
    missing = max(0, len(core.calls) - _CALLS_MAX) + max(0, len(core.others) - _OTHERS_MAX)
    if missing:
        note += f"; {missing:,} more calls are not drawn"
    return note


def _name(call: Call) -> str:
    return f"process {_short(clean(call.process), _NAME_MAX)}"


def _short(text: str, most: int = _LABEL_MAX) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
