"""Makes the data of a player: the rows of the failing and of the passing timeline, for the page.

Each row is complete, so that the page can jump to any of them. Names and values lose what a screen
cannot show and what is too long to read.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pytest_supercache.core.places import place_title
from pytest_supercache.report.arrows import Arrow
from pytest_supercache.report.aside import Aside, aside_of
from pytest_supercache.report.comparison import compared
from pytest_supercache.report.plain import Plain
from pytest_supercache.report.provenance import Provenance, provenance
from pytest_supercache.report.timeline import Text, Timeline, TimelineRow, timelines

Json = Mapping[str, Any]
Short = Callable[[object, int], str]

ROWS_MAX = 300
COLUMNS_MAX = 24
STRIP_MAX = 5
"""The most steps in the strip above a player; a longer story is told below it."""

STRIP_MIN = 3
WITHOUT_STEPS: dict[str, Plain] = {
    "player": None, "passing": None, "compared": [], "sources": [], "tried": None,
}  # fmt: skip
"""What a conflict has instead of its steps, where there are too many for one page."""

_HEXADECIMAL = re.compile("[0-9a-f]+")
VALUE_MAX = 200
STORED_MAX = 1_000
STORED_VALUES_MAX = 60
NAME_MAX = 60


def players(found: Json, short: Short) -> dict[str, Plain]:
    """Return a player for the counterexample and one for the passing run, with the same lanes.

    ``found`` is the ``counterexample`` of a row. ``forced`` has the orders that force it, each with
    the rows of its two steps, if these have rows. ``strip`` has the steps that tell what happened,
    ``compared`` the rows of both players side by side, ``sources`` the lines of code of rows.
    """
    fails, passes = timelines(found)
    aside = aside_of([fails, passes] if passes else [fails])
    passing = found.get("passing") or {}
    causes = found.get("forced_by") or ()
    return {
        "player": _player(fails, aside, short),
        "passing": _player(passes, aside, short) if passes else None,
        "compared": _compared(fails, passes) if passes else [],
        "sources": [_source(source, short) for source in found.get("sources") or ()],
        "tried": _tried(found, fails),
        "strip": _strip(found, fails, short),
        "turned": _orders(passes, passing["turned"], short) if passes else [],
        "forced": [_orders(fails, cause["orders"], short) for cause in causes],
        "forced_by_all": bool(found.get("forced_by_all")),
    }


def _player(drawn: Timeline, aside: Aside, short: Short) -> dict[str, Plain]:
    columns = drawn.columns[:COLUMNS_MAX]
    places = list(dict.fromkeys(column.place for column in columns))
    left_out = []
    if len(drawn.rows) > ROWS_MAX:
        left_out.append(f"the first {len(drawn.rows) - ROWS_MAX:,} steps")
    if len(drawn.columns) > COLUMNS_MAX:
        left_out.append(f"{len(drawn.columns) - COLUMNS_MAX:,} keys")
    return {
        "lanes": [
            [short(lane.title, NAME_MAX), at in aside.lanes] for at, lane in enumerate(drawn.lanes)
        ],
        "places": [
            [short(place_title(place), NAME_MAX), _is_aside(drawn, place, aside)]
            for place in places
        ],
        "columns": [[places.index(one.place), short(one.key, NAME_MAX)] for one in columns],
        "rows": [
            {**_row(row, drawn, short), "from": _came_from(came, drawn)}
            for row, came in list(zip(drawn.rows, provenance(drawn), strict=True))[-ROWS_MAX:]
        ],
        "breaks": drawn.breaks,
        "stored": [
            [short(one.text, VALUE_MAX), one.form, short(one.stored, STORED_MAX)]
            for one in drawn.serialized[:STORED_VALUES_MAX]
        ],
        "left_out": f"not shown, but in verdict.json: {', '.join(left_out)}" if left_out else "",
    }


def _is_aside(drawn: Timeline, place: str, aside: Aside) -> bool:
    return any(drawn.columns[at].place == place for at in aside.columns)


def _row(row: TimelineRow, drawn: Timeline, short: Short) -> dict[str, Plain]:
    return {
        "text": _line(row.text, short),
        "lane": row.lane,
        "number": row.number,
        "phase": row.group,
        "calls": [_line(text, short) for text in row.before],
        "answers": [_line(text, short) for text in row.after],
        "arrows": list(_arrows(row, drawn, short)),
        "values": [short(value, VALUE_MAX) for value in row.values[:COLUMNS_MAX]],
        "changed": [at for at, changed in enumerate(row.changed[:COLUMNS_MAX]) if changed],
        "apart": [[at, is_stale] for at, is_stale in row.apart if at < COLUMNS_MAX],
        "breaks": row.breaks,
        "turned": row.turned,
        "step": None if row.step is None else f"{row.lane}/{row.step[1]}",
        "source": list(row.source),
    }


def _came_from(came: Provenance, drawn: Timeline) -> list[Plain]:
    """Return ``[column, row, column]`` for each value: what it is, and where it was before."""
    hidden = max(0, len(drawn.rows) - ROWS_MAX)
    return [
        [column, before.row - hidden, before.column]
        for column, before in came.items()
        if before.row >= hidden and max(column, before.column) < COLUMNS_MAX
    ]


def _compared(fails: Timeline, passes: Timeline) -> list[Plain]:
    if max(len(fails.rows), len(passes.rows)) > ROWS_MAX:
        return []
    return [list(line) for line in compared(fails, passes)]


def _tried(found: Json, drawn: Timeline) -> Plain:
    """Return the rows that a reader may reorder, and what became of the orders of each two.

    None: some of them are not shown, a choice has led to several steps, or time or faults have a
    part in it, which have a place of their own in the schedule.
    """
    known, schedule = found.get("tried"), found.get("schedule") or ()
    if known is None or not all(map(_HEXADECIMAL.fullmatch, _sets_in(known))):
        return None
    rows = {row.step: at for at, row in enumerate(drawn.rows) if row.step is not None}
    is_alone = len({drawn.rows[at].number for at in rows.values()}) == len(rows) > 1
    is_plain = not any(name.startswith("@") for name in schedule)
    if len(drawn.rows) > ROWS_MAX or not (is_alone and is_plain):
        return None
    orders = [
        [
            *(rows.get((step["actor"], step["index"])) for step in one["order"]),
            one["kept"],
            one["reversed"],
        ]
        for one in known["orders"]
    ]
    if any(None in one for one in orders):
        return None
    return {
        "rows": list(rows.values()),
        "orders": orders,
        "count": known["interleavings"],
        "failing": known["failing"],
        "all": known["are_all"],
    }


def _sets_in(tried: Json) -> Iterator[str]:
    yield tried["failing"]
    for one in tried["orders"]:
        yield from (one["kept"], one["reversed"])


def _source(source: Json, short: Short) -> Plain:
    return {
        "place": short(f"{source['path']}:{source['line']}", VALUE_MAX),
        "function": short(source["function"], VALUE_MAX),
        "at": source["line"] - source["first"],
        "code": [short(line, VALUE_MAX) for line in source["code"]],
    }


def _arrows(row: TimelineRow, drawn: Timeline, short: Short) -> Iterator[Plain]:
    """Yield ``["lane" or "column", number, written]`` for each arrow; lost ones have a fourth."""
    lanes = [lane.actor for lane in drawn.lanes]
    columns = [(column.place, column.key) for column in drawn.columns[:COLUMNS_MAX]]
    places = [place for place, _ in columns]
    for arrow in row.arrows:
        if arrow.is_to_actor:
            lost = [True] if arrow.is_lost else []
            yield ["lane", lanes.index(arrow.to), arrow.is_written, *lost]
        elif (arrow.to, arrow.key) in columns:
            yield ["column", columns.index((arrow.to, str(arrow.key))), arrow.is_written]
        elif arrow.to in places:
            yield ["column", places.index(arrow.to), arrow.is_written]


def _line(text: Text, short: Short) -> str:
    return short("".join(text), VALUE_MAX)


def _strip(found: Json, drawn: Timeline, short: Short) -> list[Plain]:
    """Return the steps that tell the story: text, number, row and lane of each, and if it breaks.

    The event that breaks the guarantee is one of them, whether the story tells it or not.
    """
    rows = {row.position: at for at, row in enumerate(_shown(drawn)) if row.position is not None}
    breaking = next((at for at, row in enumerate(_shown(drawn)) if row.breaks), None)
    parts = list(found.get("story") or ())
    if len(parts) > STRIP_MAX:
        wanted = _decisive(found, drawn)
        decisive = [one for one in parts if one["position"] in wanted or one is parts[-1]]
        parts = decisive if len(decisive) >= STRIP_MIN else _without_looks(parts, drawn)
    told: list[Any] = []
    for part in parts[-STRIP_MAX:]:
        at = rows.get(part["position"])
        lane = None if at is None else _shown(drawn)[at].lane
        breaks = at is not None and at == breaking
        told.append([short(part["text"], VALUE_MAX), part["number"], at, lane, breaks])
    return (
        told
        if breaking is None or any(one[-1] for one in told)
        else _with(breaking, told, drawn, short)
    )


def _with(breaking: int, told: list[Any], drawn: Timeline, short: Short) -> list[Any]:
    """Add the event that breaks the guarantee to the steps of a story that does not tell it."""
    row = _shown(drawn)[breaking]
    who = "" if row.lane is None else f"{drawn.lanes[row.lane].title}: "
    answers = (part for answer in row.after for part in (", ", *_in_words(answer)))
    text = _line((who, *row.text, *answers), short)
    later = next(
        (n for n, one in enumerate(told) if one[2] is None or one[2] > breaking), len(told)
    )
    event = [text, row.number, breaking, row.lane, True]
    return ([*told[:later], event, *told[later:]] if told else [])[-STRIP_MAX:]


def _in_words(answer: Text) -> Text:
    """Return an answer without its arrow: ``answers 100``."""
    return ("answers ", *answer[1:]) if answer[0] == "-> " else answer


def _without_looks(parts: list[Json], drawn: Timeline) -> list[Json]:
    """Return the parts of a story that is too long, without steps that look and find no value."""
    looks = {row.position for row in drawn.rows if row.arrows and not any(map(_tells, row.arrows))}
    told = [one for one in parts if one["position"] not in looks or one is parts[-1]]
    return told if len(told) >= STRIP_MIN else parts


def _tells(arrow: Arrow) -> bool:
    return arrow.is_written or arrow.value is not None


def _decisive(found: Json, drawn: Timeline) -> set[int | None]:
    """Return the positions of the steps whose order forces the violation, and of what breaks."""
    orders = [order for cause in (found.get("forced_by") or ())[:1] for order in cause["orders"]]
    names = {(step["actor"], step["index"]) for order in orders for step in order}
    return {row.position for row in drawn.rows if row.breaks or row.step in names}


def _shown(drawn: Timeline) -> tuple[TimelineRow, ...]:
    return drawn.rows[-ROWS_MAX:]


def _orders(drawn: Timeline, orders: list[list[Json]], short: Short) -> list[Plain]:
    """Return ``[text, row, text, row]`` for each order of two steps."""
    rows = {row.step: at for at, row in enumerate(_shown(drawn)) if row.step is not None}
    return [
        [
            part
            for step in order
            for part in (
                short(step["text"], VALUE_MAX),
                rows.get((step["actor"], step["index"])),
            )
        ]
        for order in orders
    ]
