"""Reads steps: one verb each, and the fields beside it."""

from dataclasses import replace
from typing import Any

from pytest_supercache.scenario import nodes
from pytest_supercache.scenario.arguments import read_arguments, usage
from pytest_supercache.scenario.expectations import read_matcher
from pytest_supercache.scenario.fields import READERS, Pair, location, pairs
from pytest_supercache.scenario.flows import FlowBook, WrittenStep
from pytest_supercache.scenario.grammar import (
    BUILT_IN_VERBS,
    STEP_FIELDS,
    WITHOUT_ANSWER,
    Kind,
    Vocabulary,
)
from pytest_supercache.scenario.nodes import Node, Scalar, Sequence
from pytest_supercache.scenario.problems import Findings, Span
from pytest_supercache.scenario.scenario import UNSET, StepSpec
from pytest_supercache.scenario.scope import Scope
from pytest_supercache.scenario.waiting import Mark

ALONE = ("before", "finally")


class StepReader:
    """Reads the flows of one file, and keeps what only the whole file can check: ids and waits."""

    def __init__(self, vocabulary: Vocabulary, book: FlowBook, findings: Findings) -> None:
        # In this order: a built-in verb has the same meaning in every project.
        self._verbs = {**vocabulary.verbs, **BUILT_IN_VERBS}
        self._book = book
        self._findings = findings
        self.ids: list[Mark] = []
        self.waits: list[Mark] = []

    def read_flow(self, node: Node, flow: str, scope: Scope) -> tuple[StepSpec, ...]:
        """Read the steps of a user, of `before` or of `finally`; add their names to ``scope``."""
        if not isinstance(node, Sequence):
            self._findings.report(
                node.span, f"{flow} must be a list of steps", "begin each step with '- '"
            )
            return ()
        if not node.items and flow not in ALONE:
            self._findings.report(node.span, f"{flow} has no steps", "add one, or leave it out")
        first_lines: dict[str, int] = {}
        steps = [
            self._read_step(written, flow, position, scope, first_lines)
            for position, written in enumerate(self._book.written_out(node, scope, self._findings))
        ]
        return tuple(step for step in steps if step is not None)

    def _read_step(
        self,
        written: WrittenStep,
        flow: str,
        position: int,
        scope: Scope,
        first_lines: dict[str, int],
    ) -> StepSpec | None:
        node = written.node
        if not isinstance(node, nodes.Mapping):
            self._findings.report(
                node.span, "a step must be `verb: argument`", self._step_hint(node)
            )
            return None
        found = pairs(node, "a step", self._findings)
        beside_pairs = _completed([pair for pair in found if pair[0].text in STEP_FIELDS], written)
        beside = self._read_beside(beside_pairs, scope)
        self._note_ids(beside_pairs, flow, position, first_lines)
        verb = self._only_verb(node, [pair for pair in found if pair[0].text not in STEP_FIELDS])
        arguments: dict[str, Any] = {}
        if verb:
            name, value = verb
            signature = self._verbs[name.text]
            arguments = read_arguments(name, value, signature, scope, self._findings)
            self._check_beside(beside_pairs, name.text, flow)
            self._note_wait(verb, arguments, flow, position)
        if beside.get("as"):
            scope.known.add(beside["as"])
        if verb is None:
            return None
        return StepSpec(
            verb=verb[0].text,
            arguments=arguments,
            id=beside.get("id"),
            keep_as=beside.get("as"),
            expect=beside.get("expect", UNSET),
            raises=beside.get("raises"),
            why=beside.get("why"),
            node=beside.get("node"),
            name=beside.get("id") or f"{flow}[{position + 1}]",
            where=location(node, self._findings),
        )

    def _step_hint(self, node: Node) -> str:
        if isinstance(node, Scalar):
            verb, colon, rest = node.text.partition(":")
            if verb in self._verbs and colon and rest:
                return f"put a space after '{verb}:'"
            if verb in self._verbs:
                return f"write `{usage(verb, self._verbs[verb])}`"
        return "write `read: some-key`"

    def _only_verb(self, step: Node, found: list[Pair]) -> Pair | None:
        known = [pair for pair in found if pair[0].text in self._verbs]
        what = "unknown field of a step:" if known else "unknown verb"
        for name, _ in found:
            if name.text == "with":
                self._findings.report(
                    name.span, "`with` fills in a flow", "write `use: flow` beside it"
                )
            elif name.text not in self._verbs:
                hint = self._findings.suggest(name.text, [*self._verbs, *STEP_FIELDS, "use"])
                self._findings.report(name.span, f"{what} {name.text!r:.80}", hint)
        for name, _ in known[1:]:
            if name.text != known[0][0].text:  # the same one twice is reported as a name twice
                self._findings.report(
                    name.span,
                    f"a second verb {name.text!r} in one step",
                    "begin another step with '- '",
                )
        if not found:
            self._findings.report(
                _place(step), "the step has no verb", "add `read: some-key` or another verb"
            )
        return known[0] if known else None

    def _read_beside(self, found: list[Pair], scope: Scope) -> dict[str, Any]:
        beside: dict[str, Any] = {}
        for name, value in found:
            field = STEP_FIELDS[name.text]
            if field.kind is Kind.EXPECT:
                beside[name.text] = read_matcher(value, scope, self._findings)
            else:
                beside[name.text] = READERS[field.kind](value, name.text, field, self._findings)
        return beside

    def _check_beside(self, found: list[Pair], verb: str, flow: str) -> None:
        spans = {name.text: name.span for name, _ in found}
        if "node" in spans and flow not in ALONE:
            self._findings.report(
                spans["node"],
                "a user's step has no node of its own",
                f"write `node:` once, beside `steps:` of {flow}",
            )
        if "expect" in spans and "raises" in spans:
            self._findings.report(
                spans["raises"],
                "a step that raises has no answer to expect",
                "for either, write expect: {one_of: [answer, {raises: Name}]}",
            )
        if verb in WITHOUT_ANSWER:
            for name in ("as", "expect", "raises"):
                if name in spans:
                    self._findings.report(
                        spans[name],
                        f"{verb!r} has no answer, so {name!r} means nothing here",
                        "move it to a step that asks the system",
                    )

    def _note_ids(
        self, found: list[Pair], flow: str, position: int, first_lines: dict[str, int]
    ) -> None:
        for name, value in found:
            if name.text != "id" or not isinstance(value, Scalar):
                continue
            if value.text in first_lines:
                self._findings.report(
                    value.span,
                    f"the step id {value.text!r:.80} is given twice in {flow}",
                    f"first on line {first_lines[value.text]}",
                )
            first_lines.setdefault(value.text, value.span.line)
            if flow not in ALONE:
                mark = Mark(user=flow, position=position, name=value.text, span=value.span)
                self.ids.append(mark)

    def _note_wait(self, verb: Pair, arguments: dict[str, Any], flow: str, position: int) -> None:
        name, value = verb
        if name.text != "wait_for":
            return
        if flow in ALONE:
            self._findings.report(
                name.span, f"there is nobody to wait for in {flow!r}", "its steps run alone"
            )
        elif event := arguments.get("event"):
            place = value
            if isinstance(value, nodes.Mapping):
                place = value.pairs[0][1]  # `event` is its only parameter
            self.waits.append(Mark(user=flow, position=position, name=event, span=place.span))


def _completed(found: list[Pair], written: WrittenStep) -> list[Pair]:
    """Add what the uses around a step set: a prefix of its id, and its node."""
    completed: list[Pair] = []
    for name, value in found:
        if name.text == "id" and written.prefix and isinstance(value, Scalar) and value.text:
            value = replace(value, text=written.prefix + value.text, value=None, is_quoted=True)
        completed.append((name, value))
    if written.place and all(name.text != "node" for name, _ in found):
        (place,) = written.place
        name = Scalar(text="node", value="node", is_quoted=False, span=place.span)
        completed.append((name, place))
    return completed


def _place(step: Node) -> Span:
    if isinstance(step, nodes.Mapping) and step.pairs:
        return step.pairs[0][0].span
    return step.span
