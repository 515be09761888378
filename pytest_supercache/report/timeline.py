"""Lays out a recorded interleaving: a row for each step, a lane for each actor, columns for layers.

Text, SVG, tables and the page draw this one layout, so that they agree. It is made from the
``counterexample`` of a row of ``verdict.json``. Outside of the race an operation is one row, and a
step without an operation is a row only if it changed a layer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_supercache.core.messages import MESSAGES, in_words
from pytest_supercache.core.schedule import CLOCK
from pytest_supercache.report.actors import actor_title
from pytest_supercache.report.arrows import Arrow, arrows_of
from pytest_supercache.report.breaking import ANSWER, BLOCKED, PROBE, STAY_INCONSISTENT, STEP
from pytest_supercache.report.columns import Column, columns_of, content_at_start, content_of
from pytest_supercache.report.serialized_values import SerializedValue, serialized_values
from pytest_supercache.report.values import NOTHING, Legend, Value, clean, held, short, shown

Json = Mapping[str, Any]

Text = tuple[str, ...]
"""The parts of a text; those that are values of the code under test are ``Value``."""

START = "start"
NOT_RECORDED = "?"
LABEL_MAX = 300
RACE = "race"
UNJUDGED = "after settling each node is asked; no guarantee of the scenario judges its answers"
_GROUPS = {
    "before": "before the race",
    "settle": "after the race, while settling",
    "finally": "after settling",
    "probe": "after settling",
}


def as_line(text: Text) -> str:
    """Return the parts of a text as one line."""
    return "".join(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """The column of one actor."""

    actor: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineRow:
    """One step, or one operation outside the race.

    ``before`` has the operations that begin with this step, ``after`` the answers after it. A row
    without a lane spans all of them. ``values`` has one text per layer column, ``apart`` the
    columns that differ from the origin, or from each other where no origin is known.
    """

    text: Text
    number: int | None = None
    lane: int | None = None
    group: str = ""
    inside: bool = False  # the step belongs to an operation
    before: tuple[Text, ...] = ()
    after: tuple[Text, ...] = ()
    arrows: tuple[Arrow, ...] = ()
    values: tuple[str, ...] = ()
    changed: tuple[bool, ...] = ()
    apart: tuple[tuple[int, bool], ...] = ()  # column, whether it differs from the origin
    breaks: bool = False  # here the guarantee is broken
    turned: bool = False  # it comes the other way round in the other recording
    step: tuple[str, int] | None = None  # the actor, and which of its steps in the race
    position: int | None = None  # among all steps of the execution
    source: tuple[int, ...] = ()  # positions in the sources of the counterexample


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The whole layout; ``breaks`` says what the marked row breaks.

    ``legend`` has the full texts of values that ``shortened`` has cut, ``serialized`` those that
    are not shown as they are stored.
    """

    lanes: tuple[Lane, ...]
    columns: tuple[Column, ...]
    rows: tuple[TimelineRow, ...]
    breaks: str = ""
    node: str | None = None  # of the violation
    legend: tuple[tuple[str, str], ...] = ()
    serialized: tuple[SerializedValue, ...] = ()


def shortened(drawn: Timeline) -> Timeline:
    """Return a timeline whose long values are cut to the width of a cell, with their legend."""
    legend = Legend()

    def cells(text: Text) -> Text:
        return tuple(legend.cell(part) if isinstance(part, Value) else part for part in text)

    rows = tuple(
        replace(
            row,
            before=tuple(map(cells, row.before)),
            text=cells(row.text),
            after=tuple(map(cells, row.after)),
            values=tuple(map(legend.cell, row.values)),
        )
        for row in drawn.rows
    )
    return replace(drawn, rows=rows, legend=legend.entries())


def timeline(found: Json) -> Timeline:
    """Lay out the failing execution of a ``counterexample``."""
    return _laid_out(found, found, [found], frozenset())


def timelines(found: Json) -> tuple[Timeline, Timeline | None]:
    """Lay out the failing and the passing execution, with the same lanes and columns."""
    passing = found.get("passing")
    if passing is None:
        return timeline(found), None
    both = [found, passing]
    turned = frozenset(
        (step["actor"], step["index"]) for order in passing["turned"] for step in order
    )
    return _laid_out(found, found, both, turned), _laid_out(found, passing, both, turned)


