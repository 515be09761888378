"""Aligns the failing with the passing interleaving: what both do is one line, in the same order.

A step that comes earlier in one of them and later in the other stands on a line of its own in each,
so that what is swapped is seen side by side.
"""

from collections.abc import Iterator
from difflib import SequenceMatcher

from pytest_supercache.report.timeline import Timeline, TimelineRow

Line = tuple[int | None, int | None]
"""A row of the failing and one of the passing timeline; None: the other one does more here."""


def compared(fails: Timeline, passes: Timeline) -> tuple[Line, ...]:
    """Return the lines of the comparison, from the start to the end of both."""
    ours, theirs = ([_name(row) for row in one.rows] for one in (fails, passes))
    return tuple(_lines(SequenceMatcher(None, ours, theirs, autojunk=False)))


def _lines(matcher: SequenceMatcher[object]) -> Iterator[Line]:
    for kind, i, i_end, j, j_end in matcher.get_opcodes():
        if kind == "equal":
            yield from zip(range(i, i_end), range(j, j_end), strict=True)
            continue
        most = max(i_end - i, j_end - j)
        for at in range(most):
            yield (i + at if i + at < i_end else None, j + at if j + at < j_end else None)


def _name(row: TimelineRow) -> object:
    """Return what is equal for the same event: the step, or the text of what has no step."""
    return row.step or (row.lane, row.group, "".join(row.text[:1]))
