"""Folds away lanes and columns that play no part in a conflict, so that the others have room.

They belong to messages to a node whose cache never held anything. What users do, what the
violation is about and what differs from the passing interleaving is never folded.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_supercache.core.messages import MESSAGES
from pytest_supercache.report.columns import Column
from pytest_supercache.report.timeline import NOT_RECORDED, Timeline, TimelineRow
from pytest_supercache.report.values import NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """The positions of lanes and columns that play no part."""

    lanes: frozenset[int]
    columns: frozenset[int]


def aside_of(drawn: Sequence[Timeline]) -> Aside:
    """Return what plays no part in any of some timelines, which share lanes and columns."""
    lanes, columns = drawn[0].lanes, drawn[0].columns
    rows = [row for one in drawn for row in one.rows]
    empty = _empty_places(drawn[0], rows)
    aside = {
        at
        for at, lane in enumerate(lanes)
        if lane.actor.startswith(MESSAGES)
        and _is_aside(rows, at, empty)
        and not _is_missed(rows, lane.actor, columns, empty)
    }
    empty -= {arrow.to for row in rows if row.lane not in aside for arrow in row.arrows}
    return Aside(
        lanes=frozenset(aside),
        columns=frozenset(at for at, column in enumerate(columns) if column.place in empty),
    )


def without_aside(
    drawn: Timeline, *, with_silent: bool = False
) -> tuple[Timeline, tuple[str, ...]]:
    """Return a timeline without what plays no part, and the names of what is left out.

    ``with_silent`` keeps lanes without a row: arrows of messages that never arrive lead there.
    """
    aside = aside_of([drawn])
    acting = {row.lane for row in drawn.rows}
    lanes = [
        at
        for at in range(len(drawn.lanes))
        if at not in aside.lanes and (with_silent or at in acting)
    ]
    columns = [at for at in range(len(drawn.columns)) if at not in aside.columns]
    names = [drawn.lanes[at].title for at in sorted(aside.lanes)]
    names += [drawn.columns[at].title for at in sorted(aside.columns)]
    kept = replace(
        drawn,
        lanes=tuple(drawn.lanes[at] for at in lanes),
        columns=tuple(drawn.columns[at] for at in columns),
        rows=tuple(
            replace(
                row,
                lane=None if row.lane is None else lanes.index(row.lane),
                values=tuple(row.values[at] for at in columns),
                changed=tuple(row.changed[at] for at in columns),
                apart=tuple((columns.index(at), of) for at, of in row.apart if at in columns),
            )
            for row in drawn.rows
            if row.lane is None or row.lane in lanes
        ),
    )
    return kept, tuple(names)


def _empty_places(drawn: Timeline, rows: list[TimelineRow]) -> set[str]:
    """Return the caches of other nodes than the violation's that never held anything."""
    places = {column.place for column in drawn.columns if "@" in column.place}
    held = {
        column.place
        for row in rows
        for column, value in zip(drawn.columns, row.values, strict=True)
        if value not in {NOTHING, NOT_RECORDED}
    }
    return {place for place in places - held if place.partition("@")[2] != drawn.node}


def _is_missed(
    rows: list[TimelineRow], actor: str, columns: Sequence[Column], empty: set[str]
) -> bool:
    """Say whether a message that never arrives was for a node whose cache held something."""
    node = actor.removeprefix(MESSAGES)
    own = {column.place for column in columns if column.place.partition("@")[2] == node}
    is_lost = any(arrow.is_lost and arrow.to == actor for row in rows for arrow in row.arrows)
    return is_lost and (not own or bool(own - empty))


def _is_aside(rows: list[TimelineRow], lane: int, empty: set[str]) -> bool:
    own = [row for row in rows if row.lane == lane]
    return not any(
        row.breaks or row.turned or any(arrow.to not in empty for arrow in row.arrows)
        for row in own
    )