@dataclass(slots=True, kw_only=True)
class _Drawing:
    recorded: Json
    lanes: tuple[Lane, ...]
    columns: tuple[Column, ...]
    turned: frozenset[tuple[str, int]]
    breaks: tuple[str | None, int | None]  # kind and position of the event
    end_is_judged: bool
    rows: list[TimelineRow] = field(default_factory=list)
    last: Json | None = None  # what layers held in the row above

    def lane(self, actor: str) -> int | None:
        return next((at for at, lane in enumerate(self.lanes) if lane.actor == actor), None)

    def values(self, layers: Json | None) -> tuple[str, ...]:
        if layers is None:
            return tuple(NOT_RECORDED for _ in self.columns)
        return tuple(_held(layers, column) for column in self.columns)

    def changes(self, layers: Json | None) -> tuple[bool, ...]:
        if layers is None or self.last is None:
            return tuple(False for _ in self.columns)
        return tuple(_held(layers, column) != _held(self.last, column) for column in self.columns)

    def apart(self, marks: Sequence[Json]) -> tuple[tuple[int, bool], ...]:
        against = {(mark["place"], mark["key"]): mark["against"] is not None for mark in marks}
        places = [(column.place, column.key) for column in self.columns]
        return tuple((at, against[one]) for at, one in enumerate(places) if one in against)

    def still(self, text: Text, lane: int | None, *, group: str = "") -> TimelineRow:
        """Return a row that changes nothing."""
        last = self.rows[-1] if self.rows else None
        return TimelineRow(
            text=text,
            lane=lane,
            group=group,
            values=self.values(self.last),
            changed=tuple(False for _ in self.columns),
            apart=last.apart if last else (),
        )


def _held(layers: Json, column: Column) -> str:
    if column.is_hidden:
        return NOT_RECORDED
    return held((layers.get(column.place) or {}).get(column.key))


def _laid_out(
    found: Json, recorded: Json, recordings: list[Json], turned: frozenset[tuple[str, int]]
) -> Timeline:
    breaks = _breaks(found) if recorded is found else {}
    drawing = _Drawing(
        recorded=recorded,
        lanes=_lanes(recordings),
        columns=columns_of(recordings, found["violation"]["key"]),
        turned=turned,
        breaks=(breaks.get("kind"), breaks.get("at")),
        end_is_judged=found.get("end_is_judged", True),
    )
    _draw_alone(drawing, ("before",))
    _draw_start(drawing)
    _draw_race(drawing)
    _draw_blocked(drawing)
    _draw_alone(drawing, ("settle", "finally"))
    _draw_probes(drawing)
    return Timeline(
        lanes=drawing.lanes,
        columns=drawing.columns,
        rows=tuple(drawing.rows),
        breaks=breaks.get("says") or "",
        node=found["violation"].get("node"),
        serialized=serialized_values(recordings, drawing.columns),
    )


def _breaks(found: Json) -> Json:
    """Return the event that breaks the guarantee; older documents know it for layers only."""
    if "breaks" in found or found.get("never_agree_from") is None:
        return found.get("breaks") or {}
    return {"kind": STEP, "at": found["never_agree_from"], "says": STAY_INCONSISTENT}


def _lanes(recordings: list[Json]) -> tuple[Lane, ...]:
    titles: dict[str, str] = {}
    nodes: dict[str, str | None] = {}
    for recorded in recordings:
        racing = [step for step in recorded["steps"] if step["phase"] == RACE]
        titles.update((step["actor"], step.get("title", "")) for step in racing)
        for node in (node for step in racing for node in step.get("never_told", ())):
            titles.setdefault(f"{MESSAGES}{node}", "")
        for operation in recorded["history"]:
            if operation["phase"] == RACE:
                nodes.setdefault(operation["user"], operation["node"])
        for pending in recorded.get("blocked") or ():
            nodes.setdefault(pending["actor"], None)
    order = [*titles, *(actor for actor in nodes if actor not in titles)]
    order.sort(key=lambda actor: (actor == CLOCK, "@" in actor))
    return tuple(
        Lane(actor=actor, title=_title(actor, titles.get(actor), nodes.get(actor)))
        for actor in order
    )


