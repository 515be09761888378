"""Calls that cannot be put into one order, as a picture: one lane a process, time to the right.

Only the order of beginnings and ends is known, so only that is drawn: they stand in equal steps.
"""

from html import escape

from pytest_supercache.oracle.linear.call import NEVER
from pytest_supercache.oracle.linear.smallest import Core
from pytest_supercache.report.order_text import call_text
from pytest_supercache.report.timeline_svg import CHAR
from pytest_supercache.report.values import clean, width_of, wrap

_STEP, _LANE, _BAR, _PAD = 96, 58, 22, 12
_CALLS_MAX = 60
_FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
_INK, _DIM, _PAPER, _RULE, _FILL = "#1f2328", "#656d76", "#ffffff", "#d5dae0", "#ddeeff"


def lanes_svg(core: Core, title: str) -> str:
    """Draw the calls of a core; those of unknown outcome are open to the right."""
    calls = core.calls[:_CALLS_MAX]
    lanes = list(dict.fromkeys(call.process for call in calls))
    ends = {call.called_at for call in calls} | {call.returned_at for call in calls}
    column = {position: at for at, position in enumerate(sorted(ends - {NEVER}))}
    left = 2 * _PAD + max(width_of(_lane_title(lane)) for lane in lanes) * CHAR
    texts = [call_text(call) for call in calls]
    right = max(
        left + column[call.called_at] * _STEP + width_of(text) * CHAR
        for call, text in zip(calls, texts, strict=True)
    )
    width = max(right, left + len(column) * _STEP, 480.0) + 2 * _PAD
    heading = wrap(clean(title), int((width - 2 * _PAD) / CHAR))
    top = _PAD + len(heading) * 18.0 + 8
    body = [_text(_PAD, _PAD + 14 + at * 18, line, bold=True) for at, line in enumerate(heading)]
    for at, lane in enumerate(lanes):
        y = top + at * _LANE
        body.append(f'<path d="M0 {y:.0f}H{width:.0f}" stroke="{_RULE}"/>')
        body.append(_text(_PAD, y + 42, _lane_title(lane), fill=_DIM))
    for call, text in zip(calls, texts, strict=True):
        x = left + column[call.called_at] * _STEP
        y = top + lanes.index(call.process) * _LANE
        until = width if call.returned_at == NEVER else left + column[call.returned_at] * _STEP
        body.append(_text(x, y + 18, text))
        body.append(_bar(x, y + 26, until - x, is_open=call.returned_at == NEVER))
        body.append(_text(x + 4, y + 42, str(call.called_at), fill=_DIM))
        if call.returned_at != NEVER:
            label = str(call.returned_at)
            body.append(_text(until - 4 - len(label) * CHAR, y + 42, label, fill=_DIM))
    height = top + len(lanes) * _LANE + 8
    notes = wrap(_note(core), int((width - 2 * _PAD) / CHAR))
    body += [_text(_PAD, height + 14 + at * 16, line, fill=_DIM) for at, line in enumerate(notes)]
    return _document(width, height + len(notes) * 16 + _PAD, title, body)


def _note(core: Core) -> str:
    note = "the numbers are lines of the recording; a bar that is open to the right has no answer"
    if len(core.calls) > _CALLS_MAX:
        note += f"; {len(core.calls) - _CALLS_MAX:,} more calls are not drawn"
    return note


def _lane_title(process: str) -> str:
    text = clean(process)
    return f"process {text[:24]}{'...' if len(text) > 24 else ''}"


def _document(width: float, height: float, title: str, body: list[str]) -> str:
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="{_FONT}">'
    paper = f'<rect width="100%" height="100%" fill="{_PAPER}"/>'
    return "\n".join([head, f"<title>{escape(clean(title))}</title>", paper, *body, "</svg>", ""])


def _text(x: float, y: float, text: str, *, fill: str = _INK, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="12"'
    return f'<text {place} fill="{fill}"{weight} xml:space="preserve">{escape(text)}</text>'


def _bar(x: float, y: float, width: float, *, is_open: bool) -> str:
    if is_open:
        path = f"M{x + width:.1f} {y:.1f}H{x:.1f}v{_BAR}H{x + width:.1f}"
        return f'<path d="{path}" fill="none" stroke="{_DIM}" stroke-dasharray="4 3"/>'
    size = f'width="{width:.1f}" height="{_BAR}" rx="4"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="{_FILL}" stroke="{_DIM}"/>'
