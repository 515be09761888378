"""Lays out the counterexample as a grid: one row per step, one column per actor and per layer.

Text and SVG draw the same grid, so that they agree. Outside of the race an operation is one row,
and a step without an operation is shown only if it changed a layer.
"""

from dataclasses import dataclass, field

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.operation import RACE, Operation
from pytest_supercache.core.result import Counterexample
from pytest_supercache.core.schedule import CLOCK, CUT_CLOCK, is_fault
from pytest_supercache.core.trace import Layers, Pending, Step
from pytest_supercache.core.waits import LockState
from pytest_supercache.report.accesses import told
from pytest_supercache.report.agreement import first_disagreement
from pytest_supercache.report.columns import Column, columns_of
from pytest_supercache.report.plain import error_text
from pytest_supercache.report.values import MISSING, Legend, clean, short, shown

START = "start"
NOT_RECORDED = "?"
LABEL_MAX = 300
_MESSAGES = "messages@"
_GROUPS = {
    "before": "before the race",
    "settle": "after the race, while settling",
    "finally": "after settling",
    "probe": "after settling",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """The column of one actor."""

    actor: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineRow:
    """One step, or one operation outside the race.

    ``before`` has the operations that begin with this step, ``after`` the answers after it. A row
    without a lane spans all of them. ``values`` has one text per layer column.
    """

    text: str
    number: int | None = None
    lane: int | None = None
    group: str = ""
    inside: bool = False  # the step belongs to an operation
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    changed: tuple[bool, ...] = ()
    never_agree_again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The whole picture; ``legend`` has the full texts of shortened cells."""

    lanes: tuple[Lane, ...]
    columns: tuple[Column, ...]
    rows: tuple[TimelineRow, ...]
    legend: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True, kw_only=True)
class _Drawing:
    execution: Execution
    lanes: tuple[Lane, ...]
    columns: tuple[Column, ...]
    marked: int | None
    legend: Legend = field(default_factory=Legend)
    rows: list[TimelineRow] = field(default_factory=list)
    last: Layers | None = None  # as they were in the row above

    def lane(self, actor: str) -> int | None:
        return next((at for at, lane in enumerate(self.lanes) if lane.actor == actor), None)

    def call(self, operation: Operation) -> str:
        """Return an operation's call: ``write product:42 = 120``."""
        key = "" if operation.key is None else f" {short(operation.key, LABEL_MAX)}"
        value = "" if operation.value is None else f" = {self.legend.cell(shown(operation.value))}"
        return f"{clean(operation.kind)}{key}{value}"

    def answer(self, operation: Operation) -> str:
        """Return its answer: ``-> 100``, ``done``, ``raised KeyError: ...``, ``no answer``."""
        if operation.error is not None:
            return f"raised {short(error_text(operation.error))}"
        if not operation.returned:
            return "no answer"
        if operation.answer is not None:
            return f"-> {self.legend.cell(shown(operation.answer))}"
        return "-> nothing" if operation.kind == "read" else "done"

    def values(self, layers: Layers | None) -> tuple[str, ...]:
        if layers is None:
            return tuple(NOT_RECORDED for _ in self.columns)
        return tuple(
            self.legend.cell(shown(layers.get(column.place, {}).get(column.key, MISSING)))
            for column in self.columns
        )

    def changes(self, layers: Layers | None) -> tuple[bool, ...]:
        if layers is None or self.last is None:
            return tuple(False for _ in self.columns)
        return tuple(
            shown(layers.get(column.place, {}).get(column.key, MISSING))
            != shown(self.last.get(column.place, {}).get(column.key, MISSING))
            for column in self.columns
        )


def timeline(counterexample: Counterexample) -> Timeline:
    """Lay out the failing execution of a counterexample."""
    execution = counterexample.execution
    drawing = _Drawing(
        execution=execution,
        lanes=_lanes(execution),
        columns=columns_of(execution, counterexample.violation.key),
        marked=first_disagreement(execution),
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
        legend=drawing.legend.entries(),
    )


def actor_title(actor: str, node: str | None = None) -> str:
    """Return the title of an actor: ``alice @a``, ``messages to b``, ``clock``."""
    if actor == CLOCK or actor.startswith(CUT_CLOCK):
        return actor.replace("@", " ").strip()
    if is_fault(actor):
        return "fault"
    if actor.startswith(_MESSAGES):
        return _text(f"messages to {actor.removeprefix(_MESSAGES)}")
    return _text(f"{actor} @{node}") if node and "@" not in actor else _text(actor)


def _text(text: str) -> str:
    return short(text, LABEL_MAX)


def _lanes(execution: Execution) -> tuple[Lane, ...]:
    nodes: dict[str, str | None] = {}
    for operation in execution.history:
        if operation.phase == RACE:
            nodes.setdefault(operation.user, operation.node)
    for step in execution.race:
        nodes[step.actor] = step.node or nodes.get(step.actor)
    for pending in execution.blocked:
        nodes.setdefault(pending.actor, None)
    seen: list[str] = list(dict.fromkeys(step.actor for step in execution.race))
    order = seen + [actor for actor in nodes if actor not in seen]
    order.sort(key=lambda actor: (actor == CLOCK, "@" in actor))
    return tuple(Lane(actor=actor, title=actor_title(actor, nodes[actor])) for actor in order)


def _draw_start(drawing: _Drawing) -> None:
    start = {**drawing.execution.start, **drawing.execution.memory_at_start}
    drawing.rows.append(
        TimelineRow(
            text=START,
            values=drawing.values(start),
            changed=tuple(False for _ in drawing.columns),
        )
    )
    drawing.last = start


def _draw_race(drawing: _Drawing) -> None:
    operations = drawing.execution.history.operations
    racing = [(at, op) for at, op in enumerate(operations) if op.phase == RACE]
    stepless = [op for _, op in racing if op.called_at == op.returned_at]
    for position, step in enumerate(drawing.execution.steps):
        if step.phase != RACE:
            continue
        _draw_stepless(drawing, [op for op in stepless if op.called_at <= position])
        stepless = [op for op in stepless if op.called_at > position]
        own = [op for at, op in racing if at == step.operation and op not in stepless]
        drawing.rows.append(_race_row(drawing, position, step, own))
        drawing.last = step.content or drawing.last
    _draw_stepless(drawing, stepless)


def _race_row(drawing: _Drawing, position: int, step: Step, own: list[Operation]) -> TimelineRow:
    return TimelineRow(
        number=None if step.choice is None else step.choice + 1,
        lane=drawing.lane(step.actor),
        text=_text(told(step)),
        inside=bool(own),
        before=tuple(drawing.call(op) for op in own if op.called_at == position),
        after=tuple(drawing.answer(op) for op in own if op.returned_at == position + 1),
        values=drawing.values(step.content),
        changed=drawing.changes(step.content),
        never_agree_again=position == drawing.marked,
    )


def _draw_stepless(drawing: _Drawing, operations: list[Operation]) -> None:
    for operation in operations:
        drawing.rows.append(
            TimelineRow(
                lane=drawing.lane(operation.user),
                text=f"{drawing.call(operation)} {drawing.answer(operation)} (without a step)",
                values=drawing.values(drawing.last),
                changed=tuple(False for _ in drawing.columns),
            )
        )


def _draw_blocked(drawing: _Drawing) -> None:
    for pending in drawing.execution.blocked:
        holder = _holder(drawing.execution, pending)
        held = f" (held by {_text(holder)})" if holder else ""
        drawing.rows.append(
            TimelineRow(
                lane=drawing.lane(pending.actor),
                text=f"waits for: {_text(pending.label)}{held}",
                values=drawing.values(drawing.last),
                changed=tuple(False for _ in drawing.columns),
            )
        )


def _holder(execution: Execution, pending: Pending) -> str | None:
    for step in reversed(execution.steps):
        if pending.wait and step.wait and step.wait.object == pending.wait.object:
            return step.wait_after.holder if isinstance(step.wait_after, LockState) else None
    return None


def _draw_alone(drawing: _Drawing, phases: tuple[str, ...]) -> None:
    """Draw steps outside the race: an operation at its last step, others if they change a layer."""
    execution = drawing.execution
    for position, step in enumerate(execution.steps):
        if step.phase not in phases:
            continue
        operation = _operation_of(execution, step)
        changed = drawing.changes(step.content)
        marked = position == drawing.marked
        if operation is not None and operation.returned_at not in {None, position + 1}:
            continue
        if operation is None and not any(changed) and not marked:
            continue
        drawing.rows.append(
            TimelineRow(
                group=_GROUPS.get(step.phase, step.phase),
                text=_alone_text(drawing, step, operation),
                values=drawing.values(step.content),
                changed=changed,
                never_agree_again=marked,
            )
        )
        drawing.last = step.content or drawing.last


def _operation_of(execution: Execution, step: Step) -> Operation | None:
    operations = execution.history.operations
    if step.operation is None or not 0 <= step.operation < len(operations):
        return None
    return operations[step.operation]


def _alone_text(drawing: _Drawing, step: Step, operation: Operation | None) -> str:
    if operation is None:
        return f"{actor_title(step.actor, step.node)}: {_text(step.label)}"
    return _on_node(drawing, operation)


def _on_node(drawing: _Drawing, operation: Operation) -> str:
    return f"node {_text(operation.node)}: {drawing.call(operation)} {drawing.answer(operation)}"


def _draw_probes(drawing: _Drawing) -> None:
    settled = drawing.execution.settled
    for (node, key), answer in settled.probes.items():
        seen = Operation(
            user="",
            node=node,
            kind="read",
            key=key,
            answer=None if isinstance(answer, BaseException) else answer,
            error=answer if isinstance(answer, BaseException) else None,
            returned_at=0,
        )
        drawing.rows.append(
            TimelineRow(
                group=_GROUPS["probe"],
                text=_on_node(drawing, seen),
                values=drawing.values(drawing.last),
                changed=tuple(False for _ in drawing.columns),
            )
        )