def _title(actor: str, title: str | None, node: str | None) -> str:
    return clean(title) if title and title != actor else actor_title(actor, node)


def _draw_start(drawing: _Drawing) -> None:
    start = content_at_start(drawing.recorded)
    drawing.rows.append(
        TimelineRow(
            text=(START,),
            values=drawing.values(start),
            changed=tuple(False for _ in drawing.columns),
            apart=drawing.apart(drawing.recorded.get("apart_at_start") or ()),
        )
    )
    drawing.last = start


def _draw_race(drawing: _Drawing) -> None:
    racing = [
        (at, operation)
        for at, operation in enumerate(drawing.recorded["history"])
        if operation["phase"] == RACE
    ]
    stepless = [(at, op) for at, op in racing if op["called_at"] == op["returned_at"]]
    alone = {at for at, _ in stepless}
    stepping = {step["operation"] for step in drawing.recorded["steps"]} - alone
    numbers: dict[str, int] = {}
    for position, step in enumerate(drawing.recorded["steps"]):
        if step["phase"] != RACE:
            continue
        _draw_stepless(drawing, [one for one in stepless if one[1]["called_at"] <= position])
        stepless = [one for one in stepless if one[1]["called_at"] > position]
        own = [(at, op) for at, op in racing if at == step["operation"] and at not in alone]
        name = None
        if step["choice"] is not None:
            name = (step["actor"], numbers.get(step["actor"], 0))
            numbers[step["actor"]] = name[1] + 1
        drawing.rows.append(_race_row(drawing, position, step, own, name))
        drawing.last = content_of(step) or drawing.last
        late = [(at, op) for at, op in racing if op["returned_at"] == position + 1]
        _draw_late(drawing, [(at, op) for at, op in late if at in stepping - {step["operation"]}])
    _draw_stepless(drawing, stepless)


def _draw_late(drawing: _Drawing, operations: list[tuple[int, Json]]) -> None:
    """Draw answers that came after a step of somebody else: a tick ended the wait for them."""
    for at, op in operations:
        row = drawing.still(_answer(op), drawing.lane(op["user"]))
        drawing.rows.append(replace(row, inside=True, breaks=drawing.breaks == (ANSWER, at)))


def _race_row(
    drawing: _Drawing,
    position: int,
    step: Json,
    own: list[tuple[int, Json]],
    name: tuple[str, int] | None,
) -> TimelineRow:
    content = content_of(step)
    arrows = arrows_of(
        step,
        drawing.last,
        list(dict.fromkeys(column.place for column in drawing.columns)),
        [lane.actor for lane in drawing.lanes],
    )
    answered = [(at, op) for at, op in own if op["returned_at"] == position + 1]
    return TimelineRow(
        number=None if step["choice"] is None else step["choice"] + 1,
        lane=drawing.lane(step["actor"]),
        text=(f"{_text(step.get('text', step['label']))}{_unheard(step)}", *_passed(arrows)),
        inside=bool(own),
        before=tuple(_call(op) for _, op in own if op["called_at"] == position),
        after=tuple(_answer(op) for _, op in answered),
        arrows=arrows,
        values=drawing.values(content),
        changed=drawing.changes(content),
        apart=drawing.apart(step.get("apart") or ()) if content else (),
        breaks=drawing.breaks == (STEP, position)
        or any(drawing.breaks == (ANSWER, at) for at, _ in answered),
        turned=name in drawing.turned,
        step=name,
        position=position,
        source=tuple(step.get("source") or ()),
    )


def _unheard(step: Json) -> str:
    """Say who never gets the message of a step, unless its label does."""
    if step.get("is_struck"):
        return ""
    sent = sum(name.startswith(MESSAGES) for name in step.get("writes") or ())
    return _text(in_words(tuple(step.get("never_told", ())), of=sent))


