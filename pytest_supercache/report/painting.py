"""Tells the colour of a line of a failure's text, by what stands at its beginning."""

import re

_BREAKS = re.compile(r" {0,5}!\d* | {6}! ")
_HEAD = re.compile(r" {3}#  ")
_AS_EXPECTED = ", as expected"
_VIOLATED = re.compile(r"\S.*: .*\bVIOLATED\b")


def paint_of(line: str) -> tuple[str, ...]:
    """Return the names that pytest's terminal has for the colour of a line; none: ordinary text."""
    if _BREAKS.match(line):
        return "red", "bold"
    if _HEAD.match(line):
        return ("bold",)
    if _VIOLATED.match(line):
        return ("yellow",) if line.endswith(_AS_EXPECTED) else ("red",)
    return ()
