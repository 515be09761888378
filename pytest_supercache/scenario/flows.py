"""Expands `flows:` and `use:`: steps that are written once, with variables that each use sets.

A use is replaced by its steps before anything else is read, so that a step of a flow can do
whatever a step can do. The values of `with:` replace `$name` in them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pytest_supercache.scenario import nodes
from pytest_supercache.scenario.fields import pairs, read_fields, read_name
from pytest_supercache.scenario.grammar import STEP_FIELDS, USE_FIELDS, Kind
from pytest_supercache.scenario.nodes import Node, Scalar, Sequence, size_of
from pytest_supercache.scenario.problems import Findings, Span
from pytest_supercache.scenario.scope import Scope
from pytest_supercache.scenario.variables import Reference, parse_reference

DEPTH_MAX = 20
VALUES_MAX = 20_000  # in all steps that flows stand for; flows of flows grow without end

With = Mapping[str, Node]


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenStep:
    """One step at its place in the expanded flow, with what its uses add to it."""

    node: Node
    prefix: str = ""  # `first.` before the ids of the flow that `use:` with `id: first` takes
    place: tuple[Node, ...] = ()  # the `node:` of the use, in `before` and `finally`


@dataclass(frozen=True, slots=True, kw_only=True)
class _Use:
    name: Scalar
    given: With
    prefix: str
    place: tuple[Node, ...]


@dataclass(slots=True)
class FlowBook:
    """The flows that a file may use: its own and those of included files."""

    flows: dict[str, tuple[Scalar, Node]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    _values: int = 0
    _kept: dict[str, set[str]] = field(default_factory=dict)  # by flow: the names of its `as:`

    def add(self, node: Node, findings: Findings) -> None:
        """Add the flows of one file."""
        for name, steps in pairs(node, "flows", findings):
            read_name(name, "the flow", findings)
            first = self.flows.get(name.text)
            if first and first[0].span.source is not name.span.source:
                source = first[0].span.source or findings.source
                findings.report(
                    name.span,
                    f"there is a flow {name.text!r:.80} already",
                    f"in {source.path}, line {first[0].span.line}",
                )
            self.flows.setdefault(name.text, (name, steps))

    def written_out(
        self, steps: Sequence, scope: Scope, findings: Findings
    ) -> Iterator[WrittenStep]:
        """Yield the expanded ``steps``; the caller extends ``scope`` meanwhile."""
        for item in steps.items:
            yield from self._step(item, scope, (), WrittenStep(node=item), findings)

    def unused(self) -> list[tuple[Scalar, Node]]:
        """Return the flows without a use so far, with their names."""
        return [flow for name, flow in self.flows.items() if name not in self.used]

    def _step(
        self,
        item: Node,
        scope: Scope,
        above: tuple[str, ...],
        around: WrittenStep,
        findings: Findings,
    ) -> Iterator[WrittenStep]:
        if not _is_use(item):
            yield WrittenStep(node=item, prefix=around.prefix, place=around.place)
            return
        use = _read_use(item, scope, around, findings)
        steps = self._steps_of(use, above, findings)
        if steps is None:
            return
        self._check_given(use, steps, scope, findings)
        self.used.add(use.name.text)
        inside = WrittenStep(node=item, prefix=use.prefix, place=use.place)
        for step in steps.items:
            written = _filled(step, use.given, findings)
            self._charge(written, use.name.span, findings)
            yield from self._step(written, scope, (*above, use.name.text), inside, findings)

    def _steps_of(self, use: _Use, above: tuple[str, ...], findings: Findings) -> Sequence | None:
        name = use.name.text
        if name not in self.flows:
            hint = findings.suggest(name, self.flows) or f"write it: flows: {{{name:.40}: [...]}}"
            findings.report(use.name.span, f"there is no flow {name!r:.80}", hint)
            return None
        if name in above:
            circle = " uses ".join([*above[above.index(name) :], name])
            findings.report(use.name.span, f"flows use each other in a circle: {circle:.200}")
            return None
        if len(above) >= DEPTH_MAX:
            findings.report(use.name.span, f"flows use flows more than {DEPTH_MAX} levels deep")
            return None
        _, steps = self.flows[name]
        if isinstance(steps, Sequence) and steps.items:
            return steps
        self.used.add(name)
        if isinstance(steps, Sequence):
            hint = "add one, or leave out its uses"
            findings.report(use.name.span, f"the flow {name!r:.80} has no steps", hint)
            return None
        findings.report(steps.span, f"{name} must be a list of steps", "begin each with '- '")
        return None

    def _check_given(self, use: _Use, steps: Sequence, scope: Scope, findings: Findings) -> None:
        """Check that a use sets the variables of its flow; nested uses are checked on their own."""
        own: set[str] = set()
        needed: dict[str, None] = {}
        for step in steps.items:
            needed |= dict.fromkeys(name for name in _variables(step) if name not in own)
            own |= self._kept_names(step)
        _check_with(use, needed, own, findings)
        for name in needed:
            if not scope.has(name) and name not in use.given:
                findings.report(
                    use.name.span,
                    f"the flow {use.name.text!r:.80} needs ${name}",
                    f"add `with: {{{name}: ...}}`",
                )
                scope.known.add(name)  # said once

    def _kept_names(self, step: Node) -> set[str]:
        """Return the `as:` names of a step, and of the flow that it uses."""
        names = {value.text for value in _named(step, "as")}
        for flow in _named(step, "use"):
            if flow.text not in self._kept:
                self._kept[flow.text] = self._kept_inside(flow.text)
            names |= self._kept[flow.text]
        return names

    def _kept_inside(self, flow: str) -> set[str]:
        names: set[str] = set()
        todo, seen = [flow], {flow}
        while todo:
            _, steps = self.flows.get(todo.pop(), (None, None))
            for step in steps.items if isinstance(steps, Sequence) else ():
                names.update(value.text for value in _named(step, "as"))
                new = {value.text for value in _named(step, "use")} - seen
                seen |= new
                todo += new
        return names

    def _charge(self, step: Node, span: Span, findings: Findings) -> None:
        self._values += size_of(step)[0]
        if self._values > VALUES_MAX:
            findings.stop(span, f"flows stand for more than {VALUES_MAX} values", "use fewer")


def _is_use(node: Node) -> bool:
    return isinstance(node, nodes.Mapping) and any(
        isinstance(name, Scalar) and name.text == "use" for name, _ in node.pairs
    )


def _read_use(node: Node, scope: Scope, around: WrittenStep, findings: Findings) -> _Use:
    found = dict(read_fields(node, USE_FIELDS, "a step that uses a flow", findings))
    name = found["use"]
    if not isinstance(name, Scalar):
        read_name(name, "the flow", findings)
        name = Scalar(text="", value="", is_quoted=True, span=name.span)
    given: dict[str, Node] = {}
    for variable, value in pairs(found["with"], "with", findings) if "with" in found else ():
        read_name(variable, "the variable", findings, pattern=Kind.VARIABLE)
        scope.check(value, findings)
        given[variable.text] = value
    prefix = around.prefix
    if "id" in found:
        prefix += f"{read_name(found['id'], 'id', findings, pattern=Kind.ID)}."
    place = (found["node"],) if "node" in found else around.place
    return _Use(name=name, given=given, prefix=prefix, place=place)


def _variables(node: Node) -> Iterator[str]:
    todo = [node]
    while todo:
        here = todo.pop()
        if isinstance(here, Scalar):
            reference = parse_reference(here.value)
            if reference is not None:
                yield reference.name
        elif isinstance(here, Sequence):
            todo += here.items
        else:
            todo += [value for name, value in here.pairs if not _is_named(name, "literal")]


def _check_with(use: _Use, needed: Mapping[str, None], own: set[str], findings: Findings) -> None:
    for name, value in use.given.items():
        if name not in needed:
            findings.report(
                value.span,
                f"the flow {use.name.text!r:.80} has no variable ${name:.80}",
                findings.suggest(name, needed) or "leave it out",
            )
        for shadowed in sorted(own.intersection(_variables(value))):
            findings.report(
                value.span,
                f"the flow {use.name.text!r:.80} keeps an answer as ${shadowed} itself",
                "choose another name for one of the two",
            )


def _filled(step: Node, given: With, findings: Findings) -> Node:
    """Replace the variables of ``with:`` in one step by their values."""
    if not isinstance(step, nodes.Mapping) or not given:
        return step
    keep = STEP_FIELDS.keys() - {"expect"}
    return nodes.Mapping(
        pairs=tuple(
            (name, value)
            if isinstance(name, Scalar) and name.text in keep and name.text != "with"
            else (name, _replaced(value, given, findings))
            for name, value in step.pairs
        ),
        span=step.span,
    )


def _replaced(node: Node, given: With, findings: Findings) -> Node:
    if isinstance(node, Sequence):
        items = tuple(_replaced(item, given, findings) for item in node.items)
        return Sequence(items=items, span=node.span)
    if isinstance(node, nodes.Mapping):
        return nodes.Mapping(
            pairs=tuple(
                (name, value if _is_named(name, "literal") else _replaced(value, given, findings))
                for name, value in node.pairs
            ),
            span=node.span,
        )
    reference = parse_reference(node.value)
    if reference is None or reference.name not in given:
        return node
    return _field_of(given[reference.name], reference, node, findings)


def _field_of(value: Node, reference: Reference, at: Scalar, findings: Findings) -> Node:
    """Return the node for `$item.price` if `with:` sets `$item`."""
    for done, name in enumerate(reference.fields):
        outer = parse_reference(value.value) if isinstance(value, Scalar) else None
        if outer is not None:
            text = ".".join((str(outer), *reference.fields[done:]))
            return Scalar(text=text, value=text, is_quoted=False, span=at.span)
        found = value.pairs if isinstance(value, nodes.Mapping) else ()
        inner = next((part for key, part in found if _is_named(key, name)), None)
        if inner is None:
            findings.report(
                value.span, f"{reference} has no value: there is no field {name!r:.80} here"
            )
            return Scalar(text="", value="", is_quoted=True, span=value.span)
        value = inner
    return value


def _named(step: Node, field: str) -> list[Scalar]:
    """Return the scalars after ``field`` in a step."""
    found = step.pairs if isinstance(step, nodes.Mapping) else ()
    return [value for name, value in found if _is_named(name, field) and isinstance(value, Scalar)]


def _is_named(node: Node, name: str) -> bool:
    return isinstance(node, Scalar) and node.text == name
