"""Finds where the values in a timeline come from, one step back at a time.

What a step reads was written by the last step that changed the cell, or was there at the start.
What it writes was read before by the same actor, or given in its call. That two values are equal is
all that a recording tells: a step back is a step that had this value, not a proof that it was
copied.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pytest_supercache.report.timeline import NOT_RECORDED, Text, Timeline, TimelineRow
from pytest_supercache.report.values import NOTHING, Value

CALL = -1
"""Stands for a column: the value was given in the call of the operation."""

ANSWER = -2
"""Stands for a column: the value is the answer of the operation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """The row and the column in which a value was one step before; the column may be CALL."""

    row: int
    column: int


Provenance = Mapping[int, Earlier]
"""Where each value of a row was before, by its column, or ANSWER."""


def provenance(drawn: Timeline) -> tuple[Provenance, ...]:
    """Return, for each row, where the values come from that it reads, writes or answers."""
    columns = {(column.place, column.key): at for at, column in enumerate(drawn.columns)}
    passed = [_passed(row, columns) for row in drawn.rows]
    return tuple(dict(_came_from(drawn.rows, passed, at)) for at in range(len(drawn.rows)))


@dataclass(frozen=True, slots=True)
class _Passed:
    """A value that a row reads from a column, or writes there."""

    column: int
    value: str
    is_written: bool


def _passed(row: TimelineRow, columns: Mapping[tuple[str, str], int]) -> list[_Passed]:
    return [
        _Passed(column, arrow.value, arrow.is_written)
        for arrow in row.arrows
        if arrow.value is not None
        and (column := columns.get((arrow.to, str(arrow.key)))) is not None
    ]


def _came_from(
    rows: tuple[TimelineRow, ...], passed: list[list[_Passed]], at: int
) -> Iterator[tuple[int, Earlier]]:
    for one in passed[at]:
        found = (
            _had_before(rows, passed, at, one.value)
            if one.is_written
            else _last_change(rows, at, one.column)
        )
        if found is not None:
            yield one.column, found
    answer = _only_value(rows[at].after)
    if answer is not None:
        found = _had_before(rows, passed, at + 1, answer, lane=rows[at].lane)
        if found is not None:
            yield ANSWER, found


def _last_change(rows: tuple[TimelineRow, ...], at: int, column: int) -> Earlier | None:
    for before in range(at - 1, -1, -1):
        row = rows[before]
        if row.values[column] == NOT_RECORDED:
            return None
        if row.changed[column]:
            return Earlier(row=before, column=column)
    return Earlier(row=0, column=column)


def _had_before(
    rows: tuple[TimelineRow, ...],
    passed: list[list[_Passed]],
    at: int,
    value: str,
    *,
    lane: int | None = None,
) -> Earlier | None:
    """Return the last row of the same actor that had the value before row ``at``, or its call."""
    lane = rows[at].lane if lane is None else lane
    if value == NOTHING or lane is None:
        return None
    for before in range(min(at, len(rows) - 1), -1, -1):
        if rows[before].lane != lane:
            continue
        if before < at:
            for one in passed[before]:
                if one.value == value:
                    return Earlier(row=before, column=one.column)
        if any(part == value for text in rows[before].before for part in text[1:]):
            return Earlier(row=before, column=CALL)
    return None


def _only_value(texts: tuple[Text, ...]) -> str | None:
    values = [part for text in texts for part in text if isinstance(part, Value)]
    return str(values[0]) if len(values) == 1 else None
