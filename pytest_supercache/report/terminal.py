"""Makes the section at the end of a run: a line, with a colour, per row of ``verdict.json``.

``-q`` leaves the details out, ``-qq`` also the rows that are as stated.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_supercache.report.page import place_in_page
from pytest_supercache.report.values import fitting, wrap

Row = Mapping[str, Any]
Line = tuple[str, str]
"""A text, and the name of its colour in pytest; ``""``: none."""

_INDENT = "  "
_BREAKS = re.compile(r" {0,5}!\d* | {6}! ")
_HEAD = re.compile(r" {3}#  ")
_AS_EXPECTED = ", as expected"
_VIOLATED = re.compile(r"\S.*: .*\bVIOLATED\b")


def section(rows: Iterable[Row], *, verbosity: int, width: int | None) -> Iterator[Line]:
    """Yield the lines of the section.

    Args:
        rows: the rows of all items.
        verbosity: that of pytest: 1 is ``-v``, -1 is ``-q``.
        width: columns of the terminal; None: no terminal, and no line is cut or wrapped.
    """
    rows = list(rows)
    for row in rows if verbosity > 0 else ():
        if row.get("picture"):
            yield from ((line, _paint(line)) for line in str(row["picture"]).splitlines())
            yield "", ""
    for row in rows:
        if verbosity < -1 and row["as_stated"]:
            continue
        line = str(row["line_of_text"])
        yield line if verbosity > 0 or width is None else fitting(line, width), _colour(row)
        if verbosity >= 0:
            yield from ((line, "") for line in _details(row, width))


def page_of_conflict(rows: Iterable[Row], folder: Path) -> str | None:
    """Return where the page shows the first conflict, those that are not expected first.

    None: there is no conflict.
    """
    found = [row for row in rows if row.get("counterexample")]
    if not found:
        return None
    first = min(found, key=lambda row: bool(row["as_stated"]))
    return str(folder / place_in_page(str(first["id"])))


def _paint(line: str) -> str:
    return next(iter(paint_of(line)), "")


def _colour(row: Row) -> str:
    if not row["as_stated"]:
        return "red"
    return "green" if row["verdict"] == "holds" else "yellow"


def _details(row: Row, width: int | None) -> Iterator[str]:
    said = [row["coverage"]] if row["verdict"] == "holds" else []
    said += [f"note: {note}" for note in row["notes"]] if row["as_stated"] else []
    for text in said:
        lines = [text] if width is None else wrap(text, max(20, width - len(_INDENT)))
        yield from (f"{_INDENT}{line}" for line in lines)


def paint_of(line: str) -> tuple[str, ...]:
    """Return the names that pytest's terminal has for the colour of a line; none: ordinary text."""
    if _BREAKS.match(line):
        return "red", "bold"
    if _HEAD.match(line):
        return ("bold",)
    if _VIOLATED.match(line):
        return ("yellow",) if line.endswith(_AS_EXPECTED) else ("red",)
    return ()
