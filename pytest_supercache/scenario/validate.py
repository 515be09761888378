"""From a file's text to a `Scenario`, or to all of its problems at once.

Reading never stops at a mistake that leaves the rest readable: placeholders stand in for what is
wrong, and nothing is handed out while there are problems.
"""

import re
from typing import Any

from pytest_supercache.scenario import nodes
from pytest_supercache.scenario.content import read_cases, read_given
from pytest_supercache.scenario.fields import (
    READERS,
    location,
    pairs,
    read_fields,
    read_name,
    read_table,
)
from pytest_supercache.scenario.grammar import (
    COPIES_MAX,
    EXPLORE_FIELDS,
    FIELDS,
    USER_FIELDS,
    Vocabulary,
)
from pytest_supercache.scenario.guarantees import read_guarantees
from pytest_supercache.scenario.nodes import Node, Scalar
from pytest_supercache.scenario.problems import Findings, Span
from pytest_supercache.scenario.scenario import Scenario, StepSpec, SystemSpec, UserSpec
from pytest_supercache.scenario.scope import Scope
from pytest_supercache.scenario.steps import StepReader
from pytest_supercache.scenario.systems import read_assume, read_system, read_systems
from pytest_supercache.scenario.waiting import check_waits

_ALONE_FIELDS = ("scenario", "id", "owner", "severity", "tags", "links")


def load(path: str, content: bytes | str, vocabulary: Vocabulary) -> Scenario:
    """Read and check one scenario file.

    Args:
        path: The file's name as problems and locations show it.
        content: The file's bytes, or its text.
        vocabulary: The systems, verbs and guarantees that the file may name.

    Raises:
        ScenarioProblems: With every mistake in the file.
    """
    text, findings = nodes.decode(path, content)
    root = nodes.compose(text, findings)
    if root is None:
        findings.stop(Span(line=1, column=1), "the file is empty", "begin with `scenario:`")
    scenario = _FileReader(vocabulary, findings).read(root, _story(text))
    findings.raise_if_any()
    return scenario


def _story(text: str) -> str:
    """Give the comment that the file opens with; editors' lines are not part of the story."""
    told = []
    for line in re.split(r"\r\n|\n|\r", text):
        words = line.strip()
        if words and not words.startswith("#"):
            break
        said = words.lstrip("#").strip()
        if said and not said.startswith("yaml-language-server:"):
            told.append(said)
    return " ".join(told)


class _FileReader:
    """The top level of one file."""

    def __init__(self, vocabulary: Vocabulary, findings: Findings) -> None:
        self._vocabulary = vocabulary
        self._findings = findings
        self._steps = StepReader(vocabulary, findings)

    def read(self, root: Node, story: str) -> Scenario:
        """Read what is there; the result is whole only when nothing was reported."""
        fields: dict[str, Node] = {}
        for name, node in read_fields(root, FIELDS, "the scenario", self._findings):
            if name in fields and name == "users":
                self._read_users(node, Scope())  # given twice, which is reported; check both
            fields.setdefault(name, node)
        alone = {
            name: READERS[FIELDS[name].kind](fields[name], name, FIELDS[name], self._findings)
            for name in _ALONE_FIELDS
            if name in fields
        }
        return Scenario(
            path=self._findings.path,
            title=alone.pop("scenario", ""),
            id=alone.pop("id", ""),
            story=story,
            systems=self._read_systems(root, fields),
            names_systems="systems" in fields,
            where=location(root, self._findings),
            **alone,
            **self._read_world(fields),
        )

    def _read_world(self, fields: dict[str, Node]) -> dict[str, Any]:
        world: dict[str, Any] = {}
        scope = Scope()
        if "cases" in fields:
            world["cases"], scope = read_cases(fields["cases"], self._findings)
        if "given" in fields:
            world["given"] = read_given(fields["given"], "given", scope, self._findings)
        world["before"] = self._read_alone("before", fields, scope)
        world["users"] = self._read_users(fields["users"], scope) if "users" in fields else ()
        world["finally_"] = self._read_alone("finally", fields, scope.nested())
        names = tuple(dict.fromkeys(user.name for user in world["users"]))
        check_waits(names, self._steps.ids, self._steps.waits, self._findings)
        if "guarantees" in fields:
            known = self._vocabulary.guarantees
            world["guarantees"] = read_guarantees(fields["guarantees"], known, self._findings)
        if "explore" in fields:
            world["explore"] = read_table(
                fields["explore"], EXPLORE_FIELDS, "explore", self._findings
            )
        if "assume" in fields:
            world["assume"] = read_assume(fields["assume"], self._findings)
        return world

    def _read_systems(self, root: Node, fields: dict[str, Node]) -> tuple[SystemSpec, ...]:
        known = self._vocabulary.systems
        if "system" in fields and "systems" in fields:
            self._findings.report(
                fields["systems"].span, "both `system` and `systems` are given", "keep one of them"
            )
        specs: tuple[SystemSpec, ...] = ()
        if "system" in fields:
            specs = read_system(fields["system"], known, self._findings)
        if "systems" in fields:
            specs = read_systems(fields["systems"], known, self._findings)
        elif "system" not in fields and isinstance(root, nodes.Mapping):
            self._findings.report(
                _first_name(root),
                "the field 'system' is missing",
                "name the system under test, or several with `systems:`",
            )
        return specs

    def _read_alone(self, name: str, fields: dict[str, Node], scope: Scope) -> tuple[StepSpec, ...]:
        return self._steps.read_flow(fields[name], name, scope) if name in fields else ()

    def _read_users(self, node: Node, scope: Scope) -> tuple[UserSpec, ...]:
        found = pairs(node, "users", self._findings)
        if isinstance(node, nodes.Mapping) and not found:
            self._findings.report(node.span, "there are no users", "add one with a list of steps")
        return tuple(self._read_user(name, value, scope.nested()) for name, value in found)

    def _read_user(self, name_node: Scalar, node: Node, scope: Scope) -> UserSpec:
        name = read_name(name_node, "the user", self._findings)
        where = location(name_node, self._findings)
        if not isinstance(node, nodes.Mapping):
            steps = self._steps.read_flow(node, name, scope)
            return UserSpec(name=name, steps=steps, where=where)
        found: dict[str, Any] = {"steps": ()}
        for field, value in read_fields(node, USER_FIELDS, f"the user {name}", self._findings):
            if field == "steps":
                found[field] = self._steps.read_flow(value, name, scope)
                continue
            kind = USER_FIELDS[field].kind
            found[field] = READERS[kind](value, field, USER_FIELDS[field], self._findings)
            if field == "copies" and found[field] > COPIES_MAX:
                self._findings.report(
                    value.span,
                    f"copies cannot be more than {COPIES_MAX}",
                    "two or three show nearly every conflict",
                )
        return UserSpec(name=name, where=where, **found)


def _first_name(root: nodes.Mapping) -> Span:
    return root.pairs[0][0].span if root.pairs else root.span