def _draw_stepless(drawing: _Drawing, operations: list[tuple[int, Json]]) -> None:
    for at, op in operations:
        text = (*_call(op), " ", *_answer(op), " (without a step)")
        row = drawing.still(text, drawing.lane(op["user"]))
        drawing.rows.append(replace(row, breaks=drawing.breaks == (ANSWER, at)))


def _draw_blocked(drawing: _Drawing) -> None:
    for at, pending in enumerate(drawing.recorded.get("blocked") or ()):
        holder = pending.get("holder")
        by = f" (held by {_text(holder)})" if holder else ""
        text = (f"waits for: {_text(pending['label'])}{by}",)
        row = drawing.still(text, drawing.lane(pending["actor"]))
        breaks, source = drawing.breaks == (BLOCKED, at), tuple(pending.get("source") or ())
        drawing.rows.append(replace(row, breaks=breaks, source=source))


def _draw_alone(drawing: _Drawing, phases: tuple[str, ...]) -> None:
    """Draw steps outside the race: an operation at its last step, others if they change a layer."""
    history = drawing.recorded["history"]
    for position, step in enumerate(drawing.recorded["steps"]):
        if step["phase"] not in phases:
            continue
        number, content = step["operation"], content_of(step)
        known = number is not None and 0 <= number < len(history)
        operation = history[number] if known else None
        changed = drawing.changes(content)
        breaks = drawing.breaks in {(STEP, position), (ANSWER, number if known else None)}
        if operation is not None and operation["returned_at"] not in {None, position + 1}:
            continue
        if operation is None and not any(changed) and not breaks:
            continue
        drawing.rows.append(
            TimelineRow(
                group=_GROUPS.get(step["phase"], step["phase"]),
                text=_of_body(step) if operation is None else _on_node(operation),
                values=drawing.values(content),
                changed=changed,
                apart=drawing.apart(step.get("apart") or ()) if content else (),
                breaks=breaks,
                position=position,
            )
        )
        drawing.last = content or drawing.last


def _draw_probes(drawing: _Drawing) -> None:
    group = _GROUPS["probe"] if drawing.end_is_judged else UNJUDGED
    for at, probe in enumerate(drawing.recorded.get("probes") or ()):
        asked = {**probe, "kind": "read", "value": None, "returned_at": 0}
        row = drawing.still(_on_node({"error": None, **asked}), None, group=group)
        drawing.rows.append(replace(row, breaks=drawing.breaks == (PROBE, at)))


# -- in words -------------------------------------------------------------------------------------


def _call(operation: Json) -> Text:
    """Return an operation's call: ``write product:42 = 120``."""
    key = "" if operation["key"] is None else f" {_text(str(operation['key']))}"
    called = f"{clean(str(operation['kind']))}{key}"
    if operation["value"] is None:
        return (called,)
    return called, " = ", Value(shown(operation["value"]))


def _answer(operation: Json) -> Text:
    """Return its answer: ``-> 100``, ``done``, ``raised KeyError: ...``, ``no answer``."""
    if operation["error"] is not None:
        return (f"raised {short(str(operation['error']))}",)
    if operation["returned_at"] is None:
        return ("no answer",)
    if operation["answer"] is not None:
        return "-> ", Value(shown(operation["answer"]))
    return ("-> nothing" if operation["kind"] == "read" else "done",)


def _passed(arrows: Sequence[Arrow]) -> Text:
    """Return the value that a step found, or that it wrote, if it is exactly one."""
    known = [arrow for arrow in arrows if arrow.value is not None and not arrow.is_told]
    if len(known) != 1 or (known[0].is_written and known[0].value == NOTHING):
        return ()
    value = "nothing" if known[0].value == NOTHING else Value(known[0].value)
    return " = " if known[0].is_written else " -> ", value


def _of_body(step: Json) -> Text:
    return (f"{clean(step.get('title', step['actor']))}: {_text(step['label'])}",)


def _on_node(operation: Json) -> Text:
    return f"node {_text(str(operation['node']))}: ", *_call(operation), " ", *_answer(operation)


def _text(text: str) -> str:
    return short(text, LABEL_MAX)
