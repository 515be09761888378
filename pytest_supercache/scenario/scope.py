"""Tracks which variables a place in the file may use; an unknown one is reported at loading."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_supercache.scenario.nodes import Mapping as MappingNode
from pytest_supercache.scenario.nodes import Node, Scalar, Sequence
from pytest_supercache.scenario.problems import Findings
from pytest_supercache.scenario.variables import parse_reference


@dataclass(slots=True)
class Scope:
    """The variables bound so far; grows with every `as:`."""

    known: set[str] = field(default_factory=set)
    # Variables that only some cases set: variable -> a case without it.
    not_in_case: Mapping[str, str] = field(default_factory=dict)
    is_open: bool = False  # a flow that nobody uses: its variables may mean anything
    used: set[str] = field(default_factory=set)  # by whatever was read

    def has(self, name: str) -> bool:
        """Say whether a variable may be used; `check` reports one that some cases lack."""
        self.used.add(name)
        return self.is_open or name in self.known or name in self.not_in_case

    def nested(self) -> "Scope":
        """Return the scope of an inner flow, whose names stay in it."""
        return Scope(
            known=set(self.known),
            not_in_case=self.not_in_case,
            is_open=self.is_open,
            used=self.used,
        )

    def check(self, node: Node, findings: Findings) -> None:
        """Report every variable in ``node`` that has no value."""
        if isinstance(node, Scalar):
            self._check_scalar(node, findings)
        elif isinstance(node, Sequence):
            for item in node.items:
                self.check(item, findings)
        elif isinstance(node, MappingNode):
            for _, value in node.pairs:
                self.check(value, findings)

    def _check_scalar(self, node: Scalar, findings: Findings) -> None:
        reference = parse_reference(node.value)
        self.used |= set() if reference is None else {reference.name}
        if reference is None or self.is_open or reference.name in self.known:
            return
        if reference.name in self.not_in_case:
            case = self.not_in_case[reference.name]
            findings.report(
                node.span,
                f"the case {case!r} does not set ${reference.name}",
                f"add `{reference.name}:` to {case!r}",
            )
            return
        hint = findings.suggest(f"${reference.name}", (f"${name}" for name in sorted(self.known)))
        findings.report(
            node.span,
            f"the variable ${reference.name} has no value here",
            hint or "keep an answer with `as: name` in an earlier step of this user",
        )
