"""Draws boxes and text as SVG for the documentation, readable on a light and on a dark page.

The colours are those of the product's own pictures, so that ``with_dark`` fits these, too. A viewer
of an SVG file follows the colour scheme of the reader; each drawing paints its own background.
"""

import re
from collections.abc import Iterable, Sequence
from html import escape

from pytest_supercache.report.timeline_svg import CHAR
from pytest_supercache.report.values import wrap

INK, DIM, PAPER, RULE, ALERT = "#1f2328", "#656d76", "#ffffff", "#d5dae0", "#c62828"
HEAD, STALE, NEUTRAL = "#f0f2f5", "#fbe0dd", "#eceef1"
FILLS = ("#ddeeff", "#e3f6e5", "#f3e8fd", "#fdebdd", "#e0f5f5", "#fbe7ef")
LINE = 17
FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"

_DARK = {
    INK: "#e6edf3", DIM: "#9aa4af", PAPER: "#0d1117", RULE: "#3d444d", ALERT: "#ff8179",
    HEAD: "#1f252d", STALE: "#57201d", NEUTRAL: "#2a313a",
    "#ffe69c": "#5c4a00", "#f7f8fa": "#161b22",
    "#ddeeff": "#12324f", "#e3f6e5": "#14371c", "#f3e8fd": "#37234f", "#fdebdd": "#47290f",
    "#e0f5f5": "#0f3838", "#fbe7ef": "#481e32",
}  # fmt: skip


def with_dark(svg: str) -> str:
    """Return a drawing that changes its colours where the reader prefers dark pages."""
    used = [colour for colour in _DARK if f'"{colour}"' in svg]
    rules = "".join(
        f'[fill="{colour}"]{{fill:{_DARK[colour]}}}[stroke="{colour}"]{{stroke:{_DARK[colour]}}}'
        for colour in used
    )
    style = f"<style>@media (prefers-color-scheme:dark){{{rules}}}</style>"
    return re.sub(r"(<svg [^>]*>)", lambda match: f"{match[1]}\n{style}", svg, count=1)


def document(width: float, height: float, title: str, body: Iterable[str]) -> str:
    """Return the text of a drawing with its background."""
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="{FONT}">',
        f"<title>{escape(title)}</title>",
        f'<rect width="100%" height="100%" rx="6" fill="{PAPER}"/>',
        *body,
        "</svg>",
        "",
    ]
    return with_dark("\n".join(lines))


def text(x: float, y: float, said: str, *, fill: str = INK, bold: bool = False) -> str:
    """Draw one line of text, with its baseline at ``y``."""
    weight = ' font-weight="600"' if bold else ""
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="12"'
    return f'<text {place} fill="{fill}"{weight} xml:space="preserve">{escape(said)}</text>'


def rect(
    x: float, y: float, width: float, height: float, fill: str, *, stroke: str | None = None
) -> str:
    """Draw a box with round corners."""
    line = f' stroke="{stroke}" stroke-width="1.5"' if stroke else ""
    size = f'width="{width:.1f}" height="{height:.1f}" rx="5"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="{fill}"{line}/>'


def line(x: float, y: float, to_x: float, to_y: float, *, stroke: str, dash: str = "") -> str:
    """Draw a straight line; ``dash``: the lengths of its dashes and gaps."""
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    ends = f'x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"'
    return f'<line {ends} stroke="{stroke}" stroke-width="1.5"{dashed}/>'


def lines_of(said: str, width: float) -> list[str]:
    """Break text into the lines that fit a width."""
    return wrap(said, max(8, int(width / CHAR)))


def paragraph(
    x: float, y: float, lines: Sequence[str], *, fill: str = INK, bold: bool = False
) -> list[str]:
    """Draw lines of text, the first one with its baseline at ``y``."""
    return [text(x, y + at * LINE, said, fill=fill, bold=bold) for at, said in enumerate(lines)]
