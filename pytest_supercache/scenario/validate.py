"""Reads the text of a file to a `Scenario`, or reports all of its problems at once.

A mistake stops reading only if it makes the rest unreadable: placeholders stand for wrong values,
and no scenario is returned while there are problems.
"""

import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_supercache.scenario import nodes
from pytest_supercache.scenario.content import check_unused, read_cases, read_given
from pytest_supercache.scenario.faults import read_faults
from pytest_supercache.scenario.fields import (
    READERS,
    location,
    pairs,
    read_fields,
    read_name,
    read_table,
)
from pytest_supercache.scenario.files import Folder, read_content, read_includes
from pytest_supercache.scenario.flows import FlowBook
from pytest_supercache.scenario.grammar import (
    COPIES_MAX,
    EXPLORE_FIELDS,
    FIELDS,
    USER_FIELDS,
    Vocabulary,
)
from pytest_supercache.scenario.guarantees import read_guarantees
from pytest_supercache.scenario.nodes import Node, Scalar
from pytest_supercache.scenario.problems import Findings, ScenarioProblems, Span
from pytest_supercache.scenario.scenario import Scenario, StepSpec, SystemSpec, UserSpec
from pytest_supercache.scenario.scope import Scope
from pytest_supercache.scenario.sense import check_sense
from pytest_supercache.scenario.steps import StepReader
from pytest_supercache.scenario.systems import read_assume, read_system, read_systems
from pytest_supercache.scenario.waiting import check_waits

_ALONE_FIELDS = ("scenario", "id", "owner", "severity", "tags", "links")


def load_file(path: Path, shown: str, vocabulary: Vocabulary, root: Path) -> Scenario:
    """Read and check one scenario file of the project at ``root``.

    Raises:
        ScenarioProblems: With every mistake in the file and in its included files.
        OSError: The file cannot be read.
    """
    folder = Folder(path=path.resolve().parent, root=root)
    return load(shown, read_content(path), vocabulary, folder, path.resolve())


def everything_in(path: Path, vocabulary: Vocabulary, root: Path) -> tuple[bytes, ...]:
    """Return the contents of a scenario file and of each file that it reads, valid or not.

    Raises:
        OSError: The file cannot be read.
    """
    content, folder = read_content(path), Folder(path=path.resolve().parent, root=root)
    with suppress(ScenarioProblems):
        load(str(path), content, vocabulary, folder, path.resolve())
    return (content, *folder.contents)


def load(
    path: str,
    content: bytes | str,
    vocabulary: Vocabulary,
    folder: Folder | None = None,
    identity: Path | None = None,
) -> Scenario:
    """Read and check the content of one scenario file.

    Args:
        path: The file's name in problems and locations.
        content: The file's bytes, or its text.
        vocabulary: The systems, verbs and guarantees that the file may name.
        folder: The folder of the files that it includes; None refuses them.
        identity: The path of the file itself, which no file may include.

    Raises:
        ScenarioProblems: With every mistake in the file.
    """
    text, findings = nodes.decode(path, content)
    root = nodes.compose(text, findings)
    if root is None:
        findings.stop(Span(line=1, column=1), "the file is empty", "begin with `scenario:`")
    scenario = _FileReader(vocabulary, findings, folder, identity).read(root, _story(text))
    findings.raise_if_any()
    check_sense(scenario, findings)
    findings.raise_if_any()
    return replace(scenario, warnings=findings.warnings)


def _story(text: str) -> str:
    """Return the comment at the top of the file, without lines for editors."""
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
    """Reads the top level of one file."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        findings: Findings,
        folder: Folder | None,
        identity: Path | None,
    ) -> None:
        self._vocabulary = vocabulary
        self._findings = findings
        self._folder = folder
        self._identity = identity
        self._book = FlowBook()
        self._steps = StepReader(vocabulary, self._book, findings)

    def read(self, root: Node, story: str) -> Scenario:
        """Read all fields; the result is complete only if nothing was reported."""
        fields: dict[str, Node] = {}
        for name, node in read_fields(root, FIELDS, "the scenario", self._findings):
            if name in fields and name == "users":
                self._read_users(node, Scope())  # given twice, which is reported; check both
            fields.setdefault(name, node)
        self._read_flows(fields)
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
            spans=_spans(fields),
            **alone,
            **self._read_world(fields),
        )

    def _read_flows(self, fields: dict[str, Node]) -> None:
        if "flows" in fields:
            self._book.add(fields["flows"], self._findings)
        if "include" in fields:
            read_includes(
                fields["include"], self._book, self._folder, self._findings, self._identity
            )

    def _check_unused_flows(self) -> None:
        """Read the flows that no step uses: their mistakes count, their waits and ids do not."""
        reader = StepReader(self._vocabulary, self._book, self._findings)
        while unused := self._book.unused():
            name, node = unused[0]
            self._book.used.add(name.text)
            reader.read_flow(node, name.text, Scope(is_open=True))
            if name.span.source is self._findings.source:
                self._findings.warn(
                    name.span, f"no step uses the flow {name.text!r:.80}", "leave it out"
                )

    def _read_world(self, fields: dict[str, Node]) -> dict[str, Any]:
        world: dict[str, Any] = {}
        scope, cases = Scope(), None
        if "cases" in fields:
            world["cases"], scope, cases = read_cases(fields["cases"], self._folder, self._findings)
        if "given" in fields:
            world["given"] = read_given(fields["given"], "given", scope, self._findings)
        world["before"] = self._read_alone("before", fields, scope)
        world["users"] = self._read_users(fields["users"], scope) if "users" in fields else ()
        world["finally_"] = self._read_alone("finally", fields, scope.nested())
        names = tuple(dict.fromkeys(user.name for user in world["users"]))
        check_waits(names, self._steps.ids, self._steps.waits, self._findings)
        self._check_unused_flows()
        if cases is not None:
            check_unused(cases, scope, self._findings)
        if "guarantees" in fields:
            known = self._vocabulary.guarantees
            world["guarantees"] = read_guarantees(fields["guarantees"], known, self._findings)
        if "explore" in fields:
            world["explore"] = read_table(
                fields["explore"], EXPLORE_FIELDS, "explore", self._findings
            )
        if "assume" in fields:
            world["assume"] = read_assume(fields["assume"], self._findings)
        if "faults" in fields:
            world["faults"] = read_faults(fields["faults"], self._findings)
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
            classes = self._vocabulary.classes
            specs = read_systems(fields["systems"], known, classes, self._findings)
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


def _spans(fields: dict[str, Node]) -> dict[str, Span]:
    """Return the places that only the whole project can check: the id, and each tag."""
    spans = {"id": fields["id"].span} if "id" in fields else {}
    tags = fields.get("tags")
    for tag in tags.items if isinstance(tags, nodes.Sequence) else ():
        if isinstance(tag, Scalar):
            spans.setdefault(f"tag:{tag.text}", tag.span)
    return spans


def _first_name(root: nodes.Mapping) -> Span:
    return root.pairs[0][0].span if root.pairs else root.span
